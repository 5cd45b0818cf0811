"""Records of runs, by arm and seed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from learnorder.errors import RunFolderError
from learnorder.runs import RunFolder
from learnorder.runs.arms import arm_key, name_arms, own_labels, without_duplicates
from learnorder.runs.html_table import html_list, html_table
from learnorder.runs.judged import judged_by
from learnorder.runs.kinds import kind_named
from learnorder.runs.plain_text import storable
from learnorder.runs.recorded import RecordedValues
from learnorder.statistics import (
    REAL,
    Estimate,
    Range,
    estimate,
    paired_difference,
    range_of,
    shown_in,
)

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


FolderT = TypeVar("FolderT", bound=RunFolder[Any])


WITHOUT_RESULT = ("diverged", "out_of_steps", "no_score")
"""Statuses of runs that ended without final values; they are in no mean."""


class RunSet(ABC, Generic[FolderT]):
    """Runs of one kind, by arm and seed.

    An *arm* is a set of runs whose labels and configuration differ only in the seed.

    Args:
        folders: The runs. Duplicates count once, also runs of the same arm and seed in several
            folders: the first that has ended counts.

    Attributes:
        folders: The runs.
        arms: Names of the arms, in order of appearance. Arms of several experiments that would have
            the same name are distinguished by the settings in which they differ.

    Raises:
        RunFolderError: There are no runs.
    """

    def __init__(self, folders: Iterable[FolderT]) -> None:
        unique = list({folder.path.resolve(): folder for folder in folders}.values())
        if not unique:
            raise RunFolderError("There are no runs. Make some, e.g. with learnorder patch.")
        self._status = {folder: folder.read_status() for folder in unique}
        keys = {folder: arm_key(folder) for folder in unique}
        self.folders: list[FolderT] = without_duplicates(unique, self._status, keys)
        self._arms = name_arms(self.folders, keys)
        self._runs: dict[str, list[FolderT]] = {}
        for folder, arm in self._arms.items():
            self._runs.setdefault(arm, []).append(folder)
        self.arms: list[str] = list(self._runs)

    def __repr__(self) -> str:
        counts = {arm: self.counts(arm) for arm in self.arms}
        return f"{type(self).__name__}({len(self.folders)} runs, {counts})"

    def arm_of(self, folder: FolderT) -> str:
        """Return the name of the arm a run belongs to."""
        return self._arms[folder]

    def runs_of(self, arm: str) -> list[FolderT]:
        """Return the runs of an arm.

        Raises:
            KeyError: There is no such arm.
        """
        if arm not in self._runs:
            raise KeyError(f"There is no arm {arm!r}. Give one of {self.arms}.")
        return self._runs[arm]

    @cached_property
    def described(self) -> dict[FolderT, Any]:
        """Descriptions of the data of the runs that have begun; see :meth:`RunFolder.data`."""
        said = {folder: folder.data() for folder in self.folders}
        return {folder: data for folder, data in said.items() if data is not None}

    def unfinished(self, label: str) -> dict[str, int]:
        """Return the number of runs by status, except finished, with this arm as their label."""
        counts = Counter(self._status[f] for f in self.folders if f.labels.get("arm") == label)
        return {status: n for status, n in counts.items() if status != "finished"}

    def is_finished(self, folder: FolderT) -> bool:
        """Whether a run has finished; runs that ended without a result have not."""
        return self._status[folder] == "finished"

    def lost(self, arm: str) -> str:
        """Return how many of an arm's runs ended without a result, e.g. "1 of 5 diverged"."""
        counts = self.counts(arm)
        total = sum(counts.values())
        return ", ".join(
            f"{counts[status]} of {total} {status.replace('_', ' ')}"
            for status in WITHOUT_RESULT
            if status in counts
        )

    def labels(self, arm: str) -> dict[str, str]:
        """Return the labels of an arm: its name, and the settings that were varied."""
        return own_labels(self.runs_of(arm)[0])

    def frame(self) -> pd.DataFrame:
        """Return all records as a data frame: run, arm, seed, status, and the records' columns."""
        import pandas as pd

        parts = []
        for folder in self.folders:
            part = folder.records().to_pandas()
            part.insert(0, "run", storable(folder.name))
            part.insert(1, "arm", self.arm_of(folder))
            part.insert(2, "seed", folder.config.seed)
            part.insert(3, "status", self._status[folder])
            parts.append(part)
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def finished(self) -> pd.DataFrame:
        """The records of finished runs."""
        return self.frame().query("status == 'finished'")

    @cached_property
    def has_finished(self) -> bool:
        """Whether there is a finished run with records."""
        return any(len(f.records()) > 0 for f in self.folders if self.is_finished(f))

    @abstractmethod
    def final(self, arm: str, set_: str, quantity: str) -> dict[int, float]:
        """Return a quantity at the end of an arm's finished runs, by seed.

        Raises:
            KeyError: There is no such arm or measurement.
        """

    def final_estimate(self, arm: str, set_: str, quantity: str) -> Estimate:
        """Return the mean over seeds of a final quantity, with its 95 % t interval.

        Raises:
            KeyError: As for :meth:`final`.
        """
        values = list(self.final(arm, set_, quantity).values())
        return estimate(values, within=self.range_of(quantity))

    def final_difference(self, arm: str, baseline: str, set_: str, quantity: str) -> Estimate:
        """Return the paired difference arm − baseline of a final quantity, over common seeds.

        Raises:
            KeyError: As for :meth:`final`.
        """
        values, reference = (self.final(name, set_, quantity) for name in (arm, baseline))
        return paired_difference(values, reference, within=self.range_of(quantity))

    def range_of(self, quantity: str) -> Range:
        """Return the range of a recorded quantity."""
        return range_of(quantity, self.loss_range)

    @property
    def loss_range(self) -> Range:
        """The range of the loss."""
        return REAL

    @abstractmethod
    def quantities(self) -> list[tuple[str, str, str]]:
        """Return the final quantities that tables show: set, quantity, heading."""

    def _draw(self, name: str) -> go.Figure:
        """Return a figure by its name."""
        figures = kind_named(self.folders[0].kind).present().FIGURES
        if name not in figures:
            raise KeyError(f"There is no figure {name!r}. Give one of {sorted(figures)}.")
        return figures[name](self)

    def setup(self) -> list[tuple[str, str]]:
        """Return how the runs were made, as terms and descriptions."""
        return kind_named(self.folders[0].kind).present().setup(self)

    def findings(self) -> list[str]:
        """Return the findings as sentences, based on the confidence intervals."""
        return kind_named(self.folders[0].kind).present().findings(self)

    def _repr_html_(self) -> str:
        return html_list(self.findings()) + self.html_table()

    def html_table(self) -> str:
        """Return an HTML table of final quantities by arm, for notebooks."""
        shown = self.quantities()
        rows = [
            [
                arm,
                self.status_words([arm]),
                *(shown_in(q, self.final_estimate(arm, s, q)) for s, q, _ in shown),
            ]
            for arm in self.arms
        ]
        columns = ["arm", "runs", *(heading for _, _, heading in shown)]
        return html_table(
            "At the end of training", columns, rows, "Mean over seeds [95 % interval]."
        )

    def status_words(self, arms: Iterable[str] | None = None) -> str:
        """Return the number of runs by status, of some arms or of all, as text."""
        counts = Counter[str]()
        for arm in self.arms if arms is None else arms:
            counts.update(self.counts(arm))
        return ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in counts.items())

    def counts(self, arm: str) -> dict[str, int]:
        """Return the number of an arm's runs by status."""
        return dict(Counter(self._status[folder] for folder in self.runs_of(arm)))


class NetworkRuns(RunSet[FolderT]):
    """Records of runs that train a network, by arm, seed and epoch.

    Runs that diverged or have not finished are in :meth:`frame`, but in no mean.
    """

    @cached_property
    def evaluated(self) -> str:
        """The set by which runs are judged: clean, or validation for tasks without a pattern."""
        return judged_by(next(iter(self.described), self.folders[0]))[0]

    def series(
        self, arm: str, set_: str, quantity: str, group: str = "all"
    ) -> dict[int, dict[int, float]]:
        """Return a quantity of an arm's finished runs: {seed: {epoch: value}}.

        Args:
            arm: Name of the arm, one of ``arms``.
            set_: Set that was evaluated, e.g. clean, patch_only, mixed, conflict or train.
            quantity: E.g. accuracy, loss or reliance; accuracies and shares are in [0, 1].
            group: Group of examples within the set: within train what they show, or a known group.

        Raises:
            KeyError: There is no such arm or set.
        """
        runs, sets = self.runs_of(arm), self.sets
        if sets and set_ not in sets:
            raise KeyError(f"There is no set {set_!r}. Give one of {sorted(sets)}.")
        series: dict[int, dict[int, float]] = {}
        for run in runs:
            if values := self._recorded.series(run, (set_, quantity, group)):
                series.setdefault(run.config.seed, {}).update(values)
        return series

    @cached_property
    def sets(self) -> set[str]:
        """The sets that finished runs were evaluated on."""
        return self._recorded.sets()

    @cached_property
    def _recorded(self) -> RecordedValues:
        """The records of finished runs."""
        return RecordedValues(folder for folder in self.folders if self.is_finished(folder))

    def diverged(self, arm: str) -> list[int]:
        """Return the seeds of an arm's diverged runs."""
        runs = self.runs_of(arm)
        return [run.config.seed for run in runs if self._status[run] == "diverged"]

    def final(self, arm: str, set_: str, quantity: str, group: str = "all") -> dict[int, float]:
        """Return a quantity after the last epoch, by seed; see :meth:`series`."""
        series = self.series(arm, set_, quantity, group)
        return {seed: values[max(values)] for seed, values in series.items()}

    def curve(self, arm: str, set_: str, quantity: str, group: str = "all") -> dict[int, Estimate]:
        """Return the mean over seeds at each epoch, with its 95 % t interval."""
        series = self.series(arm, set_, quantity, group).values()
        epochs = sorted({epoch for values in series for epoch in values})
        by_epoch = {e: [values[e] for values in series if e in values] for e in epochs}
        within = self.range_of(quantity)
        return {epoch: estimate(values, within=within) for epoch, values in by_epoch.items()}
