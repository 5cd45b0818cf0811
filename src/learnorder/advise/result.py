"""The result of a search for learning rates: rungs, paired comparisons, the band."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from learnorder.advise.settings import Candidate, LRSearch
from learnorder.runs import RunFolder
from learnorder.runs.experiment import findings_of
from learnorder.runs.html_table import html_list, html_table
from learnorder.statistics import (
    SHARE,
    SHARE_DIFFERENCE,
    Estimate,
    Measured,
    estimate,
    measure_difference,
    range_of,
    shown_in,
    side_of,
    why_inconclusive,
)

if TYPE_CHECKING:
    from learnorder.advise.range_rules import RangeTest

_POINT = 0.01
"""Default tolerance of accuracy."""

BySeed = dict[int, float]
"""Final scores by seed."""
ArmVerdict = Literal["better", "worse", "as_good", "undecided", "diverged", "other_diverged"]
"""Verdict on an arm against a baseline. The interval of the gain is above 0 (better), above minus
the tolerance (as_good), otherwise below 0 (worse), or none of these (undecided). If one of the two
has diverged runs, they are not compared, as the mean of the remaining runs is not the arm's."""


@dataclass(frozen=True)
class Rung:
    """A round of the search: schedules of one length, on separate seeds.

    Attributes:
        epochs: Length of the schedules.
        seeds: Seeds of the rung.
        scores: Final scores of finished runs, by initial learning rate and seed.
        kept: Learning rates that go on to the next rung; empty on the last rung.
        score: Name of the score.
    """

    epochs: int
    seeds: tuple[int, ...]
    scores: dict[float, BySeed]
    kept: tuple[float, ...] = ()
    score: str = ""

    def mean(self, rate: float) -> Estimate:
        """Return the mean final score of a learning rate over seeds."""
        return estimate(list(self.scores[rate].values()), within=range_of(self.score))

    def too_large(self, rate: float) -> str:
        """Return "diverged in 1 of 2 runs" for a learning rate; an empty string if none did."""
        diverged = len(self.seeds) - len(self.scores[rate])
        return f"diverged in {diverged} of {len(self.seeds)} runs" if diverged else ""


@dataclass(frozen=True)
class Agreement:
    """Agreement of two rungs on the order of the learning rates that both have.

    Attributes:
        epochs: Epochs of the two rungs.
        agree: Number of pairs of learning rates that both rank in the same order.
        pairs: Number of pairs without a tie.
    """

    epochs: tuple[int, int]
    agree: int
    pairs: int


@dataclass(frozen=True)
class Advice:
    """The result of a search.

    Attributes:
        search: Its settings, with the epochs that fit in the budget.
        score: Name of what the learning rates are judged by, e.g. accuracy or
            worst_group_accuracy.
        higher_is_better: Whether a higher score is better.
        rungs: The rungs, from the shortest to full length.
        arms: Final scores of finished runs at full length, by arm and seed.
        range_test: The range test; None if there was none.
        no_noise: Why noise was not tried; empty if it was.
        unseen_classes: Training classes without a validation example, if known.
        folders: The runs at full length.
        unlearned: Score of a model that has learned nothing, by seed, if known.
    """

    search: LRSearch
    score: str
    higher_is_better: bool
    rungs: tuple[Rung, ...]
    arms: dict[Candidate, BySeed]
    range_test: RangeTest | None
    no_noise: str
    unseen_classes: tuple[int, ...]
    folders: tuple[RunFolder[Any], ...]
    unlearned: BySeed = field(default_factory=dict)

    @property
    def smallest(self) -> float:
        """The smallest learning rate, to which the others are annealed."""
        return self.grid()[0]

    @property
    def tolerance(self) -> float:
        """Acceptable loss of score; nan if it is relative to a score that diverged."""
        if self.search.tolerance is not None:
            return self.search.tolerance
        if range_of(self.score) in (SHARE, SHARE_DIFFERENCE):
            return _POINT
        return abs(self.mean(self.arm(self.best())).mean) / 50

    def grid(self) -> list[float]:
        """Return all learning rates tried, in increasing order."""
        return sorted(self.rungs[0].scores)

    def arm(self, rate: float) -> Candidate:
        """Return the arm of a learning rate, with the full plateau and without noise."""
        return Candidate(rate, self.search.plateau)

    def finalists(self) -> list[float]:
        """Return the learning rates trained at full length, in increasing order."""
        return sorted(self.rungs[-1].scores)

    def mean(self, arm: Candidate) -> Estimate:
        """Return the mean final score of an arm and its 95 % t interval; accuracies in [0, 1]."""
        return estimate(list(self.arms.get(arm, {}).values()), within=range_of(self.score))

    def gain(self, arm: Candidate, baseline: Candidate) -> Estimate:
        """Return by how much an arm is better than a baseline, paired by seed, as an Estimate.

        It is in units of the score, and positive if ``arm`` is better, also if a lower score is.
        """
        return self.compare(arm, baseline).estimate

    def compare(self, arm: Candidate, baseline: Candidate) -> Measured:
        """Return the gain over a baseline, also by seed and with its p-value."""
        return self._gain(self.arms.get(arm, {}), self.arms.get(baseline, {}))

    def _gain(self, scores: BySeed, baseline: BySeed) -> Measured:
        if not self.higher_is_better:
            scores, baseline = baseline, scores
        return measure_difference(scores, baseline, within=range_of(self.score))

    def verdict(self, arm: Candidate, baseline: Candidate) -> ArmVerdict:
        """Return the verdict on an arm against a baseline."""
        if arm == baseline:
            return "as_good"
        if self.diverged(arm):
            return "diverged"
        if self.diverged(baseline):
            return "other_diverged"
        gain = self.gain(arm, baseline)
        if (side := side_of(gain)) == "above":
            return "better"
        if not why_inconclusive(gain) and gain.low >= -self.tolerance:
            return "as_good"
        return "worse" if side == "below" else "undecided"

    def diverged(self, arm: Candidate) -> int:
        """Return how many of an arm's runs diverged."""
        return self.search.seeds - len(self.arms.get(arm, {}))

    def diverged_words(self, arm: Candidate) -> str:
        """Return "1 of 5 diverged" for an arm; an empty string if none did."""
        return f"{count} of {self.search.seeds} diverged" if (count := self.diverged(arm)) else ""

    def best(self) -> float:
        """Return the learning rate with the best mean at full length, of those that diverge least.

        It is selected and evaluated on the same seeds, so its estimate is slightly optimistic.
        Selecting by the shorter runs, on other seeds, was worse.
        """
        return best_of(self.rungs[-1].scores, self.higher_is_better)

    def band(self) -> list[float]:
        """Return the learning rates not significantly worse than the best, in increasing order.

        A learning rate that diverges on any seed is excluded, unless it is the best.
        """
        best = self.arm(self.best())
        excluded = ("worse", "diverged")
        return [r for r in self.finalists() if self.verdict(self.arm(r), best) not in excluded]

    def found_no_difference(self) -> bool:
        """Return whether the band has all learning rates of the last rung."""
        return self.band() == self.finalists()

    def learned_nothing(self) -> bool:
        """Return whether every arm ends no better than ``unlearned``, paired by seed."""
        gains = (self._gain(scores, self.unlearned).estimate for scores in self.arms.values())
        known = [gain for gain in gains if gain.n]
        learned = (
            gain.mean > 0 if why_inconclusive(gain) else side_of(gain) == "above" for gain in known
        )
        return bool(known) and not any(learned)

    def shorter_plateaus(self) -> list[Candidate]:
        """Return the arms with shorter plateaus at the best learning rate, the shortest first.

        A step has none at the smallest learning rate, which is constant.
        """
        if not self.search.is_annealed(self.best(), self.smallest):
            return []
        tried = [Candidate(self.best(), plateau) for plateau in self.search.distinct_plateaus()]
        return [arm for arm in tried if arm in self.arms]

    def shortest_plateau(self) -> float | None:
        """Return the shortest plateau shown to be as good as the full one, as a share, or None."""
        full = self.arm(self.best())
        good = (
            arm.plateau
            for arm in self.shorter_plateaus()
            if self.verdict(arm, full) in ("better", "as_good")
        )
        return next(good, None)

    def noisy(self) -> Candidate | None:
        """Return the arm of the smallest learning rate with noise; None if it was not run."""
        return next((arm for arm in self.arms if arm.noise), None)

    def picked(self) -> Candidate | None:
        """Return the arm of the range test's pick; None if there is no pick."""
        pick = None if self.range_test is None else self.range_test.pick
        return None if pick is None else self.arm(near(pick, self.finalists()))

    def findings(self) -> list[str]:
        """Return the findings in sentences, each supported by an interval."""
        return findings_of("advise", self)

    def _repr_html_(self) -> str:
        band, best, seeds = self.band(), self.best(), self.search.seeds
        rows = [
            [
                f"{rate:g}",
                shown_in(self.score, self.mean(self.arm(rate))),
                "best" if rate == best else "yes" if rate in band else "no",
                self.diverged_words(self.arm(rate)) or "–",
            ]
            for rate in self.finalists()
        ]
        columns = ["initial learning rate", f"final {self.score}", "in the band", "diverged"]
        note = (
            f"Mean over {seeds} seeds [95 % interval], after {self.search.training.epochs} epochs. "
            "In the band: not significantly worse than the best, paired by seed."
        )
        title = "Learning rates"
        if self.search.anneal != "constant":
            title = "Initial learning rates after annealing"
        return html_list(self.findings()) + html_table(title, columns, rows, note)

    def agreements(self) -> list[Agreement]:
        """Return how well each rung's ranking agrees with the next one's."""
        agreements = []
        for short, long in pairwise(self.rungs):
            a, b = (means(rung.scores, self.higher_is_better) for rung in (short, long))
            pairs = combinations(sorted(a.keys() & b.keys()), 2)
            untied = [(x, y) for x, y in pairs if a[x] != a[y] and b[x] != b[y]]
            agree = sum((a[x] > a[y]) == (b[x] > b[y]) for x, y in untied)
            agreements.append(Agreement((short.epochs, long.epochs), agree, len(untied)))
        return agreements


def near(rate: float, rates: Sequence[float]) -> float:
    """Return the element of ``rates`` within 10 % of a learning rate, or that learning rate."""
    return next((r for r in rates if abs(math.log(r / rate)) < math.log(1.1)), rate)


def best_of(scores: Mapping[float, BySeed], higher_is_better: bool) -> float:
    """Return the learning rate with the best mean score, of those that diverge least."""
    return ranked(scores, higher_is_better)[0]


def ranked(scores: Mapping[float, BySeed], higher_is_better: bool) -> list[float]:
    """Return the learning rates that diverge least, the best mean score first."""
    most = max(len(by_seed) for by_seed in scores.values())
    complete = {rate: by_seed for rate, by_seed in scores.items() if len(by_seed) == most}
    by_rate = means(complete, higher_is_better)
    return sorted(by_rate, key=lambda rate: -by_rate[rate])


def means(scores: Mapping[float, BySeed], higher_is_better: bool) -> dict[float, float]:
    """Return means by learning rate, negated if lower is better; omit rates without scores."""
    sign = 1 if higher_is_better else -1
    return {rate: sign * fmean(by_seed.values()) for rate, by_seed in scores.items() if by_seed}
