"""Measures of the theory's claims: order, linearity on Q, and how errors scale with κ."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from learnorder.config.arm_titles import ARM_WORDS
from learnorder.reproduce.evidence import Evidence, Need
from learnorder.statistics import POSITIVE, Measured, Unit, compare_times, measure_mean, slope


@dataclass(frozen=True)
class FirstPattern:
    """How much earlier an arm of the theory learns one pattern than the other, in log10 of η·t.

    The measure is log10(t_other / t_first). Each time is the η·t at which the mean margin on test
    examples that contain only this pattern reaches half its final value. A pattern with a final
    margin ≤ 0 is never learned; see :func:`~learnorder.statistics.compare_times`.
    """

    experiment: str
    arm: str
    first: Literal["P", "Q"]

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arm."""
        return ((self.experiment, self.arm),)

    def words(self) -> str:
        """Return a description."""
        other = "P" if self.first == "Q" else "Q"
        return (
            f"log10 of the ratio of the times at which {ARM_WORDS[self.arm]} has learned {other} "
            f"and {self.first} (η·t at half the final margin)"
        )

    def bound_words(self) -> str:
        """Return the bound, in words."""
        return "0 (if a run never learns one of them, a sign test)"

    def measured(self, evidence: Evidence) -> Measured:
        """Return the t interval, whose bound is 0, or the sign test."""
        results, unit = evidence.theory(self.experiment, self.arm), Unit("in log10", 1.0, 2)
        if results is None:
            return compare_times({}, {}, unit)
        first = results.half_learned(self.arm, self.first)
        other = results.half_learned(self.arm, "P" if self.first == "Q" else "Q")
        return compare_times(other, first, unit, logarithmic=True)


@dataclass(frozen=True)
class SecondDifferenceRatio:
    """How nonlinear L-S is on Q before its anneal: its second difference relative to that of S."""

    experiment: str
    bound: float

    @property
    def needs(self) -> tuple[Need, ...]:
        """Both arms."""
        return ((self.experiment, "L-S"), (self.experiment, "S"))

    def words(self) -> str:
        """Return a description."""
        return (
            "largest ratio, before the anneal of L-S, of its second difference "
            "g(z+ζ) + g(z−ζ) − 2g(z) to that of S at the same η·t, over times at which that of S "
            "exceeds a tenth of its final value"
        )

    def bound_words(self) -> str:
        """Return the bound, in words."""
        return f"{100 * self.bound:.4g} %"

    def measured(self, evidence: Evidence) -> Measured:
        """Return the t interval of the mean."""
        results = evidence.theory(self.experiment, "L-S", "S")
        ratios = {} if results is None else results.second_difference_ratio("L-S", "S")
        return measure_mean(ratios, self.bound, Unit("%", 100, 3), within=POSITIVE)


@dataclass(frozen=True)
class Slope:
    """The slope of an arm's log P-only error over log κ, for each seed.

    The error is the closed form for a Gaussian margin, which is positive even if a finite test set
    has no errors. With ``minus``, that arm's slope on the same seed is subtracted. Seeds that lack
    a κ in one of the arms are left out.
    """

    experiment: str
    arm: str
    minus: str | None = None
    setting: str = "distribution.kappa"

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arm, and the subtracted one."""
        arms = [self.arm] if self.minus is None else [self.arm, self.minus]
        return tuple((self.experiment, arm) for arm in arms)

    def words(self) -> str:
        """Return a description."""
        minus = "" if self.minus is None else f", minus that of {ARM_WORDS[self.minus]}"
        return f"slope of log P-only error (closed form) over log κ of {ARM_WORDS[self.arm]}{minus}"

    def bound_words(self) -> str:
        """Return the bound, in words."""
        return "0"

    def measured(self, evidence: Evidence) -> Measured:
        """Return the t interval of the mean slope; the bound is 0."""
        errors = {arm: self._errors(evidence, arm) for _, arm in self.needs}
        kappas = {k for by_seed in errors.values() for curve in by_seed.values() for k in curve}
        seeds = {seed for by_seed in errors.values() for seed in by_seed}
        slopes: dict[int, float] = {}
        for seed in sorted(seeds):
            curves = [by_seed.get(seed, {}) for by_seed in errors.values()]
            usable = all(curve.keys() == kappas and min(curve.values()) > 0 for curve in curves)
            if len(kappas) > 1 and usable:
                own, *other = (
                    slope([(math.log(k), math.log(e)) for k, e in sorted(curve.items())])
                    for curve in curves
                )
                slopes[seed] = own - math.fsum(other)
        excluded = len(seeds) - len(slopes)
        note = f"{excluded} of {len(seeds)} seeds lack a κ and are left out" if excluded else ""
        return replace(measure_mean(slopes, 0.0, Unit("", 1.0, 1)), note=note)

    def _errors(self, evidence: Evidence, algorithm: str) -> dict[int, dict[float, float]]:
        """Return the final error of an algorithm by seed and κ."""
        results = evidence.theory(self.experiment, algorithm)
        errors: dict[int, dict[float, float]] = {}
        for arm in [] if results is None else results.arms:
            assert results is not None
            labels = results.labels(arm)
            if labels["arm"] == algorithm:
                for seed, error in results.final(arm, "p_only", "error_gaussian").items():
                    errors.setdefault(seed, {})[float(labels[self.setting])] = error
        return errors
