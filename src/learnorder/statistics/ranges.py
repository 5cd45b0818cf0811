"""Ranges of recorded quantities, to which intervals are clipped."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_ROUNDING = 1e-6
"""Shares may be outside their range by this much, e.g. if they were computed in float32."""


@dataclass(frozen=True)
class Range:
    """A closed range of values.

    Attributes:
        low: Smallest value.
        high: Largest value.

    >>> SHARE.difference()
    Range(low=-1.0, high=1.0)
    """

    low: float = -math.inf
    high: float = math.inf

    def difference(self) -> Range:
        """Return the range of the difference of two such values."""
        return Range(self.low - self.high, self.high - self.low)

    def rounded(self, value: float) -> float:
        """Return a value, moved to an end of the range if it is outside by a rounding error.

        >>> SHARE.rounded(1.0000001), SHARE.rounded(1.1)
        (1.0, 1.1)
        """
        moved = min(max(value, self.low), self.high)
        return moved if abs(value - moved) <= _ROUNDING else value

    def contains(self, values: Iterable[float]) -> bool:
        """Return whether all values are in the range."""
        return all(self.low <= value <= self.high for value in values)


REAL = Range()
SHARE = Range(0.0, 1.0)
SHARE_DIFFERENCE = SHARE.difference()
POSITIVE = Range(0.0)

_RANGES = {
    "accuracy": SHARE,
    "worst_group_accuracy": SHARE,
    "accuracy_gap": SHARE,
    "share": SHARE,
    "share_content": SHARE,
    "share_pattern": SHARE,
    "share_neither": SHARE,
    "share_baseline": SHARE,
    "content": SHARE,
    "clean": SHARE,
    "patch_only": SHARE,
    "mixed": SHARE,
    "content_on_conflict": SHARE,
    "error": SHARE,
    "error_gaussian": SHARE,
    "reliance": SHARE_DIFFERENCE,
    "attribute_reliance": SHARE_DIFFERENCE,
    "active_share": SHARE,
    "distinct_units": SHARE,
    "distinct_active_share": SHARE,
    "feature_rank": POSITIVE,
    "spikes": POSITIVE,
    "catapults": POSITIVE,
}


def worst_group_of(score: str) -> str:
    """Return the name of the worst group's score in records."""
    return f"worst_group_{score}"


def gap_of(score: str) -> str:
    """Return the name of the gap between all examples and the worst group in records."""
    return f"{score}_gap"


def range_of(quantity: str, loss: Range = REAL) -> Range:
    """Return the range of a recorded quantity or score by its name; all reals if it is unknown.

    Accuracies, errors and shares are in [0, 1]. Reliance is a difference of two shares, in [−1, 1].

    Args:
        quantity: Name of the quantity.
        loss: Range of the loss. That of a task's own function may be negative, e.g. the negative
            log-likelihood of a normal distribution.

    >>> range_of("reliance"), range_of("loss").low, range_of("loss", loss=POSITIVE).low
    (Range(low=-1.0, high=1.0), -inf, 0.0)
    """
    return loss if quantity == "loss" else _RANGES.get(quantity, REAL)
