"""Table cells with a mean that open to show each seed's value, linked to its run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from learnorder.report.content import BySeed, Link
from learnorder.report.score_words import ScoreWords
from learnorder.runs.results import RunSet
from learnorder.statistics import Estimate, differences, estimate, range_of


class SeedCells:
    """Makes table cells from the final values of runs.

    Args:
        results: The runs; the page has a table of them, with the anchors of :func:`run_anchor`.
    """

    def __init__(self, results: RunSet[Any]) -> None:
        self._results = results
        self._anchors = {
            (results.arm_of(folder), folder.config.seed): run_anchor(index)
            for index, folder in enumerate(results.folders)
        }

    def final(self, arm: str, set_: str, quantity: str, words: ScoreWords) -> str:
        """Return a final quantity: its mean with the interval."""
        values = self._results.final(arm, set_, quantity)
        mean = self._results.final_estimate(arm, set_, quantity)
        return self.shown(words.number(mean), arm, values, words.one)

    def difference(
        self, arm: str, baseline: str, set_: str, quantity: str, words: ScoreWords
    ) -> str:
        """Return a paired difference of a final quantity, linked to the arm's runs."""
        pairs = self.pairs(arm, baseline, set_, quantity)
        return self.shown(words.number(_mean(pairs, quantity)), arm, pairs, words.one)

    def gain(
        self, arm: str, baseline: str, set_: str, score: str, *, higher_is_better: bool
    ) -> str:
        """Return by how much an arm ends better than its baseline, in words; a dash for no pair."""
        words, sign = ScoreWords(score), 1 if higher_is_better else -1
        pairs = self.pairs(arm, baseline, set_, score)
        gains = {seed: sign * value for seed, value in pairs.items()}
        text = words.gain(_mean(gains, score)) if gains else "–"
        return self.shown(text, arm, gains, lambda gain: words.gain(estimate([gain])))

    def pairs(self, arm: str, baseline: str, set_: str, quantity: str) -> dict[int, float]:
        """Return the paired differences arm − baseline of a final quantity, by seed."""
        return differences(*(self._results.final(name, set_, quantity) for name in (arm, baseline)))

    def shown(
        self, text: str, arm: str, values: Mapping[int, float], words: Callable[[float], str]
    ) -> str:
        """Return a text that opens to the values of an arm's seeds.

        Args:
            text: The mean, with its interval.
            arm: The arm.
            values: The value of each seed.
            words: Formats a value.
        """
        links = {seed: Link(f"seed {seed}", f"#{self._anchors[arm, seed]}") for seed in values}
        return with_seeds(text, {links[seed]: words(values[seed]) for seed in sorted(values)})


def _mean(pairs: Mapping[int, float], quantity: str) -> Estimate:
    """Return the mean of paired differences of a quantity, with its 95 % t interval."""
    return estimate(list(pairs.values()), within=range_of(quantity).difference())


def with_seeds(text: str, values: Mapping[str, str]) -> str:
    """Return a cell that opens to the values of its seeds; a plain text for a single seed.

    Args:
        text: The mean, with its interval.
        values: The value of each seed, by the seed's name.
    """
    return BySeed(text, list(values.items())) if len(values) > 1 else text


def run_anchor(index: int, prefix: str = "") -> str:
    """Return the name, in links, of a run's row in the table of runs.

    Args:
        index: Its number among the runs of the table.
        prefix: Different for each table of runs of a page.
    """
    return f"{prefix}run-{index + 1}"
