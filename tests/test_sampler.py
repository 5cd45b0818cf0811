"""A task's own sampler: weights of the examples, or a function that chooses those of an epoch."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset, WeightedRandomSampler

from learnorder import Groups, Task, TrainingConfig, write_report
from learnorder.config.settings import PatternConfig, TaskConfig, TaskRunConfig
from learnorder.errors import ConfigError
from learnorder.execution.driver import Plan, run_plans
from learnorder.execution.settings import Execution
from learnorder.planters import TablePlanter
from learnorder.runs.opening import results_of
from learnorder.schedules import Schedule
from learnorder.tasks.backend import check, measure
from learnorder.training.identity import whole
from learnorder.training.sampling import EpochOrder
from learnorder.training.task import identify, register_task, splits
from learnorder.training.task_problem import task_trainer
from learnorder.training.trainer import Trainer

from .test_task import blobs


def network() -> nn.Module:
    return nn.Linear(3, 3)


def half(generator: torch.Generator) -> torch.Tensor:
    """Half of the examples, drawn without replacement."""
    return torch.randperm(90, generator=generator)[:45]


def config_of(task: TaskConfig | None = None, **settings: Any) -> TaskRunConfig:
    training = TrainingConfig(epochs=3, batch_size=16)
    config = TaskRunConfig(task or TaskConfig(), training, Schedule(0.1))
    return replace(config, **settings)


def shown(trainer: Trainer[Any], epoch: int) -> list[int]:
    return [i for parts in trainer.problem.epoch(epoch) for part in parts for i in part.indices]


def given(sampler: Any) -> Task:
    return Task(network, blobs(90), validation=blobs(30), sampler=sampler)


def test_weights_are_the_odds_of_an_example():
    """2000 draws: example 2 three times as often as example 0, no other."""
    data = TensorDataset(torch.zeros(2000, 1))
    weights = torch.zeros(2000)
    weights[0], weights[2] = 1.0, 3.0
    order = EpochOrder(weights, data, seed=0).positions(1)
    counts = torch.tensor(order).bincount(minlength=2000)
    assert len(order) == int(counts[0] + counts[2]) == 2000
    assert counts[2] / 2000 == pytest.approx(0.75, abs=0.03)


@pytest.mark.parametrize("kind", [list, np.asarray, torch.as_tensor])
def test_weights_are_those_of_the_examples_that_are_not_held_out(kind):
    weights = [float(i % 3 == 1) for i in range(90)]  # class 1 alone
    task = Task(network, blobs(90), sampler=kind(weights))
    trainer = task_trainer(config_of(), task)
    train, _ = splits(task)
    seen = shown(trainer, 1)
    assert len(seen) == len(train) == 72  # pyright: ignore[reportArgumentType]
    assert {int(train[i][1]) for i in seen} == {1}


def test_a_function_chooses_the_examples_of_each_epoch():
    trainer = task_trainer(config_of(), given(half))
    first, second = (shown(trainer, epoch) for epoch in (1, 2))
    assert len(first) == len(set(first)) == 45
    assert trainer.problem.steps == 3
    assert set(first) != set(second)
    assert first == shown(task_trainer(config_of(), given(half)), 1)
    assert first != shown(task_trainer(config_of(seed=1), given(half)), 1)


def test_draws_from_global_generators_are_those_of_the_seed():
    def global_draws(_: torch.Generator) -> list[int]:
        return np.random.permutation(90).tolist()

    runs = [shown(task_trainer(config_of(), given(global_draws)), 2) for _ in range(2)]
    assert runs[0] == runs[1]


@pytest.mark.parametrize("sampler", [half, [float(i) for i in range(90)]])
def test_a_run_continued_in_mid_epoch_ends_as_one_never_stopped(sampler):
    kept: list[dict[str, Any]] = []

    def keep(trainer: Trainer[Any]) -> bool:
        if (trainer.epoch, trainer.step) == (2, 2):
            kept.append(copy.deepcopy(trainer.state()))
        return False

    whole_run = task_trainer(config_of(), given(sampler))
    whole_run.run(keep, lambda _: None)
    continued = task_trainer(config_of(), given(sampler), kept[0])
    continued.run(lambda _: False, lambda _: None)
    assert continued.records.columns == whole_run.records.columns


def test_groups_are_measured_on_what_is_shown():
    """A group without weight has no training accuracy; the others have."""
    domains = [("a", "b", "c")[i // 3 % 3] for i in range(90)]
    weights = [{"a": 1.0, "b": 1.0, "c": 0.0}[domain] for domain in domains]
    task = Task(network, blobs(90), groups=Groups(domains, name="domain"), sampler=weights)
    trainer = task_trainer(config_of(), task)
    assert trainer.run(lambda _: False, lambda _: None).status == "finished"
    columns = trainer.records.columns
    rows = zip(columns["set"], columns["group"], columns["quantity"], strict=True)
    of_training = {
        group.partition(",")[0]
        for set_, group, name in rows
        if (set_, name) == ("train", "accuracy")
    }
    assert of_training >= {"a", "b"}
    assert "c" not in of_training


def stateful() -> Callable[[torch.Generator], list[int]]:
    calls: list[int] = []

    def sampler(_: torch.Generator) -> list[int]:
        calls.append(1)
        return [len(calls) % 90] * 40

    return sampler


def uneven(generator: torch.Generator) -> list[int]:
    return list(range(int(torch.randint(20, 80, (), generator=generator))))


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        (stateful(), "It returned other positions for the same generator"),
        (lambda _: [0.5, 0.5], r"It returned float32 \[2\]"),
        (lambda _: [], r"It returned float32 \[0\]"),
        (lambda _: [0, 90], r"positions from 0 to 90\. Give those of the 90"),
        (lambda _: 1 / 0, "It failed: ZeroDivisionError"),
    ],
)
def test_what_gives_no_epoch_is_refused_before_a_run(sampler, words):
    with (
        register_task(given(sampler)) as task,
        pytest.raises(ConfigError, match=words) as error,
    ):
        check([config_of(task)])
    assert error.value.field == "task.sampler"


def test_epochs_of_different_lengths_are_refused():
    trainer = task_trainer(config_of(), given(uneven))
    with pytest.raises(ConfigError, match=r"positions for epoch 2 and .* for the first"):
        shown(trainer, 2)


@pytest.mark.parametrize(
    ("sampler", "words"),
    [
        (WeightedRandomSampler([1.0] * 90, 90), "A torch Sampler draws from a generator"),
        (half, "of which validation_share holds out a part"),
        ([1.0] * 89, r"weights \[89\]'\. There are 90 examples"),
        ([1.0] * 89 + [-1.0], "Give finite weights ≥ 0"),
        ([0.0] * 90, "some above 0"),
        ("all", "got 'str'"),
    ],
)
def test_what_is_no_sampler_of_the_data_is_refused_when_a_task_is_made(sampler, words):
    with pytest.raises(ConfigError, match=words):
        Task(network, blobs(90), sampler=sampler)


def test_patterns_contradict_a_sampler():
    task = Task(network, blobs(90), planter=TablePlanter([0]), sampler=[1.0] * 90)
    with pytest.raises(ConfigError, match="each of which an epoch must show once"):
        task_trainer(config_of(pattern=PatternConfig(eligible_share=0.5)), task)


def test_the_sampler_is_part_of_the_identity_and_of_the_page(tmp_path):
    tasks = [given(s) for s in (None, half, [1.0] * 90, [2.0] + [1.0] * 89)]
    assert len({whole(identify(task)) for task in tasks}) == 4
    with register_task(tasks[1]) as task:
        assert measure(config_of(task)).seconds > 0
        plans = {"run": Plan(config_of(task), {"experiment": "task"})}
        execution = Execution(threads=1, quiet=True)
        folders = run_plans(plans, tmp_path, execution, here=True)
    page = write_report(results_of(folders), tmp_path / "page.html").read_text()
    assert "45 examples in an epoch, chosen by the task" in page
