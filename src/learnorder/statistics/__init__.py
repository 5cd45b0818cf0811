"""Means with intervals, censored times, tests and verdicts: every number has its uncertainty."""

from learnorder.statistics.intervals import (
    Estimate,
    estimate,
    paired_difference,
    proportion,
    ratio_of_means,
    slope,
    spread,
)
from learnorder.statistics.measured import PER_CENT, POINTS, Measured, Unit
from learnorder.statistics.ranges import POSITIVE, REAL, SHARE, SHARE_DIFFERENCE, Range, range_of
from learnorder.statistics.times import Span, compare_spans, compare_times, median_span

__all__ = [
    "PER_CENT",
    "POINTS",
    "POSITIVE",
    "REAL",
    "SHARE",
    "SHARE_DIFFERENCE",
    "Estimate",
    "Measured",
    "Range",
    "Span",
    "Unit",
    "compare_spans",
    "compare_times",
    "estimate",
    "median_span",
    "paired_difference",
    "proportion",
    "range_of",
    "ratio_of_means",
    "slope",
    "spread",
]
