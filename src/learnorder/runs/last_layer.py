"""The file with the effect of retraining a run's last layer."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from learnorder.config.settings import RunConfig
from learnorder.runs.folder import RunFolder
from learnorder.runs.sealed import read_sealed, write_sealed

FILE = "last_layer.json"


@dataclass(frozen=True)
class LastLayerScores:
    """Scores of a network.

    Attributes:
        clean: Accuracy on clean images, in [0, 1].
        content: Share of conflict images predicted as the image's class; None without a patch.
        reliance: See :class:`~learnorder.patterns.Reliance`, in [−1, 1]; None without a patch.
    """

    clean: float
    content: float | None
    reliance: float | None


@dataclass(frozen=True)
class LastLayer:
    """The effect of retraining the last layer.

    Attributes:
        before: Scores of the network as trained.
        after: Scores with its last layer retrained.
        examples: Number of images the layer was retrained on, balanced over the classes.
        unseen: Whether the network had not been trained on them.
    """

    before: LastLayerScores
    after: LastLayerScores
    examples: int
    unseen: bool


def write_last_layer(folder: RunFolder[RunConfig], last_layer: LastLayer) -> None:
    """Write last_layer.json to the run's folder."""
    write_sealed(folder.file(FILE), asdict(last_layer))


def read_last_layer(folder: RunFolder[RunConfig]) -> LastLayer | None:
    """Return the effect of retraining a run's last layer, None if it was not retrained.

    Raises:
        RunFolderError: It cannot be read.
    """
    return read_sealed(folder.file(FILE), LastLayer, "Remove it and run learnorder retrain.")
