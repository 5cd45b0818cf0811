"""Spikes of the training loss, such as the catapults of large learning rates."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from statistics import median
from typing import Any

from learnorder.errors import ConfigError

WINDOW = 50
"""Number of steps whose median a loss is compared with, by default."""


class LossSpikes:
    """Counts the spikes of a sequence of losses that comes in parts; see :func:`count_spikes`.

    Args:
        factor: How many times the median a loss must be.
        window: Number of losses in the median.

    Attributes:
        count: Number of spikes that have begun. Set it to 0 to count those of the next epoch; a
            spike that has begun before is not counted again.

    Raises:
        ConfigError: A number is out of range.

    >>> spikes = LossSpikes(factor=2, window=3)
    >>> for losses in ([1, 1, 1, 5], [4, 1, 1]):
    ...     spikes.update(losses)
    >>> spikes.count
    1
    """

    def __init__(self, factor: float = 2.0, window: int = WINDOW) -> None:
        if not factor > 1:
            raise ConfigError("factor", factor, "Give a factor above 1, e.g. 2.")
        if window < 1:
            raise ConfigError("window", window, "Give at least 1.")
        self._factor, self._window = factor, window
        self._last: deque[float] = deque(maxlen=window)
        self._above = False
        self.count = 0

    def update(self, losses: Iterable[float]) -> None:
        """Add the losses of some steps, in their order.

        Raises:
            ConfigError: A loss is negative.
        """
        for loss in map(float, losses):
            if loss < 0:
                raise ConfigError(
                    "losses", loss, "Spikes are relative to the median, so losses must be ≥ 0."
                )
            full = len(self._last) == self._window
            above = full and loss > self._factor * median(self._last)
            self.count += above and not self._above
            self._above = above
            self._last.append(loss)

    def state_dict(self) -> dict[str, Any]:
        """Return the state, as plain values."""
        return {"last": list(self._last), "above": self._above, "count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        self._last = deque(state["last"], maxlen=self._window)
        self._above, self.count = state["above"], state["count"]


def count_spikes(losses: Iterable[float], *, factor: float = 2.0, window: int = WINDOW) -> int:
    """Return the number of spikes in the losses L_1, L_2, … of successive steps.

    A spike begins at a step t with

        L_t > factor · median(L_{t−window}, …, L_{t−1})

    if this does not hold at t − 1, and lasts while it holds. The first ``window`` losses begin
    none. A loss that rises and stays high is one spike, which ends once the median has followed it.

    The definition is ours. Zhu et al. (*Catapults in SGD: Spikes in the Training Loss and Their
    Impact on Generalization through Feature Learning*, ICML 2024) show that spikes of SGD's loss
    are catapults, and more frequent in smaller batches, without a rule for counting them. The
    losses of small batches also vary without any: compare runs of the same batch size.

    Args:
        losses: Losses of the batches, ≥ 0, in the order of the steps.
        factor: How many times the median a loss must be.
        window: Number of losses in the median.

    Raises:
        ConfigError: A number is out of range, or a loss is negative or nan.

    >>> count_spikes([1, 1, 1, 5, 4, 1, 1, 3, 1], factor=2, window=3)
    2
    """
    losses = [float(loss) for loss in losses]
    if any(math.isnan(loss) for loss in losses):
        raise ConfigError("losses", math.nan, "Give the losses before the first that is nan.")
    spikes = LossSpikes(factor, window)
    spikes.update(losses)
    return spikes.count
