"""The results of runs, which commands return and reports show."""

from __future__ import annotations

from abc import abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

from learnorder.config.script import ScriptRunConfig
from learnorder.config.settings import RunConfig, TaskRunConfig
from learnorder.errors import RunFolderError
from learnorder.runs import RunFolder
from learnorder.runs.dynamics import KeptDynamics
from learnorder.runs.forgetting import NEW, Forgetting
from learnorder.runs.judged import chance_of
from learnorder.runs.known_groups import KnownGroups
from learnorder.runs.last_layer import Balance, LastLayer, read_last_layer
from learnorder.runs.run_set import WITHOUT_RESULT, FolderT, NetworkRuns, RunSet
from learnorder.statistics import POSITIVE, REAL, Estimate, Range, Span, paired_difference, range_of
from learnorder.statistics.learned import (
    CONTENT_LEVELS,
    first_epoch,
    is_undertrained,
    on_the_way,
    order_ratio,
    pattern_level,
)

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

__all__ = [
    "WITHOUT_RESULT",
    "NetworkRuns",
    "PatternRuns",
    "Results",
    "RunSet",
    "ScriptResults",
    "TaskResults",
]

_CONTENT_LEVEL = CONTENT_LEVELS["¼"]
_CLEAN = ("clean", "accuracy", "clean images")
_WITH_PATCH = (
    ("mixed", "accuracy", "mixed"),
    ("patch_only", "accuracy", "patch only"),
    ("conflict", "reliance", "reliance"),
)


class PatternRuns(NetworkRuns[FolderT]):
    """Records of runs in whose training data a pattern may be planted.

    Attributes:
        noun: What the data are, in texts: images or examples.
    """

    noun: str = "examples"

    @abstractmethod
    def has_patch(self) -> bool:
        """Whether any run planted a pattern in a share of the examples."""

    def has_faint(self) -> bool:
        """Whether any run planted a faint pattern in every example."""
        return False

    def groups(self) -> KnownGroups | None:
        """Return the known groups of the examples; None without any, or if runs differ in them."""
        return KnownGroups.of(self)

    def dynamics(self) -> pd.DataFrame:
        """Return the training dynamics of each example in each finished run that has kept them.

        Columns: ``arm``, ``seed``, ``index``, ``group``, ``label``, and those of
        :meth:`LearningOrder.frame <learnorder.LearningOrder.frame>`. The index is the position in
        the task's ``train``, or among a run's training images. Each prediction was made in
        training, before the update of its batch; images and examples of a planted pattern alone are
        left out. The label of an example that was never predicted is −100.

        Raises:
            RunFolderError: No finished run has kept them, or they cannot be read.
        """
        kept = KeptDynamics.of(self)
        if kept is None:
            raise RunFolderError(
                "No finished run has kept its training dynamics. Give training.dynamics true, and "
                "run in another folder."
            )
        return kept.frame()

    def learned(
        self, arm: str, what: str, fraction: float = _CONTENT_LEVEL
    ) -> dict[int, int | None]:
        """Return the epoch at which the patch or the content is learned, by seed; None if never.

        Without the seeds of runs whose data are not described, for the content.

        Args:
            arm: Name of the arm.
            what: patch or content.
            fraction: Threshold for the content, between guessing (0) and perfect (1); see
                :data:`~learnorder.statistics.learned.CONTENT_LEVELS`.

        Raises:
            KeyError: There is no such arm, or ``what`` is neither.
        """
        set_ = {"patch": "patch_only", "content": "clean"}[what]
        series, chances = self.series(arm, set_, "accuracy"), self._chances(arm)
        return {
            seed: first_epoch(
                list(values),
                list(values.values()),
                pattern_level(chances.get(seed))
                if what == "patch"
                else on_the_way(chances[seed], fraction),
            )
            for seed, values in series.items()
            if what == "patch" or seed in chances
        }

    def _chances(self, arm: str) -> dict[int, float]:
        """Return the accuracy of guessing on an arm's data, by seed."""
        runs = [folder for folder in self.runs_of(arm) if folder in self.described]
        known = {run.config.seed: chance_of(self.described[run]) for run in runs}
        return {seed: chance for seed, chance in known.items() if chance is not None}

    def order_ratio(self, arm: str, fraction: float = _CONTENT_LEVEL) -> dict[int, Span]:
        """Return log10 of the epoch of the patch over that of the content, by seed.

        Positive: the content is learned first. If one is never learned only a bound is known; see
        :func:`~learnorder.statistics.learned.order_ratio`.

        Args:
            arm: Name of the arm.
            fraction: As for :meth:`learned`.
        """
        patch, content = self.learned(arm, "patch"), self.learned(arm, "content", fraction)
        return {seed: order_ratio(patch[seed], content[seed], self.epochs(arm)) for seed in content}

    def epochs(self, arm: str) -> int:
        """Return the number of epochs of an arm's runs."""
        return max(folder.config.training.epochs for folder in self.runs_of(arm))

    def last_layers(self, arm: str) -> dict[int, LastLayer]:
        """Return the effects of retraining the last layer by seed, for runs where it was done."""
        by_seed = {run.config.seed: read_last_layer(run) for run in self.runs_of(arm)}
        return {seed: layer for seed, layer in by_seed.items() if layer is not None}

    def last_layer_scores(
        self, arm: str, quantity: str, balance: Balance = "class"
    ) -> tuple[dict[int, float], dict[int, float]]:
        """Return a score before and after retraining the last layer, each by seed.

        Args:
            arm: Name of the arm.
            quantity: A field of :class:`~learnorder.runs.last_layer.LastLayerScores`. Runs for
                which it was not measured are left out.
            balance: What the examples for retraining have equally many of: class or group.
        """
        before, after = dict[int, float](), dict[int, float]()
        for seed, layer in self.last_layers(arm).items():
            retrained = layer.retrained(balance)
            if retrained is None or (value := getattr(retrained, quantity)) is None:
                continue
            before[seed], after[seed] = getattr(layer.before, quantity), value
        return before, after

    def last_layer_change(self, arm: str, quantity: str, balance: Balance = "class") -> Estimate:
        """Return the paired difference after − before retraining the last layer, over seeds.

        Args:
            arm: As for :meth:`last_layer_scores`.
            quantity: As for :meth:`last_layer_scores`.
            balance: As for :meth:`last_layer_scores`.
        """
        before, after = self.last_layer_scores(arm, quantity, balance)
        return paired_difference(after, before, within=range_of(quantity))

    def chance(self) -> float | None:
        """Return the accuracy of guessing; None if it is unknown, or differs between the runs.

        See :func:`~learnorder.statistics.learned.chance_level`.
        """
        return self._chance

    @cached_property
    def _chance(self) -> float | None:
        chances = {chance_of(data) for data in self.described.values()}
        return chances.pop() if len(chances) == 1 else None

    def pattern_level(self) -> float | None:
        """Return the accuracy at which the pattern counts as learned; None if it differs by run."""
        levels = {pattern_level(chance_of(data)) for data in self.described.values()}
        return levels.pop() if len(levels) == 1 else None

    def undertrained(self, arm: str) -> bool:
        """Whether an arm has learned neither content nor pattern, by its final mean accuracies.

        See :func:`~learnorder.statistics.learned.is_undertrained`; false without a pattern.
        """
        chance = self.chance()
        if chance is None or not self.has_patch():
            return False
        clean, patch = (self.final_estimate(arm, s, "accuracy") for s in ("clean", "patch_only"))
        return clean.n > 0 and is_undertrained(clean.mean, patch.mean, chance)


class TaskResults(PatternRuns[RunFolder[TaskRunConfig]]):
    """Records of one or more runs of tasks.

    Sets are train and validation; with a pattern train, clean, mixed, patch_only and conflict. With
    an old task, there is also keep.
    """

    @property
    def loss_range(self) -> Range:
        """The range of the loss; that of a task's own function may be negative."""
        own = any(data.own_loss for data in self.described.values())
        return REAL if own else POSITIVE

    def has_patch(self) -> bool:
        """Whether any run planted a pattern in a share of the examples."""
        return any(folder.config.pattern.eligible_share > 0 for folder in self.folders)

    def has_faint(self) -> bool:
        """Whether any run planted a faint pattern in every example."""
        return any(folder.config.pattern.faint > 0 for folder in self.folders)

    def forgetting(self) -> Forgetting | None:
        """Return the gain on the new task and the forgetting of the old one.

        None if the task has no :class:`~learnorder.Keep`, or if runs differ in it.
        """
        return Forgetting.of(self) if self.evaluated == NEW else None

    def quantities(self) -> list[tuple[str, str, str]]:
        """Return the score and the loss on validation data, or those with a pattern."""
        if self.has_patch():
            return [
                ("clean", "accuracy", "clean examples"),
                *((s, q, "pattern alone" if s == "patch_only" else t) for s, q, t in _WITH_PATCH),
            ]
        names = dict.fromkeys([self.score()[0], "loss"])
        return [(self.evaluated, name, f"{self.evaluated} {name}") for name in names]

    def score(self) -> tuple[str, bool]:
        """Return the name of the runs' score, and whether higher is better.

        If it is unknown, or the runs have different scores, it is the loss.
        """
        scores = {(data.score, data.higher_is_better) for data in self.described.values()}
        return scores.pop() if len(scores) == 1 else ("loss", False)


class Results(PatternRuns[RunFolder[RunConfig]]):
    """Records of one or more runs on images, by arm and seed.

    Runs that diverged or have not finished are in :meth:`frame`, but in no mean.
    """

    noun = "images"

    @property
    def loss_range(self) -> Range:
        """The range of the loss, a cross-entropy."""
        return POSITIVE

    def figure(self, name: str | None = None) -> go.Figure:
        """Return a figure.

        Args:
            name: patch_only, clean, mixed, reliance, train, train_clean, train_patch_only or
                train_both over the epochs; if measured, sharpness (λ), edge (ηλ/2),
                batch_sharpness, batch_edge, feature_rank, active_share, distinct_units,
                distinct_active_share or spikes; order; conflict; final_clean, final_patch_only or
                final_reliance. None takes patch_only, or clean if there is no patch.

        Raises:
            KeyError: There is no figure with this name.
        """
        return self._draw(name or ("patch_only" if self.has_patch() else "clean"))

    def quantities(self) -> list[tuple[str, str, str]]:
        """Return accuracies and reliance on the available evaluation sets."""
        return [_CLEAN, *(_WITH_PATCH if self.has_patch() else ())]

    def has_patch(self) -> bool:
        """Whether any run planted the patch."""
        return any(folder.config.patch.planted for folder in self.folders)


class ScriptResults(NetworkRuns[RunFolder[ScriptRunConfig]]):
    """Records of one or more runs of a script: its score, in the set validation."""

    def score(self) -> tuple[str, bool]:
        """Return the name of the runs' score, and whether higher is better."""
        script = self.folders[0].config.script
        return script.score_name, script.higher_is_better

    def quantities(self) -> list[tuple[str, str, str]]:
        """Return the scores."""
        names = dict.fromkeys(folder.config.script.score_name for folder in self.folders)
        return [("validation", name, name) for name in names]
