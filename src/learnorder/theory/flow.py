"""The limit of infinite width with implicit, adaptive steps: a run in seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from learnorder.theory.algorithm import Phase
from learnorder.theory.config import TheoryConfig
from learnorder.theory.kernel import Kernel, LimitState
from learnorder.theory.noise_law import NoiseLaw, gate
from learnorder.theory.recursion import loss_and_residual

_MOST_ITERATIONS = 30
_REFACTOR_AT = 0.2
"""Contraction of the Newton iteration above which its matrix is computed anew."""
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
        self._y, self._amplitude = kernel.examples.y, kernel.examples.amplitude
        self.time = self.steps = 0.0
        self.accepted = self.rejected = 0
        stiffest = config.distribution.s**2 / 24 + 0.25
        self._step = 0.01 * math.sqrt(self._tolerance / 2e-3) / stiffest
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
        self._stand(self._point, phase)

    def _stand(self, point: _Point, phase: Phase) -> None:
        """Be at a point, with f and loss as its state gives them."""
        f = self.kernel.outputs(point.state, gate(point.variance, phase.sigma))
        self._point = _Point(point.state, point.variance, f)
        self.loss, _ = loss_and_residual(f, self._y)

    def advance(self, phase: Phase, until: float) -> None:
        """Take one accepted step, at most to ``until`` or to where the loss meets the threshold."""
        while True:
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
        return {**vars(self.state), "point": counts}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go back to a snapshot; :meth:`begin` then brings the loss up to date."""
        self.time, self.steps, variance, self._step, self.accepted, self.rejected = snapshot[
            "point"
        ]
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
        whole = self._implicit(start, phase, h)
        half = whole and self._implicit(start, phase, h / 2, guess=(start.f + whole.f) / 2)
        twice = half and whole and self._implicit(half, phase, h / 2, guess=whole.f)
        if whole is None or twice is None:
            return None, math.inf
        state = twice.state.combined(whole.state, 2.0, -1.0)
        f = 2 * twice.f - whole.f
        return _Point(state, twice.variance, f), float((twice.f - whole.f).abs().max())

    def _implicit(
        self, start: _Point, phase: Phase, h: float, guess: Tensor | None = None
    ) -> _Point | None:
        """Return the end of one implicit step of length h, or None where Newton fails."""
        eta = phase.learning_rate
        step = self._law.transition(
            self.kernel.powers, start.variance, eta, h / eta, sigma=phase.sigma
        )
        seen = gate(step.variance, phase.sigma)
        state = self.kernel.carry(start.state.clone(), step)
        rest = self.kernel.outputs(state, seen)
        solved = self._newton(
            rest, self.kernel.one_step(step, seen), start.f if guess is None else guess
        )
        if solved is None:
            return None
        _, a = loss_and_residual(solved, self._y)
        return _Point(self.kernel.add(state, a, step), step.variance, solved)

    def _newton(self, rest: Tensor, kernel: Tensor, f: Tensor) -> Tensor | None:
        """Solve f = rest + K·a(f) by Newton's method with a matrix that is kept while it serves.

        With D = diag(−∂a/∂f) ≥ 0 the Newton step δ solves (I + K·D)δ = rest + K·a − f, by the
        Cholesky factor of the symmetric I + D^½·K·D^½.
        """
        wanted = 1e-4 * self._tolerance
        root, factor, before = f, None, math.inf
        for _ in range(_MOST_ITERATIONS):
            a, curvature = _residual_and_curvature(f, self._y)
            missing = torch.addmv(rest - f, kernel, a)
            size = float(missing.abs().max())
            if factor is None or size > _REFACTOR_AT * before:
                root = curvature.sqrt()
                matrix = kernel * root[:, None]
                matrix.mul_(root).diagonal().add_(1)
                factor, failed = torch.linalg.cholesky_ex(matrix)
                if failed:
                    return None
            before = size
            inner = torch.cholesky_solve((root * missing)[:, None], factor)[:, 0]
            change = torch.addmv(missing, kernel, root * inner, alpha=-1)
            f = f + change
            if float(change.abs().max()) < wanted:
                return f
        return None


def _residual_and_curvature(f: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Return a = −∂ℓ/∂f / N and −∂a/∂f."""
    share = torch.sigmoid(-y * f)
    return y * share / len(y), share * (1 - share) / len(y)
