"""Retrain the last layer of runs on images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from learnorder.config.settings import DataConfig, RunConfig
from learnorder.data import ImageData, Images, load_images, load_unseen
from learnorder.errors import ConfigError
from learnorder.images.backend import identify
from learnorder.patterns import EvaluationSet, evaluation_sets
from learnorder.retrain.cells import cells_of, scores_of, too_small
from learnorder.retrain.fitting import SAMPLES, FittedLayer, balanced, fit, fit_samples
from learnorder.retrain.layers import last_layer
from learnorder.retrain.weights import load_weights
from learnorder.runs.folder import RunFolder
from learnorder.runs.last_layer import GroupBalanced, LastLayer, LastLayerScores
from learnorder.seeding import generator
from learnorder.training.batches import Batches
from learnorder.training.image_problem import network_of
from learnorder.training.last_linear import recorded, unlike

_MOST_EXAMPLES = 5000
_FEWEST = 2
"""Fewest images of a group, so that the penalty can be cross-validated."""


@dataclass(frozen=True)
class RetrainingImages:
    """The images of a run, and those on which its last layer is retrained.

    Attributes:
        data: The images that the run was trained and evaluated on.
        images: Images to retrain on, without the pattern.
        unseen: Whether the run was not trained on ``images``.
        groups: Group of each of ``images``, int64 [N]; None without known groups.
    """

    data: ImageData
    images: Images
    unseen: bool
    groups: Tensor | None = None

    @staticmethod
    def load(config: DataConfig) -> RetrainingImages:
        """Load the unused training images of a run, or those trained on if none are unused."""
        data, unseen = load_images(config), load_unseen(config, _MOST_EXAMPLES)
        if unseen is None:
            groups = None if data.groups is None else data.groups.train
            return RetrainingImages(data, data.train, unseen=False, groups=groups)
        images, groups = unseen
        return RetrainingImages(data, images, unseen=True, groups=groups)


def retrain_images(
    folder: RunFolder[RunConfig], load: Callable[[DataConfig], RetrainingImages]
) -> LastLayer:
    """Return the effect of retraining the last layer of a run on images.

    It is fitted on training images without the pattern, equally many of each class: those that the
    run did not use, or, if it used all, those it was trained on. With known groups it is also
    fitted as :func:`~learnorder.retrain.tasks.retrain_task` fits it, on equally many of each group.

    Args:
        folder: The run.
        load: Loads the images.

    Raises:
        RunFolderError: Its weights do not fit.
        ConfigError: The model has no last layer that can be retrained.
    """
    config, loaded = folder.config, load(folder.config.data)
    data, images = loaded.data, loaded.images
    folder.check_identity(*identify([config]))
    model = network_of(config, data).eval()
    load_weights(folder, model, config.model.name)
    retraining = replace(data, evaluation=images)
    unplanted = _sets(config, retraining)[:1]
    layer = _find(config, retraining, unplanted[0], model)
    x, _ = _features(config, retraining, unplanted, model, *layer)["clean"]
    fewest = int(images.labels.unique(return_counts=True)[1].min())
    rows = balanced(images.labels, fewest, generator(config.seed, "last layer"))
    fitted, _ = fit(x[rows], images.labels.numpy()[rows])
    sets = _sets(config, data)
    features = _features(config, data, sets, model, *layer)
    before = {name: predicted for name, (_, predicted) in features.items()}

    def after(fitted: FittedLayer) -> LastLayerScores:
        return _scores({name: fitted.predict(x) for name, (x, _) in features.items()}, sets, data)

    grouped = _fit_groups(loaded, x, config.seed)
    if isinstance(grouped, tuple):
        by_group, examples = grouped
        grouped = GroupBalanced(after(by_group), examples)
    return LastLayer(
        _scores(before, sets, data),
        after(fitted),
        len(rows),
        loaded.unseen,
        group_balanced=grouped,
    )


def _fit_groups(
    loaded: RetrainingImages, x: NDArray[np.float32], seed: int
) -> tuple[FittedLayer, int] | GroupBalanced | None:
    """Fit a layer on equally many images of each group.

    Args:
        loaded: The images.
        x: Input of the last layer on those to retrain on, [N, F].
        seed: The run's seed.

    Returns:
        The layer and the size of each sample; that a group is too small; None without groups.
    """
    if loaded.data.groups is None or loaded.groups is None:
        return None
    labels = loaded.images.labels
    if few := too_small(loaded.groups, loaded.data.groups.names, _FEWEST):
        return GroupBalanced(None, 0, few)
    cells, names = cells_of(loaded.data.groups, loaded.groups, labels)
    if few := too_small(cells, names, _FEWEST):
        return GroupBalanced(None, 0, few)
    count = int(cells.bincount().min())
    rng = generator(seed, "last layer", "samples", "group")
    layer = fit_samples(x, labels, cells, count, SAMPLES, rng, for_worst=True)
    return layer, count * len(names)


def _sets(config: RunConfig, data: ImageData) -> list[EvaluationSet]:
    """Return the evaluation sets, the clean one first."""
    return evaluation_sets(config.patch, data.evaluation.labels, data.num_classes, config.seed)


@torch.no_grad()
def _find(
    config: RunConfig, data: ImageData, set_: EvaluationSet, model: nn.Module
) -> tuple[str, nn.Linear]:
    """Return the name and the module of the network's last layer."""
    batch = next(iter(Batches(config, data, torch.device("cpu")).evaluation(set_)))
    return last_layer(model, data.num_classes, lambda: model(batch.images), _refusal(config))


def _refusal(config: RunConfig) -> Callable[[str], ConfigError]:
    return lambda reason: ConfigError("model.name", config.model.name, reason)


@torch.no_grad()
def _features(
    config: RunConfig,
    data: ImageData,
    sets: Sequence[EvaluationSet],
    model: nn.Module,
    name: str,
    layer: nn.Linear,
) -> dict[str, tuple[NDArray[np.float32], Tensor]]:
    """Return the layer's input [N, F] and the predicted classes [N], by evaluation set."""
    batches = Batches(config, data, torch.device("cpu"))
    features = {}
    for set_ in sets:
        with recorded({name: layer}) as calls:
            predicted = [model(batch.images).argmax(1) for batch in batches.evaluation(set_)]
        if not all(call.predicted(of_call) for call, of_call in zip(calls, predicted, strict=True)):
            raise unlike(name, _refusal(config))
        inputs = torch.cat([call.inputs for call in calls]).numpy()
        features[set_.name] = inputs, torch.cat(predicted)
    return features


def _scores(
    predicted: Mapping[str, Tensor], sets: Sequence[EvaluationSet], data: ImageData
) -> LastLayerScores:
    pattern = next((s.pattern_labels for s in sets if s.name == "conflict"), None)
    return scores_of(predicted, data.evaluation.labels, pattern, data.groups)
