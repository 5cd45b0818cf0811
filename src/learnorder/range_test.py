"""The learning-rate range test: what a conventional finder would pick, for comparison."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from learnorder.config import NoiseConfig, SharpnessConfig, TrainingConfig
from learnorder.errors import ConfigError
from learnorder.training.place import Place
from learnorder.training.problem import Problem
from learnorder.training.trainer import Trainer

_SMOOTHING = 0.98
_STOP_ABOVE = 4.0
"""Times the lowest smoothed loss at which it stops."""
_SKIP_START, _SKIP_END = 10, 5
"""Steps at the ends in which no slope is looked for."""


@dataclass(frozen=True)
class RangeTest:
    """The loss while the learning rate rises from step to step.

    Attributes:
        rates: Learning rates, geometric.
        losses: Training loss of each step's batch, before its update.
        smoothed: Their exponential average, without the bias of its start.
        pick: The learning rate at which the smoothed loss falls most steeply over log η; None
            where it never falls.
    """

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    pick: float | None


@dataclass(frozen=True)
class KeptRangeTest:
    """A range test as JSON can hold it: a loss that is not finite is None."""

    rates: tuple[float, ...]
    losses: tuple[float | None, ...]
    smoothed: tuple[float | None, ...]
    pick: float | None

    @staticmethod
    def of(found: RangeTest) -> KeptRangeTest:
        """Return what is kept of a range test."""
        losses, smoothed = (
            tuple(loss if math.isfinite(loss) else None for loss in series)
            for series in (found.losses, found.smoothed)
        )
        return KeptRangeTest(found.rates, losses, smoothed, found.pick)

    def range_test(self) -> RangeTest:
        """Return the range test."""
        losses, smoothed = (
            tuple(math.nan if loss is None else loss for loss in series)
            for series in (self.losses, self.smoothed)
        )
        return RangeTest(self.rates, losses, smoothed, self.pick)


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
    make_problem: Callable[[Place], Problem],
    *,
    low: float = 1e-7,
    high: float = 10.0,
    steps: int = 100,
    seed: int = 0,
    stop: Callable[[], None] = lambda: None,
) -> RangeTest:
    """Raise the learning rate geometrically over some steps of training, and watch the loss.

    The range test of Smith (*Cyclical Learning Rates for Training Neural Networks*, WACV 2017) as
    common finders do it: from 10⁻⁷ to 10 in 100 steps, the loss smoothed with factor 0.98, stopped
    when it is 4 times its lowest, and the learning rate taken at its steepest fall.

    Args:
        training: The optimiser and the batch size; its epochs do not matter.
        make_problem: Makes what is trained, on a device.
        low: First learning rate.
        high: Last.
        steps: How many.
        seed: Of the data order and of what layers draw.
        stop: Called before each step; may raise.

    Raises:
        ConfigError: A range that does not rise, or fewer than 20 steps.
    """
    if not 0 < low < high:
        raise ConfigError("high", high, f"Give more than low ({low:g}), and low above 0.")
    if steps < 20:
        raise ConfigError("steps", steps, "Give at least 20.")
    rise = _Rise(low, high, steps)
    trainer = Trainer(_Settings(training, rise, seed), make_problem)
    rates, losses, smoothed = list[float](), list[float](), list[float]()
    average = 0.0
    for batch in islice(_batches(trainer), steps):
        stop()
        rates.append(rise.at(trainer.epoch, trainer.step, trainer.problem.steps))
        losses.append(trainer.train_step(batch).item())
        average = _SMOOTHING * average + (1 - _SMOOTHING) * losses[-1]
        smoothed.append(average / (1 - _SMOOTHING ** len(losses)))
        if smoothed[-1] > _STOP_ABOVE * min(smoothed) or not math.isfinite(losses[-1]):
            break
    return RangeTest(tuple(rates), tuple(losses), tuple(smoothed), steepest(rates, smoothed))


def _batches(trainer: Trainer[Any]) -> Iterator[Any]:
    """Yield training batches, epoch after epoch, and keep count of them in the trainer."""
    while True:
        for batch in trainer.problem.epoch(trainer.epoch):
            yield batch
            trainer.step += 1
        trainer.epoch, trainer.step = trainer.epoch + 1, 0


def steepest(rates: Sequence[float], losses: Sequence[float]) -> float | None:
    """Return the learning rate at which losses fall most steeply over log η; None if never.

    >>> rates = [10.0**k for k in range(-20, 10)]
    >>> losses = [-math.atan(math.log10(rate) + 3) for rate in rates]
    >>> steepest(rates, losses)
    0.001
    """
    kept = [i for i, loss in enumerate(losses) if math.isfinite(loss)][_SKIP_START:-_SKIP_END]
    if len(kept) < 2:
        return None
    logs = np.log([rates[i] for i in kept])
    slopes = np.gradient(np.array([losses[i] for i in kept]), logs)
    best = int(slopes.argmin())
    return rates[kept[best]] if slopes[best] < 0 else None
