"""Table cells with a mean that open to show each seed's value, linked to its run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from learnorder.report.content import BySeed, Link
from learnorder.report.score_words import ScoreWords
from learnorder.runs.results import RunSet
from learnorder.statistics import estimate


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
        mean = words.number(self._results.final_estimate(arm, set_, quantity))
        return self.shown(mean, arm, self._results.final(arm, set_, quantity), words.one)

    def difference(
        self, arm: str, baseline: str, set_: str, quantity: str, words: ScoreWords
    ) -> str:
        """Return a paired difference of a final quantity, linked to the arm's runs."""
        mean = words.number(self._results.final_difference(arm, baseline, set_, quantity))
        return self.shown(mean, arm, self._pairs(arm, baseline, set_, quantity), words.one)

    def gain(
        self, arm: str, baseline: str, set_: str, score: str, *, higher_is_better: bool
    ) -> str:
        """Return by how much an arm ends better than its baseline, in words; a dash for no pair."""
        words, sign = ScoreWords(score), 1 if higher_is_better else -1
        pairs = self._pairs(arm, baseline, set_, score)
        difference = self._results.final_difference(arm, baseline, set_, score)
        text = words.gain(difference if higher_is_better else -difference) if pairs else "–"
        gains = {seed: sign * value for seed, value in pairs.items()}
        return self.shown(text, arm, gains, lambda gain: words.gain(estimate([gain])))

    def _pairs(self, arm: str, baseline: str, set_: str, quantity: str) -> dict[int, float]:
        values, others = (self._results.final(name, set_, quantity) for name in (arm, baseline))
        return {seed: values[seed] - others[seed] for seed in values if seed in others}

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
