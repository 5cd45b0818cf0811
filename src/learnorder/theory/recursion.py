"""The limit of infinite width, one gradient step after another."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import softplus

from learnorder.theory.algorithm import Phase
from learnorder.theory.config import TheoryConfig
from learnorder.theory.kernel import Kernel, LimitState
from learnorder.theory.noise_law import NoiseLaw, Transition, gate


class Recursion:
    """Gradient descent in the limit, as written: the engine that the flow is checked against.

    A learning rate below the length of a macro-step is taken many steps at once with an unchanged
    residual, which is gradient descent with that step length and the small learning rate's noise.

    Args:
        kernel: The kernel of the training set.
        config: The run.

    Attributes:
        state: What training has left so far.
        variance: τ²/τ0².
    """

    def __init__(self, kernel: Kernel, config: TheoryConfig) -> None:
        self.kernel, self.state = kernel, kernel.empty()
        self.time = self.steps = 0.0
        self.variance = 1.0
        self._law = NoiseLaw(config.eta1, config.algorithm.weight_decay)
        self._macro_step = config.solver.macro_step or config.eta1
        self._known: tuple[tuple[float, ...], Transition] | None = None
        self._measure(sigma=0.0)

    def begin(self, phase: Phase) -> None:
        """Enter a phase: the loss is with its noise from now on."""
        self._measure(phase.sigma)

    def advance(self, phase: Phase, until: float) -> None:
        """Take a step, or a macro-step that ends at ``until`` at the latest."""
        eta, n = phase.learning_rate, 1.0
        if eta < self._macro_step:
            n = max(1.0, min(self._macro_step, until - self.time) / eta)
        step = self._transition(eta, n, phase.sigma)
        self.kernel.add(self.kernel.carry(self.state, step), self._residual, step)
        self.variance = step.variance
        self.time += n * eta
        self.steps += n
        self._measure(phase.sigma)

    def snapshot(self) -> dict[str, Any]:
        """Return all that continuing needs, as tensors and plain values."""
        return {**vars(self.state.clone()), "point": [self.time, self.steps, self.variance]}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go back to a snapshot; :meth:`begin` then brings the loss up to date."""
        self.time, self.steps, self.variance = snapshot["point"]
        self.state = LimitState(**{n: snapshot[n].clone() for n in vars(self.state)})

    def _transition(self, eta: float, n: float, sigma: float) -> Transition:
        key = (self.variance, eta, n, sigma)
        if self._known is None or self._known[0] != key:
            self._known = (key, self._law.transition(self.kernel.powers, *key))
        return self._known[1]

    def _measure(self, sigma: float) -> None:
        f = self.kernel.outputs(self.state, gate(self.variance, sigma))
        self.loss, self._residual = loss_and_residual(f, self.kernel.examples.y)


def loss_and_residual(f: Tensor, y: Tensor) -> tuple[float, Tensor]:
    """Return the mean logistic loss, and a = −∂ℓ_i/∂f_i / N of every example.

    Args:
        f: (N,), outputs.
        y: (N,), labels.
    """
    margin = y * f
    return float(softplus(-margin).mean()), y * torch.sigmoid(-margin) / len(y)
