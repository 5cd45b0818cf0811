"""What claims are judged by: the results of the paper's experiments at one scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from learnorder.runs.results import Results
from learnorder.theory.results import TheoryResults

Need: TypeAlias = tuple[str, str]
"""An experiment and one of its arms."""


@dataclass(frozen=True)
class Evidence:
    """Results by the name of their experiment; an experiment that was not run is absent.

    Attributes:
        experiments: See :mod:`learnorder.reproduce.scales`.
    """

    experiments: Mapping[str, Results | TheoryResults]

    def results(self, experiment: str, *arms: str) -> Results | TheoryResults | None:
        """Return the results of an experiment, None where it or one of the arms was not run."""
        found = self.experiments.get(experiment)
        if found is None:
            return None
        there = {folder.labels.get("arm") for folder in found.folders}
        return found if set(arms) <= there else None

    def images(self, experiment: str, *arms: str) -> Results | None:
        """Return results on images; see :meth:`results`."""
        found = self.results(experiment, *arms)
        return found if isinstance(found, Results) else None

    def theory(self, experiment: str, *arms: str) -> TheoryResults | None:
        """Return results of the theory; see :meth:`results`."""
        found = self.results(experiment, *arms)
        return found if isinstance(found, TheoryResults) else None

    def home(self, experiment: str) -> str:
        """Return the first experiment that has the same runs as this one."""
        own = self.experiments[experiment]
        return next(name for name, found in self.experiments.items() if found is own)

    def homes(self) -> dict[str, Results | TheoryResults]:
        """Return the experiments, those that share their runs under the first name only."""
        return {n: found for n, found in self.experiments.items() if n == self.home(n)}

    def has(self, needs: tuple[Need, ...]) -> bool:
        """Whether runs of all these arms are there, finished or not."""
        return all(self.results(experiment, arm) is not None for experiment, arm in needs)

    def unfinished(self, needs: tuple[Need, ...]) -> dict[Need, dict[str, int]]:
        """Return how many runs of these arms have other statuses than finished, by status."""
        found = {}
        for experiment, arm in needs:
            results = self.results(experiment, arm)
            counts = {} if results is None else results.unfinished(arm)
            if counts:
                found[experiment, arm] = counts
        return found

    def phase(self, experiment: str) -> range | None:
        """Return the second half of the large-LR phase of an experiment on images, as epochs.

        With a the epoch of the large arm's first anneal, the epochs e with (a − 1)/2 < e ≤ a − 1.
        None where the large arm was not run, or is not annealed in steps.
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
        return None if found is None else found.chance()
