"""The result of a probe: the calibration of the pattern, and the runs of all arms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from learnorder.errors import ConfigError
from learnorder.probe.arms import ArmNumbers, largest_rate
from learnorder.probe.settings import Probe
from learnorder.runs import setting_words
from learnorder.runs.experiment import findings_of
from learnorder.runs.html_table import html_list
from learnorder.statistics.learned import (
    CONTENT_LEVELS,
    NEXT_TO_NOTHING,
    PATCH_LEVEL,
    on_the_way,
    pattern_level,
)

if TYPE_CHECKING:
    from learnorder.runs.results import PatternRuns

RATE = "learning_rate.initial"
"""Label of the setting that the probe varies."""


@dataclass(frozen=True)
class Calibration:
    """The choice of the pattern's contrast.

    Attributes:
        accuracy: Patch-only accuracy of the small LR at the epoch before the anneal, by contrast;
            empty if only one contrast was given.
        contrast: The contrast chosen: the faintest that was memorised, or the one given.
        clean: Accuracy on clean data of the same runs, by contrast.
        level: Patch-only accuracy from which the pattern counts as memorised.
    """

    accuracy: Mapping[float, float]
    contrast: float
    clean: Mapping[float, float] = field(default_factory=dict)
    level: float = PATCH_LEVEL

    @property
    def tried(self) -> bool:
        """Whether the pattern was shown to be memorised; a single contrast is not tested."""
        return bool(self.accuracy)


def calibrate(
    probe: Probe,
    accuracy: Mapping[float, float],
    clean: Mapping[float, float],
    chance: float | None,
) -> Calibration:
    """Choose the faintest contrast that was memorised.

    Args:
        probe: The settings of the probe.
        accuracy: Patch-only accuracy of the small LR at the epoch before the anneal, by contrast.
        clean: Accuracy on clean data of the same runs.
        chance: Accuracy of guessing; None if unknown.

    Raises:
        ConfigError: The pattern is memorised at no contrast, or the content is learned at none, so
            that the arms would be uninformative.
    """
    small, epochs = f"{probe.rates[0]:g}", probe.anneal_epoch - 1
    level = pattern_level(chance)
    memorised = [contrast for contrast, value in accuracy.items() if value >= level]
    if not memorised:
        accuracies = ", ".join(f"{100 * value:.0f} % at {c:g}" for c, value in accuracy.items())
        raise ConfigError(
            "contrasts",
            list(probe.tried()),
            f"In the {epochs} epochs before the anneal the small learning rate, {small}, memorises "
            f"the pattern at none of them ({accuracies} on the pattern alone, but "
            f"{100 * level:.3g} % is needed), so the probe stops here. Give stronger "
            f"contrasts, {'' if probe.is_task else 'a larger pattern_size, '}more training.epochs, "
            "or a larger first learning rate.",
        )
    best = max(clean.values(), default=1.0)
    if chance is not None and best <= on_the_way(chance, NEXT_TO_NOTHING):
        raise ConfigError(
            "training.epochs",
            probe.training.epochs,
            f"In the {epochs} epochs before the anneal the small learning rate, {small}, learns "
            f"the content at no contrast (at most {100 * best:.0f} % on clean data, where "
            f"chance is {100 * chance:.0f} %), so the probe stops here. Give more epochs, "
            f"more {'training examples' if probe.is_task else 'data.train_examples'}, a larger "
            "first learning rate, or another network.",
        )
    return Calibration(dict(accuracy), min(memorised), dict(clean), level)


@dataclass(frozen=True)
class ProbeResult:
    """The result of a probe.

    Attributes:
        probe: Its settings, with the epochs that fit in the budget.
        calibration: The choice of the pattern's contrast.
        results: The runs of all arms.
        not_retrained: Why last layers were not retrained; empty if they were.
    """

    probe: Probe
    calibration: Calibration
    results: PatternRuns[Any]
    not_retrained: str = ""

    def numbers(self, arm: str) -> ArmNumbers:
        """Return the results of an arm by its name, as returned by :meth:`arm`."""
        results, counts = self.results, self.results.counts(arm)
        return ArmNumbers(
            clean=results.final(arm, "clean", "accuracy"),
            patch_only=results.final(arm, "patch_only", "accuracy"),
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
            noun=results.noun,
        )

    def findings(self) -> list[str]:
        """Return the findings in sentences."""
        return findings_of("probe", self)

    def _repr_html_(self) -> str:
        return html_list(self.findings()) + self.results.html_table()

    def largest(self) -> float:
        """Return the largest learning rate at which the annealed arm trains, or else the second."""
        arms = {rate: self.arm("annealed", rate) for rate in self.probe.rates[1:]}
        annealed = {rate: self.numbers(arm) for rate, arm in arms.items() if arm is not None}
        return largest_rate(annealed) if annealed else self.probe.rates[1]

    def arm(self, arm: str, rate: float) -> str | None:
        """Return the name of an arm in ``results``, or None if it was not run.

        Args:
            arm: constant, annealed, constant_noise or annealed_noise.
            rate: Initial learning rate.
        """
        labels = {"arm": arm, RATE: setting_words(rate)}
        return next((a for a in self.results.arms if self.results.labels(a) == labels), None)
