"""What runs of a task gain on the new task, and what they forget of an old one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from learnorder.runs.run_set import NetworkRuns
from learnorder.statistics import Estimate, estimate, paired_difference, range_of

BySeed = Mapping[int, float]
KEEP, NEW = "keep", "validation"
"""The sets in records: the old task, and the validation data of the new one."""


@dataclass(frozen=True)
class Forgetting:
    """Gain on the new task and forgetting of the old one, by arm and seed.

    Both compare a run's final network with its initial one, so they are paired by seed. Positive
    values are a gain, and a loss of what was known, also for scores of which lower values are
    better.

    Attributes:
        results: The runs.
        name: Name of the old task.
        examples: Number of its examples.
        score: Its score.
        higher_is_better: Whether higher values of it are better.
        new_score: The score of the new task.
        new_higher_is_better: Whether higher values of that are better.
    """

    results: NetworkRuns[Any]
    name: str
    examples: int
    score: str
    higher_is_better: bool
    new_score: str
    new_higher_is_better: bool

    @staticmethod
    def of(results: NetworkRuns[Any]) -> Forgetting | None:
        """Return the forgetting of some runs; None if they keep nothing, or if they differ."""
        described = list(results.described.values())
        if not described or described[0].keep is None:
            return None
        first, keep = described[0], described[0].keep
        measured = {(d.keep, d.score, d.higher_is_better) for d in described}
        if len(measured) > 1:
            return None
        return Forgetting(
            results,
            keep.name,
            keep.examples,
            keep.score,
            keep.higher_is_better,
            first.score,
            first.higher_is_better,
        )

    def before(self, arm: str, set_: str = KEEP) -> dict[int, float]:
        """Return the score before training of an arm's finished runs, by seed.

        Args:
            arm: Name of the arm.
            set_: keep, or validation for the new task.
        """
        name = "before" if set_ == KEEP else "validation_before"
        finished = self.after(arm, set_)
        return {
            run.config.seed: getattr(self.results.described[run].keep, name)
            for run in self.results.runs_of(arm)
            if run.config.seed in finished
        }

    def after(self, arm: str, set_: str = KEEP) -> dict[int, float]:
        """Return the final score of an arm's finished runs, by seed; as :meth:`before`."""
        return self.results.final(arm, set_, self.score if set_ == KEEP else self.new_score)

    def gains(self, arm: str) -> dict[int, float]:
        """Return the gain on the new task, by seed."""
        sign = 1 if self.new_higher_is_better else -1
        before, after = self.before(arm, NEW), self.after(arm, NEW)
        return {seed: sign * (after[seed] - before[seed]) for seed in after}

    def losses(self, arm: str) -> dict[int, float]:
        """Return what is forgotten of the old task, by seed."""
        sign = 1 if self.higher_is_better else -1
        before, after = self.before(arm), self.after(arm)
        return {seed: sign * (before[seed] - after[seed]) for seed in after}

    def gain(self, arm: str) -> Estimate:
        """Return the mean gain on the new task over seeds, with its 95 % t interval."""
        return estimate(
            list(self.gains(arm).values()), within=range_of(self.new_score).difference()
        )

    def forgetting(self, arm: str) -> Estimate:
        """Return the mean of what is forgotten over seeds, with its 95 % t interval."""
        return estimate(list(self.losses(arm).values()), within=range_of(self.score).difference())

    def kept(self, arm: str) -> Estimate:
        """Return the mean final score on the old task over seeds, with its 95 % t interval."""
        return estimate(list(self.after(arm).values()), within=range_of(self.score))

    def gain_difference(self, arm: str, baseline: str) -> Estimate:
        """Return the paired difference of the gains, arm − baseline, over common seeds."""
        within = range_of(self.new_score).difference()
        return paired_difference(self.gains(arm), self.gains(baseline), within=within)

    def forgetting_difference(self, arm: str, baseline: str) -> Estimate:
        """Return the paired difference of what is forgotten, arm − baseline, over common seeds."""
        within = range_of(self.score).difference()
        return paired_difference(self.losses(arm), self.losses(baseline), within=within)
