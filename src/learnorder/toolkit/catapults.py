"""Catapults: the loss on fixed examples rises far above its lowest value and falls back."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from learnorder.errors import ConfigError


class Catapults:
    """Counts the catapults of losses that come in parts; see :func:`count_catapults`.

    Args:
        factor: How many times the lowest loss so far a loss must be.

    Attributes:
        count: Number of catapults that have ended. Set it to 0 to count those of the next epoch.

    Raises:
        ConfigError: The factor is out of range.

    >>> catapults = Catapults(factor=4)
    >>> for losses in ([1, 5], [6, 0.5]):
    ...     catapults.update(losses)
    >>> catapults.count
    1
    """

    def __init__(self, factor: float = 2.0) -> None:
        if not 1 < factor < math.inf:
            raise ConfigError("factor", factor, "Give a factor above 1, e.g. 2.")
        self._factor = factor
        self._lowest, self._above = math.inf, False
        self.count = 0

    def update(self, losses: Iterable[float]) -> None:
        """Add the losses after some steps, in their order.

        Raises:
            ConfigError: A loss is negative or NaN.
        """
        for loss in map(float, losses):
            if not loss >= 0:
                raise ConfigError(
                    "losses", loss, "Catapults are relative to the lowest loss: give losses ≥ 0."
                )
            if self._above and loss <= math.sqrt(self._factor) * self._lowest:
                self._above = False
                self.count += 1
            elif loss > self._factor * self._lowest:
                self._above = True
            self._lowest = min(self._lowest, loss)

    def state_dict(self) -> dict[str, Any]:
        """Return the state, as plain values."""
        return {"lowest": self._lowest, "above": self._above, "count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        self._lowest, self._above = state["lowest"], state["above"]
        self.count = state["count"]


def count_catapults(losses: Iterable[float], *, factor: float = 2.0) -> int:
    """Return the number of catapults in the losses L_0, L_1, … before and after each step.

    L_t must be the loss on the same examples at each t: all training examples, or a fixed sample
    of them. With m_t = min(L_0, …, L_t), a catapult begins at a step t with

        L_t > factor · m_{t−1},

    and ends, and is counted, at the next step with L_t ≤ √factor · m_{t−1}, half of the way back
    on a logarithmic axis. A loss that rises and does not come back is none.

    In gradient descent above the learning rate 2/λ the loss rises and falls back in this way
    (Lewkowycz et al., *The Large Learning Rate Phase of Deep Learning: the Catapult Mechanism*,
    arXiv:2003.02218). The definition is ours. :func:`~learnorder.count_spikes` compares losses of
    batches, which vary because the examples do; those on the same examples vary with the weights
    alone. The noise of small batches moves these, too: around a minimum it can double a small loss
    again and again, also where the curvature is constant, as in linear regression, and nothing is
    catapulted. Compare batch sizes with that in mind.

    Args:
        losses: Losses on the same examples, ≥ 0, in the order of the steps.
        factor: How many times the lowest loss so far a loss must be.

    Raises:
        ConfigError: The factor is out of range, or a loss is negative or NaN.

    >>> count_catapults([4, 9, 5, 2, 5, 1], factor=2)  # 9 and back to 5, 5 and back to 1
    2
    >>> count_catapults([1, 5, 5, 5])
    0
    """
    catapults = Catapults(factor)
    catapults.update(losses)
    return catapults.count
