"""A measured number: its estimate, the bound it is compared with, and its unit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from learnorder.statistics.intervals import (
    Estimate,
    differences,
    estimate,
    independent_difference,
)
from learnorder.statistics.pvalues import independent_p, mean_p
from learnorder.statistics.ranges import REAL, SHARE, SHARE_DIFFERENCE, Range, range_of


@dataclass(frozen=True)
class Unit:
    """How numbers are displayed: times ``scale``, with ``digits`` decimals, then ``name``."""

    name: str
    scale: float = 1.0
    digits: int = 1

    def show(self, e: Estimate) -> str:
        """Return "mean [low, high] unit"; "–" if there are no values."""
        text = e.format(self.scale, self.digits).replace("inf", "∞")
        if text == "–" or not self.name:
            return text
        if e.identical:  # "100.0 % (3 equal values)"
            return text.replace(" ", f" {self.name} ", 1)
        return f"{text} {self.name}"

    def show_value(self, value: float) -> str:
        """Return a value without an interval, such as a bound.

        >>> Unit("points", 100).show_value(-0.02)
        '−2 points'
        """
        return f"{value * self.scale:.4g} {self.name}".rstrip().replace("-", "−")


POINTS = Unit("points", 100)
PER_CENT = Unit("%", 100)
_PLAIN = Unit("", digits=4)


def shown_in(quantity: str, e: Estimate) -> str:
    """Return an estimate of a recorded quantity with its unit: shares in per cent.

    >>> shown_in("accuracy", Estimate(0.931, 0.92, 0.942, 3))
    '93.1 [92.0, 94.2] %'
    >>> shown_in("loss", Estimate(0.25, math.nan, math.nan, 1))
    '0.2500'
    """
    unit = PER_CENT if range_of(quantity) in (SHARE, SHARE_DIFFERENCE) else _PLAIN
    return unit.show(e)


@dataclass(frozen=True)
class Measured:
    """An estimate and the bound it is tested against.

    Attributes:
        estimate: Mean with its 95 % interval.
        bound: Value that the interval is compared with.
        unit: Unit of both.
        by_seed: Value of each seed; empty if the estimate is not a mean of such values.
        note: How it was estimated, if not as a mean over seeds.
        p: Two-sided p-value of the hypothesis that the true value equals the bound, below 0.05
            exactly if the interval excludes it; nan if there is no test.
    """

    estimate: Estimate
    bound: float
    unit: Unit
    by_seed: Mapping[int, float] = field(default_factory=dict)
    note: str = ""
    p: float = math.nan

    def shown(self) -> str:
        """Return the estimate with its interval and unit."""
        return self.unit.show(self.estimate)


def measure_mean(
    by_seed: Mapping[int, float],
    bound: float,
    unit: Unit,
    *,
    within: Range = REAL,
    confidence: float = 0.95,
) -> Measured:
    """Return the mean over seeds with its t interval and t test.

    Args:
        by_seed: A value for each seed, such as a paired difference.
        bound: Value that the mean is compared with.
        unit: Unit of the values.
        within: Range of the values.
        confidence: Level of the interval. Above 0.95 it is that of one of several looks, and p is
            multiplied by 0.05 / (1 − confidence), at most 1 (a weighted Bonferroni correction).
    """
    values = list(by_seed.values())
    p = mean_p(values, bound)
    if confidence != 0.95:
        p = p if math.isnan(p) else min(1.0, p * 0.05 / (1 - confidence))
    return Measured(estimate(values, confidence, within=within), bound, unit, by_seed, p=p)


def measure_difference(
    a: Mapping[int, float],
    b: Mapping[int, float],
    unit: Unit = POINTS,
    *,
    within: Range = REAL,
    confidence: float = 0.95,
    bound: float = 0.0,
) -> Measured:
    """Return a − b over shared seeds, paired, compared with a bound.

    Args:
        a: Values by seed.
        b: Values by seed.
        unit: Unit of the difference.
        within: Range of a and b.
        confidence: As for :func:`measure_mean`.
        bound: Value that the mean difference is compared with.
    """
    by_seed = differences(a, b)
    return measure_mean(by_seed, bound, unit, within=within.difference(), confidence=confidence)


def measure_independent(
    a: Sequence[float], b: Sequence[float], unit: Unit = POINTS, *, within: Range = REAL
) -> Measured:
    """Return mean(a) − mean(b) of independent samples, compared with 0, by Welch's t test.

    Args:
        a: One value for each run.
        b: One value for each run.
        unit: Unit of the difference.
        within: Range of a and b.
    """
    e = independent_difference(a, b, within=within)
    note = f"independent samples of {len(a)} and {len(b)} runs (Welch)"
    return Measured(e, 0.0, unit, note=note, p=independent_p(a, b))
