"""What values a quantity can have: its intervals end there."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Range:
    """The values that a quantity, and so its mean, can have.

    Attributes:
        low: The least.
        high: The largest.

    >>> SHARE.difference()
    Range(low=-1.0, high=1.0)
    """

    low: float = -math.inf
    high: float = math.inf

    def difference(self) -> Range:
        """Return the range of differences of two such values."""
        return Range(self.low - self.high, self.high - self.low)

    def has(self, values: Iterable[float]) -> bool:
        """Whether all values are inside."""
        return all(self.low <= value <= self.high for value in values)


REAL = Range()
SHARE = Range(0.0, 1.0)
SHARE_DIFFERENCE = SHARE.difference()
POSITIVE = Range(0.0)

_RANGES = {
    "accuracy": SHARE,
    "share": SHARE,
    "share_content": SHARE,
    "share_pattern": SHARE,
    "share_neither": SHARE,
    "content": SHARE,
    "clean": SHARE,
    "patch_only": SHARE,
    "mixed": SHARE,
    "content_on_conflict": SHARE,
    "error": SHARE,
    "error_gaussian": SHARE,
    "reliance": SHARE_DIFFERENCE,
    "loss": POSITIVE,
}


def range_of(quantity: str) -> Range:
    """Return the range of a recorded quantity, or of a score by its name; all reals where unknown.

    Accuracies, errors and shares are in [0, 1]; reliance, which is a difference of two shares, is
    in [−1, 1]; losses are not negative.

    >>> range_of("reliance"), range_of("loss")
    (Range(low=-1.0, high=1.0), Range(low=0.0, high=inf))
    """
    return _RANGES.get(quantity, REAL)
