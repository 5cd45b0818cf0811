"""The selection of learning rates by rungs, given how those of a rung are trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from learnorder.advise.plans import next_rate
from learnorder.advise.race import Race
from learnorder.advise.result import Rung
from learnorder.advise.scores import ArmScores, ArmT, BySeed
from learnorder.advise.settings import LRSearch
from learnorder.errors import ConfigError

_MOST_ADDED = 4
"""Most learning rates added above the default ones."""


class Scored(Protocol):
    """What has a score.

    Attributes:
        score: Its name, once a run has finished.
        higher_is_better: Whether a higher score is better.
    """

    score: str
    higher_is_better: bool


class RungTrainer(Scored, Protocol):
    """Trains learning rates on a rung.

    Attributes:
        reasons: Why runs of a script have no score, by rung and learning rate.
    """

    reasons: dict[int, dict[float, str]]

    def train_rates(self, counts: Mapping[float, int], rung: int) -> dict[float, BySeed]:
        """Return the final scores of finished runs, by learning rate and seed.

        Args:
            counts: The number of seeds of each learning rate, the first ones of the rung.
            rung: The rung, from 0.
        """
        ...


@dataclass(frozen=True)
class Selection:
    """The rungs of a search.

    Attributes:
        search: The settings.
        rates: The initial grid, in increasing order.
        trainer: Trains the learning rates.
    """

    search: LRSearch
    rates: tuple[float, ...]
    trainer: RungTrainer

    def run(self) -> list[Rung]:
        """Run all rungs; the last has the learning rates at full length.

        Raises:
            ConfigError: Training diverges at all learning rates.
        """
        rates, rungs = self.rates, list[Rung]()
        for rung in range(self.search.rungs - 1):
            rungs.append(self._screen(rates, rung, extend=rung == 0))
            rates = rungs[-1].kept
        race = self._train_final(rates, rungs)
        final = self._rung(self.search.rungs - 1, race.scores)
        return [*rungs, replace(final, counts=dict(race.counts))]

    def _rung(self, rung: int, scores: dict[float, BySeed], kept: tuple[float, ...] = ()) -> Rung:
        return Rung(
            self.search.rung_epochs(rung),
            tuple(self.search.rung_seeds(rung)),
            scores,
            kept,
            self.trainer.score,
            "no score" if self.search.is_script else "diverged",
            dict(self.trainer.reasons.get(rung, {})),
        )

    def _train_final(self, rates: Sequence[float], rungs: Sequence[Rung]) -> Race[float]:
        """Race learning rates at full length.

        Short schedules are biased against large learning rates. As long as the largest is the best,
        the next larger one is therefore trained too, unless it diverged on an earlier rung.
        """
        rates, last = list(rates), self.search.rungs - 1
        race = Race[float](
            self.search.looks(),
            lambda counts: self.trainer.train_rates(counts, last),
            lambda scores, counts: final_scores(self.search, self.trainer, scores, counts),
        )
        while True:
            best = race.run(rates)
            if not any(race.scores.values()):
                raise _all_diverged(rates)
            larger = [
                rate
                for rate in (rungs[0].scores if rungs else ())
                if rate > rates[-1]
                and not any(rung.too_large(rate) for rung in rungs if rate in rung.scores)
            ]
            if not larger or best != rates[-1]:
                return race
            rates.append(min(larger))

    def _screen(self, rates: Sequence[float], rung: int, *, extend: bool) -> Rung:
        """Run a rung; add larger learning rates as long as the largest is passed on."""
        rates, added = list(rates), 0
        while True:
            counts = dict.fromkeys(rates, self.search.screening_seeds)
            scores = self.trainer.train_rates(counts, rung)
            passed = self._passed_on(scores, rung)
            extend = extend and self.search.learning_rates is None and added < _MOST_ADDED
            if not extend or rates[-1] not in passed:
                break
            rates.append(next_rate(rates[-1]))
            added += 1
        return self._rung(rung, scores, tuple(sorted({self.rates[0], *passed})))

    def _passed_on(self, scores: Mapping[float, BySeed], rung: int) -> list[float]:
        """Return the best learning rates of a rung, of those that diverge least."""
        if not any(scores.values()):
            raise _all_diverged(list(scores))
        seeds = self.search.rung_seeds(rung)[: self.search.screening_seeds]
        every, trainer = dict.fromkeys(scores, seeds), self.trainer
        ranking = ArmScores(scores, every, trainer.score, trainer.higher_is_better).ranking()
        return ranking[: self.search.passed_on(len(scores))]


def final_scores(
    search: LRSearch,
    trainer: Scored,
    scores: Mapping[ArmT, BySeed],
    counts: Mapping[ArmT, int],
) -> ArmScores[ArmT]:
    """Return the comparison of arms at full length from their scores and numbers of seeds."""
    seeds = search.rung_seeds(search.rungs - 1)
    return ArmScores(
        scores,
        {arm: seeds[: counts[arm]] for arm in scores},
        trainer.score,
        trainer.higher_is_better,
        search.tolerance,
        search.looks(),
    )


def _all_diverged(rates: Sequence[float]) -> ConfigError:
    return ConfigError(
        "learning_rates",
        list(rates),
        "Training diverges at all of them. Give smaller ones, and check that all values in the "
        "data are finite.",
    )
