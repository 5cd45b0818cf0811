"""SGD with learning rates in units of 2/λ₀, with the sharpness λ₀ of each network at the start."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import SGD

from learnorder.seeding import generator
from learnorder.toolkit.sharpness import hessian, largest_eigenvalue

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
