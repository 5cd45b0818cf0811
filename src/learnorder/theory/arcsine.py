"""The power series of arcsin, with its infinite tail compressed into a few terms."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

EXACT = 16
TERMS_PER_OCTAVE = 3
_LARGEST_SUMMED = 2**15
REACH = 100.0


@dataclass(frozen=True)
class Arcsine:
    """arcsin(c) ≈ Σ_k coefficients_k · c^powers_k.

    Attributes:
        powers: (K,), odd or between odd numbers; the first is 1.
        coefficients: (K,), with sum π/2.
    """

    powers: Tensor
    coefficients: Tensor


@functools.cache
def arcsine(angle: float) -> Arcsine:
    """Return a short series of arcsin(c) = Σ_k b_k c^(2k+1), accurate for c up to cos(``angle``).

    The first terms are kept. Each later octave k = a, …, 2a − 1 is a sum of exponentials in k with
    positive weights b_k; Gauss quadrature of that measure reduces it to 3 terms. The series ends
    where cos^(2k+1) is below e^−100 at this angle. The remainder of the total π/2 goes into one
    last term, whose exact power matters only at c = 1. At angles from ``angle`` to π/2 the error is
    below 2e-5 times the angle.

    Args:
        angle: The smallest angle to distinguish from 0, in radians.
    """
    k = torch.arange(EXACT, dtype=torch.float64)
    places, weights = [k], [_coefficients(k)]
    start = EXACT
    while start < REACH / angle**2:
        points, measure = _octave(start)
        place, weight = _gauss(points, measure, TERMS_PER_OCTAVE)
        places.append(place)
        weights.append(weight)
        start *= 2
    rest = math.pi / 2 - float(torch.cat(weights).sum())
    places.append(torch.tensor([3.0 * start], dtype=torch.float64))
    weights.append(torch.tensor([rest], dtype=torch.float64))
    return Arcsine(2 * torch.cat(places) + 1, torch.cat(weights))


def _coefficients(k: Tensor) -> Tensor:
    """b_k = (2k choose k) / (4^k (2k + 1))."""
    log = torch.lgamma(k + 0.5) - torch.lgamma(k + 1) - 0.5 * math.log(math.pi)
    return log.exp() / (2 * k + 1)


def _octave(start: int) -> tuple[Tensor, Tensor]:
    """Return points k and weights of one octave, k = start, …, 2·start − 1 with weights b_k.

    A large octave is replaced by an integral over k, with b_k = k^(−3/2)·(1 − 5/(8k) + …)/(2√π).
    """
    if start <= _LARGEST_SUMMED:
        k = torch.arange(start, 2 * start, dtype=torch.float64)
        return k, _coefficients(k)
    from numpy.polynomial.legendre import leggauss

    nodes, weights = (torch.from_numpy(array) for array in leggauss(32))
    low, high = (2 * start - 0.5) ** -0.5, (start - 0.5) ** -0.5
    k = (low + (high - low) * (nodes + 1) / 2) ** -2  # ∫ k^(−3/2) dk = 2∫ dv with v = k^(−1/2)
    return k, weights * (high - low) / 2 * (1 - 5 / (8 * k)) / math.sqrt(math.pi)


def _gauss(points: Tensor, measure: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Return nodes and weights of Gauss quadrature of a discrete measure (Lanczos; Golub, Welsch).

    It has the measure's moments up to order 2n − 1.
    """
    centre = points.mean()
    x, total = points / centre - 1, measure.sum()
    vector, before, beta = (measure / total).sqrt(), torch.zeros_like(points), 0.0
    jacobi = torch.zeros(n, n, dtype=torch.float64)
    for j in range(n):
        after = x * vector - beta * before
        jacobi[j, j] = after @ vector
        after -= jacobi[j, j] * vector
        beta = float(after.norm())
        if j + 1 < n:
            jacobi[j, j + 1] = jacobi[j + 1, j] = beta
        before, vector = vector, after / beta
    eigenvalues, eigenvectors = torch.linalg.eigh(jacobi)
    return centre * (1 + eigenvalues), total * eigenvectors[0] ** 2
