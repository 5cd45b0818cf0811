"""What claims are judged by: the results of the paper's experiments at one scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from learnorder.recipes.images import ARM_TITLES
from learnorder.results import Results, RunSet
from learnorder.theory import THEORY_ARMS
from learnorder.theory_results import TheoryResults

TITLES = {**ARM_TITLES, **THEORY_ARMS}
"""Words for the arms of all experiments."""


@dataclass(frozen=True)
class Evidence:
    """Results by the name of their experiment; an experiment that was not run is absent.

    Attributes:
        experiments: See :mod:`learnorder.recipes.reproduction`.
    """

    experiments: Mapping[str, RunSet]

    def images(self, experiment: str, *arms: str) -> Results | None:
        """Return results on images, None where they or one of their arms are missing."""
        found = self._with(experiment, arms)
        return found if isinstance(found, Results) else None

    def theory(self, experiment: str, *arms: str) -> TheoryResults | None:
        """Return results of the theory, None where they or one of their arms are missing."""
        found = self._with(experiment, arms)
        return found if isinstance(found, TheoryResults) else None

    def _with(self, experiment: str, arms: tuple[str, ...]) -> RunSet | None:
        found = self.experiments.get(experiment)
        return found if found is not None and set(arms) <= set(found.arms) else None

    def phase(self, experiment: str) -> range | None:
        """Return the second half of the large-LR phase of an experiment on images, as epochs.

        With a the epoch of the large arm's first anneal, the epochs e with (a − 1)/2 < e ≤ a − 1.
        """
        found = self.images(experiment, "large")
        if found is None:
            return None
        large = next(f for f in found.folders if found.arm_of(f) == "large")
        if not (steps := large.config.learning_rate.step_epochs):
            return None
        return range((steps[0] - 1) // 2 + 1, steps[0])

    def chance(self, experiment: str) -> float | None:
        """Return the accuracy of guessing among an experiment's classes."""
        found = self.images(experiment)
        if found is None:
            return None
        described = [f.manifest.get("data") for f in found.folders]
        classes = {data["num_classes"] for data in described if data}
        return 1 / classes.pop() if len(classes) == 1 else None
