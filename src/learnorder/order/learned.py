"""When a run learned something: the first epoch at which an accuracy reaches a level."""

from __future__ import annotations

from collections.abc import Sequence

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
