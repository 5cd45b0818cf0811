"""A task's own measures of the network, in the records of runs."""

import math

import pytest
import torch
from torch import nn

from learnorder import Task
from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.errors import ConfigError
from learnorder.schedules import Schedule
from learnorder.training.task import identify
from learnorder.training.task_problem import task_trainer

from .test_task import blobs

CONFIG = TaskRunConfig(TaskConfig(), TrainingConfig(epochs=3, batch_size=30), Schedule(0.1))


def length(network: nn.Module) -> float:
    return float(network.get_parameter("weight").detach().norm())


def task(**measures) -> Task:
    return Task(lambda: nn.Linear(3, 3), blobs(90), measures=measures)


def test_measures_are_recorded_after_each_epoch_in_evaluation_mode():
    seen = []
    given = task(length=length, training=lambda network: seen.append(network.training) or 1)
    trainer = task_trainer(CONFIG, given)
    expected = []
    trainer.run(lambda _: False, lambda t: expected.append(length(t.network)))
    rows = [row for row in trainer.records.rows() if row[3] == "length"]
    assert [(row[0], row[1], row[4]) for row in rows] == [
        (epoch, "run", value) for epoch, value in enumerate(expected, start=1)
    ]
    assert len(set(expected)) == 3
    assert seen == [False] * 4, "and once before training"
    assert trainer.network.training


def test_a_tensor_is_a_number_and_what_is_not_finite_is_left_out(caplog):
    given = task(tensor=lambda _: torch.tensor([2.0]), nothing=lambda _: math.nan)
    trainer = task_trainer(CONFIG, given)
    trainer.run(lambda _: False, lambda _: None)
    found = {row[3]: row[4] for row in trainer.records.rows() if row[1] == "run"}
    assert found["tensor"] == 2.0
    assert "nothing" not in found
    assert "No nothing: it is nan" in caplog.text


@pytest.mark.parametrize(
    ("measures", "message"),
    [
        ({"norm": 3.0}, r"measures\['norm'\].*Give a function"),
        ({"sharpness": length}, "Runs record this themselves"),
    ],
)
def test_bad_measures_are_refused(measures, message):
    with pytest.raises(ConfigError, match=message):
        task(**measures)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda network: network.bais, "It failed: AttributeError"),
        (lambda network: "long", "returned a str"),
        (lambda network: network.weight.detach(), "returned a Tensor"),
    ],
)
def test_measures_that_fail_are_refused_before_training(function, message):
    with pytest.raises(ConfigError, match=message) as refused:
        task_trainer(CONFIG, task(mine=function))
    assert "task.measures['mine']" in str(refused.value)


def test_measures_are_part_of_the_identity():
    plain, measured, other = task(), task(length=length), task(size=length)
    assert "measures" not in identify(plain)
    assert identify(measured)["measures"] != identify(other)["measures"]
