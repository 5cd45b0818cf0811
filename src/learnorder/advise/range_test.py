"""The learning-rate range test: what a conventional finder would pick, for comparison."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from learnorder.advise.range_rules import RangeTest, Restart, smooth
from learnorder.config.settings import NoiseConfig, SharpnessConfig, TrainingConfig
from learnorder.errors import ConfigError
from learnorder.runs.process import free_memory, process_kept
from learnorder.training.problem import Problem
from learnorder.training.process_group import ProcessGroup
from learnorder.training.trainer import Trainer

RESTARTS = 5
"""How many times the learning rate is raised, each on weights and a data order of its own."""
_TOO_HIGH = 3.0
"""It stops where the loss is above its lowest by so many times that, or what it had fallen by."""
_MOST_SKIPPED = 3
"""Batches in a row whose loss is not finite, after which it stops."""


@dataclass(frozen=True)
class _Rise:
    """A learning rate that rises from step to step: initial · (end / initial)^(t / (total − 1))."""

    initial: float
    end: float
    total: int

    def at(self, epoch: int, step: int = 0, steps: int = 1, *, epochs: int | None = None) -> float:
        """Return the value in force."""
        passed = (epoch - 1) * steps + step
        return self.initial * (self.end / self.initial) ** (passed / (self.total - 1))


@dataclass(frozen=True)
class _Settings:
    """What the training loop asks of a run."""

    training: TrainingConfig
    learning_rate: _Rise
    seed: int
    noise: NoiseConfig = NoiseConfig()  # noqa: RUF009 - frozen
    sharpness: SharpnessConfig = SharpnessConfig()  # noqa: RUF009 - frozen


def range_test(
    training: TrainingConfig,
    make_problem: Callable[[int, ProcessGroup], Problem],
    *,
    low: float = 1e-7,
    high: float = 10.0,
    steps: int = 100,
    seeds: Sequence[int] = range(RESTARTS),
    stop: Callable[[], None] = lambda: None,
) -> RangeTest:
    """Raise the learning rate geometrically over some steps of training, and watch the loss.

    The range test of Smith (*Cyclical Learning Rates for Training Neural Networks*, WACV 2017) as
    common finders do it, from 10⁻⁷ to 10 in 100 steps, but restarted: each seed has weights and a
    data order of its own. What is trained is thrown away, and global random state is left as it
    was. A batch whose loss is not finite is skipped; the rise stops where the loss explodes.

    Args:
        training: The optimiser and the batch size; its epochs do not matter.
        make_problem: Makes what is trained, from a seed, on a device.
        low: First learning rate.
        high: Last.
        steps: How many.
        seeds: One for each restart.
        stop: Called before each step; may raise.

    Raises:
        ConfigError: A range that does not rise, fewer than 20 steps, or no seeds.
    """
    if not 0 < low < high:
        raise ConfigError("high", high, f"Give more than low ({low:g}), and low above 0.")
    if steps < 20:
        raise ConfigError("steps", steps, "Give at least 20.")
    if not len(seeds):
        raise ConfigError("seeds", list(seeds), "Give at least one.")
    rise = _Rise(low, high, steps)
    restarts = list[Restart]()
    with process_kept():
        for seed in seeds:
            restarts.append(_raise(training, make_problem, rise, seed, stop))
            free_memory()
    return RangeTest(tuple(restarts))


def _raise(
    training: TrainingConfig,
    make_problem: Callable[[int, ProcessGroup], Problem],
    rise: _Rise,
    seed: int,
    stop: Callable[[], None],
) -> Restart:
    """Raise the learning rate once."""
    settings = _Settings(training, rise, seed)
    trainer = Trainer(settings, lambda group: make_problem(seed, group))
    rates, losses = list[float](), list[float | None]()
    exploded = False
    for batch in islice(_batches(trainer), rise.total):
        stop()
        rates.append(rise.at(trainer.epoch, trainer.step, trainer.problem.steps))
        losses.append(_step(trainer, batch))
        if exploded := _exploded(losses):
            break
    return Restart(seed, tuple(rates), tuple(losses), "exploded" if exploded else "finished")


def _step(trainer: Trainer[Any], batch: Any) -> float | None:
    """Take a step and return its loss; where that is not finite, take none and return None."""
    trainer.prepare_step()
    losses = trainer.problem.losses(trainer.outputs(batch), batch)
    if not math.isfinite(losses.detach().mean().item()):
        return None
    loss = trainer.backward(losses)
    trainer.optimizer.step()
    return loss.item()


def _exploded(losses: Sequence[float | None]) -> bool:
    """Return whether the loss is far above its lowest, or not finite, for several steps."""
    if losses[-_MOST_SKIPPED:] == [None] * _MOST_SKIPPED:
        return True
    if len(losses) < 2 * _MOST_SKIPPED or losses[-1] is None:
        return False
    smoothed = smooth([loss for loss in losses if loss is not None])
    lowest = float(smoothed.min())
    room = _TOO_HIGH * max(abs(lowest), float(smoothed[0]) - lowest)
    return float(smoothed[-1]) > lowest + room


def _batches(trainer: Trainer[Any]) -> Iterator[Any]:
    """Yield training batches, epoch after epoch, and keep count of them in the trainer."""
    while True:
        for batch in trainer.problem.epoch(trainer.epoch):
            yield batch
            trainer.step += 1
        trainer.epoch, trainer.step = trainer.epoch + 1, 0
