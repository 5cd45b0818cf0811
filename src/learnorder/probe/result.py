"""What a probe found: the pattern's contrast, and the runs of all arms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from learnorder.order import CONTENT_LEVELS, PATCH_LEVEL
from learnorder.probe.arms import ArmNumbers, largest_rate
from learnorder.recipes.probe import Probe
from learnorder.runs import setting_words

if TYPE_CHECKING:
    from learnorder.results import Results

RATE = "learning_rate.initial"
"""The setting that the probe varies, as labels name it."""


@dataclass(frozen=True)
class Calibration:
    """Which contrast the pattern has, and why.

    Attributes:
        accuracy: Patch-only accuracy of the small LR at the epoch before the anneal, by contrast;
            empty where only one contrast was given.
        contrast: The one taken.
        memorised: Whether the small LR had the pattern at that contrast; None where only one
            contrast was given.
    """

    accuracy: Mapping[float, float]
    contrast: float
    memorised: bool | None

    @staticmethod
    def of(accuracy: Mapping[float, float]) -> Calibration:
        """Take the faintest contrast that was memorised, or the strongest where none was.

        >>> Calibration.of({0.1: 0.12, 0.2: 0.95, 0.4: 0.99}).contrast
        0.2
        """
        reached = [contrast for contrast, value in accuracy.items() if value >= PATCH_LEVEL]
        chosen = min(reached) if reached else max(accuracy)
        return Calibration(dict(accuracy), chosen, bool(reached))


@dataclass(frozen=True)
class Probed:
    """What a probe found.

    Attributes:
        probe: Its settings, with the epochs that the budget bought.
        calibration: The pattern's contrast.
        results: The runs of all arms.
        not_retrained: Why last layers were not retrained; empty where they were.
    """

    probe: Probe
    calibration: Calibration
    results: Results
    not_retrained: str = ""

    def numbers(self, arm: str) -> ArmNumbers:
        """Return what the runs of an arm came to."""
        results, counts = self.results, self.results.counts(arm)
        return ArmNumbers(
            clean=results.final(arm, "clean", "accuracy"),
            reliance=results.final(arm, "conflict", "reliance"),
            pattern=results.learned(arm, "patch"),
            content={
                words: results.learned(arm, "content", fraction)
                for words, fraction in CONTENT_LEVELS.items()
            },
            epochs=results.epochs(arm),
            chance=results.chance(),
            diverged=counts.get("diverged", 0),
            runs=sum(counts.values()),
        )

    def too_large(self, arm: str) -> str:
        """Return in words how an arm failed to train; empty where it did not."""
        return self.numbers(arm).too_large()

    def largest(self) -> float:
        """Return the largest learning rate at which the annealed arm trains, else the second."""
        arms = {rate: self.arm("annealed", rate) for rate in self.probe.rates[1:]}
        found = {rate: self.numbers(arm) for rate, arm in arms.items() if arm is not None}
        return largest_rate(found) if found else self.probe.rates[1]

    def arm(self, treatment: str, rate: float) -> str | None:
        """Return the name that an arm has among the results, None where it was left out."""
        wanted = {"arm": treatment, RATE: setting_words(rate)}
        return next((a for a in self.results.arms if self.results.labels(a) == wanted), None)
