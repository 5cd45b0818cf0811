"""What the runs of an arm of a probe came to: of runs on disk, or of a record in ``probe.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

from learnorder.statistics import Span
from learnorder.statistics.learned import (
    CONTENT_LEVELS,
    NEXT_TO_NOTHING,
    PATCH_LEVEL,
    is_undertrained,
    on_the_way,
    order_ratio,
)


@dataclass(frozen=True)
class ArmNumbers:
    """What the runs of an arm came to, by seed.

    Attributes:
        clean: Final accuracy on clean images.
        patch_only: Final accuracy on the pattern alone.
        reliance: Final reliance on the pattern.
        pattern: Epoch at which the pattern is learned, None where it never is.
        content: Epoch at which the content is learned, None where it never is, by the level that it
            is learned at; the first decides.
        epochs: Length of the runs.
        chance: Accuracy of guessing; None where it is not known.
        diverged: How many runs diverged, which are in nothing else.
        runs: How many there are, those included.
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

    @property
    def decides(self) -> str:
        """The level of the content that decides."""
        return next(iter(self.content))

    def order(self, level: str) -> dict[int, Span]:
        """Return log10 of the pattern's epoch over the content's at a level, or its bounds."""
        content = self.content[level]
        return {
            seed: order_ratio(epoch, content[seed], self.epochs)
            for seed, epoch in self.pattern.items()
        }

    def never(self, level: str) -> str:
        """Return in how many seeds pattern and content are never learned; empty where in none.

        >>> ArmNumbers({}, {}, {}, {0: None, 1: 7}, {"¼": {0: 2, 1: 3}}, 20, 0.1, 0, 2).never("¼")
        'pattern never in 1 of 2 seeds'
        """
        parts = []
        for name, found in (("pattern", self.pattern), ("content", self.content[level])):
            if lost := sum(epoch is None for epoch in found.values()):
                parts.append(f"{name} never in {lost} of {len(found)} seeds")
        return ", ".join(parts)

    def lost(self) -> str:
        """Return how many runs diverged, as "1 of 5 diverged"; empty where none did."""
        return f"{self.diverged} of {self.runs} diverged" if self.diverged else ""

    def too_large(self) -> str:
        """Return in words how the arm failed to train; empty where it did not.

        A run that diverges stops; one that ends having learned next to nothing
        (:data:`~learnorder.statistics.learned.NEXT_TO_NOTHING`) has lost what it had.
        """
        if self.diverged:
            return f"diverged in {self.diverged} of {self.runs} runs, which are in no mean"
        if not self.clean or self.chance is None:
            return ""
        clean = fmean(self.clean.values())
        if clean <= on_the_way(self.chance, NEXT_TO_NOTHING):
            ends, guessing = (f"{100 * share:.0f} %" for share in (clean, self.chance))
            return f"ends at {ends} on clean images, where guessing is at {guessing}"
        return ""

    def undertrained(self) -> str:
        """Return in words that the arm ends with neither content nor pattern learned; else empty.

        By its mean final accuracies; see :func:`~learnorder.statistics.learned.is_undertrained`.
        """
        if not self.clean or self.chance is None:
            return ""
        clean, pattern = fmean(self.clean.values()), fmean(self.patch_only.values())
        if not is_undertrained(clean, pattern, self.chance):
            return ""
        level = on_the_way(self.chance, CONTENT_LEVELS["¼"])
        return (
            f"ends at {100 * clean:.0f} % on clean images and {100 * pattern:.0f} % on the pattern "
            f"alone, where {100 * level:.3g} and {100 * PATCH_LEVEL:.0f} % count as learned"
        )


def largest_rate(annealed: Mapping[float, ArmNumbers]) -> float:
    """Return the largest learning rate at which the annealed arm trains, else the smallest given.

    Args:
        annealed: The annealed arms by learning rate, rising.
    """
    trains = [rate for rate, arm in annealed.items() if arm.runs and not arm.too_large()]
    return trains[-1] if trains else min(annealed)
