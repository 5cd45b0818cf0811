"""Batches in parts, whose gradients are those of the whole batch; clipped gradients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from learnorder import Task, TrainingConfig
from learnorder.config.settings import ModelConfig, TaskConfig, TaskRunConfig
from learnorder.config.training import NoiseConfig
from learnorder.data import load_images
from learnorder.errors import ConfigError
from learnorder.schedules import Schedule
from learnorder.tasks.backend import check
from learnorder.training.image_problem import image_trainer
from learnorder.training.task import register_task
from learnorder.training.task_problem import task_trainer
from learnorder.training.trainer import Trainer

from .conftest import changed
from .test_task import blobs

NOISY = [NoiseConfig(), NoiseConfig(Schedule(0.3)), NoiseConfig(Schedule(0.3), shared=False)]


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 3))


def mean_loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(outputs, targets)


def each_loss(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return F.cross_entropy(outputs, targets, reduction="none")


def config_of(**training: Any) -> TaskRunConfig:
    schedule = Schedule(0.1, warmup_epochs=1, linear_after=0.5)
    return TaskRunConfig(TaskConfig(), TrainingConfig(epochs=2, **training), schedule)


def run(trainer: Trainer[Any]) -> Trainer[Any]:
    assert trainer.run(lambda _: False, lambda _: None).status == "finished"
    trainer.close()
    return trainer


def close(a: Trainer[Any], b: Trainer[Any]) -> None:
    for ours, theirs in zip(a.network.parameters(), b.network.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)
    assert a.records.columns["quantity"] == b.records.columns["quantity"]
    assert a.records.columns["value"] == pytest.approx(b.records.columns["value"], abs=1e-4)


@pytest.mark.parametrize("loss", [mean_loss, each_loss])
@pytest.mark.parametrize("accumulate", [2, 3, 5, 20])
@pytest.mark.parametrize("noise", NOISY)
def test_a_batch_in_parts_is_the_whole_batch(loss, accumulate, noise):
    """72 examples: the last batch has 12 of 20."""
    task = Task(network, blobs(90), loss=loss)
    whole, parts = (
        run(task_trainer(replace(config_of(batch_size=20, **how), noise=noise), task))
        for how in ({}, {"accumulate": accumulate})
    )
    assert whole.problem.steps == parts.problem.steps == 4
    close(parts, whole)


@pytest.mark.parametrize("noise", NOISY)
def test_images_in_parts_are_the_whole_batch(tiny, noise):
    config = replace(tiny, model=ModelConfig("MLP", {"widths": [16]}), noise=noise)
    data = load_images(config.data)
    in_parts = changed(config, training={"accumulate": 3})
    whole, parts = (run(image_trainer(each, data)) for each in (config, in_parts))
    close(parts, whole)


def test_parts_are_small_and_as_many_as_are_needed():
    seen: list[int] = []

    class Watching(nn.Linear):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if self.training:
                seen.append(len(x))
            return super().forward(x)

    task = Task(lambda: Watching(3, 3), blobs(90))
    run(task_trainer(config_of(batch_size=20, accumulate=3), task))
    assert seen == 2 * (3 * [6, 7, 7] + [6, 6])  # 72 = 3 · 20 + 12, at most 7 at once


def test_a_run_in_parts_goes_on_within_an_epoch():
    task, config = Task(network, blobs(90)), config_of(batch_size=20, accumulate=3)
    whole, stopped = run(task_trainer(config, task)), task_trainer(config, task)
    stopped.run(lambda trainer: (trainer.epoch, trainer.step) == (2, 2), lambda _: None)
    continued = task_trainer(config, task, stopped.state())
    assert run(continued).records.columns == whole.records.columns
    for a, b in zip(continued.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_processes_that_load_items_do_not_matter():
    runs = [
        run(
            task_trainer(
                config_of(batch_size=20, accumulate=3), Task(network, blobs(90), num_workers=n)
            )
        )
        for n in (0, 1)
    ]
    assert runs[0].records.columns == runs[1].records.columns


def test_gradients_are_clipped_to_the_norm():
    """One step of plain SGD moves the weights by the learning rate times the norm."""
    task, moved = Task(network, blobs(90)), dict[float | None, float]()
    for norm in (None, 1e6, 0.01):
        training = TrainingConfig(
            epochs=1, batch_size=100, momentum=0.0, nesterov=False, weight_decay=0.0, clip_norm=norm
        )
        trainer = task_trainer(TaskRunConfig(TaskConfig(), training, Schedule(0.5)), task)
        before = [p.detach().clone() for p in trainer.network.parameters()]
        run(trainer)
        after = trainer.network.parameters()
        moves = [(p - q).square().sum() for p, q in zip(after, before, strict=True)]
        moved[norm] = torch.stack(moves).sum().sqrt().item()
    assert moved[0.01] == pytest.approx(0.5 * 0.01, rel=1e-3)
    assert moved[None] == moved[1e6] > 0.05


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"accumulate": 0}, "training.accumulate: got 0. Give from 1 to the batch size, 16"),
        ({"accumulate": 17}, "training.accumulate: got 17"),
        ({"clip_norm": 0.0}, r"training.clip_norm: got 0\.0. Give a norm > 0"),
    ],
)
def test_what_is_out_of_range_is_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        TrainingConfig(batch_size=16, **settings)


def test_a_part_of_one_example_does_not_fit_batch_norm():
    task = Task(lambda: nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)), blobs(90))
    with (
        register_task(task) as given,
        pytest.raises(ConfigError, match=r"training.accumulate: got 8\. A part of a batch has 1"),
    ):
        check([replace(config_of(batch_size=8, accumulate=8), task=given)])
