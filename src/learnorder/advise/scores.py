"""Final scores of arms on several seeds, and how the arms compare."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from statistics import fmean
from typing import Generic, Literal, TypeVar

from learnorder.advise.looks import Looks
from learnorder.statistics import (
    FEWEST_SEEDS,
    SHARE,
    SHARE_DIFFERENCE,
    Estimate,
    Measured,
    estimate,
    measure_difference,
    measure_independent,
    range_of,
    side_of,
    spread,
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
        looks: When arms were compared while their seeds came in, always the first ones; intervals
            are then corrected for it, and arms are paired on the seeds that both have. None if
            their seeds do not depend on their scores.
    """

    by_arm: Mapping[ArmT, BySeed]
    seeds: Mapping[ArmT, Sequence[int]]
    score: str
    higher_is_better: bool
    accepted: float | None = None
    looks: Looks | None = None

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
        level = self._confidence(arm)
        return estimate(list(self.of(arm).values()), level, within=range_of(self.score))

    def _confidence(self, *arms: ArmT) -> float:
        """Return the level of intervals on the seeds that some arms share."""
        if self.looks is None:
            return 0.95
        return self.looks.confidence(min(len(self.seeds.get(arm, ())) for arm in arms))

    def compare(self, arm: ArmT, baseline: ArmT) -> Measured:
        """Return by how much an arm is better than a baseline.

        It is in units of the score, and positive if ``arm`` is better, also if a lower score is.
        Arms are paired on the seeds that both have, if these are at least three, all, or those of a
        race; others are independent samples (Welch).
        """
        scores, others = self.of(arm), self.of(baseline)
        if self.paired(arm, baseline):
            level = self._confidence(arm, baseline)
            return measure_gain(scores, others, self.score, self.higher_is_better, level)
        if not self.higher_is_better:
            scores, others = others, scores
        return measure_independent(
            list(scores.values()), list(others.values()), within=range_of(self.score)
        )

    def paired(self, arm: ArmT, baseline: ArmT) -> bool:
        """Return whether two arms are compared on the seeds that both have."""
        seeds, others = (set(self.seeds.get(each, ())) for each in (arm, baseline))
        enough = seeds == others or len(seeds & others) >= FEWEST_SEEDS
        return enough or self.looks is not None

    def verdict(self, arm: ArmT, baseline: ArmT) -> ArmVerdict:
        """Return the verdict on an arm against a baseline."""
        if arm == baseline:
            return "as_good"
        if self.diverged(arm):
            return "diverged"
        if self.diverged(baseline):
            return "other_diverged"
        compared = self.compare(arm, baseline)
        gain, level = compared.estimate, self._confidence(arm, baseline)
        if gain.identical and 2.0 ** (1 - gain.n) > 1 - level:
            return "undecided"  # the sign test does not decide at this level
        if (side := side_of(gain)) == "above":
            return "better"
        if not why_inconclusive(gain) and gain.lowest >= -self.tolerance:
            return "as_good"
        return "worse" if side == "below" else "undecided"

    def in_sight(self, arm: ArmT, baseline: ArmT) -> bool:
        """Return whether the last look would decide on an arm, if the differences stay as they are.

        With the mean d̄ and the standard deviation s of the differences on the n seeds so far, the
        interval at the last look of N seeds would be d̄ ± t_{N−1} · s / √N, at its level. True if
        it would be above 0, below 0 or above minus the tolerance, or if n < 3.
        """
        assert self.looks is not None
        gains, last = list(self.compare(arm, baseline).by_seed.values()), self.looks.counts[-1]
        if len(gains) < FEWEST_SEEDS:
            return True
        from scipy.stats import t

        quantile = float(t.ppf((1 + self.looks.confidence(last)) / 2, last - 1))
        mean, margin = fmean(gains), quantile * spread(gains) / math.sqrt(last)
        return mean + margin < 0 or mean - margin >= min(0.0, -self.tolerance)

    def diverged(self, arm: ArmT) -> int:
        """Return how many of an arm's runs have no score."""
        return len(self.seeds.get(arm, ())) - len(self.of(arm))

    def best(self) -> ArmT:
        """Return the arm with the best mean, of those that diverge least.

        In a race it is one of those with the most seeds: the others stopped behind it.
        """
        return self.ranking()[0]

    def ranking(self) -> list[ArmT]:
        """Return the arms that diverge least, in a race of those with the most seeds, by mean."""
        scored = self.by_arm
        if self.looks is not None:
            most = max(len(self.seeds[arm]) for arm in scored)
            scored = {arm: s for arm, s in scored.items() if len(self.seeds[arm]) == most}
        fewest = min(self.diverged(arm) for arm in scored)
        least = {arm: s for arm, s in scored.items() if self.diverged(arm) == fewest}
        by_arm = means(least, self.higher_is_better)
        return sorted(by_arm, key=lambda arm: -by_arm[arm])

    def band(self) -> list[ArmT]:
        """Return the arms not significantly worse than the best, in their order.

        An arm that diverges on any seed is excluded, unless it is the best.
        """
        best, excluded = self.best(), ("worse", "diverged")
        return [arm for arm in self.by_arm if self.verdict(arm, best) not in excluded]


def measure_gain(
    scores: Mapping[int, float],
    baseline: Mapping[int, float],
    score: str,
    higher_is_better: bool,
    confidence: float = 0.95,
) -> Measured:
    """Return by how much scores are better than a baseline's, paired by seed."""
    if not higher_is_better:
        scores, baseline = baseline, scores
    return measure_difference(scores, baseline, within=range_of(score), confidence=confidence)


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
    by_epochs: Sequence[tuple[float, Mapping[float, BySeed]]],
    higher_is_better: bool,
    *,
    raced: bool = False,
) -> list[Agreement]:
    """Return how well the ranking of each length agrees with that of the next.

    Args:
        by_epochs: Epochs, and scores by learning rate and seed, from the shortest.
        higher_is_better: Whether a higher score is better.
        raced: Whether learning rates may have different numbers of seeds: two of them are then
            ranked on the seeds that both have.
    """
    agreements = []
    for (short, first), (long, second) in pairwise(by_epochs):
        common = [rate for rate in sorted(first.keys() & second.keys()) if first[rate]]
        pairs = list(combinations([rate for rate in common if second[rate]], 2))
        orders = [
            tuple(_order(scores[x], scores[y], higher_is_better, raced) for x, y in pairs)
            for scores in (first, second)
        ]
        untied = [(a, b) for a, b in zip(*orders, strict=True) if a and b]
        agree = sum(a == b for a, b in untied)
        agreements.append(Agreement((short, long), agree, len(untied)))
    return agreements


def _order(x: BySeed, y: BySeed, higher_is_better: bool, raced: bool) -> int:
    """Return 1 if the mean of the first is better, −1 if worse, 0 if they are tied."""
    if raced:
        both = x.keys() & y.keys()
        x, y = ({seed: scores[seed] for seed in sorted(both)} for scores in (x, y))
    by_arm = means({0: x, 1: y}, higher_is_better)
    if len(by_arm) < 2 or by_arm[0] == by_arm[1]:
        return 0
    return 1 if by_arm[0] > by_arm[1] else -1


def means(scores: Mapping[ArmT, BySeed], higher_is_better: bool) -> dict[ArmT, float]:
    """Return means by arm, negated if lower is better; omit arms without scores."""
    sign = 1 if higher_is_better else -1
    return {arm: sign * fmean(by_seed.values()) for arm, by_seed in scores.items() if by_seed}
