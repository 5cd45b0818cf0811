"""The algorithms L-S, S and S+noise as phases with stopping rules, and the state of a run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from learnorder.theory.config import TheoryConfig

_DIVERGED = 10.0
"""A run has diverged when its loss exceeds this many times the loss at the start of its phase."""


@dataclass(frozen=True)
class Phase:
    """A stretch of training at one learning rate, until the training loss is low enough.

    Attributes:
        learning_rate: η.
        sigma: Level σ/τ0 of the noise before the activations.
        threshold: Training loss at which the phase ends.
        annealed: What is annealed at its end: "learning rate" or "noise".
    """

    learning_rate: float
    sigma: float
    threshold: float
    annealed: str = "learning rate"


def phases(config: TheoryConfig, q: float) -> list[Phase]:
    """Return the phases of a run (paper, section 3).

    Args:
        config: The run.
        q: Fraction of the training examples without x1.

    >>> [phase.threshold for phase in phases(TheoryConfig(arm="L-S"), q=0.0)]
    [0.12, 0.05]
    """
    early = config.algorithm.epsilon1 + q * math.log(2)
    last = Phase(config.eta2, 0.0, config.algorithm.epsilon2)
    match config.arm:
        case "L-S":
            return [Phase(config.eta1, 0.0, early), last]
        case "S+noise":
            return [Phase(config.eta2, config.algorithm.sigma, early, "noise"), last]
        case "S":
            return [last]


class Dynamics(Protocol):
    """The training dynamics of one run: gradient descent, or its infinite-width limit.

    Attributes:
        time: η·t, the sum of the learning rates of all steps taken.
        steps: Gradient steps taken. In the flow this may be fractional.
        loss: Logistic loss on the training set, with the phase's noise before the activations.
    """

    time: float
    steps: float
    loss: float

    def begin(self, phase: Phase) -> None:
        """Enter a phase."""
        ...

    def advance(self, phase: Phase, until: float) -> None:
        """Take one step. An engine that chooses its step length does not step past ``until``."""
        ...


Status = Literal["finished", "out_of_steps", "diverged"]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        status: finished (ε2 was reached), out_of_steps or diverged.
        reason: When the learning rate or the noise was annealed, and how it ended.
    """

    status: Status
    reason: str


@dataclass(frozen=True)
class Moment:
    """A moment at which the run is measured.

    Attributes:
        time: η·t.
        steps: Gradient steps taken.
        grid: Index on the logarithmic grid of times; None at the end of a phase.
        phase: Index of the current phase, or of the one that has just ended.
    """

    time: float
    steps: float
    grid: int | None
    phase: int


@dataclass(frozen=True)
class Grid:
    """Logarithmically spaced measurement times: first · 10^(k / per_decade).

    Attributes:
        first: η·t of the first measurement.
        per_decade: Measurements per factor of ten.
    """

    first: float
    per_decade: int

    def time(self, index: int) -> float:
        """Return the time with this index.

        >>> [round(Grid(1.0, 2).time(k), 2) for k in range(4)]
        [1.0, 3.16, 10.0, 31.62]
        """
        return self.first * 10 ** (index / self.per_decade)


class Course:
    """Follows a run through its phases: checks each new loss and decides what comes next.

    Args:
        plan: The phases.
        grid: When to measure.
        max_time: η·t at which to stop the run.
        observe: Called at each grid time that is passed, and at the end of each phase.

    Attributes:
        outcome: How the run ended; None before that.
    """

    def __init__(
        self,
        plan: list[Phase],
        grid: Grid,
        max_time: float,
        observe: Callable[[Moment], None] = lambda moment: None,
    ) -> None:
        self._plan, self._grid, self._max_time, self._observe = plan, grid, max_time, observe
        self._index = self._due = 0
        self._anneals = ""
        self._limit: float | None = None
        self.outcome: Outcome | None = None

    @property
    def phase(self) -> Phase:
        """The current phase."""
        return self._plan[self._index]

    @property
    def until(self) -> float:
        """The next measurement time, or ``max_time`` if that is earlier."""
        return min(self._grid.time(self._due), self._max_time)

    def update(self, time: float, steps: float, loss: float) -> bool:
        """Record the engine's position; return whether it has to enter a new phase.

        Args:
            time: η·t.
            steps: Gradient steps taken.
            loss: Training loss in the current phase.
        """
        if self._limit is None:
            self._limit = _DIVERGED * loss
        where = f"η·t = {time:.4g} (step {steps:.4g})"
        if not loss < self._limit:
            rate = self.phase.learning_rate
            self._end("diverged", f"training loss {loss:.4g} at {where}, learning rate {rate:g}")
            return False
        if time >= self._grid.time(self._due):
            while time >= self._grid.time(self._due + 1):
                self._due += 1
            self._observe(Moment(time, steps, self._due, self._index))
            self._due += 1
        if loss <= self.phase.threshold:
            if time > 0:  # a threshold above log 2 is met before the first step
                self._observe(Moment(time, steps, None, self._index))
            if self._index + 1 < len(self._plan):
                self._anneals += f"{self.phase.annealed} annealed at {where}, "
                self._index += 1
                self._limit = None  # the next phase has a different loss if it has no noise
                return True
            self._end("finished", f"reached ε2 = {self.phase.threshold:g} at {where}")
        elif time >= self._max_time:
            self._observe(Moment(time, steps, None, self._index))
            reason = f"training loss {loss:.4g}, above {self.phase.threshold:.4g}, at {where}"
            self._end("out_of_steps", f"{reason}, the limit set by algorithm.max_time")
        return False

    def snapshot(self) -> dict[str, Any]:
        """Return the position of the run, as plain values."""
        return {"index": self._index, "due": self._due, "said": self._anneals, "limit": self._limit}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Restore a snapshot."""
        self._index, self._due = snapshot["index"], snapshot["due"]
        self._anneals, self._limit = snapshot["said"], snapshot["limit"]

    def _end(self, status: Status, reason: str) -> None:
        self.outcome = Outcome(status, self._anneals + reason)


def train(engine: Dynamics, course: Course, stop: Callable[[], bool] = lambda: False) -> bool:
    """Train until the course ends.

    Args:
        engine: The training dynamics.
        course: The phases of the run.
        stop: Called before each step; training stops when it returns true.

    Returns:
        Whether the course has ended.
    """
    engine.begin(course.phase)
    while course.outcome is None:
        while course.update(engine.time, engine.steps, engine.loss):
            engine.begin(course.phase)
        if course.outcome is None:
            if stop():
                return False
            engine.advance(course.phase, course.until)
    return True
