"""The file with the effect of retraining a run's last layer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from learnorder.runs.folder import RunFolder
from learnorder.runs.sealed import read_sealed, write_sealed

FILE = "last_layer.json"
Balance = Literal["class", "group"]
"""What the examples for retraining have equally many of."""


@dataclass(frozen=True)
class LastLayerScores:
    """Scores of a network, on images or on the validation examples of a task.

    Attributes:
        clean: Accuracy without the pattern, in [0, 1].
        content: Share of conflict examples predicted as the content's class; None without a
            pattern.
        reliance: Reliance on the pattern; see :class:`~learnorder.patterns.Reliance`, in [−1, 1].
            None without a pattern.
        worst_group_accuracy: Accuracy of the worst known group, in [0, 1]; None without groups.
        accuracy_gap: ``clean`` less the accuracy of the worst group; None without groups.
        attribute_reliance: Reliance on the attribute that makes the groups, in [−1, 1]; None if it
            is not spurious.
    """

    clean: float
    content: float | None
    reliance: float | None
    worst_group_accuracy: float | None = None
    accuracy_gap: float | None = None
    attribute_reliance: float | None = None


@dataclass(frozen=True)
class GroupBalanced:
    """The effect of retraining the last layer on equally many examples of each group.

    Attributes:
        after: Scores with the last layer retrained; None if a group is too small.
        examples: Number of examples that it was retrained on, in each of several samples.
        refused: Which group is too small; empty if none is.
    """

    after: LastLayerScores | None
    examples: int
    refused: str = ""


@dataclass(frozen=True)
class LastLayer:
    """The effect of retraining the last layer.

    Attributes:
        before: Scores of the network as trained.
        after: Scores with its last layer retrained, balanced over the classes.
        examples: Number of examples the layer was retrained on, balanced over the classes.
        unseen: Whether the network had not been trained on them.
        measured: Of a task, the number of validation examples that were measured, each with a layer
            that was fitted on the other half of them; None for images.
        group_balanced: The same, balanced over the known groups; None without groups.
    """

    before: LastLayerScores
    after: LastLayerScores
    examples: int
    unseen: bool
    measured: int | None = None
    group_balanced: GroupBalanced | None = None

    def retrained(self, balance: Balance) -> LastLayerScores | None:
        """Return the scores after retraining; None if it was not retrained in this way."""
        if balance == "class":
            return self.after
        return None if self.group_balanced is None else self.group_balanced.after


def write_last_layer(folder: RunFolder[Any], last_layer: LastLayer) -> None:
    """Write last_layer.json to the run's folder."""
    write_sealed(folder.file(FILE), asdict(last_layer))


def read_last_layer(folder: RunFolder[Any]) -> LastLayer | None:
    """Return the effect of retraining a run's last layer, None if it was not retrained.

    Raises:
        RunFolderError: It cannot be read.
    """
    return read_sealed(folder.file(FILE), LastLayer, "Remove it and run learnorder retrain.")
