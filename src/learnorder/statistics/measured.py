"""A measured number: its estimate, the bound it is compared with, and its unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from learnorder.statistics.intervals import Estimate


@dataclass(frozen=True)
class Unit:
    """How numbers of a measure are shown: times ``scale``, with ``digits``, in ``name``."""

    name: str
    scale: float = 1.0
    digits: int = 1

    def show(self, e: Estimate) -> str:
        """Return "mean [low, high] unit"; "–" where nothing was measured."""
        text = e.format(self.scale, self.digits).replace("inf", "∞")
        return text if text == "–" else f"{text} {self.name}".rstrip()


POINTS = Unit("points", 100)
PER_CENT = Unit("%", 100)


@dataclass(frozen=True)
class Measured:
    """A measure on some runs.

    Attributes:
        estimate: Mean with its 95 % interval.
        bound: What the interval is compared with.
        unit: Of both.
        by_seed: The number of each seed, where there is one for each.
        note: What the reader must know of how it was found.
    """

    estimate: Estimate
    bound: float
    unit: Unit
    by_seed: Mapping[int, float] = field(default_factory=dict)
    note: str = ""

    def shown(self) -> str:
        """Return the estimate with its interval and unit."""
        return self.unit.show(self.estimate)
