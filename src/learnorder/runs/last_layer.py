"""What retraining the last layer of a run changed, as its folder keeps it."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from learnorder.config.settings import RunConfig
from learnorder.runs.folder import RunFolder
from learnorder.runs.sealed import read_sealed, write_sealed

FILE = "last_layer.json"


@dataclass(frozen=True)
class LastLayerScores:
    """What a network's predictions follow.

    Attributes:
        clean: Accuracy on clean images.
        content: Share of conflict images predicted as the image's class; None without a patch.
        reliance: See :class:`~learnorder.patterns.Reliance`; None without a patch.
    """

    clean: float
    content: float | None
    reliance: float | None


@dataclass(frozen=True)
class LastLayer:
    """What retraining the last layer changed.

    Attributes:
        before: The network as trained.
        after: With its last layer retrained.
        examples: Images the layer was retrained on, as many of each class.
        unseen: Whether the network had not been trained on them.
    """

    before: LastLayerScores
    after: LastLayerScores
    examples: int
    unseen: bool


def write_last_layer(folder: RunFolder[RunConfig], found: LastLayer) -> None:
    """Keep it in the run's folder."""
    write_sealed(folder.file(FILE), asdict(found))


def read_last_layer(folder: RunFolder[RunConfig]) -> LastLayer | None:
    """Return what a run's folder says of its last layer, None where it was not retrained.

    Raises:
        RunFolderError: It cannot be read.
    """
    return read_sealed(folder.file(FILE), LastLayer, "Remove it and run learnorder retrain.")
