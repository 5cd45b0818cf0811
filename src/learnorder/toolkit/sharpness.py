"""Sharpness: the largest eigenvalue λ of the Hessian of the loss, by Lanczos iteration.

Gradient descent with learning rate η on a quadratic is stable while η·λ/2 < 1. Full-batch training
at a constant η drives η·λ/2 to 1 (Cohen et al., *Gradient Descent on Neural Networks Typically
Occurs at the Edge of Stability*, ICLR 2021).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from learnorder.errors import ConfigError
from learnorder.models.compiled import run_uncompiled

Product = Callable[[Tensor], Tensor]
"""A symmetric matrix [P, P], as its product with a vector [P]."""


class NotFinite(ConfigError):  # noqa: N818 - e.g. a loss that has diverged
    """A loss or a product is not finite, so there is no eigenvalue."""


@dataclass(frozen=True)
class Eigenvalue:
    """An estimate of the largest eigenvalue.

    Attributes:
        value: λ.
        error: Bound on the distance to an eigenvalue, ‖A v − λ v‖ with v the estimated eigenvector.
        products: Matrix-vector products used; one with a Hessian costs about two gradients.
    """

    value: float
    error: float
    products: int

    def stability_ratio(self, learning_rate: float) -> float:
        """Return η·λ/2; gradient descent on the quadratic is unstable if it is 1 or more."""
        return learning_rate * self.value / 2


def largest_eigenvalue(
    product: Product,
    size: int,
    generator: torch.Generator,
    *,
    most: int = 40,
    tolerance: float = 1e-3,
    device: torch.device | None = None,
) -> Eigenvalue:
    """Return the largest (algebraic) eigenvalue of a symmetric matrix.

    Lanczos: with Q the orthonormal basis of the Krylov space of a random vector, T = Qᵀ A Q is
    tridiagonal, and its largest eigenvalue θ approaches that of A from below. The residual is
    ``β_k |s_k|`` with s the eigenvector of T. The basis is reorthogonalised at each step.

    Args:
        product: The matrix, as its product with a vector [P] in float32; one that returns float64
            gets vectors in float64 from then on.
        size: Length P of the vectors.
        generator: Draws the first vector; on the CPU.
        most: Largest number of products.
        tolerance: Stop once the residual is at most this fraction of abs(θ).
        device: Device of the vectors; None means the CPU.

    Raises:
        ConfigError: ``size``, ``most`` or ``tolerance`` is out of range.
        NotFinite: A product is not finite.

    >>> diagonal = torch.tensor([1.0, -9.0, 4.0, 2.5])
    >>> largest = largest_eigenvalue(lambda v: diagonal * v, 4, torch.Generator().manual_seed(0))
    >>> round(largest.value, 3)
    4.0
    """
    for name, value in (("size", size), ("most", most)):
        if value < 1:
            raise ConfigError(name, value, "Give at least 1.")
    if not 0 < tolerance < 1:
        raise ConfigError("tolerance", tolerance, "Give a fraction in (0, 1).")
    start = torch.randn(size, generator=generator).to(device)
    basis = [start / start.norm()]
    alphas: list[float] = []
    betas: list[float] = []
    value = error = 0.0
    for step in range(1, min(most, size) + 1):
        image = product(basis[-1])
        if image.dtype != basis[-1].dtype:  # begin again in its precision
            start = start.to(image.dtype)
            basis = [start / start.norm()]
            image = product(basis[-1])
        alphas.append(float(basis[-1] @ image))
        if not math.isfinite(alphas[-1]):
            raise NotFinite(
                "product",
                alphas[-1],
                "A product with the matrix is not finite: the curvature of the loss is infinite, "
                "as that of a root or a norm at 0, or the loss has diverged.",
            )
        for _ in range(2):  # twice is enough (Giraud et al., 2005)
            image = image - sum((q @ image) * q for q in basis)
        beta = float(image.norm())
        off = torch.tensor(betas, dtype=torch.float64)
        matrix = torch.tensor(alphas, dtype=torch.float64).diag()
        matrix = matrix + off.diag(1) + off.diag(-1) if step > 1 else matrix
        values, vectors = torch.linalg.eigh(matrix)
        value, error = float(values[-1]), beta * abs(float(vectors[-1, -1]))
        scale = max(map(abs, (*alphas, *betas)))
        if error <= tolerance * abs(value) or beta <= 1e-10 * scale:
            break
        betas.append(beta)
        basis.append(image / beta)
    return Eigenvalue(value, error, len(alphas))


def hessian(model: nn.Module, loss: Callable[[], Tensor]) -> tuple[Product, int]:
    """Return the Hessian of a loss in a model's trainable parameters, as a product, and its size.

    A product is the gradient of ⟨∇L, v⟩ and costs about two gradients; the graph of ∇L is kept
    between products. The model does not change: its buffers, such as the running means of batch
    norm, are copied for the loss. Set its mode before the call: in training mode, batch norm makes
    examples depend on each other. .grad is not modified.

    The loss is computed without compiled code, fused attention and cuDNN's recurrent networks,
    which have no second derivative in torch.

    Args:
        model: The model.
        loss: Computes the loss on a fixed sample, a tensor with one element.

    Returns:
        The product with a vector [P], in the wider of its and the parameters' types, and P.

    Raises:
        NotFinite: The loss is not finite.
        ConfigError: The loss is not a single number, or does not depend on the parameters.
    """
    gradient, product = gradient_and_hessian(model, loss)
    return product, gradient.numel()


def gradient_and_hessian(model: nn.Module, loss: Callable[[], Tensor]) -> tuple[Tensor, Product]:
    """Return the gradient [P] of a loss, detached, and its Hessian; see :func:`hessian`."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    with (
        sdpa_kernel(SDPBackend.MATH),
        run_uncompiled(),
        torch.backends.cudnn.flags(enabled=False),
        _copied_buffers(model),
    ):
        value = loss()
        if value.numel() != 1:
            raise ConfigError("loss", list(value.shape), "Return one number, e.g. loss.mean().")
        if not value.isfinite():
            raise NotFinite("loss", value.item(), "It is not finite, so it has no Hessian.")
        if not parameters or not value.requires_grad:
            raise ConfigError(
                "loss",
                value.item(),
                "It does not depend on parameters that need gradients. Compute it without "
                "torch.no_grad, .detach() or .item(), and leave some parameters trainable.",
            )
        parts = torch.autograd.grad(value, parameters, create_graph=True, materialize_grads=True)
    gradient = torch.cat([part.reshape(-1) for part in parts])

    def product(vector: Tensor) -> Tensor:
        dtype = torch.promote_types(vector.dtype, gradient.dtype)
        if not gradient.requires_grad:  # the loss is linear
            return torch.zeros_like(gradient, dtype=dtype)
        rounded = vector.to(gradient.dtype)
        products = torch.autograd.grad(
            gradient, parameters, rounded, retain_graph=True, materialize_grads=True
        )
        return torch.cat([part.reshape(-1) for part in products]).to(dtype)

    return gradient.detach(), product


@contextmanager
def _copied_buffers(model: nn.Module) -> Iterator[None]:
    """Replace a model's buffers by copies within a ``with`` block."""
    buffers = [
        (module, name, buffer)
        for module in model.modules()
        for name, buffer in module.named_buffers(recurse=False, remove_duplicate=False)
    ]
    copies = {id(buffer): buffer.clone() for _, _, buffer in buffers}
    try:
        for module, name, buffer in buffers:
            setattr(module, name, copies[id(buffer)])
        yield
    finally:
        for module, name, buffer in buffers:
            setattr(module, name, buffer)
