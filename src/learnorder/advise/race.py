"""Racing: at full length an arm gets no more seeds once it is decided.

Seeds come in looks (:class:`~learnorder.advise.looks.Looks`). After each one, arms are compared
with the best one so far, paired by seed. An arm stops if it is significantly worse, as good within
the tolerance, or has diverged; or if no verdict is in sight: with the same mean and spread of the
differences, the interval at the last look would not decide either. The best and the others go on.
Races are those of Maron and Moore, *Hoeffding races*, NeurIPS 1993.

What is trained next depends on the scores so far alone, so an interrupted race continues to the
same result, and a finished one is repeated from its scores.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from learnorder.advise.looks import Looks
from learnorder.advise.scores import ArmScores, BySeed

ArmT = TypeVar("ArmT", bound=Hashable)


@dataclass
class Race(Generic[ArmT]):
    """Arms with the numbers of seeds that they have so far.

    Attributes:
        looks: When arms are compared.
        train: Trains arms on their first seeds, as many as named; returns the scores of these.
        judge: Returns the comparison of arms from their scores and numbers of seeds.
        counts: Numbers of seeds so far.
        scores: Final scores so far, by seed; a run that diverged has none.
    """

    looks: Looks
    train: Callable[[Mapping[ArmT, int]], Mapping[ArmT, BySeed]]
    judge: Callable[[Mapping[ArmT, BySeed], Mapping[ArmT, int]], ArmScores[ArmT]]
    counts: dict[ArmT, int] = field(default_factory=dict)
    scores: dict[ArmT, BySeed] = field(default_factory=dict)

    def run(self, rivals: Sequence[ArmT], others: Sequence[ArmT] = ()) -> ArmT:
        """Train arms until each is decided or has all seeds; return the best one.

        Args:
            rivals: Arms that the best is one of; not all of them may diverge on every seed.
            others: Arms that are compared with it only.
        """
        new = [arm for arm in (*rivals, *others) if arm not in self.counts]
        wanted = dict.fromkeys(new, self.looks.counts[0])
        while wanted:
            self.counts |= wanted
            self.scores |= self.train(wanted)
            if not any(self.scores[arm] for arm in rivals):
                break
            wanted = self._wanted(rivals, others)
        return self._best(rivals)

    def compare(self, arms: Sequence[ArmT], rivals: Sequence[ArmT]) -> ArmScores[ArmT]:
        """Return the comparison of arms, with the tolerance of the advice: that of the rivals."""
        return replace(self._judged(arms), accepted=self._judged(rivals).tolerance)

    def _judged(self, arms: Sequence[ArmT]) -> ArmScores[ArmT]:
        return self.judge({arm: self.scores[arm] for arm in arms}, self.counts)

    def _best(self, rivals: Sequence[ArmT]) -> ArmT:
        return self._judged(rivals).best() if any(map(self.scores.get, rivals)) else rivals[0]

    def _wanted(self, rivals: Sequence[ArmT], others: Sequence[ArmT]) -> dict[ArmT, int]:
        """Return the arms that need more seeds, with the numbers of seeds up to the next look."""
        arms, best = [*rivals, *others], self._best(rivals)
        scores = self.compare(arms, rivals)
        most, going = self.counts[best], list[ArmT]()
        for arm in arms:
            behind = self.counts[arm] < most
            match scores.verdict(arm, best):
                case "undecided" if arm != best and scores.in_sight(arm, best):
                    going.append(arm)
                case "better" | "other_diverged" if behind and arm in rivals:
                    going.append(arm)
        late = {arm: most for arm in going if self.counts[arm] < most}
        if late or not going or (more := self.looks.after(most)) is None:
            return late
        return dict.fromkeys([best, *going], more)
