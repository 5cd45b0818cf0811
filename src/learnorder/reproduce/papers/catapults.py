"""Tasks whose predictors are compared with a good one by their average gradient outer product."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from learnorder.models import MLP
from learnorder.reproduce.papers.critical_rate import in_critical_units
from learnorder.reproduce.papers.networks import KernelMLP
from learnorder.reproduce.papers.tasks import (
    Labelled,
    half_squared_error,
    passes_over,
    split_images,
)
from learnorder.seeding import generator, random_state_kept, seed_everything
from learnorder.toolkit.agop import agop_alignment, average_gradient_outer_product
from learnorder.training.task import Task

ALIGNMENT = "agop_alignment"
"""The name of the alignment in records."""
_REFERENCES, _REFERENCE_EPOCHS = 3, 30
"""Networks whose mean AGOP is that of a good predictor, and their epochs."""


def grey_images(
    widths: tuple[int, ...] = (256,),
    passes: int = 1,
    draw: int = 0,
    source: str = "digits",
    size: int | None = None,
    examples: int = 256,
) -> Task:
    """Return the classification of grey images by a :class:`KernelMLP` with a squared error.

    The learning rate is in units of 2/λ₀. The alignment is that with the mean AGOP of three
    perceptrons, trained on all training images of the source.

    Args:
        widths: Units of each hidden layer.
        passes: Number of passes over the training images in an epoch.
        draw: Seed of the validation split.
        source: Location of the images.
        size: Height and width to which they are scaled; None keeps them.
        examples: Number of training images.
    """
    train, validation, classes = split_images(source, draw, size, examples)
    train, validation = _grey(train), _grey(validation)
    task = Task(
        model=lambda: KernelMLP(classes, train[0][0].numel(), widths),
        train=TensorDataset(*train),
        validation=TensorDataset(*validation),
        loss=half_squared_error,
    )
    return _aligned(task, passes, lambda: _good_agop(draw, source, size))


def product_of_two(
    widths: tuple[int, ...] = (256,),
    passes: int = 1,
    draw: int = 0,
    dimensions: int = 20,
    examples: int = 256,
) -> Task:
    """Return the regression y = x₁ x₂ on x ~ N(0, I) by a :class:`KernelMLP`.

    The learning rate is in units of 2/λ₀. The alignment is that with the true function's AGOP over
    the distribution, diag(1, 1, 0, …).

    Args:
        widths: Units of each hidden layer.
        passes: Number of passes over the training examples in an epoch.
        draw: Seed of the examples.
        dimensions: Number of values of x.
        examples: Number of training examples; ten times as many are held out.
    """
    drawing = generator(draw, "product of two")

    def drawn(count: int) -> Labelled:
        inputs = torch.randn(count, dimensions, generator=drawing)
        return inputs, inputs[:, :1] * inputs[:, 1:2]

    task = Task(
        model=lambda: KernelMLP(1, dimensions, widths),
        train=TensorDataset(*drawn(examples)),
        validation=TensorDataset(*drawn(10 * examples)),
        loss=lambda outputs, targets: (outputs - targets).square().sum(1) / 2,
    )
    true = torch.zeros(dimensions).index_fill(0, torch.tensor([0, 1]), 1.0).diag()
    return _aligned(task, passes, lambda: true)


def _aligned(task: Task, passes: int, good: Callable[[], Tensor]) -> Task:
    """Return a task with critical learning rates, several passes, and the alignment."""
    inputs, targets = task.train[:]

    def alignment(network: nn.Module) -> float:
        device = next(network.parameters()).device
        return agop_alignment(average_gradient_outer_product(network, inputs.to(device)), good())

    return replace(
        in_critical_units(task),
        sampler=passes_over(len(targets), passes),
        measures={ALIGNMENT: alignment},
    )


def _grey(part: Labelled) -> Labelled:
    """Return images with the mean of the channels alone."""
    images, labels = part
    return images.mean(1, keepdim=True), labels


@cache
def _good_agop(draw: int, source: str, size: int | None) -> Tensor:
    """Return the mean AGOP of networks that are trained on all training images."""
    train, _, classes = split_images(source, draw, size, None)
    images, labels = _grey(train)
    networks = [_good_predictor(images, labels, classes, seed) for seed in range(_REFERENCES)]
    products = [average_gradient_outer_product(network, images) for network in networks]
    return torch.stack(products).mean(0)


def _good_predictor(images: Tensor, labels: Tensor, classes: int, seed: int) -> nn.Module:
    """Return a perceptron with two hidden layers, trained by Adam."""
    with random_state_kept(), torch.enable_grad():
        seed_everything(seed, "good predictor")
        channels, *size = images.shape[1:]
        network = MLP(classes, (size[0], size[1]), (256, 256), channels)
        optimizer = torch.optim.Adam(network.parameters(), 1e-3)
        for _ in range(_REFERENCE_EPOCHS):
            for rows in torch.randperm(len(labels)).split(32):
                optimizer.zero_grad()
                F.cross_entropy(network(images[rows]), labels[rows]).backward()
                optimizer.step()
    return network.eval()
