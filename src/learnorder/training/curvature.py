"""Sharpness along a run: the largest eigenvalue of the loss's Hessian on a fixed sample."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from learnorder.config import SharpnessConfig
from learnorder.seeding import generator
from learnorder.sharpness import Eigenvalue, hessian, largest_eigenvalue
from learnorder.training.batches import Batches


class Curvature:
    """Measures λ of a network's mean training loss, by Lanczos iteration.

    The sample is the beginning of the first epoch, patterns included, whatever the epoch. The
    network is in evaluation mode meanwhile, so that no example's loss depends on another's, and
    there is no noise; it is left in training mode, its weights and gradients as they were.

    Args:
        config: The sample's size, and how often.
        batches: Where the sample is from.
        seed: The run's.
    """

    def __init__(self, config: SharpnessConfig, batches: Batches, seed: int) -> None:
        self._every, self._seed = config.every, seed
        images, labels, missing = [], [], config.examples
        for batch in batches.epoch(1):
            images.append(batch.images[:missing])
            labels.append(batch.labels[:missing])
            missing -= len(labels[-1])
            if missing <= 0:
                break
        self._images, self._labels = torch.cat(images), torch.cat(labels)

    def measure(self, model: nn.Module, epoch: int) -> Eigenvalue | None:
        """Return λ after an epoch, None where it is not measured there."""
        if epoch % self._every:
            return None
        model.eval()
        product, size = hessian(model, lambda: F.cross_entropy(model(self._images), self._labels))
        drawing = generator(self._seed, "sharpness", epoch)
        device = self._images.device
        found = largest_eigenvalue(product, size, drawing, tolerance=1e-2, device=device)
        model.train()
        return found
