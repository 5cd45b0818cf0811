"""How sharply the loss bends: the largest eigenvalue of its Hessian, by Lanczos iteration.

Gradient descent at the learning rate η is stable on a quadratic while η·λ/2 < 1, with λ the largest
eigenvalue; full-batch training at a constant η drives η·λ/2 to 1 (Cohen et al., *Gradient Descent
on Neural Networks Typically Occurs at the Edge of Stability*, ICLR 2021).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from learnorder.errors import ConfigError

Product = Callable[[Tensor], Tensor]
"""A symmetric matrix, as what it makes of a vector [P]."""


@dataclass(frozen=True)
class Eigenvalue:
    """The largest eigenvalue found.

    Attributes:
        value: λ.
        error: Bound on the distance to an eigenvalue, ‖A v − λ v‖ for the vector v found.
        products: Matrix-vector products taken; each costs about two gradients.
    """

    value: float
    error: float
    products: int

    def edge(self, learning_rate: float) -> float:
        """Return η·λ/2; from 1 on, gradient descent on the quadratic is unstable."""
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
    tridiagonal, and its largest eigenvalue θ approaches that of A from below; the residual is
    ``β_k |s_k|`` with s the eigenvector of T. The basis is orthogonalised anew at each step.

    Args:
        product: The matrix.
        size: Length of its vectors, P.
        generator: Draws the first vector; on the CPU.
        most: Products to take at most.
        tolerance: Stop where the residual is below this share of θ.
        device: Where the vectors are; None is the CPU.

    Raises:
        ConfigError: A size, number of products or tolerance that makes no sense.

    >>> diagonal = torch.tensor([1.0, -9.0, 4.0, 2.5])
    >>> found = largest_eigenvalue(lambda v: diagonal * v, 4, torch.Generator().manual_seed(0))
    >>> round(found.value, 3)
    4.0
    """
    for name, given in (("size", size), ("most", most)):
        if given < 1:
            raise ConfigError(name, given, "Give at least 1.")
    if not 0 < tolerance < 1:
        raise ConfigError("tolerance", tolerance, "Give a share in (0, 1).")
    start = torch.randn(size, generator=generator).to(device)
    basis = [start / start.norm()]
    alphas: list[float] = []
    betas: list[float] = []
    value = error = 0.0
    for step in range(1, min(most, size) + 1):
        image = product(basis[-1])
        alphas.append(float(basis[-1] @ image))
        for _ in range(2):  # twice is enough (Giraud et al., 2005)
            image = image - sum((q @ image) * q for q in basis)
        beta = float(image.norm())
        off = torch.tensor(betas, dtype=torch.float64)
        matrix = torch.tensor(alphas, dtype=torch.float64).diag()
        matrix = matrix + off.diag(1) + off.diag(-1) if step > 1 else matrix
        values, vectors = torch.linalg.eigh(matrix)
        value, error = float(values[-1]), beta * abs(float(vectors[-1, -1]))
        if error <= tolerance * abs(value) or beta <= 1e-10 * max(1.0, abs(value)):
            break
        betas.append(beta)
        basis.append(image / beta)
    return Eigenvalue(value, error, len(alphas))


def hessian(model: nn.Module, loss: Callable[[], Tensor]) -> tuple[Product, int]:
    """Return the Hessian of a loss in a model's parameters, as a product, and its size.

    A product is the gradient of ⟨∇L, v⟩, so it costs about two gradients; the graph of the first
    is kept between products. The model is left as it is: its mode is the caller's to choose (in
    training mode batch norm makes examples depend on each other), and .grad is not touched.

    Args:
        model: Its parameters that need gradients.
        loss: The loss on a fixed sample.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    with sdpa_kernel(SDPBackend.MATH):  # of fused attention torch has no second derivative
        parts = torch.autograd.grad(loss(), parameters, create_graph=True, materialize_grads=True)
    gradient = torch.cat([part.reshape(-1) for part in parts])

    def product(vector: Tensor) -> Tensor:
        products = torch.autograd.grad(
            gradient, parameters, vector, retain_graph=True, materialize_grads=True
        )
        return torch.cat([part.reshape(-1) for part in products])

    return product, gradient.numel()
