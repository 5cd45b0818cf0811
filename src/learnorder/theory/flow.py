"""The limit of infinite width with implicit, adaptive steps: a run in seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from learnorder.theory.algorithm import Phase
from learnorder.theory.config import TheoryConfig
from learnorder.theory.kernel import Kernel, LimitState, StepKernel
from learnorder.theory.noise_law import NoiseLaw, gate
from learnorder.theory.recursion import loss_and_residual

_MOST_ITERATIONS = 30
_REFACTOR_AT = 0.35
"""Contraction of the Newton iteration above which its matrix is computed anew."""
_LONGEST = 20.0
"""Change of an output in one Newton iteration: the logistic loss is another beyond."""
_MOST_REJECTIONS = 60
"""Rejections in a row, each with a shorter step, after which the flow gives up."""
_AT_THRESHOLD = 1e-4
"""How near, relatively, a phase's last step comes to its loss threshold."""


@dataclass(frozen=True)
class _Point:
    """Where the integration stands."""

    state: LimitState
    variance: float
    f: Tensor


class Flow:
    """The limit with the residual implicit: f after a step is what its own residual leads to.

    Below the stability limit the step length of gradient descent matters through the law of the
    noise alone, and that law is kept exactly (:class:`~learnorder.theory.noise_law.NoiseLaw`), so a
    step here may stand for any number of gradient steps. One step solves f = f₀ + K_h·a(f) by
    Newton's method, where f₀ is what is left of the old state and K_h the step's kernel. Two half
    steps against one whole step estimate the error, and 2·(two halves) − (whole), of second order,
    goes on. The step in which the loss crosses the phase's threshold is shortened to end there.

    Args:
        kernel: The kernel of the training set.
        config: The run.

    Attributes:
        state: What training has left so far.
        variance: τ²/τ0².
        accepted: Steps accepted.
        rejected: Steps rejected.
    """

    def __init__(self, kernel: Kernel, config: TheoryConfig) -> None:
        self.kernel, self._law = kernel, NoiseLaw(config.eta1, config.algorithm.weight_decay)
        self._tolerance = config.solver.tolerance
        self._y = kernel.examples.y
        self.time = self.steps = 0.0
        self.accepted = self.rejected = 0
        stiffest = config.distribution.s**2 / 24 + 0.25
        self._step = 0.01 * math.sqrt(self._tolerance / 2e-3) / stiffest
        self._newton, self._phase = self._fresh_newton(), None
        empty = kernel.empty()
        self._point = _Point(empty, 1.0, kernel.outputs(empty))
        self.loss, _ = loss_and_residual(self._point.f, self._y)

    @property
    def state(self) -> LimitState:
        """What training has left so far."""
        return self._point.state

    @property
    def variance(self) -> float:
        """τ²/τ0²."""
        return self._point.variance

    def begin(self, phase: Phase) -> None:
        """Enter a phase: outputs and loss are with its noise from now on."""
        if self._phase not in (None, phase):
            self._newton = self._fresh_newton()
        self._phase = phase
        self._stand(self._point, phase)

    def _fresh_newton(self) -> tuple[_Newton, _Newton]:
        """Solvers for whole and for half steps: they keep matrices of steps of like length."""
        return _Newton(self._tolerance), _Newton(self._tolerance)

    def _stand(self, point: _Point, phase: Phase) -> None:
        """Be at a point, with f and loss as its state gives them."""
        f = self.kernel.outputs(point.state, gate(point.variance, phase.sigma))
        self._point = _Point(point.state, point.variance, f)
        self.loss, _ = loss_and_residual(f, self._y)

    def advance(self, phase: Phase, until: float) -> None:
        """Take one accepted step, at most to ``until`` or to where the loss meets the threshold."""
        for _ in range(_MOST_REJECTIONS):
            h = min(self._step, until - self.time)
            trial, error = self._doubled(phase, h)
            if trial is None or error > self._tolerance:
                factor = 0.2 if trial is None else 0.9 * math.sqrt(self._tolerance / error)
                self._step = h * max(0.2, factor)
                self.rejected += 1
                continue
            growth = 0.9 * math.sqrt(self._tolerance / max(error, 1e-12))
            proposed = h * min(4.0, growth)
            if h == self._step or proposed < self._step:
                self._step = proposed
            break
        else:
            raise ArithmeticError(
                f"no step of the flow is accurate at η·t = {self.time:.4g}, down to "
                f"{self._step:.1g}; try a larger solver.tolerance, or the recursion"
            )
        loss, _ = loss_and_residual(trial.f, self._y)
        if loss < phase.threshold * (1 - _AT_THRESHOLD):
            h, trial = self._crossing(phase, h, trial, loss)
        self._stand(trial, phase)
        self.time = until if h == until - self.time else self.time + h
        self.steps += h / phase.learning_rate
        self.accepted += 1

    def snapshot(self) -> dict[str, Any]:
        """Return all that continuing needs, as tensors and plain values."""
        counts = [self.time, self.steps, self.variance, self._step, self.accepted, self.rejected]
        matrices = [newton.snapshot() for newton in self._newton]
        return {**vars(self.state), "point": counts, "newton": matrices}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go back to a snapshot; :meth:`begin` then brings the loss up to date."""
        self.time, self.steps, variance, self._step, self.accepted, self.rejected = snapshot[
            "point"
        ]
        for newton, there in zip(self._newton, snapshot["newton"], strict=True):
            newton.restore(there, self.kernel)
        state = LimitState(**{name: snapshot[name] for name in vars(self.state)})
        self._point = _Point(state, variance, self.kernel.outputs(state))

    def _crossing(self, phase: Phase, h: float, trial: _Point, loss: float) -> tuple[float, _Point]:
        """Return a shorter step that ends where the loss meets the threshold, from just below."""
        target = math.log(phase.threshold)
        low, at_low, high, at_high = 0.0, math.log(self.loss) - target, h, math.log(loss) - target
        for _ in range(40):
            share = at_low / (at_low - at_high)
            middle = low + (high - low) * min(max(share * 1.0001, 0.02), 0.98)
            candidate, _ = self._doubled(phase, middle)
            if candidate is None:
                break
            loss_there, _ = loss_and_residual(candidate.f, self._y)
            at = math.log(loss_there) - target
            if at > 0:
                low, at_low = middle, at
                continue
            high, at_high, h, trial = middle, at, middle, candidate
            if at > -_AT_THRESHOLD:
                break
        return h, trial

    def _doubled(self, phase: Phase, h: float) -> tuple[_Point | None, float]:
        """Return the extrapolated result of a step and its error; None where Newton fails."""
        start = self._point
        for_whole, for_half = self._newton
        whole = self._implicit(for_whole, start, phase, h, start.f)
        if whole is None:
            return None, math.inf
        half = self._implicit(for_half, start, phase, h / 2, (start.f + whole.f) / 2)
        twice = half and self._implicit(for_half, half, phase, h / 2, whole.f)
        if twice is None:
            return None, math.inf
        state = twice.state.combined(whole.state, 2.0, -1.0)
        f = 2 * twice.f - whole.f
        return _Point(state, twice.variance, f), float((twice.f - whole.f).abs().max())

    def _implicit(
        self, newton: _Newton, start: _Point, phase: Phase, h: float, guess: Tensor
    ) -> _Point | None:
        """Return the end of one implicit step of length h, or None where Newton fails."""
        eta = phase.learning_rate
        step = self._law.transition(
            self.kernel.powers, start.variance, eta, h / eta, sigma=phase.sigma
        )
        seen = gate(step.variance, phase.sigma)
        state = self.kernel.carry(start.state.clone(), step)
        rest = self.kernel.outputs(state, seen)
        f = newton.solve(rest, self.kernel.one_step(step, seen), self._y, guess)
        if f is None:
            return None
        _, a = loss_and_residual(f, self._y)
        return _Point(self.kernel.add(state, a, step), step.variance, f)


class _Newton:
    """Newton's method for f = rest + K·a(f), with a matrix that is kept, over steps, as it serves.

    With D = diag(−∂a/∂f) ≥ 0, a Newton step δ solves (I + K·D)δ = rest + K·a − f. K is P's part,
    whose symmetric form I + D^½·K_P·D^½ is factored in float32, plus U·C·Uᵀ of small rank and great
    stiffness, which the Woodbury identity adds in float64.
    """

    def __init__(self, tolerance: float) -> None:
        self._wanted = 1e-3 * tolerance
        self._factored: tuple[Tensor, StepKernel] | None = None

    def snapshot(self) -> list[Any]:
        """Return of what the matrix that is kept was made; nothing where there is none."""
        if self._factored is None:
            return []
        curvature, made = self._factored
        return [curvature, made.linear, made.first, made.diagonal, made.wide, made.core]

    def restore(self, snapshot: list[Any], kernel: Kernel) -> None:
        """Make the matrix of a snapshot again."""
        if snapshot:
            curvature, *parts = snapshot
            self._factor(StepKernel(kernel, *parts), curvature)

    def solve(self, rest: Tensor, kernel: StepKernel, y: Tensor, f: Tensor) -> Tensor | None:
        """Return the solution, starting from a guess f; None where there is none to be had."""
        before = math.inf
        if self._factored is not None:
            self._couple(kernel)
        for _ in range(_MOST_ITERATIONS):
            share = torch.sigmoid(-y * f)
            missing = (rest - f).add_(kernel.apply(y * share / len(y)))
            size = float(missing.abs().max())
            stale = self._factored is None or size > _REFACTOR_AT * before
            if stale and not self._factor(kernel, share * (1 - share) / len(y)):
                break
            before = size
            change = self._step(missing)
            length = float(change.abs().max())
            if not length < math.inf:
                break
            f = f + change * min(1.0, _LONGEST / max(length, _LONGEST))
            if length < self._wanted:
                return f
        self._factored = None  # what did not serve is not kept
        return None

    def _factor(self, kernel: StepKernel, curvature: Tensor) -> bool:
        """Factor the Newton matrix at a curvature D; return whether it could be done."""
        self._factored, self._root = (curvature, kernel), curvature.sqrt()
        root = self._root.float()
        self._p_part = kernel.p_part()
        matrix = (self._p_part * root[:, None]).mul_(root)
        matrix.diagonal().add_(1)
        self._cholesky, failed = torch.linalg.cholesky_ex(matrix)
        if failed:
            return False
        self._couple(kernel)
        return True

    def _couple(self, kernel: StepKernel) -> None:
        """Add the part of small rank, as this step has it."""
        assert self._factored is not None
        curvature, _ = self._factored
        self._wide = self._p_solve(kernel.wide)  # Z = (I + K_P·D)⁻¹·U
        self._seen = kernel.wide * curvature[:, None]  # D·U
        inner = kernel.core @ (self._seen.T @ self._wide)
        inner.diagonal().add_(1)
        self._small = torch.linalg.solve(inner, kernel.core)  # (C⁻¹ + Uᵀ·D·Z)⁻¹

    def _step(self, missing: Tensor) -> Tensor:
        """Solve (I + K·D)δ = missing."""
        change = self._p_solve(missing[:, None])[:, 0]
        return change.sub_(self._wide @ (self._small @ (self._seen.T @ change)))

    def _p_solve(self, columns: Tensor) -> Tensor:
        """Solve (I + K_P·D)X = columns, by (I + K·D)⁻¹ = I − K·D^½·(I + D^½·K·D^½)⁻¹·D^½."""
        root = self._root[:, None]
        inner = torch.cholesky_solve((root * columns).float(), self._cholesky)
        return columns - (self._p_part @ (root.float() * inner)).double()
