"""Sharpness along a run: the largest eigenvalue of the loss's Hessian on a fixed sample."""

from __future__ import annotations

from torch import Tensor, nn

from learnorder.config import SharpnessConfig
from learnorder.seeding import generator
from learnorder.sharpness import Eigenvalue, hessian, largest_eigenvalue
from learnorder.training.problem import Problem


class Curvature:
    """Measures λ of a network's mean training loss, by Lanczos iteration.

    The sample is the beginning of the first epoch, patterns included, whatever the epoch. The
    network is in evaluation mode meanwhile, so that no example's loss depends on another's, and
    there is no noise; it is left in training mode, its weights and gradients as they were.

    Args:
        config: The sample's size, and how often.
        problem: Where the sample and the loss are from.
        seed: The run's.
    """

    def __init__(self, config: SharpnessConfig, problem: Problem, seed: int) -> None:
        self._every, self._seed, self._problem = config.every, seed, problem
        self._sample = problem.first(config.examples)

    def measure(self, model: nn.Module, epoch: int) -> Eigenvalue | None:
        """Return λ after an epoch, None where it is not measured there."""
        if epoch % self._every:
            return None
        model.eval()
        product, size = hessian(model, lambda: self._loss(model))
        drawing = generator(self._seed, "sharpness", epoch)
        device = next(model.parameters()).device
        found = largest_eigenvalue(product, size, drawing, tolerance=1e-2, device=device)
        model.train()
        return found

    def _loss(self, model: nn.Module) -> Tensor:
        outputs = self._problem.outputs(model, self._sample)
        return self._problem.losses(outputs, self._sample).mean()
