"""Retrain the last layer of a finished network on examples without a shortcut.

A network that follows a pattern against the content may still have learned the content: its
features may contain it while its last layer weights the pattern more. Retraining that layer on
class-balanced examples without the pattern shows which (Kirichenko, Izmailov, Wilson, *Last Layer
Re-Training is Sufficient for Robustness to Spurious Correlations*, ICLR 2023): content that the new
layer can read from the same features was learned. For known groups, such as a spurious attribute
within each class, it is also retrained on equally many examples of each group.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from learnorder.config.settings import DataConfig, TaskRunConfig
from learnorder.errors import RunFolderError
from learnorder.retrain.images import RetrainingImages, retrain_images
from learnorder.retrain.tasks import retrain_task
from learnorder.runs.folder import RunFolder
from learnorder.runs.last_layer import LastLayer, read_last_layer, write_last_layer


def retrain_last_layer(
    folder: RunFolder[Any],
    load: Callable[[DataConfig], RetrainingImages] = RetrainingImages.load,
) -> LastLayer:
    """Retrain the last layer of a finished run, and write the result to its folder.

    The layer is the model's last ``nn.Linear`` with one output per class. It is replaced by
    scikit-learn's logistic regression on its standardised input [N, F], with an L2 penalty chosen
    by cross-validation. See :func:`~learnorder.retrain.images.retrain_images` and
    :func:`~learnorder.retrain.tasks.retrain_task` for the examples that it is fitted on. The saved
    network is not changed.

    Args:
        folder: A finished run on images or of a task. An existing result is read from it.
        load: Loads images; pass a cached function for many runs with the same images.

    Returns:
        The scores before and after.

    Raises:
        RunFolderError: The run has not finished, its weights do not fit, or its code or data were
            changed.
        ConfigError: The model has no last layer that can be retrained, or the task's examples are
            too few.
    """
    if (existing := read_last_layer(folder)) is not None:
        return existing
    if folder.read_status() != "finished":
        raise RunFolderError(
            f"{folder.path}: {folder.read_status()}. Only finished runs can be retrained; the "
            "command that started the run continues it."
        )
    is_task = isinstance(folder.config, TaskRunConfig)
    result = retrain_task(folder) if is_task else retrain_images(folder, load)
    write_last_layer(folder, result)
    return result
