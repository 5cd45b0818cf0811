"""Networks of later papers' experiments that the package does not offer otherwise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class KernelMLP(nn.Module):
    """Perceptron with ReLU in the parametrisation of the neural tangent kernel.

    A layer maps x ∈ ℝⁿ to √(g/n) · W x, with W ~ N(0, 1), g = 2 before a ReLU and g = 1 in the
    last layer, and without a bias. All layers then contribute equally to the kernel, whose largest
    eigenvalue does not grow with the width.

    Args:
        num_classes: Number of classes.
        inputs: Number of values of an image.
        widths: Units of each hidden layer.
    """

    def __init__(self, num_classes: int, inputs: int, widths: Sequence[int]) -> None:
        super().__init__()
        sizes = [inputs, *widths, num_classes]
        self.weights = nn.ParameterList(torch.randn(out, fan_in) for fan_in, out in pairwise(sizes))

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, ...] to outputs [B, num_classes]."""
        values = images.flatten(1)
        *hidden, last = self.weights
        for weight in hidden:
            values = F.linear(values, weight * math.sqrt(2 / weight.shape[1])).relu()
        return F.linear(values, last / math.sqrt(last.shape[1]))


class HiddenPixels(nn.Module):
    """A network that sees other pixels of an image each time it is trained on it.

    In training each pixel is 0 in all channels with probability q, independently at each step, and
    is otherwise divided by 1 − q. In evaluation all pixels are seen.

    Args:
        network: The network, for images [B, C, H, W].
        share: The probability q, in [0, 1).
    """

    def __init__(self, network: nn.Module, share: float) -> None:
        super().__init__()
        self.network, self.share = network, share

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, C, H, W] to the network's outputs."""
        seen = F.dropout(torch.ones_like(images[:, :1]), self.share, self.training)
        return self.network(images * seen)
