"""Schedules of the learning rate and of the noise level over the epochs of a run."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from learnorder.errors import ConfigError
from learnorder.values import check_fields


class Varying(Protocol):
    """A value over training."""

    @property
    def initial(self) -> float:
        """The value at the start."""
        ...

    def at(self, epoch: int, step: int = 0, steps: int = 1, *, epochs: int | None = None) -> float:
        """Return the value at a step; see :meth:`Schedule.at`."""
        ...


@dataclass(frozen=True)
class Schedule:
    """A value over training: a product of optional factors.

    In epoch e (counted from 1), at the fraction φ ∈ [0, 1) of that epoch, t = e − 1 + φ of the
    run's E epochs have passed, and the value is

        initial · min(1, (t + 1/S) / warmup_epochs) · step_factor^k · decay^(e − 1) · c,

    where k counts the ``step_epochs`` that are ≤ e, S is the number of steps in an epoch, and

        c = (1 + cos(π t / E)) / 2                     with ``cosine``,
        c = min(1, (1 − t/E) / (1 − linear_after))     with ``linear_after``,

    else 1. Steps and decay change the value at the start of an epoch, as in the published recipes;
    the others change it at every step. ``linear_after`` 0 is a linear schedule, above 0 warm-up,
    stable, decay (WSD).

    >>> anneal = Schedule(0.1, step_epochs=(30,), step_factor=0.04)
    >>> anneal.at(29), anneal.at(30)
    (0.1, 0.004)
    >>> Schedule(0.4, decay=0.995).at(3)
    0.39601...
    >>> Schedule(1.0, cosine=True).at(6, epochs=10)
    0.5
    >>> wsd = Schedule(1.0, warmup_epochs=1, linear_after=0.5)
    >>> [wsd.at(*place, steps=4, epochs=8) for place in ((1, 0), (1, 3), (5, 0), (7, 0), (8, 3))]
    [0.25, 1.0, 1.0, 0.5, 0.0625]
    """

    initial: float
    """Value at the start (after the warm-up, if any)."""
    step_epochs: tuple[int, ...] = ()
    """Epochs, counted from 1, at whose start the value is multiplied by step_factor, e.g. [30]."""
    step_factor: float | None = None
    """Factor at each of step_epochs, in [0, 1): 0.04 anneals, 0 switches off."""
    decay: float = 1.0
    """Factor from each epoch to the next, in (0, 1]; 1 means no decay."""
    cosine: bool = False
    """Multiply by half a cosine wave, from 1 at the start to 0 at the end of the run."""
    warmup_epochs: float = 0.0
    """Epochs over which the value rises linearly to initial; 0 means no warm-up."""
    linear_after: float | None = None
    """Share of the epochs, in [0, 1), after which the value falls linearly to 0 at the end of the
    run; 0 falls from the start. null for no such fall."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.initial < 0:
            raise ConfigError("initial", self.initial, "A learning rate or noise level is ≥ 0.")
        if not 0 < self.decay <= 1:
            raise ConfigError("decay", self.decay, "Give a factor in (0, 1]; 1 means no decay.")
        if not self.warmup_epochs >= 0:
            raise ConfigError("warmup_epochs", self.warmup_epochs, "Give 0 (none) or more epochs.")
        if bool(self.step_epochs) != (self.step_factor is not None):
            raise ConfigError(
                "step_factor",
                self.step_factor,
                f"step_epochs is {list(self.step_epochs)}. Give both, e.g. step_epochs [30] and "
                "step_factor 0.04, or neither.",
            )
        if self.step_factor is not None and not 0 <= self.step_factor < 1:
            raise ConfigError("step_factor", self.step_factor, "A step lowers: give [0, 1).")
        if self.linear_after is not None:
            self._check_linear(self.linear_after)
        if list(self.step_epochs) != sorted(set(self.step_epochs)):
            raise ConfigError("step_epochs", self.step_epochs, "Give rising, distinct epochs.")

    def _check_linear(self, linear_after: float) -> None:
        if not 0 <= linear_after < 1:
            raise ConfigError("linear_after", linear_after, "Give a share in [0, 1), or null.")
        others = {"cosine": self.cosine, "step_epochs": self.step_epochs, "decay": self.decay < 1}
        if given := [name for name, is_given in others.items() if is_given]:
            raise ConfigError(
                "linear_after",
                linear_after,
                f"{' and '.join(given)} would lower the value too. Give one of them, and null or "
                "the default for the others.",
            )

    @property
    def is_constant(self) -> bool:
        """Whether the value never changes."""
        return self == Schedule(self.initial)

    def check(self, field: str, epochs: int) -> None:
        """Check that the schedule fits into a run of this many epochs.

        Args:
            field: The schedule's dotted name, for the error.
            epochs: The run's length.

        Raises:
            ConfigError: A step lies outside epochs 2 … ``epochs``, or the warm-up never ends, or
                ends after the linear fall begins.
        """
        outside = [e for e in self.step_epochs if not 2 <= e <= epochs]
        if outside:
            raise ConfigError(
                f"{field}.step_epochs",
                list(self.step_epochs),
                f"The run has {epochs} epochs, so a step at epoch {outside[0]} cannot happen. "
                f"Give epochs from 2 to {epochs}, lengthen the run with --training.epochs, or "
                "remove the step with step_epochs [] and step_factor null.",
            )
        if self.warmup_epochs >= epochs:
            raise ConfigError(
                f"{field}.warmup_epochs",
                self.warmup_epochs,
                f"The run has {epochs} epochs: the warm-up must be shorter.",
            )
        if self.linear_after is not None and self.warmup_epochs > self.linear_after * epochs:
            raise ConfigError(
                f"{field}.linear_after",
                self.linear_after,
                f"The fall would begin after {self.linear_after * epochs:g} epochs, in the warm-up "
                f"of {self.warmup_epochs:g}. Give at least warmup_epochs / epochs, "
                f"{self.warmup_epochs / epochs:.3g}.",
            )

    def at(self, epoch: int, step: int = 0, steps: int = 1, *, epochs: int | None = None) -> float:
        """Return the value at a step.

        Args:
            epoch: Counted from 1.
            step: Counted from 0 within the epoch.
            steps: The number of steps in an epoch.
            epochs: The run's length; only ``cosine`` and ``linear_after`` need it.

        Raises:
            ConfigError: The step is not one of the epoch, or the epoch is not one of the run; or
                the schedule needs ``epochs``, which is None.
        """
        if epoch < 1:
            raise ConfigError("epoch", epoch, "Epochs are counted from 1.")
        if not 0 <= step < steps:
            remedy = f"Steps of an epoch are counted from 0, and it has {steps}."
            raise ConfigError("step", step, remedy)
        passed = epoch - 1 + step / steps
        value = self.initial * self.decay ** (epoch - 1)
        if self.step_factor is not None:
            value *= self.step_factor ** sum(e <= epoch for e in self.step_epochs)
        if self.warmup_epochs > 0:
            value *= min(1.0, (passed + 1 / steps) / self.warmup_epochs)
        if self.cosine or self.linear_after is not None:
            if epochs is None:
                kind = "cosine" if self.cosine else "linear"
                raise ConfigError("epochs", epochs, f"A {kind} schedule needs the run's length.")
            if epoch > epochs:
                raise ConfigError("epoch", epoch, f"The schedule is for a run of {epochs} epochs.")
            value *= self._annealed(passed / epochs)
        return value

    def _annealed(self, share: float) -> float:
        """Return the factor c after a share of the epochs."""
        if self.linear_after is None:
            return (1 + math.cos(math.pi * share)) / 2
        return min(1.0, (1 - share) / (1 - self.linear_after))
