"""Final scores of arms on several seeds, and how the arms compare."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import fmean
from typing import Generic, Literal, TypeVar

from learnorder.statistics import (
    SHARE,
    SHARE_DIFFERENCE,
    Estimate,
    Measured,
    estimate,
    measure_difference,
    measure_independent,
    range_of,
    side_of,
    why_inconclusive,
)

_POINT = 0.01
"""Default tolerance of accuracy."""

BySeed = dict[int, float]
"""Final scores by seed."""
ArmVerdict = Literal["better", "worse", "as_good", "undecided", "diverged", "other_diverged"]
"""Verdict on an arm against a baseline. The interval of the gain is above 0 (better), above minus
the tolerance (as_good), otherwise below 0 (worse), or none of these (undecided). If one of the two
has diverged runs, they are not compared, as the mean of the remaining runs is not the arm's."""
ArmT = TypeVar("ArmT", bound=Hashable)


@dataclass(frozen=True)
class ArmScores(Generic[ArmT]):
    """Final scores of arms, such as learning rates, by seed.

    Attributes:
        by_arm: Final scores by arm and seed, of the runs that have one.
        seeds: Seeds of all runs of each arm, also of those without a score.
        score: Name of the score.
        higher_is_better: Whether a higher score is better.
        accepted: Acceptable loss of score; None takes 0.01 for shares, else 2 % of the best mean.
    """

    by_arm: Mapping[ArmT, BySeed]
    seeds: Mapping[ArmT, Sequence[int]]
    score: str
    higher_is_better: bool
    accepted: float | None = None

    @property
    def tolerance(self) -> float:
        """Acceptable loss of score; nan if it is relative to a score that diverged."""
        if self.accepted is not None:
            return self.accepted
        if range_of(self.score) in (SHARE, SHARE_DIFFERENCE):
            return _POINT
        return abs(self.mean(self.best()).mean) / 50

    def of(self, arm: ArmT) -> BySeed:
        """Return an arm's scores by seed."""
        return self.by_arm.get(arm, {})

    def mean(self, arm: ArmT) -> Estimate:
        """Return the mean score of an arm and its 95 % t interval; accuracies in [0, 1]."""
        return estimate(list(self.of(arm).values()), within=range_of(self.score))

    def compare(self, arm: ArmT, baseline: ArmT) -> Measured:
        """Return by how much an arm is better than a baseline.

        It is in units of the score, and positive if ``arm`` is better, also if a lower score is.
        Arms with the same seeds are paired by seed, others are independent samples (Welch).
        """
        scores, others = self.of(arm), self.of(baseline)
        if self.paired(arm, baseline):
            return measure_gain(scores, others, self.score, self.higher_is_better)
        if not self.higher_is_better:
            scores, others = others, scores
        return measure_independent(
            list(scores.values()), list(others.values()), within=range_of(self.score)
        )

    def paired(self, arm: ArmT, baseline: ArmT) -> bool:
        """Return whether two arms have runs on the same seeds."""
        return set(self.seeds.get(arm, ())) == set(self.seeds.get(baseline, ()))

    def verdict(self, arm: ArmT, baseline: ArmT) -> ArmVerdict:
        """Return the verdict on an arm against a baseline."""
        if arm == baseline:
            return "as_good"
        if self.diverged(arm):
            return "diverged"
        if self.diverged(baseline):
            return "other_diverged"
        gain = self.compare(arm, baseline).estimate
        if (side := side_of(gain)) == "above":
            return "better"
        if not why_inconclusive(gain) and gain.low >= -self.tolerance:
            return "as_good"
        return "worse" if side == "below" else "undecided"

    def diverged(self, arm: ArmT) -> int:
        """Return how many of an arm's runs have no score."""
        return len(self.seeds.get(arm, ())) - len(self.of(arm))

    def best(self) -> ArmT:
        """Return the arm with the best mean, of those that diverge least."""
        return self.ranking()[0]

    def ranking(self) -> list[ArmT]:
        """Return the arms that diverge least, the best mean first."""
        fewest = min(self.diverged(arm) for arm in self.by_arm)
        least = {arm: s for arm, s in self.by_arm.items() if self.diverged(arm) == fewest}
        by_arm = means(least, self.higher_is_better)
        return sorted(by_arm, key=lambda arm: -by_arm[arm])

    def band(self) -> list[ArmT]:
        """Return the arms not significantly worse than the best, in their order.

        An arm that diverges on any seed is excluded, unless it is the best.
        """
        best, excluded = self.best(), ("worse", "diverged")
        return [arm for arm in self.by_arm if self.verdict(arm, best) not in excluded]


def measure_gain(
    scores: Mapping[int, float], baseline: Mapping[int, float], score: str, higher_is_better: bool
) -> Measured:
    """Return by how much scores are better than a baseline's, paired by seed."""
    if not higher_is_better:
        scores, baseline = baseline, scores
    return measure_difference(scores, baseline, within=range_of(score))


@dataclass(frozen=True)
class Agreement:
    """Agreement of runs of two lengths on the order of the learning rates that both have.

    Attributes:
        epochs: Length of the two.
        agree: Number of pairs of learning rates that both rank in the same order.
        pairs: Number of pairs without a tie.
    """

    epochs: tuple[float, float]
    agree: int
    pairs: int


def agreements_of(
    by_epochs: Sequence[tuple[float, Mapping[float, BySeed]]], higher_is_better: bool
) -> list[Agreement]:
    """Return how well the ranking of each length agrees with that of the next.

    Args:
        by_epochs: Epochs, and scores by learning rate and seed, from the shortest.
        higher_is_better: Whether a higher score is better.
    """
    agreements = []
    for (short, first), (long, second) in pairwise(by_epochs):
        a, b = means(first, higher_is_better), means(second, higher_is_better)
        pairs = combinations(sorted(a.keys() & b.keys()), 2)
        untied = [(x, y) for x, y in pairs if a[x] != a[y] and b[x] != b[y]]
        agree = sum((a[x] > a[y]) == (b[x] > b[y]) for x, y in untied)
        agreements.append(Agreement((short, long), agree, len(untied)))
    return agreements


def best_of(scores: Mapping[ArmT, BySeed], higher_is_better: bool) -> ArmT:
    """Return the arm with the best mean score, of those that diverge least."""
    return ranked(scores, higher_is_better)[0]


def ranked(scores: Mapping[ArmT, BySeed], higher_is_better: bool) -> list[ArmT]:
    """Return the arms that diverge least, the best mean score first."""
    most = max(len(by_seed) for by_seed in scores.values())
    complete = {arm: by_seed for arm, by_seed in scores.items() if len(by_seed) == most}
    by_arm = means(complete, higher_is_better)
    return sorted(by_arm, key=lambda arm: -by_arm[arm])


def means(scores: Mapping[ArmT, BySeed], higher_is_better: bool) -> dict[ArmT, float]:
    """Return means by arm, negated if lower is better; omit arms without scores."""
    sign = 1 if higher_is_better else -1
    return {arm: sign * fmean(by_seed.values()) for arm, by_seed in scores.items() if by_seed}
