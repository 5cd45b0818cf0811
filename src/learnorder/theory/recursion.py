"""The infinite-width limit, one gradient step at a time."""

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
    """Gradient descent in the limit, computed directly: the reference for the flow.

    At a learning rate below the length of a macro-step, many steps are taken at once with a
    constant residual: gradient descent with that step length and the small learning rate's noise.

    Args:
        kernel: The kernel of the training set.
        config: The run.

    Attributes:
        state: The accumulated effect of training.
        variance: τ²/τ0².
    """

    def __init__(self, kernel: Kernel, config: TheoryConfig) -> None:
        self.kernel, self.state = kernel, kernel.empty()
        self.time = self.steps = 0.0
        self.variance = 1.0
        self._law = NoiseLaw(config.eta1, config.algorithm.weight_decay)
        self._macro_step = config.solver.macro_step or config.eta1
        self._cached: tuple[tuple[float, ...], Transition] | None = None
        self._measure(sigma=0.0)

    def begin(self, phase: Phase) -> None:
        """Enter a phase; the loss now includes its noise."""
        self._measure(phase.sigma)

    def advance(self, phase: Phase, until: float) -> None:
        """Take one step, or a macro-step that ends no later than ``until``."""
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
        """Return the state needed to continue, as tensors and plain values."""
        return {**vars(self.state.clone()), "point": [self.time, self.steps, self.variance]}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Restore a snapshot; :meth:`begin` then updates the loss."""
        self.time, self.steps, self.variance = snapshot["point"]
        self.state = LimitState(**{n: snapshot[n].clone() for n in vars(self.state)})

    def _transition(self, eta: float, n: float, sigma: float) -> Transition:
        key = (self.variance, eta, n, sigma)
        if self._cached is None or self._cached[0] != key:
            self._cached = (key, self._law.transition(self.kernel.powers, *key))
        return self._cached[1]

    def _measure(self, sigma: float) -> None:
        f = self.kernel.outputs(self.state, gate(self.variance, sigma))
        self.loss, self._residual = loss_and_residual(f, self.kernel.examples.y)


def loss_and_residual(f: Tensor, y: Tensor) -> tuple[float, Tensor]:
    """Return the mean logistic loss and, per example, a_i = −(1/N)·∂ℓ_i/∂f_i, (N,).

    Args:
        f: (N,), outputs.
        y: (N,), labels.
    """
    margin = y * f
    return float(softplus(-margin).mean()), y * torch.sigmoid(-margin) / len(y)
