"""Small tasks on which ways to choose a learning rate are compared.

Digits, cells and diabetes ship with scikit-learn; CIFAR-10 is in ``data/cifar10``. Splits are the
same for all seeds. The texts are those of :mod:`studies.shortcuts.texts`, and the networks that are
fine-tuned those of :mod:`studies.finetuning.texts`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import TensorDataset

import learnorder
from learnorder.config.settings import DataConfig
from learnorder.models import ConvNet, ViT, WideResNet
from learnorder.seeding import generator
from studies.common import DATA
from studies.finetuning.texts import tuning
from studies.image_sets import image_sets

_CIFAR = DataConfig(
    source=DATA,
    train_examples=600,
    evaluation_examples=600,
    resolution=8,
    evaluate_on="validation",
    validation_share=0.2,
)
IMAGES = {
    "digits": DataConfig(train_examples=600, evaluate_on="validation", validation_share=0.4),
    "cifar": _CIFAR,
    "cifar_2000": replace(_CIFAR, train_examples=2000),
}
"""Images by name; all are 8×8."""
NETWORKS: dict[str, Callable[[int], nn.Module]] = {
    "convnet": lambda channels: ConvNet(10, (16, 32, 64), channels),
    "vit": lambda channels: ViT(10, (8, 8), 2, 32, 2, 2, channels),
    "wrn": lambda channels: WideResNet(10, 1, in_channels=channels),
}
"""Networks for images of 8×8 pixels, by name; each gets the number of channels."""


@lru_cache(maxsize=1)
def _images(name: str) -> tuple[TensorDataset, TensorDataset]:
    """Return training and validation images, normalised by channel, with their classes."""
    return image_sets(IMAGES[name])


def images(data: str, network: str) -> learnorder.Task:
    """Return a classification of images of 8×8 pixels.

    Args:
        data: digits, cifar or cifar_2000.
        network: convnet, vit or wrn.
    """
    train, held = _images(data)
    channels = train.tensors[0].shape[1]
    return learnorder.Task(partial(NETWORKS[network], channels), train, held)


def _split(inputs: Tensor, targets: Tensor, share: float) -> tuple[TensorDataset, TensorDataset]:
    """Return a random split, with inputs standardised by the training part's mean and spread."""
    order = torch.randperm(len(inputs), generator=generator(0, "split"))
    held = round(share * len(inputs))
    test, train = order[:held], order[held:]
    inputs = (inputs - inputs[train].mean(0)) / inputs[train].std(0)
    return TensorDataset(inputs[train], targets[train]), TensorDataset(inputs[test], targets[test])


def _perceptron(inputs: int, outputs: int, width: int = 128) -> nn.Module:
    hidden = nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()
    return nn.Sequential(*hidden, nn.Linear(width, outputs))


def cells() -> learnorder.Task:
    """Return whether a tumour is malignant, from 30 features of cells: a table."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    x = torch.tensor(bunch.data, dtype=torch.float32)  # pyright: ignore
    train, held = _split(x, torch.tensor(bunch.target), 0.5)  # pyright: ignore
    return learnorder.Task(partial(_perceptron, 30, 2), train, held)


def r_squared(outputs: Tensor, targets: Tensor) -> float:
    """Return the share of the variance that is explained.

    >>> r_squared(torch.tensor([[1.0], [3.0]]), torch.tensor([[1.0], [2.0]]))
    -1.0
    """
    left, total = (outputs - targets).square().sum(), (targets - targets.mean()).square().sum()
    return float(1 - left / total)


def diabetes() -> learnorder.Task:
    """Return the progression of diabetes from 10 features: a regression, scored by R²."""
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes()
    x = torch.tensor(bunch.data, dtype=torch.float32)  # pyright: ignore
    y = torch.tensor(bunch.target, dtype=torch.float32)[:, None]  # pyright: ignore
    train, held = _split(x, (y - y.mean()) / y.std(), 0.4)
    network = partial(_perceptron, 10, 1)
    return learnorder.Task(network, train, held, loss=F.mse_loss, score=r_squared, score_name="R²")


def finetuning() -> learnorder.Task:
    """Return the sentiment of tweets, for a transformer that was pretrained on movie reviews.

    It is :func:`studies.finetuning.texts.tuning` of all weights; what is forgotten is not measured.

    Raises:
        DataError: The networks have not been pretrained.
    """
    return replace(tuning(), keep=None)
