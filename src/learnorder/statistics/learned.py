"""When a run learned something: the first epoch at which an accuracy reaches a level."""

from __future__ import annotations

import math
from collections.abc import Sequence

from learnorder.statistics import Span

PATCH_LEVEL = 0.9
"""Patch-only accuracy from which the patch counts as learned."""

CONTENT_LEVELS = {"¼": 0.25, "½": 0.5, "¾": 0.75}
"""Levels of the content: how far on the way from guessing to perfect. The first decides."""


NEXT_TO_NOTHING = 0.1
"""How far on the way from guessing to perfect is next to nothing: about twice chance with ten
classes, 19 %. Unlike twice chance it says something with two, 55 %."""


def content_level(classes: int, fraction: float = CONTENT_LEVELS["¼"]) -> float:
    """Return the clean accuracy from which the content counts as learned, 1/K + f · (1 − 1/K).

    K is the number of classes: 1/K is guessing. The level depends on nothing that is compared. One
    that is taken from final accuracies, such as 90 % of the best arm's, makes the order repeat
    them: the arm that ends best sets a level that others never reach. f = 1/4 decides, fixed before
    the runs that it judges: of the levels it is the one that most arms reach, and it is reached
    early, which is when the order is decided. f = 1/2 and 3/4 are shown beside it.

    Args:
        classes: Number of classes, K.
        fraction: How far on the way, f.

    >>> content_level(10), content_level(2), content_level(10, 0.5)
    (0.325, 0.625, 0.55)
    """
    return on_the_way(1 / classes, fraction)


def on_the_way(chance: float, fraction: float) -> float:
    """Return the accuracy that is so far on the way from guessing to perfect, c + f · (1 − c).

    Args:
        chance: Accuracy of guessing, c.
        fraction: How far, f.

    >>> on_the_way(0.1, 0.25), on_the_way(0.5, 0.1)
    (0.325, 0.55)
    """
    return chance + fraction * (1 - chance)


def is_undertrained(clean: float, patch_only: float, chance: float) -> bool:
    """Return whether a network ends with neither the content nor the pattern learned.

    Its reliance is then low because there is nothing it could rely on, which is no robustness.

    Args:
        clean: Final accuracy on clean images; the content counts at the level that decides.
        patch_only: Final accuracy on the pattern alone.
        chance: Accuracy of guessing.

    >>> is_undertrained(0.25, 0.4, 0.1), is_undertrained(0.25, 0.95, 0.1)
    (True, False)
    """
    return clean < on_the_way(chance, CONTENT_LEVELS["¼"]) and patch_only < PATCH_LEVEL


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
