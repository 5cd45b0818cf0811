"""Fit a last layer on balanced examples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Inverse strengths C of the L2 penalty, for cross-validation."""
WEAKER_PENALTIES = (*PENALTIES, 10.0)
"""The same for groups: a strong penalty keeps what most of the features' variance is about. Layers
that are balanced over classes were recorded without the weakest; their table's note says so."""
_FOLDS = 3
SAMPLES = 10
"""Balanced samples, over which layers are averaged."""


@dataclass(frozen=True)
class FittedLayer:
    """A linear layer.

    Attributes:
        classes: The class of each output, int64 [K].
        weight: Weights, [F, K].
        bias: Biases, [K].
    """

    classes: NDArray[np.int64]
    weight: NDArray[np.float64]
    bias: NDArray[np.float64]

    def predict(self, x: NDArray[np.float32]) -> Tensor:
        """Return the predicted classes of inputs [N, F], int64 [N]."""
        return torch.from_numpy(self.classes[(x @ self.weight + self.bias).argmax(1)])

    @staticmethod
    def mean(layers: list[FittedLayer]) -> FittedLayer:
        """Return the layer whose weights are the means of those of several layers."""
        weight, bias = (np.mean([getattr(a, n) for a in layers], 0) for n in ("weight", "bias"))
        return FittedLayer(layers[0].classes, weight, bias)


def halves(cells: Tensor, rng: torch.Generator) -> Tensor:
    """Return the half, 0 or 1, of each example, int64 [N].

    The examples of each cell, and those of cells with consecutive numbers, are divided evenly.

    Args:
        cells: Cell of each example, int64 [N].
        rng: Generator of the choice.

    >>> cells = torch.tensor([0, 1, 1, 1, 0, 1])
    >>> half = halves(cells, torch.Generator().manual_seed(0))
    >>> [sorted(cells[half == i].tolist()) for i in (0, 1)]
    [[0, 1, 1], [0, 1, 1]]
    """
    shuffled = torch.randperm(len(cells), generator=rng)
    order = shuffled[cells[shuffled].argsort(stable=True)]
    half = torch.empty_like(order)
    half[order] = torch.arange(len(order)) % 2
    return half


def balanced(cells: Tensor, count: int, rng: torch.Generator) -> NDArray[np.int64]:
    """Return indices of ``count`` examples of each cell that occurs, in random order."""
    samples = []
    for value in cells.unique():
        members = (cells == value).nonzero().squeeze(1)
        samples.append(members[torch.randperm(len(members), generator=rng)[:count]])
    rows = torch.cat(samples)
    return rows[torch.randperm(len(rows), generator=rng)].numpy()


def fit(x: NDArray[np.float32], y: NDArray[np.int64]) -> tuple[FittedLayer, float]:
    """Fit logistic regression on standardised inputs, with a cross-validated L2 penalty.

    Args:
        x: Inputs, [N, F].
        y: Classes, [N], in random order.

    Returns:
        The layer, for inputs that are not standardised, and the penalty's C.
    """
    from sklearn.model_selection import GridSearchCV
    from threadpoolctl import threadpool_limits

    folds = min(_FOLDS, int(np.unique_counts(y).counts.min()))
    if folds < 2:  # a class with one example cannot be cross-validated
        return fit_with(x, y, 1.0), 1.0
    penalties = {"logisticregression__C": list(PENALTIES)}
    with threadpool_limits(1):  # much faster than several threads on small matrices
        search = GridSearchCV(_pipeline(1.0), penalties, cv=folds).fit(x.astype(np.float64), y)
    return _layer(search.best_estimator_), search.best_params_["logisticregression__C"]


def fit_for_worst(
    x: NDArray[np.float32], y: NDArray[np.int64], cells: NDArray[np.int64]
) -> tuple[FittedLayer, float]:
    """Fit as :func:`fit` does, with the penalty that is best for the worst cell.

    It has the highest accuracy of the worst cell over all folds of the cross-validation, as in deep
    feature reweighting. Accuracy over all cells hardly depends on the penalty, but that of the
    worst does.

    Args:
        x: Inputs, [N, F].
        y: Classes, [N], in random order.
        cells: Cell of each example, [N], each with at least 2 examples.

    Returns:
        The layer, for inputs that are not standardised, and the penalty's C.
    """
    from sklearn.model_selection import StratifiedKFold

    folds = min(_FOLDS, int(np.unique_counts(cells).counts.min()))
    parts = list(StratifiedKFold(folds).split(x, cells))
    worst = dict[float, float]()
    for penalty in WEAKER_PENALTIES:
        correct = np.empty(len(y), bool)
        for fitted, held in parts:
            layer = fit_with(x[fitted], y[fitted], penalty)
            correct[held] = layer.predict(x[held]).numpy() == y[held]
        worst[penalty] = min(float(correct[cells == cell].mean()) for cell in np.unique(cells))
    best = max(worst, key=worst.__getitem__)
    return fit_with(x, y, best), best


def fit_with(x: NDArray[np.float32], y: NDArray[np.int64], penalty: float) -> FittedLayer:
    """Fit as :func:`fit` does, with a known penalty."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        return _layer(_pipeline(penalty).fit(x.astype(np.float64), y))


def _pipeline(penalty: float) -> Pipeline:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=penalty, max_iter=1000))


def _layer(pipeline: Pipeline) -> FittedLayer:
    """Return a fitted pipeline as one linear layer: w·(x − μ)/σ + b = (w/σ)·x + b − (w/σ)·μ."""
    scaler, regression = (step for _, step in pipeline.steps)
    weight, bias = regression.coef_ / scaler.scale_, regression.intercept_
    bias = bias - weight @ scaler.mean_
    if len(weight) == 1:  # two classes have a single output
        weight, bias = np.concatenate((-weight, weight)), np.concatenate((-bias, bias))
    return FittedLayer(regression.classes_, weight.T, bias)


def fit_samples(
    x: NDArray[np.float32],
    y: Tensor,
    cells: Tensor,
    count: int,
    samples: int,
    rng: torch.Generator,
    *,
    for_worst: bool = False,
) -> FittedLayer:
    """Return the mean of layers fitted on several samples with equally many of each cell.

    The penalty is chosen on the first sample.

    Args:
        x: Inputs, [N, F].
        y: Classes, int64 [N].
        cells: What the samples are balanced over, int64 [N].
        count: Number of examples of each cell in a sample.
        samples: Number of samples. If each would be all examples, one is enough.
        rng: Generator of the samples.
        for_worst: Whether the penalty is chosen for the worst cell, by :func:`fit_for_worst`.
    """
    labels, codes, layers, penalty = y.numpy(), cells.numpy(), list[FittedLayer](), 0.0
    for _ in range(samples):
        rows = balanced(cells, count, rng)
        if layers:
            layers.append(fit_with(x[rows], labels[rows], penalty))
            continue
        if for_worst:
            layer, penalty = fit_for_worst(x[rows], labels[rows], codes[rows])
        else:
            layer, penalty = fit(x[rows], labels[rows])
        layers.append(layer)
        if len(rows) == len(x):
            break
    return FittedLayer.mean(layers)
