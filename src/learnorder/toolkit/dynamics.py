"""Training dynamics of examples: means over their predictions, without storing these."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from learnorder.toolkit.correct import Array

Values = NDArray[np.float64]

_COLUMNS = ("count", "correct", "mean", "squares", "margin")
"""State of each row, float64: the number of predictions, of correct ones, the mean probability of
the label, the sum of its squared deviations from the mean, and the sum of margins."""


class Dynamics:
    """Confidence, variability, correctness and area under the margin of each row.

    Means and variances are updated by Welford's recurrence, in 40 bytes per row.

    Args:
        rows: Number of rows.

    >>> dynamics = Dynamics(1)
    >>> for p, margin in ((0.2, -1.0), (0.6, 2.0)):
    ...     scores = np.array([[np.log(p), margin]])
    ...     dynamics.update(np.array([0]), np.array([margin > 0]), scores)
    >>> [round(float(v[0]), 3) for v in (dynamics.confidence, dynamics.variability, dynamics.aum)]
    [0.4, 0.2, 0.5]
    """

    def __init__(self, rows: int) -> None:
        self.state = np.zeros((rows, len(_COLUMNS)))

    def update(self, rows: Array, correct: Array, scores: Array) -> None:
        """Add a prediction to each of some distinct rows.

        Args:
            rows: Rows, int64 [M].
            correct: Whether each prediction is correct, bool [M].
            scores: Log-probability of each label and its margin, float64 [M, 2].
        """
        state = self.state[rows]
        count, right, mean, squares, margin = state.T  # views of state
        probability = np.exp(scores[:, 0])
        count += 1
        right += correct
        deviation = probability - mean
        mean += deviation / count
        squares += deviation * (probability - mean)
        with np.errstate(invalid="ignore"):  # margins of +inf and −inf
            margin += scores[:, 1]
        self.state[rows] = state

    @property
    def confidence(self) -> Values:
        """Mean probability of the label, [rows]; nan without predictions."""
        return np.where(self._column("count") > 0, self._column("mean"), np.nan)

    @property
    def variability(self) -> Values:
        """Standard deviation of the label's probability, dividing by n, [rows]."""
        return np.sqrt(self._mean("squares"))

    @property
    def aum(self) -> Values:
        """Mean margin, [rows]."""
        return self._mean("margin")

    def correctness(self, nonfinite: Array) -> Values:
        """Return the share of correct predictions, [rows].

        Args:
            nonfinite: Number of predictions that were not finite and are not counted here, [rows].
        """
        return _ratio(self._column("correct"), self._column("count") + nonfinite)

    def columns(self, nonfinite: Array) -> dict[str, Values]:
        """Return all of them by name, each [rows]; ``nonfinite`` as in :meth:`correctness`."""
        return {
            "confidence": self.confidence,
            "variability": self.variability,
            "correctness": self.correctness(nonfinite),
            "aum": self.aum,
        }

    def _column(self, name: str) -> Values:
        return self.state[:, _COLUMNS.index(name)]

    def _mean(self, name: str) -> Values:
        return _ratio(self._column(name), self._column("count"))


def _ratio(sums: Values, counts: Values) -> Values:
    """Return sums divided by counts, nan where a count is 0."""
    return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
