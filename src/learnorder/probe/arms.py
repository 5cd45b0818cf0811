"""Results of an arm of a probe, from runs on disk or from a record in ``probe.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from learnorder.statistics import Span
from learnorder.statistics.learned import (
    CONTENT_LEVELS,
    NEXT_TO_NOTHING,
    is_undertrained,
    on_the_way,
    order_ratio,
    pattern_level,
)


@dataclass(frozen=True)
class ArmNumbers:
    """Results of the finished runs of an arm, by seed.

    Attributes:
        clean: Final accuracy on clean data, in [0, 1].
        patch_only: Final accuracy on the pattern alone, in [0, 1].
        reliance: Final reliance on the pattern, in [−1, 1].
        pattern: Epoch at which the pattern is learned; None if never.
        content: Epoch at which the content is learned, None if never, by level and seed. The first
            level is decisive.
        epochs: Length of the runs.
        chance: Accuracy of guessing; None if unknown.
        diverged: Number of diverged runs.
        runs: Number of all runs.
        noun: What the data are: images or examples.
    """

    clean: Mapping[int, float]
    patch_only: Mapping[int, float]
    reliance: Mapping[int, float]
    pattern: Mapping[int, int | None]
    content: Mapping[str, Mapping[int, int | None]]
    epochs: int
    chance: float | None
    diverged: int
    runs: int
    noun: str = "images"

    @property
    def decisive_level(self) -> str:
        """The decisive level of the content."""
        return next(iter(self.content))

    def order(self, level: str) -> dict[int, Span]:
        """Return log10(pattern's epoch / content's epoch) at a level of the content, by seed."""
        content = self.content[level]
        return {
            seed: order_ratio(epoch, content[seed], self.epochs)
            for seed, epoch in self.pattern.items()
        }

    def never(self, level: str) -> str:
        """Return in how many seeds pattern or content are never learned; "" if in none.

        >>> ArmNumbers({}, {}, {}, {0: None, 1: 7}, {"¼": {0: 2, 1: 3}}, 20, 0.1, 0, 2).never("¼")
        'pattern never in 1 of 2 seeds'
        """
        parts = []
        for name, epochs in (("pattern", self.pattern), ("content", self.content[level])):
            if never := sum(epoch is None for epoch in epochs.values()):
                parts.append(f"{name} never in {never} of {len(epochs)} seeds")
        return ", ".join(parts)

    def diverged_words(self) -> str:
        """Return "1 of 5 diverged"; an empty string if no run diverged."""
        return f"{self.diverged} of {self.runs} diverged" if self.diverged else ""

    def too_large(self) -> str:
        """Return why the learning rate of the arm is too large; an empty string if it is not.

        Either a run diverged, or the arm ends with almost nothing learned
        (:data:`~learnorder.statistics.learned.NEXT_TO_NOTHING`).
        """
        if self.diverged:
            return f"diverged in {self.diverged} of {self.runs} runs, which the means exclude"
        if not self.clean or self.chance is None:
            return ""
        clean = fmean(self.clean.values())
        if clean <= on_the_way(self.chance, NEXT_TO_NOTHING):
            final, chance = (f"{100 * share:.0f} %" for share in (clean, self.chance))
            return f"ends at {final} on clean {self.noun}, where chance is {chance}"
        return ""

    def undertrained(self) -> str:
        """Return that the arm learned neither content nor pattern; an empty string if it did.

        By its mean final accuracies; see :func:`~learnorder.statistics.learned.is_undertrained`.
        """
        if not self.clean or self.chance is None:
            return ""
        clean, pattern = fmean(self.clean.values()), fmean(self.patch_only.values())
        if not is_undertrained(clean, pattern, self.chance):
            return ""
        levels = on_the_way(self.chance, CONTENT_LEVELS["¼"]), pattern_level(self.chance)
        learned = " and ".join(f"{100 * level:.3g}" for level in levels)
        return (
            f"ends at {100 * clean:.0f} % on clean {self.noun} and {100 * pattern:.0f} % on the "
            f"pattern alone, where {learned} % count as learned"
        )


def largest_rate(annealed: Mapping[float, ArmNumbers]) -> float:
    """Return the largest learning rate at which the annealed arm trains, or else the smallest.

    Args:
        annealed: The annealed arms by learning rate, in increasing order.
    """
    trains = [rate for rate, arm in annealed.items() if arm.runs and not arm.too_large()]
    return trains[-1] if trains else min(annealed)
