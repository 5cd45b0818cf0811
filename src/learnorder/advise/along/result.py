"""The result of learning rates along a setting: scores, optima, their drift."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from learnorder.advise.along.drift import Drift, factor_bounds, find_drift, predict, shape_bounds
from learnorder.advise.along.optimum import Optimum, find_optimum
from learnorder.advise.along.settings import AlongSettings
from learnorder.advise.scores import ArmScores, BySeed
from learnorder.runs import RunFolder
from learnorder.runs.experiment import findings_of
from learnorder.runs.html_table import html_list, html_table
from learnorder.statistics import Estimate, shown_in

Pair = tuple[int | float, float]
"""A value of the setting and a learning rate."""


@dataclass(frozen=True)
class AlongResult:
    """Final scores of the learning rates at each value of a setting.

    Attributes:
        settings: The search, and the setting that varies.
        scored: Final scores by value, learning rate and seed.
        score: Name of the score.
        higher_is_better: Whether a higher score is better.
        folders: All runs.
        reasons: Why the first run without a score has none, by value and learning rate, for
            scripts.
    """

    settings: AlongSettings
    scored: Mapping[float, Mapping[float, dict[int, float]]]
    score: str
    higher_is_better: bool
    folders: tuple[RunFolder[Any], ...]
    reasons: Mapping[float, Mapping[float, str]] = field(default_factory=dict)

    @property
    def setting(self) -> str:
        """Dotted name of the setting that varies."""
        return self.settings.setting

    @property
    def values(self) -> tuple[int | float, ...]:
        """Its values that were trained, in increasing order."""
        return tuple(value for value in self.settings.values if value in self.scored)

    def learning_rates(self) -> list[float]:
        """Return the learning rates, in increasing order."""
        return sorted({rate for by_rate in self.scored.values() for rate in by_rate})

    def scores(self, value: float) -> ArmScores[float]:
        """Return the final scores at a value, by learning rate and seed."""
        search = self.settings.search
        seeds = dict.fromkeys(self.scored[value], search.rung_seeds(0))
        return ArmScores(
            self.scored[value], seeds, self.score, self.higher_is_better, search.tolerance
        )

    def best(self, value: float) -> float:
        """Return the learning rate of the grid with the best mean at a value."""
        return self.scores(value).best()

    def band(self, value: float) -> list[float]:
        """Return the learning rates not significantly worse than the best at a value."""
        return self.scores(value).band()

    @cached_property
    def optima(self) -> dict[float, Optimum]:
        """The optimum at each value that has scores."""
        scored = [value for value in self.values if any(self.scored[value].values())]
        return {value: find_optimum(self.scores(value)) for value in scored}

    def optimum(self, value: float) -> Estimate:
        """Return the optimum at a value as a learning rate, with its 95 % interval over seeds.

        It is between the learning rates of the grid; nan if it is not inside the grid. An end of
        the interval is 0 or ∞ if it lies beyond the grid.
        """
        return self.optima[value].at

    @cached_property
    def drift(self) -> Drift | None:
        """How the optimum moves with each doubling; None if fewer than two are inside the grid."""
        return find_drift(self.optima)

    def factor_bounds(self) -> tuple[float, float]:
        """Return bounds of the factor with each doubling, from the bands of all values."""
        return factor_bounds(self.optima)

    def shape_bounds(self) -> tuple[float, float] | None:
        """Return bounds of the factor if lopsided curves have their tops anywhere; None if none."""
        return shape_bounds(self.optima)

    def predict(self, value: float) -> Estimate | None:
        """Return the optimum at another value by the power law, with its 95 % interval.

        It is an extrapolation: the interval is over seeds, and holds if the power law does. None if
        fewer than two optima are inside the grid.
        """
        return predict(self.optima, value)

    def diverged_words(self, value: float, rate: float) -> str:
        """Return "1 of 5 diverged"; an empty string if none did."""
        scores = self.scores(value)
        how = "without a score" if self.settings.search.is_script else "diverged"
        lost = scores.diverged(rate)
        return f"{lost} of {len(scores.seeds[rate])} {how}" if lost else ""

    def findings(self) -> list[str]:
        """Return the findings in sentences."""
        return findings_of("along", self)

    def by_pair(self) -> dict[Pair, BySeed]:
        """Return the final scores by value and learning rate, then by seed."""
        return {
            (value, rate): by_seed
            for value, by_rate in self.scored.items()
            for rate, by_seed in by_rate.items()
        }

    def best_rows(self) -> list[list[str]]:
        """Return each value with its best learning rate, its optimum and the best mean score."""
        return [
            [
                f"{value:g}",
                f"{self.best(value):g}",
                rate_interval(self.optimum(value)),
                shown_in(self.score, self.scores(value).mean(self.best(value))),
            ]
            for value in self.values
        ]

    def _repr_html_(self) -> str:
        columns = [self.setting, "best of the grid", "optimum", f"final {self.score} at the best"]
        note = "Mean over seeds [95 % interval]. The optimum is the vertex of a parabola."
        return html_list(self.findings()) + html_table(
            "Best learning rates", columns, self.best_rows(), note
        )


def rate_interval(e: Estimate, digits: int = 3) -> str:
    """Return a positive number with its interval, e.g. "0.013 [0.011, 0.016]"; – if it is unknown.

    >>> rate_interval(Estimate(0.0131, 0.0111, math.inf, 5)), rate_interval(Estimate(2, 0, 4, 5))
    ('0.0131 [0.0111, –]', '2 [–, 4]')
    """
    if math.isnan(e.mean):
        return "–"
    shown = f"{e.mean:.{digits}g}"
    if e.n < 2:
        return shown
    low, high = (f"{end:.{digits}g}" if 0 < end < math.inf else "–" for end in (e.low, e.high))
    return f"{shown} [{low}, {high}]"
