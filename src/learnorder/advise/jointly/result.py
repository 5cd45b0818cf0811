"""The result of tuning two settings jointly: the pairs, the ridge, and the gain on new seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from learnorder.advise.along.result import AlongResult, Pair
from learnorder.advise.jointly.settings import JointSettings
from learnorder.advise.scores import ArmScores, ArmVerdict, BySeed
from learnorder.runs import RunFolder
from learnorder.runs.experiment import findings_of
from learnorder.runs.html_table import html_list, html_table
from learnorder.statistics import Estimate


@dataclass(frozen=True)
class JointResult:
    """The best pair of a learning rate and another setting.

    Attributes:
        settings: The search, the second setting, its values and the baseline.
        searched: Final scores of the pairs that were trained, on the seeds of the search.
        judged: Final scores on new seeds of the best pair and of the best learning rate at the
            baseline, by pair and seed; empty if they are the same.
        folders: All runs.
    """

    settings: JointSettings
    searched: AlongResult
    judged: Mapping[Pair, BySeed]
    folders: tuple[RunFolder[Any], ...]

    @property
    def setting(self) -> str:
        """Dotted name of the second setting."""
        return self.settings.setting

    @property
    def baseline(self) -> Pair:
        """The baseline with its best learning rate: the result of tuning that alone."""
        value = self.settings.baseline
        return value, self.searched.best(value)

    @cached_property
    def scores(self) -> ArmScores[Pair]:
        """The final scores of the search, by pair and seed."""
        return self._scored(self.searched.by_pair(), self.settings.search_seeds)

    def best(self) -> Pair:
        """Return the value and the learning rate with the best mean in the search.

        They are the best of many on the same seeds, so their mean is optimistic; :meth:`gain` is on
        new seeds.
        """
        return self.scores.best()

    def band(self) -> list[Pair]:
        """Return the pairs that are not significantly worse than the best, paired by seed."""
        return self.scores.band()

    def as_good(self) -> list[Pair]:
        """Return the pairs whose loss against the best is within the tolerance, paired by seed."""
        best = self.best()
        return [p for p in self.scores.by_arm if self.scores.verdict(p, best) == "as_good"]

    def new_scores(self) -> ArmScores[Pair]:
        """Return the final scores on new seeds, by pair and seed."""
        return self._scored(self.judged, self.settings.new_seeds)

    def _scored(self, by_pair: Mapping[Pair, BySeed], seeds: range) -> ArmScores[Pair]:
        found = self.searched
        tolerance = self.settings.along.search.tolerance
        return ArmScores(
            by_pair, dict.fromkeys(by_pair, seeds), found.score, found.higher_is_better, tolerance
        )

    def gain(self) -> Estimate | None:
        """Return by how much the best pair beats tuning the learning rate alone, on new seeds.

        The baseline is the best learning rate at the baseline value. Both were chosen on the seeds
        of the search, and are compared on others, paired by seed. Positive is better. None if they
        are the same pair.
        """
        if not self.judged:
            return None
        return self.new_scores().compare(self.best(), self.baseline).estimate

    def verdict(self) -> ArmVerdict:
        """Return the verdict on the best pair against the baseline, on new seeds."""
        return self.new_scores().verdict(self.best(), self.baseline)

    def advised(self) -> Pair:
        """Return the pair to use: the best if it was shown to be better, else the baseline."""
        return self.best() if self.judged and self.verdict() == "better" else self.baseline

    def slope(self) -> Estimate | None:
        """Return the slope of the ridge, d log(optimum) / d log(value), with its 95 % interval.

        −1 is a constant product, 1 a constant ratio. None if fewer than two optima are inside the
        grid.
        """
        drift = self.searched.drift
        return None if drift is None else slope_of(drift.factor)

    def counts(self) -> tuple[int, int]:
        """Return the number of runs, and that with every learning rate at every value.

        The comparison on new seeds is in both.
        """
        along, new = self.settings.along, sum(map(len, self.new_scores().seeds.values()))
        every = len(along.search.rates()) * len(along.values) * along.search.seeds
        return len(self.folders), every + new

    def findings(self) -> list[str]:
        """Return the findings in sentences."""
        return findings_of("jointly", self)

    def _repr_html_(self) -> str:
        found = self.searched
        columns = [self.setting, "best learning rate", "optimum", f"final {found.score}"]
        note = "Mean over the seeds of the search [95 % interval]."
        return html_list(self.findings()) + html_table("Pairs", columns, found.best_rows(), note)


def slope_of(factor: Estimate) -> Estimate:
    """Return the slope in logarithms that multiplies by a factor with each doubling.

    >>> slope_of(Estimate(0.5, 0.25, math.inf, 5)).format()
    '−1.0 [−2.0, inf]'
    """
    return Estimate(_log2(factor.mean), _log2(factor.low), _log2(factor.high), factor.n)


def _log2(x: float) -> float:
    return math.log2(x) if x > 0 else -math.inf
