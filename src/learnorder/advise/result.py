"""The result of a search for learning rates: rungs, paired comparisons, the band."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from learnorder.advise.scores import (
    Agreement,
    ArmScores,
    ArmT,
    ArmVerdict,
    BySeed,
    agreements_of,
    measure_gain,
)
from learnorder.advise.settings import Candidate, LRSearch
from learnorder.runs import RunFolder
from learnorder.runs.experiment import findings_of
from learnorder.runs.html_table import html_list, html_table
from learnorder.statistics import (
    Estimate,
    Measured,
    estimate,
    range_of,
    shown_in,
    side_of,
    why_inconclusive,
)

if TYPE_CHECKING:
    from learnorder.advise.range_rules import RangeTest


@dataclass(frozen=True)
class Rung:
    """A round of the search: schedules of one length, on separate seeds.

    Attributes:
        epochs: Length of the schedules.
        seeds: Seeds of the rung.
        scores: Final scores of finished runs, by initial learning rate and seed.
        kept: Learning rates that go on to the next rung; empty on the last rung.
        score: Name of the score.
        lost: What happened to runs without a score: diverged, or no score for those of a script.
        reasons: Why the first such run of a learning rate has no score, for scripts.
        counts: Numbers of seeds of learning rates that do not have all of them, as in a race.
    """

    epochs: int
    seeds: tuple[int, ...]
    scores: dict[float, BySeed]
    kept: tuple[float, ...] = ()
    score: str = ""
    lost: Literal["diverged", "no score"] = "diverged"
    reasons: dict[float, str] = field(default_factory=dict)
    counts: dict[float, int] = field(default_factory=dict)

    def mean(self, rate: float) -> Estimate:
        """Return the mean final score of a learning rate over seeds."""
        return estimate(list(self.scores[rate].values()), within=range_of(self.score))

    def too_large(self, rate: float) -> str:
        """Return "diverged in 1 of 2 runs" for a learning rate; an empty string if none did."""
        runs = self.count(rate)
        count = runs - len(self.scores[rate])
        return f"{self.lost} in {count} of {runs} runs" if count else ""

    def count(self, rate: float) -> int:
        """Return the number of runs of a learning rate."""
        return self.counts.get(rate, len(self.seeds))


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
        counts: Numbers of seeds of arms that do not have all of them.
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
    counts: Mapping[Candidate, int] = field(default_factory=dict)

    @property
    def smallest(self) -> float:
        """The smallest learning rate, to which the others are annealed."""
        return self.grid()[0]

    @property
    def tolerance(self) -> float:
        """Acceptable loss of score; nan if it is relative to a score that diverged."""
        return self._finals().tolerance

    def _finals(self) -> ArmScores[float]:
        """Return the final scores at full length, by learning rate."""
        last = self.rungs[-1]
        scores = {rate: last.scores[rate] for rate in sorted(last.scores)}
        counts = {rate: last.count(rate) for rate in scores}
        return self._scored(scores, counts, self.search.tolerance)

    def _all(self) -> ArmScores[Candidate]:
        """Return the final scores of all arms at full length."""
        counts = {arm: self.count(arm) for arm in self.arms}
        return self._scored(self.arms, counts, self.tolerance)

    def _scored(
        self,
        by_arm: Mapping[ArmT, BySeed],
        counts: Mapping[ArmT, int],
        accepted: float | None,
    ) -> ArmScores[ArmT]:
        all_seeds, looks = self.search.rung_seeds(self.search.rungs - 1), self.search.looks()
        seeds = {arm: all_seeds[: counts[arm]] for arm in by_arm}
        return ArmScores(by_arm, seeds, self.score, self.higher_is_better, accepted, looks)

    def count(self, arm: Candidate) -> int:
        """Return the number of seeds of an arm."""
        return self.counts.get(arm, self.search.seeds)

    def full_runs(self) -> float:
        """Return the cost of the runs, in epochs of a run at full length."""
        short = sum(rung.epochs * len(rung.seeds) * len(rung.scores) for rung in self.rungs[:-1])
        return short / self.rungs[-1].epochs + sum(self.count(arm) for arm in self.arms)

    def full_runs_saved(self) -> int:
        """Return how many runs at full length a race saved, with those of plateaus left out."""
        left_out = len(self.plateaus_left_out())
        stopped = sum(self.search.seeds - self.count(arm) for arm in self.arms)
        return stopped + left_out * self.search.seeds

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
        return self._all().mean(arm)

    def gain(self, arm: Candidate, baseline: Candidate) -> Estimate:
        """Return by how much an arm is better than a baseline, paired by seed, as an Estimate.

        It is in units of the score, and positive if ``arm`` is better, also if a lower score is.
        """
        return self.compare(arm, baseline).estimate

    def compare(self, arm: Candidate, baseline: Candidate) -> Measured:
        """Return the gain over a baseline, also by seed and with its p-value."""
        return self._all().compare(arm, baseline)

    def verdict(self, arm: Candidate, baseline: Candidate) -> ArmVerdict:
        """Return the verdict on an arm against a baseline."""
        return self._all().verdict(arm, baseline)

    def diverged(self, arm: Candidate) -> int:
        """Return how many of an arm's runs diverged."""
        return self._all().diverged(arm)

    def diverged_words(self, arm: Candidate) -> str:
        """Return "1 of 5 diverged" for an arm; an empty string if none did."""
        how = "without a score" if self.search.is_script else "diverged"
        return f"{count} of {self.count(arm)} {how}" if (count := self.diverged(arm)) else ""

    def best(self) -> float:
        """Return the learning rate with the best mean at full length, of those that diverge least.

        It is selected and evaluated on the same seeds, so its estimate is slightly optimistic.
        Selecting by the shorter runs, on other seeds, was worse.
        """
        return self._finals().best()

    def band(self) -> list[float]:
        """Return the learning rates not significantly worse than the best, in increasing order.

        A learning rate that diverges on any seed is excluded, unless it is the best.
        """
        return self._finals().band()

    def found_no_difference(self) -> bool:
        """Return whether the band has all learning rates of the last rung."""
        return self.band() == self.finalists()

    def learned_nothing(self) -> bool:
        """Return whether no arm ends better than ``unlearned``, paired by seed.

        Gains are relative to ``unlearned`` if that is positive on all seeds: initial losses may
        differ so much over seeds that a fall to 0 on each would not be significant.
        """
        scale = self.unlearned if min(self.unlearned.values(), default=0) > 0 else {}
        levels = {seed: level / scale.get(seed, 1) for seed, level in self.unlearned.items()}
        gains = [
            measure_gain(
                {seed: score / scale.get(seed, 1) for seed, score in scores.items()},
                levels,
                self.score,
                self.higher_is_better,
            ).estimate
            for scores in self.arms.values()
        ]
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

    def plateaus_left_out(self) -> list[float]:
        """Return the plateaus that a race left out, because a longer one was not as good."""
        if not self.search.is_annealed(self.best(), self.smallest):
            return []
        tried = {arm.plateau for arm in self.shorter_plateaus()}
        return [share for share in self.search.distinct_plateaus() if share not in tried]

    def stopped(self, arm: Candidate) -> ArmVerdict | None:
        """Return the verdict with which an arm stopped early; None if it has all seeds.

        undecided: no verdict was in sight. It is against the best; the best itself stops, as good,
        when no other arm needs it.
        """
        if self.count(arm) >= self.search.seeds:
            return None
        return self.verdict(arm, self.arm(self.best()))

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
        """Return the findings in sentences."""
        return findings_of("advise", self)

    def _repr_html_(self) -> str:
        band, best, raced = self.band(), self.best(), self.search.race
        rows = [
            [
                f"{rate:g}",
                shown_in(self.score, self.mean(self.arm(rate))),
                "best" if rate == best else "yes" if rate in band else "no",
                self.diverged_words(self.arm(rate)) or "–",
                *([str(self.count(self.arm(rate)))] if raced else []),
            ]
            for rate in self.finalists()
        ]
        columns = ["initial learning rate", f"final {self.score}", "in the band", "diverged"]
        columns += ["seeds"] if raced else []
        over = "seeds" if raced else f"{self.search.seeds} seeds"
        note = (
            f"Mean over {over} [95 % interval], after {self.search.training.epochs} epochs. "
            "In the band: not significantly worse than the best, paired by seed."
        )
        title = "Learning rates"
        if self.search.annealing not in ("constant", "task", "script"):
            title = "Initial learning rates after annealing"
        return html_list(self.findings()) + html_table(title, columns, rows, note)

    def agreements(self) -> list[Agreement]:
        """Return how well each rung's ranking agrees with the next one's."""
        by_epochs = [(rung.epochs, rung.scores) for rung in self.rungs]
        return agreements_of(by_epochs, self.higher_is_better, raced=self.search.race)


def near(rate: float, rates: Sequence[float]) -> float:
    """Return the element of ``rates`` within 10 % of a learning rate, or that learning rate."""
    return next((r for r in rates if abs(math.log(r / rate)) < math.log(1.1)), rate)
