"""The algorithms L-S, S and S+noise as phases with stopping rules, and the course of a run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from learnorder.theory.config import TheoryConfig

_DIVERGED = 10.0
"""A loss this many times the one at the start of its phase has diverged."""


@dataclass(frozen=True)
class Phase:
    """A stretch of training at one learning rate, until the training loss is low enough.

    Attributes:
        learning_rate: η.
        sigma: Level σ/τ0 of the noise before the activations.
        threshold: The phase ends at this training loss.
        annealed: What its end anneals.
    """

    learning_rate: float
    sigma: float
    threshold: float
    annealed: str = "learning rate"


def phases(config: TheoryConfig, q: float) -> list[Phase]:
    """Return the phases of a run (paper, section 3).

    Args:
        config: The run.
        q: Share of the training examples that have no x1.

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
    """What one run goes through: the limit of the network under gradient descent.

    Attributes:
        time: η·t, the sum of the learning rates of all steps taken.
        steps: Gradient steps taken; in the flow, not always a whole number.
        loss: Logistic loss on the training set, with the phase's noise before the activations.
    """

    time: float
    steps: float
    loss: float

    def begin(self, phase: Phase) -> None:
        """Enter a phase."""
        ...

    def advance(self, phase: Phase, until: float) -> None:
        """Take a step of the engine's choice, not beyond ``until`` where it has the choice."""
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
        grid: Index of the moment on the logarithmic grid of times; None at a phase's end.
        phase: Index of the phase under way, or that has just ended.
    """

    time: float
    steps: float
    grid: int | None
    phase: int


@dataclass(frozen=True)
class Grid:
    """Logarithmically spaced times to measure at: first · 10^(k / per_decade).

    Attributes:
        first: η·t of the first.
        per_decade: How many in each tenfold.
    """

    first: float
    per_decade: int

    def time(self, index: int) -> float:
        """Return the time of one of them.

        >>> [round(Grid(1.0, 2).time(k), 2) for k in range(4)]
        [1.0, 3.16, 10.0, 31.62]
        """
        return self.first * 10 ** (index / self.per_decade)


class Course:
    """Where a run is among its phases: it looks at each new loss and says what comes next.

    Args:
        plan: The phases.
        grid: When to measure.
        max_time: η·t at which to give up.
        observe: Called at each moment of the grid that is passed, and at the end of each phase.

    Attributes:
        phase: The phase under way.
        outcome: How the run ended, None before that.
        until: The next time at which something is due.
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
        self._said = ""
        self._limit: float | None = None
        self.outcome: Outcome | None = None

    @property
    def phase(self) -> Phase:
        """The phase under way."""
        return self._plan[self._index]

    @property
    def until(self) -> float:
        """The next time at which something is due."""
        return min(self._grid.time(self._due), self._max_time)

    def look(self, time: float, steps: float, loss: float) -> bool:
        """Take note of where the engine is; return whether it has to enter a new phase.

        Args:
            time: η·t.
            steps: Gradient steps taken.
            loss: The training loss, in the phase under way.
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
                self._said += f"{self.phase.annealed} annealed at {where}, "
                self._index += 1
                self._limit = None  # without its noise the loss may be another
                return True
            self._end("finished", f"reached ε2 = {self.phase.threshold:g} at {where}")
        elif time >= self._max_time:
            self._observe(Moment(time, steps, None, self._index))
            wanted = self.phase.threshold
            reason = f"training loss {loss:.4g}, above {wanted:.4g}, at {where}"
            self._end("out_of_steps", f"{reason}, where algorithm.max_time ends it")
        return False

    def snapshot(self) -> dict[str, Any]:
        """Return where the run is, as plain values."""
        return {"index": self._index, "due": self._due, "said": self._said, "limit": self._limit}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go back to a snapshot."""
        self._index, self._due = snapshot["index"], snapshot["due"]
        self._said, self._limit = snapshot["said"], snapshot["limit"]

    def _end(self, status: Status, reason: str) -> None:
        self.outcome = Outcome(status, self._said + reason)


def train(engine: Dynamics, course: Course, stop: Callable[[], bool] = lambda: False) -> bool:
    """Run an engine through its course.

    Args:
        engine: What trains.
        course: Its phases.
        stop: Called after each step; true leaves the loop.

    Returns:
        Whether the course came to its end.
    """
    engine.begin(course.phase)
    while course.outcome is None:
        while course.look(engine.time, engine.steps, engine.loss):
            engine.begin(course.phase)
        if course.outcome is None:
            if stop():
                return False
            engine.advance(course.phase, course.until)
    return True
