"""What decides a claim of the theory: orders, linearity on Q, and how errors follow κ."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from learnorder.config.arm_titles import ARM_WORDS
from learnorder.reproduce.evidence import Evidence, Need
from learnorder.statistics import POSITIVE, Measured, Unit, compare_times, measure_mean, slope


@dataclass(frozen=True)
class FirstPattern:
    """By how much a theory arm learns one pattern before the other, in powers of ten of η·t.

    log10 of the other pattern's time over this pattern's, each the η·t at which the mean margin on
    test examples of its own reaches half its final value. A pattern whose final margin is not
    positive is never learned; see :func:`~learnorder.statistics.compare_times`.
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
            f"log10 of when {ARM_WORDS[self.arm]} has learned {other} over when it has learned "
            f"{self.first} (η·t at half the final margin)"
        )

    def bound_words(self) -> str:
        """What the interval is compared with."""
        return "0 (where a run never learns one of them, the sign test)"

    def measured(self, evidence: Evidence) -> Measured:
        """Return the t interval, to be compared with 0, or the sign test."""
        found, unit = evidence.theory(self.experiment, self.arm), Unit("in log10", 1.0, 2)
        if found is None:
            return compare_times({}, {}, unit)
        own = found.half_learned(self.arm, self.first)
        other = found.half_learned(self.arm, "P" if self.first == "Q" else "Q")
        return compare_times(other, own, unit, logarithmic=True)


@dataclass(frozen=True)
class HeldDown:
    """How far L-S bends on Q before its anneal: its second difference beside that of S."""

    experiment: str
    bound: float

    @property
    def needs(self) -> tuple[Need, ...]:
        """Both arms."""
        return ((self.experiment, "L-S"), (self.experiment, "S"))

    def words(self) -> str:
        """What is measured."""
        return (
            "largest ratio, before the anneal of L-S, of its second difference "
            "g(z+ζ) + g(z−ζ) − 2g(z) to that of S at the same η·t, where S's exceeds a tenth of "
            "its final value"
        )

    def bound_words(self) -> str:
        """What the interval is compared with."""
        return f"{100 * self.bound:.4g} %"

    def measured(self, evidence: Evidence) -> Measured:
        """Return the t interval of the mean."""
        found = evidence.theory(self.experiment, "L-S", "S")
        seeds = {} if found is None else found.held_down("L-S", "S")
        return measure_mean(seeds, self.bound, Unit("%", 100, 3), within=POSITIVE)


@dataclass(frozen=True)
class Slope:
    """How an arm's P-only error follows κ: the slope of log error over log κ, seed by seed.

    The error is the closed form of a Gaussian margin, which is not 0 where a sample of test
    examples has no mistake. With ``minus``, the other arm's slope on the same seed is taken off. A
    seed that lacks a κ in one of the arms is left out.
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
        less = "" if self.minus is None else f", less that of {ARM_WORDS[self.minus]}"
        return (
            f"slope of log P-only error (in closed form) over log κ of {ARM_WORDS[self.arm]}{less}"
        )

    def bound_words(self) -> str:
        """What the interval is compared with."""
        return "0"

    def measured(self, evidence: Evidence) -> Measured:
        """Return the t interval of the slopes, to be compared with 0."""
        errors = {arm: self._errors(evidence, arm) for _, arm in self.needs}
        whole = {at for by_seed in errors.values() for points in by_seed.values() for at in points}
        seeds = {seed for by_seed in errors.values() for seed in by_seed}
        slopes: dict[int, float] = {}
        for seed in sorted(seeds):
            found = [errors[arm].get(seed, {}) for arm in errors]
            usable = all(points.keys() == whole and min(points.values()) > 0 for points in found)
            if len(whole) > 1 and usable:
                own, *other = (
                    slope([(math.log(at), math.log(e)) for at, e in sorted(points.items())])
                    for points in found
                )
                slopes[seed] = own - math.fsum(other)
        lost = len(seeds) - len(slopes)
        note = f"{lost} of {len(seeds)} seeds lack a κ, and are left out" if lost else ""
        return replace(measure_mean(slopes, 0.0, Unit("", 1.0, 1)), note=note)

    def _errors(self, evidence: Evidence, algorithm: str) -> dict[int, dict[float, float]]:
        """Return the final error of an algorithm by seed and κ."""
        found = evidence.theory(self.experiment, algorithm)
        errors: dict[int, dict[float, float]] = {}
        for arm in [] if found is None else found.arms:
            assert found is not None
            labels = found.labels(arm)
            if labels["arm"] == algorithm:
                for seed, error in found.final(arm, "p_only", "error_gaussian").items():
                    errors.setdefault(seed, {})[float(labels[self.setting])] = error
        return errors
