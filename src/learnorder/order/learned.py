"""When a run learned something: the first epoch at which an accuracy reaches a level."""

from __future__ import annotations

import math
from collections.abc import Sequence

from learnorder.statistics import Span

PATCH_LEVEL = 0.9
"""Patch-only accuracy from which the patch counts as learned."""

CONTENT_SHARE = 0.9
"""Share of the best arm's final clean accuracy from which the content counts as learned."""


def first_epoch(epochs: Sequence[int], values: Sequence[float], level: float) -> int | None:
    """Return the first epoch whose value is at least ``level``, or None: it never is.

    Args:
        epochs: Rising epochs.
        values: One for each epoch.
        level: To be reached.

    >>> first_epoch([1, 2, 3, 4], [0.1, 0.5, 0.95, 0.9], level=0.9)
    3
    >>> first_epoch([1, 2], [0.1, 0.5], level=0.9) is None
    True
    """
    for epoch, value in zip(epochs, values, strict=True):
        if value >= level:
            return int(epoch)
    return None


def order_ratio(pattern: int | None, content: int | None, epochs: int) -> Span:
    """Return log10 of the epoch of the pattern over that of the content; positive: content first.

    What a run of E epochs does not learn is *censored*: it would come in epoch E + 1 at the
    earliest, so the ratio has a lower bound where the pattern is never learned, an upper bound
    where the content is not, and neither where both are not.

    Args:
        pattern: First epoch at the level of the pattern; None is never.
        content: First epoch at the level of the content; None is never.
        epochs: Length of the run.

    >>> order_ratio(20, 2, 30), order_ratio(None, 3, 29), order_ratio(None, None, 29)
    (Span(low=1.0, high=1.0), Span(low=1.0, high=inf), Span(low=-inf, high=inf))
    """
    low = -math.inf if content is None else math.log10((pattern or epochs + 1) / content)
    high = math.inf if pattern is None else math.log10(pattern / (content or epochs + 1))
    return Span(low, high)
