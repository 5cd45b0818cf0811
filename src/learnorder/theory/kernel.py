"""The infinite-width limit: its kernel on a training set, and the state of its training.

With m → ∞ and then τ0 → 0, the activation pattern depends only on the noise and is averaged in
closed form. The output after training is

    f_t(x) = Σ_{s<t} η_s G_{s+1,t} Σ_i a_{i,s} ⟨x_i, x⟩ A(ρ_{st}·cos∠(x_i, x)),
    A(c) = 1/4 + arcsin(c)/2π,

summed over the halves of x (over all pairs of halves if filters and output weights are shared).
a_{i,s} = −(1/N)·∂ℓ_i/∂f_i at step s, G is the shrinkage by weight decay and ρ_{st} the correlation
of the noise between the steps. Expanding arcsin in powers turns each term into a recursion, so a
state of fixed size represents all steps. ``docs/explanation/limit.md`` derives it.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from learnorder.theory.arcsine import arcsine
from learnorder.theory.config import NetworkConfig
from learnorder.theory.distribution import Examples, directions
from learnorder.theory.noise_law import Transition

MOST_QUADRATIC = 8_000
"""By default, the quadratic part between P patterns is kept up to this number of examples."""

_BLOCK_ELEMENTS = 2**23
"""Cosines between examples per block."""


@dataclass
class LimitState:
    """The accumulated effect of training on each part of the kernel.

    Attributes:
        linear: (d,), the linear part of P patterns, Σ_i M_i·x1_i.
        linear_q: (3,), the linear part of Q patterns, by direction.
        quadratic: (N,), power 1 of P patterns, by example.
        self_: (N, K − 1), powers ≥ 3 between each P pattern and itself.
        q: (3, K), all powers of Q patterns, by direction.
    """

    linear: Tensor
    linear_q: Tensor
    quadratic: Tensor
    self_: Tensor
    q: Tensor

    def tensors(self) -> tuple[Tensor, ...]:
        """Return all parts."""
        return (self.linear, self.linear_q, self.quadratic, self.self_, self.q)

    def clone(self) -> LimitState:
        """Return a copy."""
        return LimitState(*(tensor.clone() for tensor in self.tensors()))

    def combined(self, other: LimitState, alpha: float, beta: float) -> LimitState:
        """Return alpha·self + beta·other. The outputs are linear in the state."""
        pairs = zip(self.tensors(), other.tensors(), strict=True)
        return LimitState(*(alpha * a + beta * b for a, b in pairs))


class Kernel:
    """The limit's kernel on a training set.

    Cosines between different P patterns are about 1/√d. There the linear part and power 1 are
    exact, and powers ≥ 3 are dropped (:meth:`dropped` measures their effect). The series is
    complete between a P pattern and itself, and between Q patterns. If filters and output weights
    are shared, P and Q patterns interact through the linear part and powers 1 and 3.

    Args:
        examples: The training set, in float64.
        network: Separate blocks or convolution; widths are ignored.
        quadratic: Whether to keep power 1 between different P patterns; None keeps it up to 8,000
            examples.

    Attributes:
        powers: (K,), the powers of the arcsine series.
        keeps_quadratic: Whether power 1 between different P patterns is kept.
    """

    def __init__(
        self, examples: Examples, network: NetworkConfig, quadratic: bool | None = None
    ) -> None:
        n, d = examples.x1.shape
        series = arcsine(examples.r)
        self.examples, self.powers = examples, series.powers
        self.coefficients = series.coefficients / (2 * math.pi)
        self.shared = network.kind == "convolution" and network.shared_output
        self.keeps_quadratic = n <= MOST_QUADRATIC if quadratic is None else quadratic
        self.n, self.d = n, d
        x1 = examples.x1
        self._squared_norm = x1.square().sum(dim=1)
        norm = self._squared_norm.sqrt()
        self._inverse_norm = torch.where(norm > 0, 1 / norm.clamp(min=1e-300), 0.0)
        one_hot = torch.nn.functional.one_hot(examples.b.long() + 1, 3)
        self._to_q = one_hot * examples.amplitude[:, None]  # (N, 3)
        self._v = v = directions(examples.r, d)
        self._v_inverse_norm = 1 / v.norm(dim=1)
        self._dot = v @ v.T
        log_cos = _log_cosines(examples.r)
        self._q_series = self._dot[:, :, None] * torch.exp(log_cos[:, :, None] * self.powers)
        self._own = self._squared_norm * self.coefficients[0]
        self._quadratic = self._squared_cosines() if self.keeps_quadratic else None
        if self.shared:
            self._across = x1 @ v.T
            cos = self._across * self._inverse_norm[:, None] * self._v_inverse_norm
            self._cross = [  # powers 1 and 3, each (N, 3)
                self._across * cos**power * self.coefficients[place]
                for place, power in enumerate((1, 3))
            ]

    def _squared_cosines(self) -> Tensor:
        """Return ‖x_i‖·‖x_j‖·cos² between P patterns, times the coefficient of power 1."""
        squared = (self.examples.x1 @ self.examples.x1.T).square_()
        squared.mul_(self._inverse_norm[:, None]).mul_(self._inverse_norm)
        return squared.mul_(self.coefficients[0])

    @functools.cached_property
    def _gram32(self) -> Tensor:
        return self._x1_32 @ self._x1_32.T

    @functools.cached_property
    def _x1_32(self) -> Tensor:
        return self.examples.x1.float()

    @functools.cached_property
    def _quadratic32(self) -> Tensor | None:
        return None if self._quadratic is None else self._quadratic.float()

    def quadratic_times(self, v: Tensor) -> Tensor:
        """Return the quadratic part's matrix times a vector, (N,)."""
        return self._own * v if self._quadratic is None else self._quadratic @ v

    def p_part(self, linear: float, first: float, diagonal: Tensor) -> Tensor:
        """Return a weighted sum of P's linear and quadratic parts and a diagonal, float32."""
        matrix = self._gram32 * linear
        if self._quadratic32 is not None:
            matrix.add_(self._quadratic32, alpha=first)
        matrix.diagonal().add_(self._beside_quadratic(first, diagonal))
        return matrix

    def p_times(self, linear: float, first: float, diagonal: Tensor, v: Tensor) -> Tensor:
        """Return the product of :meth:`p_part` and a vector, (N,), in float32."""
        product = (self._x1_32 @ (self._x1_32.T @ v)).mul_(linear)
        if self._quadratic32 is not None:
            product.add_(self._quadratic32 @ v, alpha=first)
        return product.addcmul_(self._beside_quadratic(first, diagonal), v)

    def _beside_quadratic(self, first: float, diagonal: Tensor) -> Tensor:
        """Return what :meth:`p_part` adds to its diagonal, float32.

        If power 1 between different P patterns is dropped, it has that of each with itself.
        """
        return (diagonal if self.keeps_quadratic else diagonal + first * self._own).float()

    def p_diagonal(self, linear: float, first: float, diagonal: Tensor) -> Tensor:
        """Return the diagonal of :meth:`p_part`, (N,), in float32."""
        return (self._squared_norm * linear + self._own * first + diagonal).float()

    def empty(self) -> LimitState:
        """Return the state before training: f = 0."""
        k = len(self.powers)
        sizes = ((self.d,), (3,), (self.n,), (self.n, k - 1), (3, k))
        return LimitState(*(torch.zeros(size, dtype=torch.float64) for size in sizes))

    def carry(self, state: LimitState, step: Transition) -> LimitState:
        """Decay a state in place over a transition, without adding a gradient."""
        state.linear.mul_(step.gain)
        state.linear_q.mul_(step.gain)
        state.quadratic.mul_(step.decay[0])
        state.self_.mul_(step.decay[1:])
        state.q.mul_(step.decay)
        return state

    def add(self, state: LimitState, a: Tensor, step: Transition) -> LimitState:
        """Add the gradient of a transition to a state, in place.

        Args:
            state: The state after :meth:`carry`.
            a: (N,), −∂ℓ_i/∂f_i divided by N.
            step: The transition.
        """
        by_direction = self._to_q.T @ a
        state.linear.addmv_(self.examples.x1.T, a, alpha=step.linear_weight)
        state.linear_q.add_(by_direction, alpha=step.linear_weight)
        state.quadratic.addcmul_(a, step.weight[0])
        state.self_.addr_(a, step.weight[1:])
        state.q.addr_(by_direction, step.weight)
        return state

    def outputs(self, state: LimitState, gate: float = 1.0) -> Tensor:
        """Return f on the training set, (N,).

        Args:
            state: The state.
            gate: τ/√(τ² + σ²), below 1 if the forward pass has noise before its activations.
        """
        f = self.on_p(state, gate)
        return f.addmv_(self._to_q, self.on_q(state, gate))

    def on_p(self, state: LimitState, gate: float = 1.0) -> Tensor:
        """Return N_W on the training set's first halves, (N,)."""
        f = (self.examples.x1 @ self._linear(state)) / 4
        f.add_(self.quadratic_times(state.quadratic), alpha=gate)
        seen = self.coefficients[1:] * gate ** self.powers[1:]
        f.addcmul_(self._squared_norm, state.self_ @ seen)
        if self.shared:
            f.addmv_(self._cross[0], state.q[:, 0], alpha=gate)
            f.addmv_(self._cross[1], state.q[:, 1], alpha=gate**3)
        return f

    def on_q(self, state: LimitState, gate: float = 1.0) -> Tensor:
        """Return g_b, f on the three directions z + bζ, b = −1, 0, 1: (3,)."""
        seen = self.coefficients * gate**self.powers
        g = torch.einsum("bck,ck,k->b", self._q_series, state.q, seen)
        if self.shared:
            g = g + self._v @ self._linear(state) / 4
            g.addmv_(self._cross[0].T, state.quadratic, alpha=gate)
            return g.addmv_(self._cross[1].T, state.self_[:, 0], alpha=gate**3)
        return g + self._dot @ state.linear_q / 4

    def _linear(self, state: LimitState) -> Tensor:
        return state.linear + self._v.T @ state.linear_q if self.shared else state.linear

    def one_step(self, step: Transition, gate: float = 1.0) -> StepKernel:
        """Return K_h, the linear map from the residual of a transition to its effect on f."""
        seen = self.coefficients * step.weight * gate**self.powers
        linear, first = step.linear_weight / 4, float(step.weight[0]) * gate
        between = self._dot * linear + self._q_series @ seen
        wide, core = self._to_q, between
        if self.shared:
            third = float(step.weight[1]) * gate**3
            mixed = self._across * linear + self._cross[0] * first + self._cross[1] * third
            wide = torch.cat([self._to_q, mixed], dim=1)
            one = torch.eye(3, dtype=torch.float64)
            core = torch.cat([torch.cat([between, one], 1), torch.cat([one, 0 * one], 1)])
        diagonal = self._squared_norm * seen[1:].sum()
        return StepKernel(self, linear, first, diagonal, wide, core)

    def linear_and_form(self, state: LimitState) -> tuple[Tensor, Tensor]:
        """Return w, (d,), and A, (d, d), with N_W(x) = ⟨w, x⟩/4 + xᵀAx/‖x‖ on new P patterns."""
        x1, first = self.examples.x1, self.coefficients[0]
        form = torch.zeros(self.d, self.d, dtype=torch.float64)
        if self.keeps_quadratic:
            form += x1.T @ (x1 * (first * state.quadratic * self._inverse_norm)[:, None])
        if self.shared:
            form += self._v.T @ (self._v * (first * state.q[:, 0] * self._v_inverse_norm)[:, None])
        return self._linear(state), form

    def dropped(self, state: LimitState) -> float:
        """Return the root mean square over examples of the dropped part of f from powers 1 and 3.

        Power 3 between different P patterns is always dropped, power 1 unless it is kept. Each
        higher power is smaller by a factor of about 1/d.
        """
        x1, total = self.examples.x1, torch.zeros(self.n, dtype=torch.float64)
        direction = x1 * self._inverse_norm[:, None]
        block = min(1024, max(16, _BLOCK_ELEMENTS // self.n))
        for rows in torch.arange(self.n).split(block):
            cos = direction[rows] @ direction.T
            cos[torch.arange(len(rows)), rows] = 0
            scale = self._squared_norm.sqrt()
            third = (cos**4 * scale) @ (state.self_[:, 0] * self.coefficients[1])
            total[rows] = scale[rows] * third
            if not self.keeps_quadratic:
                first = (cos**2 * scale) @ (state.quadratic * self.coefficients[0])
                total[rows] += scale[rows] * first
        return float(total.square().mean().sqrt())


@dataclass(frozen=True)
class StepKernel:
    """K_h, the map from a step's residual to its effect on f: P's part, plus U·C·Uᵀ for Q's.

    Attributes:
        kernel: The kernel of the training set.
        linear: Weight of the Gram matrix of the P patterns.
        first: Weight of the quadratic part between P patterns.
        diagonal: (N,), the powers ≥ 3 of each P pattern with itself.
        wide: U, (N, k).
        core: C, (k, k).
    """

    kernel: Kernel
    linear: float
    first: float
    diagonal: Tensor
    wide: Tensor
    core: Tensor

    def apply(self, a: Tensor) -> Tensor:
        """Return K_h·a, (N,)."""
        x1 = self.kernel.examples.x1
        added = (x1 @ (x1.T @ a)).mul_(self.linear)
        added.add_(self.kernel.quadratic_times(a), alpha=self.first)
        added.addcmul_(self.diagonal, a)
        return added.addmv_(self.wide, self.core @ (self.wide.T @ a))

    def p_part(self) -> Tensor:
        """Return P's part as a matrix, (N, N), in float32."""
        return self.kernel.p_part(self.linear, self.first, self.diagonal)

    def p_times(self, v: Tensor) -> Tensor:
        """Return P's part times a vector, (N,), in float32."""
        return self.kernel.p_times(self.linear, self.first, self.diagonal, v)

    def p_diagonal(self) -> Tensor:
        """Return the diagonal of P's part, (N,), in float32."""
        return self.kernel.p_diagonal(self.linear, self.first, self.diagonal)


class OutputsOn:
    """The limit's outputs on new P patterns, in float32.

    Args:
        kernel: The kernel of the training set.
        x1: (n, d), the patterns.
    """

    def __init__(self, kernel: Kernel, x1: Tensor) -> None:
        self._kernel, self._x1 = kernel, x1.float()
        self._norm = self._x1.norm(dim=1)
        train = (kernel.examples.x1 * kernel._inverse_norm.sqrt()[:, None]).float()
        self._squared = None
        if kernel.keeps_quadratic:  # ⟨x_i, x⟩²/(‖x_i‖·‖x‖)
            squared = self._x1 @ train.T
            self._squared = squared.square_().div_(self._norm[:, None])
        self._v_inverse_norm = kernel._v_inverse_norm.float()
        self._across = self._x1 @ kernel._v.float().T if kernel.shared else None

    def outputs(self, state: LimitState) -> Tensor:
        """Return N_W on the patterns, (n,)."""
        kernel = self._kernel
        f = self._x1 @ (kernel._linear(state) / 4).float()
        first = float(kernel.coefficients[0])
        if self._squared is not None:
            f += self._squared @ (first * state.quadratic).float()
        if self._across is not None:
            cos = self._across * self._v_inverse_norm / self._norm[:, None]
            for place, power in enumerate((1, 3)):
                seen = (kernel.coefficients[place] * state.q[:, place]).float()
                f += (self._across * cos**power) @ seen
        return f


def _log_cosines(r: float) -> Tensor:
    """Return ln cos∠(z + bζ, z + b′ζ), (3, 3), accurate for small r."""
    near = -0.5 * math.log1p(r**2)
    far = math.log1p(-(r**2)) - math.log1p(r**2) if r < 1 else -math.inf
    return torch.tensor([[0, near, far], [near, 0, near], [far, near, 0]], dtype=torch.float64)
