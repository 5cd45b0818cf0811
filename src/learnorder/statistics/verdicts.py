"""Verdicts: on which side of a bound an interval lies, and when it is inconclusive.

Three rules apply to every verdict:

- It needs at least three seeds (:data:`FEWEST_SEEDS`): two seeds that happen to agree have an
  interval of almost no width. The headline of a page needs five (:data:`FEWEST_HEADLINE`).
- Identical values have no interval, because they give no estimate of the spread. From six seeds on
  (:data:`FEWEST_ALIKE`) the sign test decides: 2 · (1/2)⁶ < 0.05.
- A comparison with an arm that has a diverged run is inconclusive: divergence depends on the arm,
  and the mean of the remaining runs is not the arm's mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from learnorder.statistics.intervals import Estimate, equals
from learnorder.statistics.measured import Measured
from learnorder.statistics.pvalues import holm

Verdict = Literal["holds", "does_not_hold", "undecided"]

VERDICT_WORDS: dict[Verdict, str] = {
    "holds": "✓ holds",
    "does_not_hold": "✗ does not hold",
    "undecided": "? undecided",
}
Side = Literal["above", "below", "inconclusive"]
"""Side of a bound on which an interval lies."""

FEWEST_SEEDS = 3
"""Fewest seeds for a verdict."""
FEWEST_HEADLINE = 5
"""Fewest seeds for a headline."""
FEWEST_ALIKE = 6
"""Fewest seeds for a verdict from identical values, by the sign test: 2·(1/2)^6 < 0.05."""


def side_of(e: Estimate, bound: float = 0.0) -> Side:
    """Return the side of a bound on which an interval lies, or that it is inconclusive.

    >>> side_of(Estimate(0.3, 0.1, 0.5, 5)), side_of(Estimate(0.3, 0.1, 0.5, 5), 0.4)
    ('above', 'inconclusive')
    >>> from learnorder.statistics import estimate
    >>> side_of(Estimate(0.3, 0.29, 0.31, 2))
    'inconclusive'
    >>> side_of(estimate([0.3] * 5)), side_of(estimate([0.3] * 6))
    ('inconclusive', 'above')
    """
    if why_inconclusive(e) or math.isnan(bound) or (e.identical and equals(e.mean, bound)):
        return "inconclusive"
    if e.lowest > bound:
        return "above"
    return "below" if e.highest < bound else "inconclusive"


def why_inconclusive(e: Estimate) -> str:
    """Return why an interval is inconclusive for any bound; an empty string if it is not.

    >>> from learnorder.statistics import estimate
    >>> why_inconclusive(estimate([0.3] * 5))
    'identical values on fewer than 6 seeds are inconclusive'
    """
    if e.n == 0:
        return "there is nothing to compare"
    if e.n < FEWEST_SEEDS:
        return f"a verdict needs at least {FEWEST_SEEDS} seeds"
    if e.identical and e.n < FEWEST_ALIKE:
        return f"identical values on fewer than {FEWEST_ALIKE} seeds are inconclusive"
    return "" if e.has_interval or e.identical else "there is no interval"


def verdict(measured: Measured, side: Literal["above", "below"]) -> Verdict:
    """Return the verdict on the claim that the true value lies on one side of the bound.

    >>> from learnorder.statistics import POINTS
    >>> verdict(Measured(Estimate(0.03, 0.01, 0.05, 5), 0.0, POINTS), "above")
    'holds'
    >>> verdict(Measured(Estimate(0.03, -0.01, 0.07, 5), 0.0, POINTS), "above")
    'undecided'
    """
    observed = side_of(measured.estimate, measured.bound)
    if observed == "inconclusive":
        return "undecided"
    return "holds" if observed == side else "does_not_hold"


def adjusted_p(measures: Sequence[Measured], planned: int = 0) -> list[float]:
    """Return the p-values of the measures in a table, adjusted for their number (Holm).

    Those without a verdict, because of too few seeds, equal values or a diverged run, are nan, but
    count like one with p = 1: that they drop out is known only after the runs, and must not ease
    the others.

    Args:
        measures: The measures.
        planned: Number of tests that were planned, if there are fewer measures.
    """
    alone = [math.nan if why_inconclusive(m.estimate) else m.p for m in measures]
    missing = [1.0] * (planned - len(measures))
    counted = holm([1.0 if math.isnan(p) else p for p in alone] + missing)[: len(alone)]
    return [math.nan if math.isnan(p) else q for p, q in zip(alone, counted, strict=True)]


HOLM_NOTE = (
    "Verdicts are not adjusted for multiple comparisons: if the true value equals the bound, an "
    "interval lies entirely above it by chance in 2.5 % of cases, and entirely below it in 2.5 %. "
    "p (Holm) is adjusted for the number of tests in the table: the probability that any p below "
    "0.05 is a false positive is at most 5 %."
)
MOST_UNADJUSTED = 5
"""Tables with more tests than this have a column of adjusted p-values."""
