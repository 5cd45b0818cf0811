"""The results of a paper's experiments at one scale, on which claims are judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from learnorder.runs.results import Results, TaskResults
from learnorder.theory.results import TheoryResults

AnyResults: TypeAlias = Results | TaskResults | TheoryResults
"""The results of an experiment."""
Need: TypeAlias = tuple[str, str]
"""An experiment and one of its arms."""


@dataclass(frozen=True)
class Evidence:
    """Results by experiment; experiments without runs are absent.

    Attributes:
        experiments: By name, as in the titles of the paper.
    """

    experiments: Mapping[str, AnyResults]

    def results(self, experiment: str, *arms: str) -> AnyResults | None:
        """Return the results of an experiment, None if it or one of the arms has no runs."""
        results = self.experiments.get(experiment)
        if results is None:
            return None
        return results if set(arms) <= {f.labels.get("arm") for f in results.folders} else None

    def images(self, experiment: str, *arms: str) -> Results | None:
        """Return the results of an experiment on images; see :meth:`results`."""
        results = self.results(experiment, *arms)
        return results if isinstance(results, Results) else None

    def networks(self, experiment: str, *arms: str) -> Results | TaskResults | None:
        """Return the results of an experiment that trains networks; see :meth:`results`."""
        results = self.results(experiment, *arms)
        return None if isinstance(results, TheoryResults) else results

    def theory(self, experiment: str, *arms: str) -> TheoryResults | None:
        """Return the results of an experiment of the theory; see :meth:`results`."""
        results = self.results(experiment, *arms)
        return results if isinstance(results, TheoryResults) else None

    def first_name(self, experiment: str) -> str:
        """Return the first name under which the runs of this experiment are listed."""
        shared = self.experiments[experiment]
        return next(name for name, results in self.experiments.items() if results is shared)

    def distinct(self) -> dict[str, AnyResults]:
        """Return the experiments; those that share their runs under their first name only."""
        return {n: results for n, results in self.experiments.items() if n == self.first_name(n)}

    def has(self, needs: tuple[Need, ...]) -> bool:
        """Whether all these arms have runs, finished or not."""
        return all(self.results(experiment, arm) is not None for experiment, arm in needs)

    def unfinished(self, needs: tuple[Need, ...]) -> dict[Need, dict[str, int]]:
        """Return the number of unfinished runs of these arms, by arm and status."""
        unfinished = {}
        for experiment, arm in needs:
            results = self.results(experiment, arm)
            if results is not None and (counts := results.unfinished(arm)):
                unfinished[experiment, arm] = counts
        return unfinished

    def plateau(self, experiment: str) -> range | None:
        """Return the second half of the epochs before the large arm's anneal.

        If a is the first annealed epoch, these are the epochs e with (a − 1)/2 < e ≤ a − 1. None
        if the large arm has no runs or is not annealed in steps.
        """
        results = self.images(experiment, "large")
        if results is None:
            return None
        large = results.runs_of("large")[0]
        if not (steps := large.config.learning_rate.step_epochs):
            return None
        return range((steps[0] - 1) // 2 + 1, steps[0])

    def chance(self, experiment: str) -> float | None:
        """Return the accuracy of a random guess, in [0, 1]; None without runs on images."""
        results = self.images(experiment)
        return None if results is None else results.chance()
