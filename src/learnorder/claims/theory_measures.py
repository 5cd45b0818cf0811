"""What decides a claim of the theory: orders, linearity on Q, and how errors follow κ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from learnorder.claims.evidence import TITLES, Evidence
from learnorder.claims.measures import NOTHING, Measured, Need, Unit
from learnorder.statistics import estimate, slope


@dataclass(frozen=True)
class FirstPattern:
    """By how much a theory arm learns one pattern before the other, in powers of ten of η·t.

    log10 of the other pattern's time over this pattern's, each the η·t at which the mean margin on
    test examples of its own reaches half its final value.
    """

    experiment: str
    arm: str
    first: Literal["P", "Q"]

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arm."""
        return ((self.experiment, self.arm),)

    def words(self) -> str:
        """What is measured."""
        other = "P" if self.first == "Q" else "Q"
        return (
            f"log10 of when {TITLES[self.arm]} has learned {other} over when it has learned "
            f"{self.first} (η·t at half the final margin)"
        )

    def measured(self, evidence: Evidence) -> Measured:
        """Return the t interval, to be compared with 0."""
        found = evidence.theory(self.experiment, self.arm)
        if found is None:
            return Measured(NOTHING, 0.0, Unit("in log10", 1.0, 2))
        own = found.half_learned(self.arm, self.first)
        other = found.half_learned(self.arm, "P" if self.first == "Q" else "Q")
        seeds = {
            seed: math.log10(later / time)
            for seed, time in sorted(own.items())
            if time is not None and (later := other[seed]) is not None
        }
        return Measured(estimate(list(seeds.values())), 0.0, Unit("in log10", 1.0, 2), seeds)


@dataclass(frozen=True)
class HeldDown:
    """How far L-S bends on Q before its anneal: its second difference over that of S."""

    experiment: str
    bound: float

    @property
    def needs(self) -> tuple[Need, ...]:
        """Both arms."""
        return ((self.experiment, "L-S"), (self.experiment, "S"))

    def words(self) -> str:
        """What is measured."""
        return (
            "largest second difference g(z+ζ) + g(z−ζ) − 2g(z) of L-S before its anneal, over that "
            "of S at the same η·t"
        )

    def measured(self, evidence: Evidence) -> Measured:
        """Return the t interval of the mean."""
        found = evidence.theory(self.experiment, "L-S", "S")
        seeds = {} if found is None else found.held_down("L-S", "S")
        e = estimate(list(seeds.values()))
        return Measured(e, self.bound, Unit("%", 100, 3), seeds)


@dataclass(frozen=True)
class Slope:
    """How an arm's P-only error follows κ: the slope of log error over log κ, seed by seed.

    The error is the closed form of a Gaussian margin, which is never 0. With ``minus``, the other
    arm's slope on the same seed is taken off.
    """

    experiment: str
    arm: str
    minus: str | None = None
    setting: str = "distribution.kappa"

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arm, and the other."""
        arms = [self.arm] if self.minus is None else [self.arm, self.minus]
        return tuple((self.experiment, arm) for arm in arms)

    def words(self) -> str:
        """What is measured."""
        less = "" if self.minus is None else f", less that of {TITLES[self.minus]}"
        return f"slope of log P-only error over log κ of {TITLES[self.arm]}{less}"

    def measured(self, evidence: Evidence) -> Measured:
        """Return the t interval of the slopes, to be compared with 0."""
        own = self._slopes(evidence, self.arm)
        other = {} if self.minus is None else self._slopes(evidence, self.minus)
        if self.minus is not None:
            own = {seed: own[seed] - other[seed] for seed in sorted(own.keys() & other.keys())}
        return Measured(estimate(list(own.values())), 0.0, Unit("", 1.0, 1), own)

    def _slopes(self, evidence: Evidence, algorithm: str) -> dict[int, float]:
        points: dict[int, list[tuple[float, float]]] = {}
        found = evidence.theory(self.experiment)
        for arm in [] if found is None else found.arms:
            assert found is not None
            labels = found.labels(arm)
            if labels["arm"] == algorithm:
                at = math.log(float(labels[self.setting]))
                for seed, error in found.final(arm, "p_only", "error_gaussian").items():
                    points.setdefault(seed, []).append((at, math.log(error)))
        most = max((len(at) for at in points.values()), default=0)
        return {seed: slope(at) for seed, at in points.items() if len(at) == most >= 2}
