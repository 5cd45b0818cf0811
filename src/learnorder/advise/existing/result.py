"""The result of judging existing runs: means, comparisons, the band, and what to run next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from learnorder.advise.existing.take import Taken, TakenRun
from learnorder.advise.plans import half, next_rate, rates_words
from learnorder.advise.scores import Agreement, ArmScores, ArmVerdict, agreements_of
from learnorder.runs.experiment import findings_of
from learnorder.runs.html_table import html_list, html_table
from learnorder.statistics import (
    FEWEST_ALIKE,
    FEWEST_HEADLINE,
    FEWEST_SEEDS,
    Estimate,
    Measured,
    shown_in,
    spread,
    welch_freedom,
)

MOST_SEEDS = 100
"""More seeds than this are not suggested."""

_MOST_FIRST = 4
"""Most learning rates that are suggested for a first comparison."""
_APART = 1.5
"""Smallest factor between these."""


@dataclass(frozen=True)
class Suggestion:
    """Runs to make next.

    Attributes:
        learning_rates: Their learning rates.
        seeds: Seeds that each of these should have in the end.
        why: The reason, as a sentence.
    """

    learning_rates: tuple[float, ...]
    seeds: int
    why: str


@dataclass(frozen=True)
class JudgedRuns:
    """Runs that existed already, judged by their final scores.

    Attributes:
        taken: The runs, and how they were taken from a table.
        tolerance_given: Acceptable loss of score; None takes 0.01 for accuracies, else 2 % of the
            best mean.
    """

    taken: Taken
    tolerance_given: float | None = None

    @property
    def score(self) -> str:
        """Name of the score."""
        return self.taken.score

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher score is better."""
        return self.taken.higher_is_better

    @property
    def tolerance(self) -> float:
        """Acceptable loss of score."""
        return (self._judged or self.scores()).tolerance

    def lengths(self) -> list[float | None]:
        """Return the lengths of the runs, in increasing order; the last is the one judged."""
        return sorted({run.length for run in self.taken.runs}, key=lambda length: length or 0)

    def scores(self, length: float | None = None) -> ArmScores[float]:
        """Return the final scores by learning rate and seed.

        Args:
            length: Length of the runs; None is the longest.
        """
        length = self.lengths()[-1] if length is None else length
        return self._by_length[length]

    @cached_property
    def _by_length(self) -> dict[float | None, ArmScores[float]]:
        return {
            length: self._scored([run for run in self.taken.runs if run.length == length])
            for length in self.lengths()
        }

    def _scored(self, runs: Sequence[TakenRun]) -> ArmScores[float]:
        rates = sorted({run.learning_rate for run in runs})
        by_rate: dict[float, dict[int, float]] = {rate: {} for rate in rates}
        seeds: dict[float, list[int]] = {rate: [] for rate in rates}
        for run in sorted(runs, key=lambda run: run.seed):
            seeds[run.learning_rate].append(run.seed)
            if run.score is not None:
                by_rate[run.learning_rate][run.seed] = run.score
        return ArmScores(by_rate, seeds, self.score, self.higher_is_better, self.tolerance_given)

    @cached_property
    def _judged(self) -> ArmScores[float] | None:
        """The scores of the learning rates that are judged; None if there are fewer than two."""
        every = self.scores()
        judged = [
            rate
            for rate, seeds in every.seeds.items()
            if len(seeds) >= FEWEST_SEEDS and not every.diverged(rate)
        ]
        if len(judged) < 2:
            return None
        return ArmScores(
            {rate: every.of(rate) for rate in judged},
            {rate: every.seeds[rate] for rate in judged},
            self.score,
            self.higher_is_better,
            self.tolerance_given,
        )

    def learning_rates(self) -> list[float]:
        """Return all learning rates of the longest runs, in increasing order."""
        return list(self.scores().by_arm)

    def judged(self) -> list[float]:
        """Return the learning rates that are judged, in increasing order.

        These have at least three seeds, and a score for each run. If there is only one of them,
        none is judged.
        """
        return [] if self._judged is None else list(self._judged.by_arm)

    def best(self) -> float | None:
        """Return the learning rate with the best mean, of those judged; None if none is.

        It is selected and evaluated on the same runs, so its mean is slightly optimistic.
        """
        return None if self._judged is None else self._judged.best()

    def band(self) -> list[float]:
        """Return the learning rates not significantly worse than the best, of those judged."""
        return [] if self._judged is None else self._judged.band()

    def ranking(self) -> list[float]:
        """Return all learning rates with a score, the best mean first, however few their runs."""
        every = self.scores()
        sign = -1 if self.higher_is_better else 1
        scored = [rate for rate in every.by_arm if every.of(rate)]
        return sorted(scored, key=lambda rate: sign * every.mean(rate).mean)

    def comparable(self) -> list[float]:
        """Return the better half of the learning rates, and others that are not far below it.

        Far is three times as far from the best mean as the last of the better half.
        """
        ranking, sign = self.ranking(), 1 if self.higher_is_better else -1
        below = {
            rate: sign * (self.mean(ranking[0]).mean - self.mean(rate).mean) for rate in ranking
        }
        near = 3 * below[ranking[min(half(len(ranking)), len(ranking)) - 1]]
        return [rate for rate in ranking if below[rate] <= near]

    def mean(self, rate: float) -> Estimate:
        """Return the mean score of a learning rate and its 95 % t interval."""
        return self.scores().mean(rate)

    def gain(self, rate: float, baseline: float) -> Estimate:
        """Return by how much a learning rate is better than another, with the 95 % interval.

        Learning rates are paired on the seeds that both have; with fewer than three of these they
        are compared as independent samples, with Welch's interval. The gain is positive if ``rate``
        is better, also if a lower score is.
        """
        return self.compare(rate, baseline).estimate

    def compare(self, rate: float, baseline: float) -> Measured:
        """Return the gain over a baseline, also by seed if paired, and with its p-value."""
        return self.scores().compare(rate, baseline)

    def paired(self, rate: float, baseline: float) -> bool:
        """Return whether two learning rates are compared on the seeds that both have."""
        return self.scores().paired(rate, baseline)

    def verdict(self, rate: float, baseline: float) -> ArmVerdict:
        """Return the verdict on a learning rate against another; "diverged" is without a score."""
        return (self._judged or self.scores()).verdict(rate, baseline)

    def missing(self, rate: float) -> int:
        """Return how many runs of a learning rate have no final score."""
        return self.scores().diverged(rate)

    def missing_words(self, rate: float, length: float | None = None) -> str:
        """Return "no score: 1 of 5" for a learning rate; an empty string if all runs have one."""
        every = self.scores(length)
        if not (count := every.diverged(rate)):
            return ""
        return f"no score: {count} of {len(every.seeds[rate])}"

    def agreements(self) -> list[Agreement]:
        """Return how well the ranking by each length agrees with that by the next."""
        by_length = [
            (length, self.scores(length).by_arm) for length in self.lengths() if length is not None
        ]
        return agreements_of(by_length, self.higher_is_better)

    def second(self) -> float | None:
        """Return the learning rate with the second-best mean, of those judged."""
        return None if self._judged is None else self._judged.ranking()[1]

    def seeds_needed(self, rate: float, baseline: float) -> int | None:
        """Return how many seeds would decide between two learning rates.

        It is the smallest number n of seeds for which the 95 % interval of the gain,
        2 · t(n − 1) · s / √n long, is no longer than the tolerance: such an interval shows either
        that one is better, or that a loss beyond the tolerance is excluded. s is the standard
        deviation of the differences over seeds so far; for independent samples it is
        √(s_a² + s_b²), with Welch's degrees of freedom for n runs each.

        Returns:
            n; None if it is above 100, or if there are fewer than two runs of one of them.
        """
        if self.gain(rate, baseline).n < 2:
            return None
        from scipy.stats import t

        if self.paired(rate, baseline):
            s = spread(list(self.compare(rate, baseline).by_seed.values()))
            parts = (s**2, 0.0)
        else:
            a, b = (spread(list(self.scores().of(each).values())) for each in (rate, baseline))
            parts = (a**2, b**2)
        if not sum(parts):  # a verdict from identical differences needs so many
            return FEWEST_ALIKE
        for n in range(FEWEST_SEEDS, MOST_SEEDS + 1):
            freedom = welch_freedom(parts, (n, n))
            if 2 * float(t.ppf(0.975, freedom)) * math.sqrt(sum(parts) / n) <= self.tolerance:
                return n
        return None

    def suggestions(self) -> list[Suggestion]:
        """Return what to run next, the most important first."""
        return suggest(self)

    def findings(self) -> list[str]:
        """Return the findings in sentences."""
        return findings_of("judged", self)

    def _repr_html_(self) -> str:
        band, best = self.band(), self.best()
        rows = [
            [
                f"{rate:g}",
                str(self.mean(rate).n),
                shown_in(self.score, self.mean(rate)),
                self.standing(rate, band, best),
                self.missing_words(rate) or "–",
            ]
            for rate in self.learning_rates()
        ]
        columns = ["learning rate", "n", self.score, "in the band", "missing"]
        note = (
            "Mean over n runs [95 % interval]. In the band: not significantly worse than the best."
        )
        return html_list(self.findings()) + html_table("Learning rates", columns, rows, note)

    def standing(self, rate: float, band: Sequence[float], best: float | None) -> str:
        """Return "best", "yes", "no", or "not judged"."""
        if rate not in self.judged():
            return "not judged"
        return "best" if rate == best else "yes" if rate in band else "no"


def suggest(judged: JudgedRuns) -> list[Suggestion]:
    """Return what to run next, the most important first."""
    if judged.best() is None:
        several = any(len(seeds) >= FEWEST_SEEDS for seeds in judged.scores().seeds.values())
        return [*(_repeat(judged) if several else []), *_first_seeds(judged)]
    return [*_repeat(judged), *_decide(judged), *_promising(judged), *_beyond(judged)]


def _repeat(judged: JudgedRuns) -> list[Suggestion]:
    """Return the learning rates of runs that stopped early, unless their other runs are worse."""
    length, ranking = judged.lengths()[-1], judged.ranking()
    last = max((ranking.index(rate) for rate in judged.band()), default=len(ranking))
    worse = ranking[last + 1 :]
    stopped = {
        run.learning_rate for run in judged.taken.runs if run.length == length and run.stopped
    }
    rates = tuple(sorted(stopped.difference(worse)))
    if not rates:
        return []
    fewest = min(len(judged.scores().seeds[rate]) for rate in rates)
    why = "Some of their runs stopped before they had a final score, so they cannot be judged"
    return [Suggestion(rates, max(fewest, FEWEST_SEEDS), why)]


def _first_seeds(judged: JudgedRuns) -> list[Suggestion]:
    """Return the best learning rates by their means, if too few of them have seeds."""
    ranking, chosen = judged.ranking(), list[float]()
    if not ranking:
        return []
    for rate in ranking[: half(len(ranking))]:
        if all(abs(math.log(rate / other)) > math.log(_APART) for other in chosen):
            chosen.append(rate)
    ends, seeds = _ends(judged, ranking[0]), judged.scores().seeds
    few = [rate for rate in chosen[:_MOST_FIRST] if len(seeds[rate]) < FEWEST_HEADLINE]
    if not few:
        return []
    why = "These are the best by their means so far"
    if len(chosen) < half(len(ranking)):
        why += f" that are at least a factor of {_APART:g} apart"
    if ends:
        why += (
            f", and {rates_words(ends)} because the best is at an end of the learning rates tried"
        )
    return [Suggestion(tuple(sorted({*few, *ends})), FEWEST_HEADLINE, why)]


def _decide(judged: JudgedRuns) -> list[Suggestion]:
    """Return the best two, if it is not decided between them."""
    best, second = judged.best(), judged.second()
    if best is None or second is None or judged.verdict(second, best) != "undecided":
        return []
    needed = judged.seeds_needed(second, best)
    have = judged.gain(second, best).n
    if needed is None or needed <= have:
        return []
    pair = tuple(sorted((best, second)))
    return [
        Suggestion(pair, needed, "With so many seeds, at the spread so far, the interval of their "
                   "difference is no longer than the tolerance, which decides between them")
    ]  # fmt: skip


def _promising(judged: JudgedRuns) -> list[Suggestion]:
    """Return learning rates with too few seeds whose means are as good as those of the band."""
    ranking, band = judged.ranking(), judged.band()
    last = max(ranking.index(rate) for rate in band)
    few = [
        rate
        for rate in ranking[:last]
        if rate not in judged.judged() and len(judged.scores().seeds[rate]) < FEWEST_SEEDS
    ]
    if not few:
        return []
    return [
        Suggestion(tuple(sorted(few)), FEWEST_HEADLINE, "Their means are as good as those of the "
                   "band, from too few seeds to be judged")
    ]  # fmt: skip


def _beyond(judged: JudgedRuns) -> list[Suggestion]:
    """Return learning rates beyond the ends of those tried, if the band reaches an end."""
    ends = [end for rate in judged.band() for end in _ends(judged, rate)]
    if not ends:
        return []
    best = judged.best()
    assert best is not None
    seeds = max(FEWEST_HEADLINE, judged.mean(best).n)
    why = "The band reaches an end of the learning rates tried"
    return [Suggestion(tuple(sorted(ends)), seeds, why)]


def _ends(judged: JudgedRuns, rate: float) -> list[float]:
    """Return the next learning rate beyond one that is the largest or the smallest tried."""
    rates = judged.learning_rates()
    ends = list[float]()
    if rate == rates[0]:
        ends.append(float(f"{1 / next_rate(1 / rate):g}"))
    if rate == rates[-1]:
        ends.append(next_rate(rate))
    return ends
