"""Results of each known group of examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from learnorder.runs.descriptions import ImagesDescription
from learnorder.runs.run_set import NetworkRuns
from learnorder.statistics import SHARE, Estimate, estimate, range_of
from learnorder.statistics.intervals import share_of_examples
from learnorder.statistics.learned import on_the_way, settled_epoch
from learnorder.statistics.ranges import gap_of, worst_group_of

LEVEL = 0.5
"""Fraction of the way from chance to 100 % at which a group counts as learned."""


@dataclass(frozen=True)
class KnownGroups:
    """Results of each known group of examples, by arm and seed.

    Attributes:
        results: The runs.
        attribute: Name of the attribute that makes the groups.
        sizes: Number of training and of validation examples by group.
        score: What each group is measured by: accuracy for classes, else the task's score.
        higher_is_better: Whether higher values of it are better.
        spurious: Whether the reliance on the attribute is measured.
        chance: Accuracy of guessing; None if unknown.
        noun: What the training examples are, in texts: images or examples.
    """

    results: NetworkRuns[Any]
    attribute: str
    sizes: Mapping[str, tuple[int, int]]
    score: str
    higher_is_better: bool
    spurious: bool
    chance: float | None
    noun: str = "examples"

    @staticmethod
    def of(results: NetworkRuns[Any]) -> KnownGroups | None:
        """Return the groups of some runs; None without any, or if the runs differ in them."""
        described = results.described.values()
        first = next(iter(described), None)
        if first is None or not first.groups:
            return None
        if any(data.groups != first.groups for data in described):
            return None
        chance = None if first.num_classes is None else 1 / first.num_classes
        score = first.group_score
        return KnownGroups(
            results=results,
            attribute=first.attribute,
            sizes=first.groups,
            score=score,
            higher_is_better=score == "accuracy" or first.higher_is_better,
            spurious=first.spurious,
            chance=chance,
            noun="images" if isinstance(first, ImagesDescription) else "examples",
        )

    @property
    def evaluated(self) -> str:
        """The set that groups are measured on."""
        return self.results.evaluated

    @property
    def evaluated_noun(self) -> str:
        """What they are, in texts: evaluation images or validation examples."""
        return f"{'evaluation' if self.noun == 'images' else 'validation'} {self.noun}"

    def overall(self) -> list[str]:
        """Return the quantities over all groups: worst group, gap, and reliance if measured."""
        quantities = [worst_group_of(self.score), gap_of(self.score)]
        return [*quantities, "reliance"] if self.spurious else quantities

    def by_seed(self, arm: str, group: str) -> dict[int, float]:
        """Return the final score of a group, by seed.

        Raises:
            KeyError: There is no such arm.
        """
        return self.results.final(arm, self.evaluated, self.score, group)

    def final(self, arm: str, group: str) -> Estimate:
        """Return the mean final score of a group over seeds, with its 95 % interval.

        For accuracies the interval also covers the sampled examples; see
        :func:`~learnorder.statistics.intervals.share_of_examples`.
        """
        values = list(self.by_seed(arm, group).values())
        if range_of(self.score) == SHARE:
            return share_of_examples(values, self.sizes[group][1])
        return estimate(values, within=self.results.range_of(self.score))

    def learned(self, arm: str, group: str) -> dict[int, int | None]:
        """Return the epoch from which on a group is learned, by seed; None if it ends below.

        It counts as learned as long as its accuracy is at least halfway from chance to 100 %. The
        first such epoch would be misleading: a network that predicts one class for all is perfect
        on that class's groups.

        Raises:
            KeyError: There is no such arm.
        """
        if self.score != "accuracy" or self.chance is None:
            return {}
        level = on_the_way(self.chance, LEVEL)
        series = self.results.series(arm, self.evaluated, self.score, group)
        return {
            seed: settled_epoch(list(values), list(values.values()), level)
            for seed, values in series.items()
        }
