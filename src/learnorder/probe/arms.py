"""What the runs of an arm of a probe came to: of runs on disk, or of a record in ``probe.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from learnorder.order import order_ratio
from learnorder.statistics import SHARE, Span, estimate


@dataclass(frozen=True)
class ArmNumbers:
    """What the runs of an arm came to, by seed.

    Attributes:
        clean: Final accuracy on clean images.
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

        >>> ArmNumbers({}, {}, {0: None, 1: 7}, {"¼": {0: 2, 1: 3}}, 20, 0.1, 0, 2).never("¼")
        'pattern never in 1 of 2 seeds'
        """
        parts = []
        for name, found in (("pattern", self.pattern), ("content", self.content[level])):
            if lost := sum(epoch is None for epoch in found.values()):
                parts.append(f"{name} never in {lost} of {len(found)} seeds")
        return ", ".join(parts)

    def too_large(self) -> str:
        """Return in words how the arm failed to train; empty where it did not.

        A run that diverges stops; one that ends at no more than one and a half times the accuracy
        of guessing has lost what it had.
        """
        if self.diverged:
            return f"diverged in {self.diverged} of {self.runs} runs, which are in no mean"
        clean = estimate(list(self.clean.values()), within=SHARE)
        if clean.n and self.chance is not None and clean.mean <= 1.5 * self.chance:
            ends, guessing = (f"{100 * share:.0f} %" for share in (clean.mean, self.chance))
            return f"ends at {ends} on clean images, where guessing is at {guessing}"
        return ""


def largest_rate(annealed: Mapping[float, ArmNumbers]) -> float:
    """Return the largest learning rate at which the annealed arm trains, else the smallest given.

    Args:
        annealed: The annealed arms by learning rate, rising.
    """
    trains = [rate for rate, arm in annealed.items() if arm.runs and not arm.too_large()]
    return trains[-1] if trains else min(annealed)
