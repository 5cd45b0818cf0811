"""Retrain the last layer of a finished network on clean images.

A network that follows a pattern against the content may still have learned the content: its
features may contain it while its last layer weights the pattern more. Retraining that layer on
class-balanced images without the pattern shows which (Kirichenko, Izmailov, Wilson, *Last Layer
Re-Training is Sufficient for Robustness to Spurious Correlations*, ICLR 2023): content that the new
layer can read from the same features was learned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from learnorder.config.settings import DataConfig, RunConfig
from learnorder.data import ImageData, Images, load_images, load_unseen
from learnorder.errors import ConfigError, RunFolderError, one_line
from learnorder.images.backend import identify
from learnorder.patterns import EvaluationSet, evaluation_sets, measure_reliance
from learnorder.runs.folder import RunFolder
from learnorder.runs.last_layer import LastLayer, LastLayerScores, read_last_layer, write_last_layer
from learnorder.seeding import generator
from learnorder.training.batches import Batches
from learnorder.training.image_problem import network_of

if TYPE_CHECKING:
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import Pipeline

_MOST_EXAMPLES = 5000
_PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Inverse strengths C of the L2 penalty, for cross-validation."""


@dataclass(frozen=True)
class RetrainingImages:
    """The images of a run, and those on which its last layer is retrained.

    Attributes:
        data: The images that the run was trained and evaluated on.
        images: Images to retrain on, without the pattern.
        unseen: Whether the run was not trained on ``images``.
    """

    data: ImageData
    images: Images
    unseen: bool

    @staticmethod
    def load(config: DataConfig) -> RetrainingImages:
        """Load the unused training images of a run, or those trained on if none are unused."""
        data, unseen = load_images(config), load_unseen(config, _MOST_EXAMPLES)
        return RetrainingImages(data, data.train if unseen is None else unseen, unseen is not None)


def retrain_last_layer(
    folder: RunFolder[RunConfig],
    load: Callable[[DataConfig], RetrainingImages] = RetrainingImages.load,
) -> LastLayer:
    """Retrain the last layer of a finished run, and write the result to its folder.

    The layer is the model's last ``nn.Linear`` with one output per class. It is replaced by
    scikit-learn's logistic regression on its standardised input [N, F], with an L2 penalty chosen
    by cross-validation. It is fitted on training images without the pattern, equally many of each
    class: those that the run did not use, or, if it used all, those it was trained on.

    Args:
        folder: A finished run on images. An existing result is read from it.
        load: Loads the images; pass a cached function for many runs with the same images.

    Returns:
        Clean accuracy, share of content and reliance, before and after.

    Raises:
        RunFolderError: The run has not finished, or its weights do not fit.
        ConfigError: The model has no such layer.
    """
    if (existing := read_last_layer(folder)) is not None:
        return existing
    if folder.read_status() != "finished":
        raise RunFolderError(
            f"{folder.path}: {folder.read_status()}. Only finished runs can be retrained; the "
            "command that started the run continues it."
        )
    config, loaded = folder.config, load(folder.config.data)
    data, images = loaded.data, loaded.images
    model = _load_network(folder, data)
    layer = _last_layer(model, config.model.name, data.num_classes)
    retraining = replace(data, evaluation=images)
    x, _ = _features(config, retraining, _sets(config, retraining)[:1], model, layer)["clean"]
    rows = _balanced(images.labels, config.seed)
    fitted = _fit(x[rows], images.labels.numpy()[rows])
    sets, labels = _sets(config, data), data.evaluation.labels
    features = _features(config, data, sets, model, layer)
    before = {name: predicted for name, (_, predicted) in features.items()}
    after = {name: torch.from_numpy(fitted.predict(x)) for name, (x, _) in features.items()}
    result = LastLayer(
        _scores(before, sets, labels), _scores(after, sets, labels), len(rows), loaded.unseen
    )
    write_last_layer(folder, result)
    return result


def _sets(config: RunConfig, data: ImageData) -> list[EvaluationSet]:
    """Return the evaluation sets, the clean one first."""
    return evaluation_sets(config.patch, data.evaluation.labels, data.num_classes, config.seed)


def _load_network(folder: RunFolder[RunConfig], data: ImageData) -> nn.Module:
    from safetensors import SafetensorError
    from safetensors.torch import load

    config = folder.config
    folder.check_identity(*identify([config]))
    model = network_of(config, data)
    weights = folder.read("weights.safetensors")
    try:
        model.load_state_dict(load(weights))
    except (RuntimeError, SafetensorError) as error:
        raise RunFolderError(
            f"{folder.file('weights.safetensors')}: not the weights of {config.model.name} "
            f"({one_line(error)}). Move the run's folder away and run it again."
        ) from error
    return model.eval()


def _last_layer(model: nn.Module, name: str, num_classes: int) -> nn.Linear:
    linear = [m for m in model.modules() if isinstance(m, nn.Linear)]
    fitting = [m for m in linear if m.out_features == num_classes]
    if not fitting:
        raise ConfigError(
            "model.name",
            name,
            f"None of its {len(linear)} nn.Linear layers has {num_classes} outputs, so there is no "
            "last layer to retrain. End it in nn.Linear(features, num_classes).",
        )
    return fitting[-1]


@torch.no_grad()
def _features(
    config: RunConfig,
    data: ImageData,
    sets: Sequence[EvaluationSet],
    model: nn.Module,
    layer: nn.Linear,
) -> dict[str, tuple[NDArray[np.float32], Tensor]]:
    """Return the layer's input [N, F] and the predicted classes [N], by evaluation set."""
    batches = Batches(config, data, torch.device("cpu"))
    features = {}
    for set_ in sets:
        with _inputs(layer, config.model.name) as inputs:
            predicted = [model(batch.images).argmax(1) for batch in batches.evaluation(set_)]
        features[set_.name] = torch.cat(inputs).numpy(), torch.cat(predicted)
    return features


@contextmanager
def _inputs(layer: nn.Linear, name: str) -> Iterator[list[Tensor]]:
    """Collect the inputs of a layer."""
    inputs: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, args: inputs.append(args[0].detach()))
    try:
        yield inputs
    finally:
        hook.remove()
    if inputs and inputs[0].dim() != 2:
        raise ConfigError(
            "model.name",
            name,
            f"The input of its last layer is {tuple(inputs[0].shape)}, not [B, F]: pool before it.",
        )


def _balanced(labels: Tensor, seed: int) -> NDArray[np.int64]:
    """Return indices with equally many of each class that occurs, in random order."""
    classes, counts = labels.unique(return_counts=True)
    rng = generator(seed, "last layer")
    samples = []
    for value in classes:
        members = (labels == value).nonzero().squeeze(1)
        samples.append(members[torch.randperm(len(members), generator=rng)[: int(counts.min())]])
    rows = torch.cat(samples)
    return rows[torch.randperm(len(rows), generator=rng)].numpy()


def _fit(x: NDArray[np.float32], y: NDArray[np.int64]) -> GridSearchCV | Pipeline:
    """Return the fitted logistic regression, with its scaler."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    folds = min(3, int(np.unique_counts(y).counts.min()))
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    penalties = {"logisticregression__C": list(_PENALTIES)}
    with threadpool_limits(1):  # much faster than several threads on small matrices
        if folds < 2:  # a class with one image cannot be cross-validated
            return pipeline.fit(x.astype(np.float64), y)
        return GridSearchCV(pipeline, penalties, cv=folds).fit(x.astype(np.float64), y)


def _scores(
    predicted: dict[str, Tensor], sets: list[EvaluationSet], labels: Tensor
) -> LastLayerScores:
    clean = (predicted["clean"] == labels).double().mean().item()
    for set_ in sets:
        if set_.name == "conflict":
            conflict = measure_reliance(
                predicted["conflict"], predicted["clean"], labels, set_.pattern_labels
            )
            return LastLayerScores(clean, conflict.content, conflict.reliance)
    return LastLayerScores(clean, None, None)
