"""Batch sharpness: the curvature of a batch's loss along its gradient, averaged over batches.

SGD with learning rate η trains at batch sharpness ≈ 2/η, as gradient descent does at λ ≈ 2/η
(Andreyev and Beneventano, *Edge of Stochastic Stability*, arXiv:2412.20553).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from statistics import fmean

import torch
from torch import Tensor, nn

from learnorder.errors import ConfigError
from learnorder.toolkit.sharpness import NotFinite, gradient_and_hessian


class ZeroGradient(ConfigError):  # noqa: N818 - e.g. a batch that is fitted exactly
    """The gradient of a loss is zero, so there is no curvature along it."""


def gradient_curvature(model: nn.Module, loss: Callable[[], Tensor]) -> float:
    """Return the curvature of a loss along its gradient, gᵀHg / ‖g‖².

    g [P] and H [P, P] are the gradient and the Hessian in the trainable parameters. It is at most
    the largest eigenvalue of H. One Hessian-vector product is computed, which costs about two
    gradients. The model is treated as by :func:`~learnorder.hessian`.

    Args:
        model: The model. Set its mode before the call.
        loss: Computes the loss on a batch, a tensor with one element.

    Raises:
        NotFinite: The loss, its gradient or the product is not finite.
        ZeroGradient: The gradient is zero.
        ConfigError: The loss is not a single number, or does not depend on the parameters.

    >>> model = nn.Linear(2, 1, bias=False)
    >>> _ = model.weight.data.copy_(torch.tensor([[1.0, 1.0]]))
    >>> diagonal = torch.tensor([3.0, 1.0])  # g = (3, 1), gᵀHg = 3·9 + 1·1
    >>> round(gradient_curvature(model, lambda: (diagonal * model.weight**2).sum() / 2), 4)
    2.8
    """
    gradient, product = gradient_and_hessian(model, loss)
    largest = gradient.abs().max()  # keeps the squares of small gradients above 0
    if not largest.isfinite():
        raise NotFinite("loss", float(largest), "Its gradient is not finite.")
    if largest == 0:
        raise ZeroGradient(
            "loss",
            0.0,
            "Its gradient is zero, so there is no curvature along it: the loss cannot fall "
            "further, or the outputs have saturated.",
        )
    direction = gradient / largest
    direction /= direction.norm()
    direction = direction.to(torch.promote_types(gradient.dtype, torch.float32))
    value = float(direction @ product(direction) / (direction @ direction))
    if not math.isfinite(value):
        raise NotFinite("product", value, "A product with the Hessian is not finite.")
    return value


def batch_sharpness(model: nn.Module, losses: Iterable[Callable[[], Tensor]]) -> float:
    """Return the mean over batches B of g_Bᵀ H_B g_B / ‖g_B‖².

    g_B and H_B are the gradient and the Hessian of the loss on B; see :func:`gradient_curvature`.
    It estimates the expectation in equation 3 of Andreyev and Beneventano (arXiv:2412.20553), and
    is compared with 2/η for SGD without momentum. The batches must have the size of those in
    training, on which it depends.

    Args:
        model: The model. Set its mode before the call.
        losses: Computes the loss of each batch. Only one graph is in memory at a time.

    Raises:
        NotFinite: A loss, its gradient or a product is not finite.
        ZeroGradient: The gradient of a batch is zero. Leave such batches out only knowingly: the
            mean is then over batches on which the model still learns.
        ConfigError: There are no batches, or a loss is not a single number or does not depend on
            the parameters.

    >>> model, inputs = nn.Linear(1, 1, bias=False), torch.tensor([[1.0], [2.0]])
    >>> losses = [lambda x=x: model(x).square().sum() / 2 for x in inputs]
    >>> round(batch_sharpness(model, losses), 4)  # the curvatures are 1² and 2²
    2.5
    """
    curvatures = [gradient_curvature(model, loss) for loss in losses]
    if not curvatures:
        raise ConfigError("losses", [], "Give at least one batch.")
    return fmean(curvatures)
