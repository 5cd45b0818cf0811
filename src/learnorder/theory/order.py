"""When a pattern of the theory was learned: for good by its accuracy, and by half its margin."""

from __future__ import annotations

import math
from collections.abc import Sequence

ACCURACY_LEVEL = 0.95
"""Test accuracy on its own kind from which a pattern counts as learned, if it stays there."""


def learned_for_good(
    times: Sequence[float], accuracies: Sequence[float], level: float = ACCURACY_LEVEL
) -> float | None:
    """Return the first time from which an accuracy stays above a level, None if it does not.

    Args:
        times: Rising times.
        accuracies: One for each time.
        level: To stay above.

    >>> learned_for_good([1.0, 2.0, 3.0, 4.0], [0.97, 0.90, 0.96, 1.0])
    3.0
    >>> learned_for_good([1.0, 2.0], [0.99, 0.5]) is None
    True
    """
    found = None
    for time, accuracy in zip(times, accuracies, strict=True):
        if accuracy <= level:
            found = None
        elif found is None:
            found = time
    return found


def level_time(times: Sequence[float], margins: Sequence[float], level: float) -> float | None:
    """Return when a margin first reaches a level, None if it does not.

    Between two moments it is interpolated over log time.

    Args:
        times: Rising times.
        margins: Mean margin y·f at each time.
        level: To be reached.

    >>> level_time([1.0, 10.0, 100.0], [0.0, 0.5, 2.0], level=1.0)
    21.544...
    """
    before: tuple[float, float] | None = None
    for time, margin in zip(times, margins, strict=True):
        if margin >= level:
            if before is None:
                return time
            share = (level - before[1]) / (margin - before[1])
            return math.exp(math.log(before[0]) + share * (math.log(time) - math.log(before[0])))
        before = time, margin
    return None


def half_time(times: Sequence[float], margins: Sequence[float]) -> float | None:
    """Return when a margin first reaches half its final value, None if the final is not positive.

    Args:
        times: Rising times.
        margins: Mean margin y·f at each time.

    >>> half_time([1.0, 10.0, 100.0], [0.0, 0.5, 2.0])
    21.544...
    """
    if not margins or not margins[-1] > 0:
        return None
    return level_time(times, margins, margins[-1] / 2)
