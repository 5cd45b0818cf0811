"""A network whose outputs depend only on the directions of its weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from learnorder.models import ConvNet


class InvariantConvNet(nn.Module):
    """A :class:`~learnorder.models.ConvNet` of which all trained weights are scale-invariant.

    Batch norms have no scale and no shift, a last one follows the pooling, and the classifier is
    drawn at random, W ~ N(0, 1/n) for n features, and fixed: f(αw) = f(w) for α > 0, up to the ε
    of batch norm.

    Args:
        num_classes: Number of classes.
        widths: Channels of each layer.
        in_channels: Channels of the images.

    >>> network = InvariantConvNet(10, (4, 8), 1)
    >>> images = torch.randn(16, 1, 8, 8)
    >>> before = network(images)
    >>> with torch.no_grad():
    ...     _ = [weight.mul_(3) for weight in network.parameters()]
    >>> torch.allclose(network(images), before, atol=1e-3)
    True
    """

    def __init__(
        self, num_classes: int, widths: Sequence[int] = (16, 32, 64), in_channels: int = 3
    ) -> None:
        super().__init__()
        plain = ConvNet(num_classes, widths, in_channels)
        self.features = nn.Sequential(
            *(
                nn.BatchNorm2d(layer.num_features, affine=False)
                if isinstance(layer, nn.BatchNorm2d)
                else layer
                for layer in plain.features
            )
        )
        self.norm = nn.BatchNorm1d(widths[-1], affine=False)
        self.classifier: Tensor
        self.register_buffer("classifier", torch.randn(num_classes, widths[-1]) / widths[-1] ** 0.5)

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, C, H, W] to logits [B, num_classes]."""
        return self.norm(self.features(images).mean(dim=(2, 3))) @ self.classifier.T
