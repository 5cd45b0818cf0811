"""What a probe found: the pattern's contrast, and the runs of all arms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from learnorder.errors import ConfigError
from learnorder.probe.arms import ArmNumbers, largest_rate
from learnorder.probe.settings import Probe
from learnorder.runs import setting_words
from learnorder.runs.html_table import html_list
from learnorder.statistics.learned import CONTENT_LEVELS, NEXT_TO_NOTHING, PATCH_LEVEL, on_the_way

if TYPE_CHECKING:
    from learnorder.runs.results import Results

RATE = "learning_rate.initial"
"""The setting that the probe varies, as labels name it."""


@dataclass(frozen=True)
class Calibration:
    """Which contrast the pattern has, and why.

    Attributes:
        accuracy: Patch-only accuracy of the small LR at the epoch before the anneal, by contrast;
            empty where only one contrast was given.
        contrast: The one taken: the faintest that was memorised, or the one given.
        clean: Accuracy on clean images of the same runs.
    """

    accuracy: Mapping[float, float]
    contrast: float
    clean: Mapping[float, float] = field(default_factory=dict)

    @property
    def tried(self) -> bool:
        """Whether the pattern was shown to be memorised; a single contrast is taken as it is."""
        return bool(self.accuracy)


def calibrate(
    probe: Probe,
    accuracy: Mapping[float, float],
    clean: Mapping[float, float],
    chance: float | None,
) -> Calibration:
    """Take the faintest contrast that was memorised.

    Args:
        probe: Its settings.
        accuracy: Patch-only accuracy of the small LR at the epoch before the anneal, by contrast.
        clean: Accuracy on clean images of the same runs.
        chance: Accuracy of guessing; None where it is not known.

    Raises:
        ConfigError: The pattern is memorised at no contrast, or the content is learned at none:
            what the arms came to would say nothing.
    """
    small, epochs = f"{probe.rates[0]:g}", probe.anneal_epoch - 1
    reached = [contrast for contrast, value in accuracy.items() if value >= PATCH_LEVEL]
    if not reached:
        found = ", ".join(f"{100 * value:.0f} % at {c:g}" for c, value in accuracy.items())
        raise ConfigError(
            "contrasts",
            list(probe.contrasts),
            f"In the {epochs} epochs before the anneal the small learning rate, {small}, memorises "
            f"the pattern at none of them ({found} on the pattern alone, where "
            f"{100 * PATCH_LEVEL:.0f} % counts), so the probe stops here. Give stronger contrasts, "
            "a larger pattern_size, more training.epochs, or a larger first learning rate.",
        )
    best = max(clean.values(), default=1.0)
    if chance is not None and best <= on_the_way(chance, NEXT_TO_NOTHING):
        raise ConfigError(
            "training.epochs",
            probe.training.epochs,
            f"In the {epochs} epochs before the anneal the small learning rate, {small}, learns "
            f"the content at no contrast (at most {100 * best:.0f} % on clean images, where "
            f"guessing is at {100 * chance:.0f} %), so the probe stops here. Give more epochs, "
            "more data.train_examples, a larger first learning rate, or another network.",
        )
    return Calibration(dict(accuracy), min(reached), dict(clean))


@dataclass(frozen=True)
class ProbeResult:
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
        """Return what the runs of an arm came to; ``arm`` is a name, as :meth:`arm` returns it."""
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
        )

    def findings(self) -> list[str]:
        """Return what was found, in sentences that go no further than their intervals."""
        from learnorder.probe.page import probe_findings

        return probe_findings(self)

    def _repr_html_(self) -> str:
        return html_list(self.findings()) + self.results.html_table()

    def largest(self) -> float:
        """Return the largest learning rate at which the annealed arm trains, else the second."""
        arms = {rate: self.arm("annealed", rate) for rate in self.probe.rates[1:]}
        found = {rate: self.numbers(arm) for rate, arm in arms.items() if arm is not None}
        return largest_rate(found) if found else self.probe.rates[1]

    def arm(self, arm: str, rate: float) -> str | None:
        """Return the name that an arm has among the results, None where it was left out.

        Args:
            arm: constant, annealed, constant_noise or annealed_noise.
            rate: Its initial learning rate.
        """
        wanted = {"arm": arm, RATE: setting_words(rate)}
        return next((a for a in self.results.arms if self.results.labels(a) == wanted), None)
