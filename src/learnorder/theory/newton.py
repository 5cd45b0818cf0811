"""The equation of one implicit step of the flow, solved by Newton's method."""

from __future__ import annotations

import math
from typing import Any, Protocol

import torch
from torch import Tensor

from learnorder.theory.kernel import Kernel, StepKernel

MOST_FACTORED = 2_500
"""Up to this number of examples, the Newton matrix is factored; above, it is applied only.

About there, whole runs took equally long on one core (``docs/explanation/speed.md``).
"""

_MOST_ITERATIONS = 30
_REFACTOR_AT = 0.35
"""The Newton matrix is renewed if an iteration leaves more than this share of the residual."""
_LONGEST = 20.0
"""Largest change of an output in one Newton iteration."""
_MOST_GRADIENTS = 1_000
"""Iterations of conjugate gradients after which a solve has failed; a few are usual."""
_ACCURACY = 1e-5
"""Share of the right-hand side that conjugate gradients may leave, about what float32 allows."""


class Newton:
    """Newton's method for f = f₀ + K·a(f). It keeps its matrix over steps while it converges.

    With D = diag(−∂a/∂f) ≥ 0, a Newton step δ solves (I + K·D)δ = f₀ + K·a − f. K is P's part K_P,
    in float32, plus U·C·Uᵀ, stiff and of low rank, which the Woodbury identity adds in float64.
    """

    def __init__(self, tolerance: float) -> None:
        self._tolerance = 1e-3 * tolerance
        self._matrix: _Matrix | None = None

    def snapshot(self) -> list[Any]:
        """Return the inputs of the current matrix; empty if there is none."""
        if self._matrix is None:
            return []
        kernel = self._matrix.kernel
        parts = [kernel.linear, kernel.first, kernel.diagonal, kernel.wide, kernel.core]
        return [self._matrix.curvature, *parts]

    def restore(self, snapshot: list[Any], kernel: Kernel) -> None:
        """Recompute the matrix of a snapshot."""
        if snapshot:
            curvature, *parts = snapshot
            self._renew(StepKernel(kernel, *parts), curvature)

    def solve(self, f0: Tensor, kernel: StepKernel, y: Tensor, f: Tensor) -> Tensor | None:
        """Return the solution, starting from a guess f; None if the iteration fails."""
        previous = math.inf
        try:
            if self._matrix is not None:
                self._couple(self._matrix, kernel)
            for _ in range(_MOST_ITERATIONS):
                share = torch.sigmoid(-y * f)
                residual = (f0 - f).add_(kernel.apply(y * share / len(y)))
                size = float(residual.abs().max())
                if self._matrix is None or size > _REFACTOR_AT * previous:
                    self._renew(kernel, share * (1 - share) / len(y))
                previous = size
                change = self._step(residual)
                length = float(change.abs().max())
                if not length < math.inf:
                    break
                f = f + change * min(1.0, _LONGEST / max(length, _LONGEST))
                if length < self._tolerance:
                    return f
        except _NotSolvedError:
            pass
        self._matrix = None  # do not reuse a matrix that failed
        return None

    def _renew(self, kernel: StepKernel, curvature: Tensor) -> None:
        """Take the Newton matrix at a curvature D."""
        kind = _Factored if len(curvature) <= MOST_FACTORED else _Applied
        self._matrix = kind(kernel, curvature)
        self._couple(self._matrix, kernel)

    def _couple(self, matrix: _Matrix, kernel: StepKernel) -> None:
        """Add the low-rank part of this step's kernel."""
        columns = [matrix.solve(column) for column in kernel.wide.T]
        self._wide = torch.stack(columns, dim=1)  # Z = (I + K_P·D)⁻¹·U
        self._seen = kernel.wide * matrix.curvature[:, None]  # D·U
        inner = kernel.core @ (self._seen.T @ self._wide)
        inner.diagonal().add_(1)
        self._small = torch.linalg.solve(inner, kernel.core)  # (C⁻¹ + Uᵀ·D·Z)⁻¹

    def _step(self, residual: Tensor) -> Tensor:
        """Solve (I + K·D)δ = residual."""
        assert self._matrix is not None
        change = self._matrix.solve(residual)
        return change.sub_(self._wide @ (self._small @ (self._seen.T @ change)))


class _NotSolvedError(ArithmeticError):
    """A linear system has no solution in float32."""


class _Matrix(Protocol):
    """I + K_P·D, for systems with one right-hand side.

    By (I + K_P·D)⁻¹ = I − K_P·D^½·(I + D^½·K_P·D^½)⁻¹·D^½ it is enough to solve systems with the
    symmetric, positive definite matrix in brackets.
    """

    kernel: StepKernel
    curvature: Tensor

    def solve(self, column: Tensor) -> Tensor:
        """Return (I + K_P·D)⁻¹·column, (N,), in float64.

        Raises:
            _NotSolvedError: It cannot be computed in float32.
        """
        ...


class _Factored:
    """By a Cholesky factorisation: N³/3 operations, and then 3·N² for each system."""

    def __init__(self, kernel: StepKernel, curvature: Tensor) -> None:
        self.kernel, self.curvature = kernel, curvature
        self._root = curvature.sqrt()
        root = self._root.float()
        self._p_part = kernel.p_part()
        matrix = (self._p_part * root[:, None]).mul_(root)
        matrix.diagonal().add_(1)
        self._cholesky, failed = torch.linalg.cholesky_ex(matrix)
        if failed:
            raise _NotSolvedError

    def solve(self, column: Tensor) -> Tensor:
        """Return (I + K_P·D)⁻¹·column."""
        known = (self._root * column).float()
        inner = torch.cholesky_solve(known[:, None], self._cholesky)[:, 0]
        return column - (self._p_part @ (self._root.float() * inner)).double()


class _Applied:
    """By conjugate gradients with the diagonal as preconditioner: no N × N matrix of its own.

    An iteration multiplies by the N × d examples twice, and by the quadratic part if that is kept.
    """

    def __init__(self, kernel: StepKernel, curvature: Tensor) -> None:
        self.kernel, self.curvature = kernel, curvature
        self._root = curvature.sqrt()
        self._root32 = self._root.float()
        self._scale = 1 / (1 + self._root32.square() * kernel.p_diagonal())

    def solve(self, column: Tensor) -> Tensor:
        """Return (I + K_P·D)⁻¹·column."""
        residual = (self._root * column).float()
        enough = _ACCURACY * float(residual.norm())
        found, direction = torch.zeros_like(residual), torch.zeros_like(residual)
        energy = 1.0
        for _ in range(_MOST_GRADIENTS):
            if float(residual.norm()) <= enough:
                return column - self.kernel.p_times(self._root32 * found).double()
            scaled = self._scale * residual
            energy, before = float(residual @ scaled), energy
            direction = scaled + direction * (energy / before)
            image = direction + self._root32 * self.kernel.p_times(self._root32 * direction)
            length = energy / float(direction @ image)
            if not math.isfinite(length):
                break
            found.add_(direction, alpha=length)
            residual.sub_(image, alpha=length)
        raise _NotSolvedError
