"""The arms besides the learning rates, raced against the best of them at full length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from learnorder.advise.race import Race
from learnorder.advise.result import Rung
from learnorder.advise.scores import BySeed
from learnorder.advise.selection import Scored, final_scores
from learnorder.advise.settings import Candidate, LRSearch


class ArmTrainer(Scored, Protocol):
    """Trains arms at full length."""

    def train_arms(self, counts: Mapping[Candidate, int]) -> Mapping[Candidate, BySeed]:
        """Return the final scores of finished runs on the first seeds, as many as named."""
        ...


@dataclass(frozen=True)
class OtherArms:
    """Shorter plateaus at the best learning rate, and arms that do not depend on it.

    Attributes:
        search: The settings.
        smallest: The smallest learning rate.
        trainer: Trains the arms.
        fixed: The arms with noise and at the range test's pick, if there are any.
    """

    search: LRSearch
    smallest: float
    trainer: ArmTrainer
    fixed: Sequence[Candidate]

    def run(self, final: Rung) -> Race[Candidate]:
        """Return the race of all arms at full length.

        In a race a shorter plateau is tried if the next longer one is as good as the full one. The
        best learning rate gets more seeds where another arm needs them. If it then diverges on one
        and another is the best, the shorter plateaus are those of the other.

        Args:
            final: The learning rates at full length.
        """
        arms = {Candidate(rate, self.search.plateau): rate for rate in sorted(final.scores)}
        race = Race[Candidate](
            self.search.looks(),
            self.trainer.train_arms,
            lambda scores, counts: final_scores(self.search, self.trainer, scores, counts),
            {arm: final.count(rate) for arm, rate in arms.items()},
            {arm: final.scores[rate] for arm, rate in arms.items()},
        )
        rates, best = list(arms), race.run(list(arms))
        waiting, tried = self._plateaus(best), list[Candidate]()
        while True:
            new = waiting[: 1 if self.search.race else None]
            tried, waiting = [*tried, *new], waiting[len(new) :]
            leader = race.run(rates, [*tried, *self.fixed])
            if leader != best:
                best, waiting, tried = leader, self._plateaus(leader), []
            elif not waiting:
                break
            else:
                compared = race.compare([tried[-1], best], rates)
                if compared.verdict(tried[-1], best) not in ("better", "as_good"):
                    break
        plateaus = sorted(tried, key=lambda arm: arm.plateau)
        race.counts = {arm: race.counts[arm] for arm in (*rates, *plateaus, *self.fixed)}
        return race

    def _plateaus(self, best: Candidate) -> list[Candidate]:
        """Return the arms with shorter plateaus at a learning rate, the longest first."""
        if not self.search.is_annealed(best.learning_rate, self.smallest):
            return []
        shares = reversed(self.search.distinct_plateaus())
        return [replace(best, plateau=share) for share in shares]
