"""When a pattern of the theory was learned, by its accuracy or by half its final margin."""

from __future__ import annotations

import math
from collections.abc import Sequence

ACCURACY_LEVEL = 0.95
"""A pattern is learned once test accuracy on examples with only it stays above this level."""


def learned_for_good(
    times: Sequence[float], accuracies: Sequence[float], level: float = ACCURACY_LEVEL
) -> float | None:
    """Return the first time from which an accuracy stays above a level, None if it does not.

    Args:
        times: Increasing times.
        accuracies: The accuracy at each time, in [0, 1].
        level: The level to stay above.

    >>> learned_for_good([1.0, 2.0, 3.0, 4.0], [0.97, 0.90, 0.96, 1.0])
    3.0
    >>> learned_for_good([1.0, 2.0], [0.99, 0.5]) is None
    True
    """
    since = None
    for time, accuracy in zip(times, accuracies, strict=True):
        if accuracy <= level:
            since = None
        elif since is None:
            since = time
    return since


def level_time(times: Sequence[float], margins: Sequence[float], level: float) -> float | None:
    """Return when a margin first reaches a level, None if it does not.

    The margin is interpolated linearly in log time.

    Args:
        times: Increasing times.
        margins: Mean margin y·f at each time.
        level: The level to reach.

    >>> level_time([1.0, 10.0, 100.0], [0.0, 0.5, 2.0], level=1.0)
    21.544...
    """
    last: tuple[float, float] | None = None
    for time, margin in zip(times, margins, strict=True):
        if margin >= level:
            if last is None:
                return time
            share = (level - last[1]) / (margin - last[1])
            return math.exp(math.log(last[0]) + share * (math.log(time) - math.log(last[0])))
        last = time, margin
    return None


def half_time(times: Sequence[float], margins: Sequence[float]) -> float | None:
    """Return when a margin first reaches half its final value, None if that is not positive.

    Args:
        times: Increasing times.
        margins: Mean margin y·f at each time.

    >>> half_time([1.0, 10.0, 100.0], [0.0, 0.5, 2.0])
    21.544...
    """
    if not margins or not margins[-1] > 0:
        return None
    return level_time(times, margins, margins[-1] / 2)
