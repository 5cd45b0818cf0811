"""Formatting of scores: accuracies in per cent and points, other scores as plain numbers."""

from __future__ import annotations

from learnorder.statistics import Estimate, estimate

SHARES = {
    "accuracy": "accuracy",
    "worst_group_accuracy": "worst-group accuracy",
    "accuracy_gap": "gap to the worst group",
    "reliance": "reliance",
}
"""Scores in per cent, and their names."""


class ScoreWords:
    """Formats values and differences of a score.

    Args:
        name: Name of the score, e.g. accuracy.

    Attributes:
        name: Name of the score.
        scale: Factor applied to the values: 100 for accuracy.
        heading: Heading of columns and axes, e.g. "accuracy, %".
        unit: Unit of differences, e.g. points.

    >>> ScoreWords("accuracy").amount(0.01), ScoreWords("loss").amount(0.01)
    ('1 point', '0.01 of loss')
    """

    def __init__(self, name: str) -> None:
        accuracy = name in SHARES
        self.name = SHARES.get(name, name.replace("_", " "))
        self.scale = 100.0 if accuracy else 1.0
        self.heading = f"{self.name}, %" if accuracy else self.name
        self.unit = "points" if accuracy else self.name
        self._digits = 1 if accuracy else 4
        self._percent, self._points = (" %", " points") if accuracy else ("", "")

    def number(self, e: Estimate) -> str:
        """Return a mean with its interval, without a unit."""
        return e.format(self.scale, self._digits)

    def one(self, value: float) -> str:
        """Return a single value, without a unit."""
        return self.number(estimate([value]))

    def value(self, e: Estimate) -> str:
        """Return a score, e.g. "93.1 % [92.0, 94.2]"."""
        mean, space, interval = self.number(e).partition(" ")
        return mean + self._percent + space + interval

    def mean(self, e: Estimate) -> str:
        """Return a score without its interval, e.g. "93.1 %"."""
        return self.number(e).partition(" ")[0] + self._percent

    def difference(self, e: Estimate) -> str:
        """Return a difference, e.g. "1.2 points [0.3, 2.1]"."""
        mean, space, interval = self.number(e).partition(" ")
        return mean + self._points + space + interval

    def gain(self, e: Estimate) -> str:
        """Return a difference with its direction, e.g. "worse by 1.9 points [−0.9, 4.6]".

        >>> ScoreWords("accuracy").gain(estimate([0.0, 0.0]))
        'no different (2 equal values)'
        """
        if e.mean == 0 and not e.has_interval:
            _, space, equal = self.number(e).partition(" ")
            return "no different" + space + equal
        if e.mean < 0:
            return f"worse by {self.difference(-e)}"
        return f"better by {self.difference(e)}"

    def amount(self, value: float) -> str:
        """Return an amount without an interval, e.g. "1 point"."""
        shown = f"{self.scale * value:.3g}"
        if self.unit != "points":
            return f"{shown} of {self.name}"
        return f"{shown} point{'' if shown == '1' else 's'}"
