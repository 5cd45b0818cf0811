"""The learning-rate range test of conventional finders, for comparison."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from learnorder.advise.range_rules import RangeTest, Restart, smooth
from learnorder.config.training import (
    DiagnosticsConfig,
    NoiseConfig,
    SharpnessConfig,
    TrainingConfig,
)
from learnorder.errors import ConfigError
from learnorder.runs.process import process_kept, release_memory
from learnorder.training.problem import Problem
from learnorder.training.process_group import ProcessGroup
from learnorder.training.trainer import Trainer

RESTARTS = 5
"""Number of restarts, each with its own weights and data order."""
_TOO_HIGH = 3.0
"""The test stops if the loss exceeds its minimum by this many times max(|minimum|, its fall)."""
_MOST_SKIPPED = 3
"""The test stops after this many successive batches without a finite loss."""


@dataclass(frozen=True)
class _Rise:
    """A geometric schedule: initial · (end / initial)^(t / (total − 1)) at step t."""

    initial: float
    end: float
    total: int

    def at(self, epoch: int, step: int = 0, steps: int = 1, *, epochs: int | None = None) -> float:
        """Return the value at a step of an epoch."""
        passed = (epoch - 1) * steps + step
        return self.initial * (self.end / self.initial) ** (passed / (self.total - 1))


@dataclass(frozen=True)
class _Settings:
    """The settings of a run that the trainer uses."""

    training: TrainingConfig
    learning_rate: _Rise
    seed: int
    noise: NoiseConfig = NoiseConfig()
    sharpness: SharpnessConfig = SharpnessConfig()
    diagnostics: DiagnosticsConfig = DiagnosticsConfig()


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
    """Increase the learning rate geometrically from step to step, and record the training loss.

    The range test of Smith (*Cyclical Learning Rates for Training Neural Networks*, WACV 2017) as
    implemented in common finders, from 10⁻⁷ to 10 in 100 steps, with restarts: each seed has its
    own weights and data order. The trained networks are discarded, and the global random state is
    restored. A batch without a finite loss is skipped; a restart stops if the loss explodes.

    Args:
        training: The optimiser and the batch size; its epochs are ignored.
        make_problem: Builds the problem to train from a seed and a process group.
        low: First learning rate.
        high: Last learning rate.
        steps: Number of steps.
        seeds: One for each restart.
        stop: Called before each step; may raise.

    Raises:
        ConfigError: ``high`` is not above ``low``, there are fewer than 20 steps, or no seeds.
    """
    if not 0 < low < high:
        raise ConfigError("high", high, f"Give a value above low ({low:g}), and low above 0.")
    if steps < 20:
        raise ConfigError("steps", steps, "Give at least 20.")
    if not len(seeds):
        raise ConfigError("seeds", list(seeds), "Give at least one.")
    rise = _Rise(low, high, steps)
    restarts = list[Restart]()
    with process_kept():
        for seed in seeds:
            restarts.append(_raise(training, make_problem, rise, seed, stop))
            release_memory()
    return RangeTest(tuple(restarts))


def _raise(
    training: TrainingConfig,
    make_problem: Callable[[int, ProcessGroup], Problem],
    rise: _Rise,
    seed: int,
    stop: Callable[[], None],
) -> Restart:
    """Run one restart."""
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


def _step(trainer: Trainer[Any], batch: Sequence[Any]) -> float | None:
    """Take a step and return its loss; if that is not finite, skip the step and return None."""
    trainer.prepare_step()
    loss = 0.0
    for part, rows in trainer.parts(batch):
        losses = trainer.problem.losses(trainer.outputs(part), part)
        if not math.isfinite(losses.detach().mean().item()):
            return None
        loss += trainer.backward(losses, rows).item()
    trainer.update()
    return loss


def _exploded(losses: Sequence[float | None]) -> bool:
    """Return whether the loss is far above its minimum, or was not finite for several steps."""
    if losses[-_MOST_SKIPPED:] == [None] * _MOST_SKIPPED:
        return True
    if len(losses) < 2 * _MOST_SKIPPED or losses[-1] is None:
        return False
    smoothed = smooth([loss for loss in losses if loss is not None])
    lowest = float(smoothed.min())
    room = _TOO_HIGH * max(abs(lowest), float(smoothed[0]) - lowest)
    return float(smoothed[-1]) > lowest + room


def _batches(trainer: Trainer[Any]) -> Iterator[Any]:
    """Yield training batches epoch after epoch, and count them in the trainer."""
    while True:
        for batch in trainer.problem.epoch(trainer.epoch):
            yield batch
            trainer.step += 1
        trainer.epoch, trainer.step = trainer.epoch + 1, 0
