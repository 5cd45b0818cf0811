"""The selection of learning rates by rungs, given how those of a rung are trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from learnorder.advise.plans import half, next_rate
from learnorder.advise.result import Rung
from learnorder.advise.scores import BySeed, best_of, ranked
from learnorder.advise.settings import LRSearch
from learnorder.errors import ConfigError

_MOST_ADDED = 4
"""Most learning rates added above the default ones."""


class RungTrainer(Protocol):
    """Trains learning rates on a rung.

    Attributes:
        score: Name of what they are judged by, once a run has finished.
        higher_is_better: Whether a higher score is better.
        reasons: Why runs of a script have no score, by rung and learning rate.
    """

    score: str
    higher_is_better: bool
    reasons: dict[int, dict[float, str]]

    def train_rates(self, rates: Sequence[float], rung: int) -> dict[float, BySeed]:
        """Return the final scores of finished runs, by learning rate and seed."""
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
        final = self._train_final(rates, rungs)
        return [*rungs, self._rung(self.search.rungs - 1, final)]

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

    def _train_final(self, rates: Sequence[float], rungs: Sequence[Rung]) -> dict[float, BySeed]:
        """Train learning rates at full length; return their scores.

        Short schedules are biased against large learning rates. As long as the largest is the best,
        the next larger one is therefore trained too, unless it diverged on an earlier rung.
        """
        rates, last = list(rates), self.search.rungs - 1
        while True:
            scores = self.trainer.train_rates(rates, last)
            if not any(scores.values()):
                raise _all_diverged(rates)
            larger = [
                rate
                for rate in (rungs[0].scores if rungs else ())
                if rate > rates[-1]
                and not any(rung.too_large(rate) for rung in rungs if rate in rung.scores)
            ]
            if not larger or best_of(scores, self.trainer.higher_is_better) != rates[-1]:
                return scores
            rates.append(min(larger))

    def _screen(self, rates: Sequence[float], rung: int, *, extend: bool) -> Rung:
        """Run a rung; add larger learning rates as long as the largest is among the better half."""
        rates, added = list(rates), 0
        while True:
            scores = self.trainer.train_rates(rates, rung)
            better = self._better_half(scores)
            extend = extend and self.search.learning_rates is None and added < _MOST_ADDED
            if not extend or rates[-1] not in better:
                break
            rates.append(next_rate(rates[-1]))
            added += 1
        return self._rung(rung, scores, tuple(sorted({self.rates[0], *better})))

    def _better_half(self, scores: Mapping[float, BySeed]) -> list[float]:
        """Return the better half of the learning rates, of those that diverge least."""
        if not any(scores.values()):
            raise _all_diverged(list(scores))
        return ranked(scores, self.trainer.higher_is_better)[: half(len(scores))]


def _all_diverged(rates: Sequence[float]) -> ConfigError:
    return ConfigError(
        "learning_rates",
        list(rates),
        "Training diverges at all of them. Give smaller ones, and check that all values in the "
        "data are finite.",
    )
