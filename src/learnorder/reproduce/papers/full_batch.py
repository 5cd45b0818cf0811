"""The task of papers that compare full-batch with mini-batch training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD

from learnorder.reproduce.papers.tasks import Labelled, Network, labelled_images, passes_over
from learnorder.training.own_optimizer import OptimizerFactory
from learnorder.training.task import Task


def in_passes(
    network: Network,
    passes: int = 1,
    penalised: int | None = None,
    draw: int = 0,
    source: str = "digits",
    size: int | None = None,
    examples: int | None = None,
) -> Task:
    """Return the classification of images, with several passes over them in an epoch.

    With full batches an epoch has as many steps as passes; arms with other batch sizes and learning
    rates can thus have epochs with the same product of learning rate and steps.

    Args:
        network: As for :func:`~learnorder.reproduce.papers.tasks.labelled_images`.
        passes: Number of passes in an epoch, each in a new order.
        penalised: Size of the mini-batches of :func:`add_penalty_gradient`, whose strength is the
            learning rate; the optimiser is then plain SGD. None: no penalty, and the optimiser of
            the settings. The number of images must be divisible by it.
        draw: Seed of the validation split.
        source: Location of the images.
        size: Height and width to which they are scaled; None keeps them.
        examples: Number of training images; None takes all.
    """
    task = labelled_images(network, draw=draw, source=source, size=size, examples=examples)
    images, labels = task.train[:]
    optimizer = None
    if penalised is not None:
        batches = list(zip(images.split(penalised), labels.split(penalised), strict=True))
        optimizer = penalised_sgd(batches)
    return replace(task, sampler=passes_over(len(labels), passes), optimizer=optimizer)


def penalised_sgd(batches: Sequence[Labelled]) -> OptimizerFactory:
    """Return a function that makes SGD with the penalty of :func:`add_penalty_gradient`."""

    def make(network: nn.Module, learning_rate: float) -> SGD:
        device = next(network.parameters()).device
        moved = [(images.to(device), labels.to(device)) for images, labels in batches]
        optimizer = SGD(network.parameters(), learning_rate)
        optimizer.register_step_pre_hook(
            lambda *_: add_penalty_gradient(network, moved, learning_rate)
        )
        return optimizer

    return make


def add_penalty_gradient(
    network: nn.Module,
    batches: Sequence[Labelled],
    strength: float,
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
) -> None:
    """Add the gradient of (α/4) · mean_B ‖∇L_B(w)‖² to the gradients of a network's parameters.

    L_B is the mean loss of the mini-batch B. With α equal to the learning rate this is the implicit
    regulariser of SGD to first order in it (Smith et al., *On the Origin of Implicit Regularization
    in Stochastic Gradient Descent*, ICLR 2021).

    Args:
        network: The network, without batch norm.
        batches: Equally large mini-batches that make up the training data.
        strength: α.
        loss: The mean loss of outputs and labels.
    """
    parameters = list(network.parameters())
    for images, labels in batches:
        value = loss(network(images), labels)
        gradient = torch.autograd.grad(value, parameters, create_graph=True)
        squared_norm = torch.cat([part.flatten() for part in gradient]).square().sum()
        (strength / 4 / len(batches) * squared_norm).backward()
