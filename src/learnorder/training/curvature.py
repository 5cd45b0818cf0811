"""Sharpness during training: the largest eigenvalue of the loss's Hessian on a fixed sample."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from learnorder.config.training import SharpnessConfig
from learnorder.errors import ConfigError
from learnorder.models.modes import evaluation_mode
from learnorder.seeding import generator
from learnorder.toolkit.sharpness import Eigenvalue, NotFinite, hessian, largest_eigenvalue
from learnorder.training.problem import Problem


class Curvature:
    """Measures λ of a network's mean training loss, by Lanczos iteration.

    The sample is always the beginning of the first epoch, including patterns. The network is in
    evaluation mode, so examples do not affect each other's losses and there is no noise. Its modes,
    weights and gradients are restored.

    Args:
        config: The sample's size, and the interval.
        problem: Provides the sample and the loss.
        seed: The run's seed.

    Raises:
        ConfigError: An epoch has fewer examples.
    """

    def __init__(self, config: SharpnessConfig, problem: Problem, seed: int) -> None:
        self._every, self._seed, self._problem = config.every, seed, problem
        available = sum(map(problem.examples, range(problem.steps)))
        if config.examples > available:
            remedy = f"An epoch has {available:,} examples."
            raise ConfigError("sharpness.examples", config.examples, remedy)
        self._sample = problem.first_batch(config.examples)

    def measure(self, model: nn.Module, epoch: int) -> Eigenvalue | None:
        """Return λ after an epoch, None if it is not due or not finite."""
        if epoch % self._every:
            return None
        drawing = generator(self._seed, "sharpness", epoch)
        device = next(model.parameters()).device
        try:
            with evaluation_mode(model):
                product, size = hessian(model, lambda: self._loss(model, self._sample))
                return largest_eigenvalue(product, size, drawing, tolerance=1e-2, device=device)
        except NotFinite as error:
            logging.getLogger(__name__).warning("No sharpness after epoch %d. %s", epoch, error)
            return None

    def try_out(self, model: nn.Module) -> None:
        """Compute one product on two examples; it raises the errors that measuring would."""
        sample = self._problem.first_batch(2)
        with evaluation_mode(model), suppress(NotFinite):  # a result, not an error
            product, size = hessian(model, lambda: self._loss(model, sample))
            product(torch.ones(size, device=next(model.parameters()).device))

    def _loss(self, model: nn.Module, sample: Any) -> Tensor:
        return self._problem.losses(self._problem.outputs(model, sample), sample).mean()
