"""A small convolutional network, with batch norm or without any normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn


class SmallNet(nn.Module):
    """3×3 convolutions of stride 2 with ReLU, global average pooling, a linear classifier.

    Args:
        num_classes: Number of classes.
        in_channels: Channels of the images.
        widths: Channels of each convolution.
        normalised: Whether batch norm follows each convolution. The loss is then the same at any
            multiple of the convolutions' weights; without it, it is not.
    """

    def __init__(
        self, num_classes: int, in_channels: int, widths: Sequence[int], *, normalised: bool
    ) -> None:
        super().__init__()
        layers = list[nn.Module]()
        for before, after in pairwise((in_channels, *widths)):
            layers.append(nn.Conv2d(before, after, 3, 2, 1, bias=not normalised))
            if normalised:
                layers.append(nn.BatchNorm2d(after))
            layers.append(nn.ReLU())
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(widths[-1], num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of each image."""
        return self.head(self.layers(images).mean(dim=(2, 3)))
