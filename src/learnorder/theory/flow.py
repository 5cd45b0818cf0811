"""The infinite-width limit, integrated with implicit, adaptive steps: a run takes seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from learnorder.theory.algorithm import Phase
from learnorder.theory.config import TheoryConfig
from learnorder.theory.kernel import Kernel, LimitState
from learnorder.theory.newton import Newton
from learnorder.theory.noise_law import NoiseLaw, gate
from learnorder.theory.recursion import loss_and_residual

_MOST_REJECTIONS = 60
"""Consecutive rejections, each with a shorter step, after which an error is raised."""
_AT_THRESHOLD = 1e-4
"""Relative tolerance with which a phase's last step meets its loss threshold."""


@dataclass(frozen=True)
class _Point:
    """The position of the integration."""

    state: LimitState
    variance: float
    f: Tensor


class Flow:
    """The limit with an implicit residual: f after a step solves an equation in its own residual.

    Below the stability limit, the step length of gradient descent matters only through the law of
    the noise, which is kept exactly (:class:`~learnorder.theory.noise_law.NoiseLaw`). One step can
    therefore replace any number of gradient steps. It solves f = f₀ + K_h·a(f) by Newton's method,
    where f₀ is the output of the decayed old state and K_h the kernel of the step. Comparing two
    half steps with one whole step estimates the error; the result, 2·(two halves) − (whole), is of
    second order. A step in which the loss crosses the phase's threshold is shortened to end there.

    Args:
        kernel: The kernel of the training set.
        config: The run.

    Attributes:
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
        """The accumulated effect of training."""
        return self._point.state

    @property
    def variance(self) -> float:
        """τ²/τ0²."""
        return self._point.variance

    def begin(self, phase: Phase) -> None:
        """Enter a phase; outputs and loss now include its noise."""
        if self._phase not in (None, phase):
            self._newton = self._fresh_newton()
        self._phase = phase
        self._move_to(self._point, phase)

    def _fresh_newton(self) -> tuple[Newton, Newton]:
        """Return solvers for whole and half steps; each keeps the matrix for its step length."""
        return Newton(self._tolerance), Newton(self._tolerance)

    def _move_to(self, point: _Point, phase: Phase) -> None:
        """Move to a point, with f and the loss recomputed from its state."""
        f = self.kernel.outputs(point.state, gate(point.variance, phase.sigma))
        self._point = _Point(point.state, point.variance, f)
        self.loss, _ = loss_and_residual(f, self._y)

    def advance(self, phase: Phase, until: float) -> None:
        """Take one accepted step, up to ``until`` or the loss threshold, whichever is first."""
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
                f"the flow found no accurate step at η·t = {self.time:.4g}, down to a length of "
                f"{self._step:.1g}; increase solver.tolerance, or set solver.engine to recursion"
            )
        loss, _ = loss_and_residual(trial.f, self._y)
        if loss < phase.threshold * (1 - _AT_THRESHOLD):
            h, trial = self._crossing(phase, h, trial, loss)
        self._move_to(trial, phase)
        self.time = until if h == until - self.time else self.time + h
        self.steps += h / phase.learning_rate
        self.accepted += 1

    def snapshot(self) -> dict[str, Any]:
        """Return the state needed to continue, as tensors and plain values."""
        counts = [self.time, self.steps, self.variance, self._step, self.accepted, self.rejected]
        matrices = [newton.snapshot() for newton in self._newton]
        return {**vars(self.state), "point": counts, "newton": matrices}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Restore a snapshot; :meth:`begin` then updates the loss."""
        self.time, self.steps, variance, self._step, self.accepted, self.rejected = snapshot[
            "point"
        ]
        for newton, saved in zip(self._newton, snapshot["newton"], strict=True):
            newton.restore(saved, self.kernel)
        state = LimitState(**{name: snapshot[name] for name in vars(self.state)})
        self._point = _Point(state, variance, self.kernel.outputs(state))

    def _crossing(self, phase: Phase, h: float, trial: _Point, loss: float) -> tuple[float, _Point]:
        """Return a shorter step that ends with the loss just below the threshold."""
        target = math.log(phase.threshold)
        low, at_low, high, at_high = 0.0, math.log(self.loss) - target, h, math.log(loss) - target
        for _ in range(40):
            share = at_low / (at_low - at_high)
            middle = low + (high - low) * min(max(share * 1.0001, 0.02), 0.98)
            candidate, _ = self._doubled(phase, middle)
            if candidate is None:
                break
            middle_loss, _ = loss_and_residual(candidate.f, self._y)
            at = math.log(middle_loss) - target
            if at > 0:
                low, at_low = middle, at
                continue
            high, at_high, h, trial = middle, at, middle, candidate
            if at > -_AT_THRESHOLD:
                break
        return h, trial

    def _doubled(self, phase: Phase, h: float) -> tuple[_Point | None, float]:
        """Return the extrapolated result of a step, None if Newton fails, and its error."""
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
        self, newton: Newton, start: _Point, phase: Phase, h: float, guess: Tensor
    ) -> _Point | None:
        """Return the end of one implicit step of length h, or None if Newton fails."""
        eta = phase.learning_rate
        step = self._law.transition(
            self.kernel.powers, start.variance, eta, h / eta, sigma=phase.sigma
        )
        gate_after = gate(step.variance, phase.sigma)
        state = self.kernel.carry(start.state.clone(), step)
        f0 = self.kernel.outputs(state, gate_after)
        f = newton.solve(f0, self.kernel.one_step(step, gate_after), self._y, guess)
        if f is None:
            return None
        _, a = loss_and_residual(f, self._y)
        return _Point(self.kernel.add(state, a, step), step.variance, f)
