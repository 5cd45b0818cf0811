"""What an interval says: on which side of a bound it lies, and when it says nothing.

Three rules hold wherever something is decided:

- A verdict takes at least three seeds (:data:`FEWEST_SEEDS`): two that happen to be alike have an
  interval of next to no width. What a page puts in its headline takes five
  (:data:`FEWEST_HEADLINE`).
- An interval of no width is no evidence: all seeds alike have no spread to judge by. From six seeds
  on (:data:`FEWEST_ALIKE`) the sign test judges them, 2 · (1/2)⁶ < 0.05.
- A comparison with an arm in which a run diverged is inconclusive, for that is no accident of the
  seed; the mean of those that are left is not that of the arm.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

from learnorder.statistics.intervals import Estimate
from learnorder.statistics.measured import Measured
from learnorder.statistics.pvalues import holm

Verdict = Literal["holds", "does_not_hold", "undecided"]

VERDICT_WORDS: dict[Verdict, str] = {
    "holds": "✓ holds",
    "does_not_hold": "✗ does not hold",
    "undecided": "? undecided",
}
Side = Literal["above", "below", "inconclusive"]
"""Of a bound."""

FEWEST_SEEDS = 3
"""Seeds that a verdict takes."""
FEWEST_HEADLINE = 5
"""Seeds that a headline takes."""
FEWEST_ALIKE = 6
"""Seeds from which an interval of no width decides, as a sign test does: 2·(1/2)^6 < 0.05."""


def side_of(e: Estimate, bound: float = 0.0) -> Side:
    """Return on which side of a bound an interval lies; inconclusive where it decides nothing.

    >>> side_of(Estimate(0.3, 0.1, 0.5, 5)), side_of(Estimate(0.3, 0.1, 0.5, 5), 0.4)
    ('above', 'inconclusive')
    >>> side_of(Estimate(0.3, 0.3, 0.3, 5)), side_of(Estimate(0.3, 0.29, 0.31, 2))
    ('inconclusive', 'inconclusive')
    """
    if why_inconclusive(e) or math.isnan(bound):
        return "inconclusive"
    if e.low > bound:
        return "above"
    return "below" if e.high < bound else "inconclusive"


def why_inconclusive(e: Estimate) -> str:
    """Return why an interval decides nothing wherever it lies; empty where it can decide.

    >>> why_inconclusive(Estimate(0.3, 0.3, 0.3, 5))
    'without spread, fewer than 6 seeds decide nothing'
    """
    if e.n == 0:
        return "there is nothing to compare"
    if e.n < FEWEST_SEEDS:
        return f"a verdict takes {FEWEST_SEEDS} seeds"
    if math.isnan(e.low) or math.isnan(e.high):
        return "there is no interval"
    if e.low == e.high and e.n < FEWEST_ALIKE:
        return f"without spread, fewer than {FEWEST_ALIKE} seeds decide nothing"
    return ""


def verdict(found: Measured, side: Literal["above", "below"]) -> Verdict:
    """Return what an interval says of a claim that it lies on one side of its bound.

    >>> from learnorder.statistics import POINTS
    >>> verdict(Measured(Estimate(0.03, 0.01, 0.05, 5), 0.0, POINTS), "above")
    'holds'
    >>> verdict(Measured(Estimate(0.03, -0.01, 0.07, 5), 0.0, POINTS), "above")
    'undecided'
    """
    lies = side_of(found.estimate, found.bound)
    if lies == "inconclusive":
        return "undecided"
    return "holds" if lies == side else "does_not_hold"


def adjusted_p(found: Sequence[Measured]) -> list[float]:
    """Return the p-values of measures that stand in one table, adjusted for their number (Holm).

    Those that decide nothing, as on too few seeds, have none (nan), and do not count.
    """
    return holm([math.nan if why_inconclusive(each.estimate) else each.p for each in found])


HOLM_NOTE = (
    "Each verdict stands by itself: where the true value is at the bound, an interval lies wholly "
    "above it by chance in 2.5 % of cases, and wholly below it in 2.5 %. p (Holm) is adjusted for "
    "the number of tests in the table: with a probability of 95 % or more none of those below 0.05 "
    "is there by chance alone."
)
MOST_UNADJUSTED = 5
"""Tables of more tests than this have a column of adjusted p-values."""
