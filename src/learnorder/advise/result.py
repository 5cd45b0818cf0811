"""What a search for learning rates found: rungs, paired comparisons, the band."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, pairwise
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from learnorder.advise.settings import Candidate, LRSearch
from learnorder.runs import RunFolder
from learnorder.runs.html_table import html_list, html_table
from learnorder.statistics import (
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
"""Difference in accuracy that does not matter, where nothing else is asked."""

BySeed = dict[int, float]
"""Final scores by seed."""
ArmVerdict = Literal["better", "worse", "as_good", "undecided", "diverged", "other_diverged"]
"""How an arm stands to another: its interval is above 0, or above minus the tolerance, or else
below 0, or none of these; or one of the two diverged, which no mean of the runs that are left
stands for."""


@dataclass(frozen=True)
class Rung:
    """Schedules of one length, on seeds of their own.

    Attributes:
        epochs: Their length.
        seeds: Their seeds.
        scores: Final scores of runs that finished, by initial learning rate and seed.
        kept: Learning rates that go on; empty on the last rung.
        score: Name of the score.
    """

    epochs: int
    seeds: tuple[int, ...]
    scores: dict[float, BySeed]
    kept: tuple[float, ...] = ()
    score: str = ""

    def mean(self, rate: float) -> Estimate:
        """Return the mean final score of a learning rate."""
        return estimate(list(self.scores[rate].values()), within=range_of(self.score))

    def too_large(self, rate: float) -> str:
        """Return in words how a learning rate failed; empty where it did not."""
        lost = len(self.seeds) - len(self.scores[rate])
        return f"diverged in {lost} of {len(self.seeds)} runs" if lost else ""


@dataclass(frozen=True)
class Agreement:
    """How two rungs rank the learning rates that both have.

    Attributes:
        epochs: Of the two.
        agree: Pairs of learning rates that both rank the same way.
        pairs: All pairs without a tie.
    """

    epochs: tuple[int, int]
    agree: int
    pairs: int


@dataclass(frozen=True)
class Advice:
    """What a search found.

    Attributes:
        search: What was asked, with the epochs that the budget bought.
        score: What final models are judged by, e.g. accuracy, on validation data.
        higher_is_better: Whether a higher score is a better one.
        rungs: From the shortest to full length.
        arms: Final scores at full length, by arm and seed, of runs that finished.
        range_test: What a range test saw; None where none was made.
        no_noise: Why noise was not tried; empty where it was.
        unseen_classes: Classes trained on that no validation example has, as far as is known.
        folders: The runs at full length.
        unlearned: Score of a model that has learned nothing, by seed, as far as it is known.
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
        """The smallest learning rate, which others are annealed to."""
        return self.grid()[0]

    @property
    def tolerance(self) -> float:
        """Loss of score that does not matter; nan where it is relative to what diverged."""
        if self.search.tolerance is not None:
            return self.search.tolerance
        if self.score == "accuracy":
            return _POINT
        return abs(self.mean(self.whole(self.best())).mean) / 50

    def grid(self) -> list[float]:
        """Return the learning rates tried, rising."""
        return sorted(self.rungs[0].scores)

    def whole(self, rate: float) -> Candidate:
        """Return the arm of a learning rate with its whole phase and no noise."""
        return Candidate(rate, self.search.plateau)

    def finalists(self) -> list[float]:
        """Return the learning rates of the grid that were trained at full length, rising."""
        return sorted(self.rungs[-1].scores)

    def mean(self, arm: Candidate) -> Estimate:
        """Return the mean final score of an arm, with its 95 % t interval; accuracies in [0, 1]."""
        return estimate(list(self.arms.get(arm, {}).values()), within=range_of(self.score))

    def gain(self, arm: Candidate, baseline: Candidate) -> Estimate:
        """Return by how much an arm is better than another, paired by seed, in units of the score.

        It is above 0 where ``arm`` is better, also of scores of which a lower one is.
        """
        return self.compared(arm, baseline).estimate

    def compared(self, arm: Candidate, baseline: Candidate) -> Measured:
        """Return by how much an arm is better than another, by seed and with its p-value."""
        return self._gain_over(*(self.arms.get(each, {}) for each in (arm, baseline)))

    def _gain_over(self, ours: BySeed, theirs: BySeed) -> Measured:
        if not self.higher_is_better:
            ours, theirs = theirs, ours
        return measure_difference(ours, theirs, within=range_of(self.score))

    def verdict(self, arm: Candidate, baseline: Candidate) -> ArmVerdict:
        """Return how an arm stands to another."""
        if arm == baseline:
            return "as_good"
        if self.lost(arm):
            return "diverged"
        if self.lost(baseline):
            return "other_diverged"
        gain = self.gain(arm, baseline)
        if (lies := side_of(gain)) == "above":
            return "better"
        if not why_inconclusive(gain) and gain.low >= -self.tolerance:
            return "as_good"
        return "worse" if lies == "below" else "undecided"

    def lost(self, arm: Candidate) -> int:
        """Return how many of an arm's runs diverged."""
        return self.search.seeds - len(self.arms.get(arm, {}))

    def lost_words(self, arm: Candidate) -> str:
        """Return how many of an arm's runs diverged, as "1 of 5 diverged"; empty where none did."""
        return f"{lost} of {self.search.seeds} diverged" if (lost := self.lost(arm)) else ""

    def best(self) -> float:
        """Return the learning rate with the best mean at full length, of those that diverge least.

        It is chosen by the seeds that it is judged on, so its estimate is slightly
        optimistic; shorter runs, on other seeds, would choose worse.
        """
        return best_of(self.rungs[-1].scores, self.higher_is_better)

    def band(self) -> list[float]:
        """Return the learning rates not significantly worse than the best, rising.

        One that diverges on any seed is not among them, unless the best diverges too.
        """
        best = self.whole(self.best())
        out = ("worse", "diverged")
        return [r for r in self.finalists() if self.verdict(self.whole(r), best) not in out]

    def found_no_difference(self) -> bool:
        """Whether no learning rate of the last rung, the smallest included, leaves the band."""
        return self.band() == self.finalists()

    def learned_nothing(self) -> bool:
        """Whether no arm ends better than a model that has learned nothing, paired by seed."""
        gains = (self._gain_over(scores, self.unlearned).estimate for scores in self.arms.values())
        known = [gain for gain in gains if gain.n]
        learned = (
            gain.mean > 0 if why_inconclusive(gain) else side_of(gain) == "above" for gain in known
        )
        return bool(known) and not any(learned)

    def shorter_plateaus(self) -> list[Candidate]:
        """Return the shorter phases at the best learning rate, the shortest first.

        There are none at the smallest, which is held throughout.
        """
        if self.best() == self.smallest:
            return []
        tried = [Candidate(self.best(), plateau) for plateau in self.search.distinct_plateaus()]
        return [arm for arm in tried if arm in self.arms]

    def shortest_plateau(self) -> float | None:
        """Return the shortest phase shown as good as the whole one; None where none is."""
        whole = self.whole(self.best())
        good = (
            arm
            for arm in self.shorter_plateaus()
            if self.verdict(arm, whole) in ("better", "as_good")
        )
        return next((arm.plateau for arm in good), None)

    def noisy(self) -> Candidate | None:
        """Return the arm of the smallest learning rate with noise; None where it was not run."""
        return next((arm for arm in self.arms if arm.noise), None)

    def picked(self) -> Candidate | None:
        """Return the arm of the range test's pick; None where it picked nothing."""
        pick = None if self.range_test is None else self.range_test.pick
        return None if pick is None else self.whole(near(pick, self.finalists()))

    def findings(self) -> list[str]:
        """Return what was found, in sentences that go no further than their intervals."""
        from learnorder.advise.words import advice_findings

        return advice_findings(self)

    def _repr_html_(self) -> str:
        band, best, seeds = self.band(), self.best(), self.search.seeds
        rows = [
            [
                f"{rate:g}",
                shown_in(self.score, self.mean(self.whole(rate))),
                "best" if rate == best else "yes" if rate in band else "no",
                self.lost_words(self.whole(rate)) or "–",
            ]
            for rate in self.finalists()
        ]
        columns = ["initial learning rate", f"final {self.score}", "in the band", "diverged"]
        note = (
            f"Mean over {seeds} seeds [95 % interval], after {self.search.training.epochs} epochs. "
            "In the band: not significantly worse than the best, paired by seed."
        )
        return html_list(self.findings()) + html_table(
            "Initial learning rates after annealing", columns, rows, note
        )

    def agreements(self) -> list[Agreement]:
        """Return how each rung's ranks agree with the next one's."""
        found = []
        for one, other in pairwise(self.rungs):
            a, b = (means(rung.scores, self.higher_is_better) for rung in (one, other))
            pairs = list(combinations(sorted(a.keys() & b.keys()), 2))
            told = [(x, y) for x, y in pairs if a[x] != a[y] and b[x] != b[y]]
            agree = sum((a[x] > a[y]) == (b[x] > b[y]) for x, y in told)
            found.append(Agreement((one.epochs, other.epochs), agree, len(told)))
        return found


def near(rate: float, rates: Sequence[float]) -> float:
    """Return the learning rate among some that is within a tenth of one, else that one."""
    return next((r for r in rates if abs(math.log(r / rate)) < math.log(1.1)), rate)


def best_of(scores: Mapping[float, BySeed], higher_is_better: bool) -> float:
    """Return the learning rate with the best mean score, of those that diverge least."""
    return ranked(scores, higher_is_better)[0]


def ranked(scores: Mapping[float, BySeed], higher_is_better: bool) -> list[float]:
    """Return the learning rates that diverge least, the best mean score first."""
    most = max(len(by_seed) for by_seed in scores.values())
    whole = {rate: by_seed for rate, by_seed in scores.items() if len(by_seed) == most}
    found = means(whole, higher_is_better)
    return sorted(found, key=lambda rate: -found[rate])


def means(scores: Mapping[float, BySeed], higher_is_better: bool) -> dict[float, float]:
    """Return means by learning rate, higher = better; what has none is left out."""
    sign = 1 if higher_is_better else -1
    return {rate: sign * fmean(by_seed.values()) for rate, by_seed in scores.items() if by_seed}
