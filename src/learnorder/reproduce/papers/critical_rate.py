"""SGD with learning rates in units of 2/λ₀, with the sharpness λ₀ of each network at the start."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.optim import SGD

from learnorder.reproduce.papers.tasks import squared_error
from learnorder.seeding import generator
from learnorder.toolkit.sharpness import hessian, largest_eigenvalue
from learnorder.training.task import Task

Loss = Callable[[Tensor, Tensor], Tensor]
_TOLERANCE = 1e-3


def with_sharpness(
    make: Callable[[], nn.Module], inputs: Tensor, targets: Tensor, loss: Loss
) -> Callable[[], nn.Module]:
    """Return a function that makes networks with a buffer ``initial_sharpness``, λ₀.

    Args:
        make: Makes a network.
        inputs: The examples on which λ₀ is the largest eigenvalue of the mean loss's Hessian.
        targets: Their targets.
        loss: The loss of outputs and targets.
    """

    def made() -> nn.Module:
        network = make()
        product, size = hessian(network, lambda: loss(network(inputs), targets).mean())
        start = generator(0, "initial sharpness")
        found = largest_eigenvalue(product, size, start, tolerance=_TOLERANCE)
        network.register_buffer("initial_sharpness", torch.tensor(found.value))
        return network

    return made


def critical_sgd(network: nn.Module, multiple: float) -> SGD:
    """Return SGD with the learning rate multiple · 2/λ₀ of a network of :func:`with_sharpness`."""
    sharpness = float(network.get_buffer("initial_sharpness"))
    return SGD(network.parameters(), multiple * 2 / sharpness)


def in_critical_units(task: Task, examples: int | None = None) -> Task:
    """Return a task trained by :func:`critical_sgd`, with the sharpness of its training examples.

    Args:
        task: The task; its model is a function, and its training examples are tensors.
        examples: Number of training examples on which λ₀ is measured; None takes all.
    """
    inputs, targets = task.train[:examples]
    make = task.model
    assert not isinstance(make, nn.Module)
    model = with_sharpness(make, inputs, targets, task.loss)
    return replace(task, model=model, optimizer=critical_sgd)


def critical_squared_error(
    widths: Sequence[int] = (512,),
    measured: int | None = None,
    draw: int = 0,
    source: str = "digits",
    size: int | None = None,
    examples: int | None = None,
) -> Task:
    """Return :func:`~learnorder.reproduce.papers.tasks.squared_error` with LRs in units of 2/λ₀.

    Args:
        widths: Units of each hidden layer.
        measured: Number of training images on which λ₀ is measured; None takes all.
        draw: Seed of the validation split.
        source: Location of the images.
        size: Height and width to which they are scaled; None keeps them.
        examples: Number of training images; None takes all.
    """
    return in_critical_units(squared_error(widths, draw, source, size, examples), measured)
