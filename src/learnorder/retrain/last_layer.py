"""Learned, or only used? A finished network's last layer, retrained alone on clean images.

A network that follows a pattern against the content may yet know the content: its features hold it,
and its last layer weighs the pattern more. Retraining that layer on balanced images without the
pattern tells the two apart (Kirichenko, Izmailov, Wilson, *Last Layer Re-Training is Sufficient for
Robustness to Spurious Correlations*, ICLR 2023): what the new layer reads from the same features
was learned; what it cannot read was not.
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
"""Inverse strengths C of the L2 penalty, of which cross-validation takes one."""


@dataclass(frozen=True)
class RetrainingImages:
    """The images of a run, and those that its last layer is retrained on.

    Attributes:
        data: What the run was trained and evaluated on.
        given: Training images, to be shown without the pattern.
        unseen: Whether the run was not trained on them.
    """

    data: ImageData
    given: Images
    unseen: bool

    @staticmethod
    def load(config: DataConfig) -> RetrainingImages:
        """Load them: images that the run left out, or those trained on where it left out none."""
        data, unseen = load_images(config), load_unseen(config, _MOST_EXAMPLES)
        return RetrainingImages(data, data.train if unseen is None else unseen, unseen is not None)


def retrain_last_layer(
    folder: RunFolder[RunConfig],
    load: Callable[[DataConfig], RetrainingImages] = RetrainingImages.load,
) -> LastLayer:
    """Retrain the last layer of a finished run, and keep in its folder what that changed.

    The layer is the model's last ``nn.Linear`` with an output for each class, and becomes a
    logistic regression on its (standardised) input, by scikit-learn, with an L2 penalty chosen by
    cross-validation. It sees training images without the pattern, as many of each class: those
    that the run left out, or, where it left out none, those it was trained on.

    Args:
        folder: A finished run on images; the result is read from it where it is there.
        load: Loads the images; over many runs, one that remembers the last.

    Raises:
        RunFolderError: The run has not finished.
        ConfigError: The model has no such layer.
    """
    if (kept := read_last_layer(folder)) is not None:
        return kept
    if folder.status != "finished":
        raise RunFolderError(
            f"{folder.path}: {folder.status}. The last layer of a finished run is retrained; the "
            "command that began the run continues it."
        )
    config, images = folder.config, load(folder.config.data)
    data, given = images.data, images.given
    model = _trained(folder, data)
    layer = _last_layer(model, config.model.name, data.num_classes)
    shown = replace(data, evaluation=given)
    x, _ = _features(config, shown, _sets(config, shown)[:1], model, layer)["clean"]
    rows = _balanced(given.labels, config.seed)
    fitted = _fit(x[rows], given.labels.numpy()[rows])
    sets, labels = _sets(config, data), data.evaluation.labels
    found = _features(config, data, sets, model, layer)
    before = {name: predicted for name, (_, predicted) in found.items()}
    after = {name: torch.from_numpy(fitted.predict(x)) for name, (x, _) in found.items()}
    result = LastLayer(
        _follows(before, sets, labels), _follows(after, sets, labels), len(rows), images.unseen
    )
    write_last_layer(folder, result)
    return result


def _sets(config: RunConfig, data: ImageData) -> list[EvaluationSet]:
    """Return what the evaluation images are shown as, the clean ones first."""
    return evaluation_sets(config.patch, data.evaluation.labels, data.num_classes, config.seed)


def _trained(folder: RunFolder[RunConfig], data: ImageData) -> nn.Module:
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
            f"It has {len(linear)} nn.Linear layers and none with {num_classes} outputs, so there "
            "is no last layer to retrain. Let it end in nn.Linear(features, num_classes).",
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
    found = {}
    for chosen in sets:
        with _inputs(layer, config.model.name) as inputs:
            predicted = [model(batch.images).argmax(1) for batch in batches.evaluation(chosen)]
        found[chosen.name] = torch.cat(inputs).numpy(), torch.cat(predicted)
    return found


@contextmanager
def _inputs(layer: nn.Linear, name: str) -> Iterator[list[Tensor]]:
    """Collect what a layer is given."""
    inputs: list[Tensor] = []
    hook = layer.register_forward_pre_hook(lambda _, given: inputs.append(given[0].detach()))
    try:
        yield inputs
    finally:
        hook.remove()
    if inputs and inputs[0].dim() != 2:
        raise ConfigError(
            "model.name",
            name,
            f"Its last layer is given {tuple(inputs[0].shape)}, not [B, F]: pool before it.",
        )


def _balanced(labels: Tensor, seed: int) -> NDArray[np.int64]:
    """Return as many places of each class as the rarest class that occurs has, in random order."""
    classes, counts = labels.unique(return_counts=True)
    drawing = generator(seed, "last layer")
    chosen = []
    for value in classes:
        members = (labels == value).nonzero().squeeze(1)
        chosen.append(members[torch.randperm(len(members), generator=drawing)[: int(counts.min())]])
    rows = torch.cat(chosen)
    return rows[torch.randperm(len(rows), generator=drawing)].numpy()


def _fit(x: NDArray[np.float32], y: NDArray[np.int64]) -> GridSearchCV | Pipeline:
    """Return the fitted logistic regression, scaling included."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    folds = min(3, int(np.unique_counts(y).counts.min()))
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    penalties = {"logisticregression__C": list(_PENALTIES)}
    with threadpool_limits(1):  # several threads are slower by far on matrices as small as these
        if folds < 2:  # one image of a class: nothing to choose the penalty by
            return pipeline.fit(x.astype(np.float64), y)
        return GridSearchCV(pipeline, penalties, cv=folds).fit(x.astype(np.float64), y)


def _follows(
    predicted: dict[str, Tensor], sets: list[EvaluationSet], labels: Tensor
) -> LastLayerScores:
    clean = (predicted["clean"] == labels).double().mean().item()
    for chosen in sets:
        if chosen.name == "conflict":
            found = measure_reliance(
                predicted["conflict"], predicted["clean"], labels, chosen.pattern_labels
            )
            return LastLayerScores(clean, found.content, found.reliance)
    return LastLayerScores(clean, None, None)
