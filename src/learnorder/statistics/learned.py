"""When a run learned something: the first epoch at which an accuracy reaches a level."""

from __future__ import annotations

import math
from collections.abc import Sequence

from learnorder.statistics import Span

PATCH_LEVEL = 0.9
"""Patch-only accuracy at which the patch counts as learned; see :func:`pattern_level`."""

CONTENT_LEVELS = {"¼": 0.25, "½": 0.5, "¾": 0.75}
"""Levels of clean accuracy at which the content counts as learned, as fractions of the way from
chance to 100 %.

They do not depend on the runs that are compared. A level derived from final accuracies, such as
90 % of the best arm's, would make the order repeat them: the best arm would set a level that the
others never reach. The first is decisive and was fixed before the runs: most arms reach it, and
they reach it early, when the order is decided.
"""

NEXT_TO_NOTHING = 0.1
"""Fraction of the way from chance to 100 % that counts as almost nothing learned: an accuracy of
19 % for ten classes, 55 % for two."""


BALANCED = 1.2
"""Classes count as balanced up to this ratio of the commonest class's share to 1/K."""


def chance_level(classes: int, commonest: float | None = None) -> float:
    """Return the accuracy of a network that has learned nothing about its inputs.

    It is 1/K for balanced classes. If they are not, always predicting the commonest class does
    better, and chance is its share.

    Args:
        classes: Number of classes, K.
        commonest: Share of the commonest class among the examples that are evaluated, if known.

    >>> chance_level(10), chance_level(10, 0.11), chance_level(2, 0.63)
    (0.1, 0.1, 0.63)
    """
    if commonest is None or commonest <= BALANCED / classes:
        return 1 / classes
    return commonest


def on_the_way(chance: float, fraction: float) -> float:
    """Return the accuracy at a fraction of the way from chance to 1, c + f · (1 − c).

    Args:
        chance: Accuracy of guessing, c.
        fraction: Fraction of the way, f.

    >>> on_the_way(0.1, 0.25), on_the_way(0.5, 0.1)
    (0.325, 0.55)
    """
    return chance + fraction * (1 - chance)


def pattern_level(chance: float | None) -> float:
    """Return the patch-only accuracy at which the pattern counts as learned.

    It is 90 %, or half of the way from chance to 100 % if that is more: where a class has 95 % of
    the examples, a network that always predicts it is right on 95 % of the patterns.

    Args:
        chance: Accuracy of guessing, of :func:`chance_level`; None if unknown.

    >>> pattern_level(0.1), pattern_level(0.95), pattern_level(None)
    (0.9, 0.975, 0.9)
    """
    return PATCH_LEVEL if chance is None else max(PATCH_LEVEL, on_the_way(chance, 0.5))


def is_undertrained(clean: float, patch_only: float, chance: float) -> bool:
    """Return whether a network ends with neither the content nor the pattern learned.

    Low reliance of such a network is not robustness: it has learned nothing to rely on.

    Args:
        clean: Final accuracy on clean images, compared with the decisive level of the content.
        patch_only: Final accuracy on the pattern alone.
        chance: Accuracy of guessing.

    >>> is_undertrained(0.25, 0.4, 0.1), is_undertrained(0.25, 0.95, 0.1)
    (True, False)
    """
    content = on_the_way(chance, CONTENT_LEVELS["¼"])
    return clean < content and patch_only < pattern_level(chance)


def first_epoch(epochs: Sequence[int], values: Sequence[float], level: float) -> int | None:
    """Return the first epoch whose value is at least ``level``, or None if there is none.

    Args:
        epochs: Epochs in increasing order.
        values: One for each epoch.
        level: Value to reach.

    >>> first_epoch([1, 2, 3, 4], [0.1, 0.5, 0.95, 0.9], level=0.9)
    3
    >>> first_epoch([1, 2], [0.1, 0.5], level=0.9) is None
    True
    """
    for epoch, value in zip(epochs, values, strict=True):
        if value >= level:
            return int(epoch)
    return None


def settled_epoch(epochs: Sequence[int], values: Sequence[float], level: float) -> int | None:
    """Return the first epoch from which on all values are at least ``level``; None if none is.

    Args:
        epochs: Epochs in increasing order.
        values: One for each epoch.
        level: Value to stay at or above.

    >>> settled_epoch([1, 2, 3, 4], [0.9, 0.1, 0.95, 0.9], level=0.9)
    3
    >>> settled_epoch([1, 2], [0.9, 0.1], level=0.9) is None
    True
    """
    settled = None
    for epoch, value in zip(reversed(epochs), reversed(values), strict=True):
        if not value >= level:
            break
        settled = int(epoch)
    return settled


def order_ratio(pattern: int | None, content: int | None, epochs: int) -> Span:
    """Return log10(pattern's epoch / content's epoch); positive if the content is learned first.

    What a run of E epochs does not learn is *censored*: its epoch is at least E + 1. The ratio then
    has only a lower bound if the pattern is never learned, only an upper bound if the content is
    never learned, and no bound if neither is.

    Args:
        pattern: First epoch at which the pattern is learned; None if never.
        content: First epoch at which the content is learned; None if never.
        epochs: Length of the run.

    >>> order_ratio(20, 2, 30), order_ratio(None, 3, 29), order_ratio(None, None, 29)
    (Span(low=1.0, high=1.0), Span(low=1.0, high=inf), Span(low=-inf, high=inf))
    """
    low = -math.inf if content is None else math.log10((pattern or epochs + 1) / content)
    high = math.inf if pattern is None else math.log10(pattern / (content or epochs + 1))
    return Span(low, high)
