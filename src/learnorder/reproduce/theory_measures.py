"""Measures of the theory's claims: order, linearity on Q, and how quantities scale."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from learnorder.config.arm_titles import ARM_WORDS
from learnorder.reproduce.evidence import Evidence, Need
from learnorder.statistics import POSITIVE, Measured, Unit, compare_times, measure_mean, slope
from learnorder.theory.results import PointQuantity

_SLOPE, _RATIO = Unit("", digits=2), Unit("%", 100, digits=3)


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
        return _RATIO.show_value(self.bound)

    def measured(self, evidence: Evidence) -> Measured:
        """Return the t interval of the mean."""
        results = evidence.theory(self.experiment, "L-S", "S")
        ratios = {} if results is None else results.second_difference_ratio("L-S", "S")
        return measure_mean(ratios, self.bound, _RATIO, within=POSITIVE)


_WORDS: dict[PointQuantity, str] = {
    "error": "P-only error (closed form)",
    "loss": "loss on P-only test examples",
    "anneal": "η·t at the anneal",
}
_SYMBOLS = {"distribution.kappa": "κ", "distribution.d": "d", "algorithm.epsilon1": "ε1"}


@dataclass(frozen=True)
class Slope:
    """The slope of an arm's log quantity over the log of a setting, for each seed.

    By least squares, over all points of the experiment's grid. With ``minus``, that arm's slope on
    the same seed is subtracted. Seeds without a positive value at each point, in each of the arms,
    are left out.

    Attributes:
        experiment: The experiment.
        arm: The algorithm.
        minus: The algorithm whose slope is subtracted; None: none.
        quantity: The final P-only error, in the closed form for a Gaussian margin, which is
            positive even if a finite test set has no errors; the final loss on P-only test
            examples; or η·t at which the learning rate is annealed.
        setting: The setting.
        bound: The bound.
    """

    experiment: str
    arm: str
    minus: str | None = None
    quantity: PointQuantity = "error"
    setting: str = "distribution.kappa"
    bound: float = 0.0

    @property
    def needs(self) -> tuple[Need, ...]:
        """The arm, and the subtracted one."""
        arms = [self.arm] if self.minus is None else [self.arm, self.minus]
        return tuple((self.experiment, arm) for arm in arms)

    def words(self) -> str:
        """Return a description."""
        minus = "" if self.minus is None else f", minus that of {ARM_WORDS[self.minus]}"
        what, symbol = _WORDS[self.quantity], _SYMBOLS[self.setting]
        return f"slope of log {what} over log {symbol} of {ARM_WORDS[self.arm]}{minus}"

    def bound_words(self) -> str:
        """Return the bound, in words."""
        return _SLOPE.show_value(self.bound)

    def measured(self, evidence: Evidence) -> Measured:
        """Return the t interval of the mean slope."""
        values = {arm: self._values(evidence, arm) for _, arm in self.needs}
        points = {
            point for by_seed in values.values() for curve in by_seed.values() for point in curve
        }
        seeds = {seed for by_seed in values.values() for seed in by_seed}
        slopes: dict[int, float] = {}
        for seed in sorted(seeds):
            curves = [by_seed.get(seed, {}) for by_seed in values.values()]
            usable = all(curve.keys() == points and min(curve.values()) > 0 for curve in curves)
            if len({x for x, _ in points}) > 1 and usable:
                own, *other = (
                    slope([(math.log(x), math.log(y)) for (x, _), y in sorted(curve.items())])
                    for curve in curves
                )
                slopes[seed] = own - math.fsum(other)
        excluded = len(seeds) - len(slopes)
        symbol = _SYMBOLS[self.setting]
        note = (
            f"{excluded} of {len(seeds)} seeds are left out: "
            f"no finished run, or no positive value, at some {symbol}"
        )
        measured = measure_mean(slopes, self.bound, _SLOPE)
        return replace(measured, note=note if excluded else "")

    def _values(
        self, evidence: Evidence, algorithm: str
    ) -> dict[int, dict[tuple[float, str], float]]:
        """Return the quantity of an algorithm by seed and point: the setting, and the arm there."""
        results = evidence.theory(self.experiment, algorithm)
        values: dict[int, dict[tuple[float, str], float]] = {}
        for arm in [] if results is None else results.arms:
            assert results is not None
            labels = results.labels(arm)
            if labels["arm"] == algorithm:
                x, others = float(labels[self.setting]), _others(labels, self.setting)
                for seed, value in results.at_point(arm, self.quantity).items():
                    values.setdefault(seed, {})[x, others] = value
        return values


def _others(labels: Mapping[str, str], setting: str) -> str:
    """Return the other settings of a point, the same for all algorithms."""
    return str(
        {name: value for name, value in sorted(labels.items()) if name not in ("arm", setting)}
    )
