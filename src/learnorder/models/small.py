"""Small companions of the WideResNet: a plain convolutional network and a perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn


class ConvNet(nn.Module):
    """Plain network: a 3×3 convolution, batch norm and ReLU per width; global average pooling.

    Args:
        num_classes: Size of the output.
        widths: Channels of each layer; every layer but the first has stride 2.
        in_channels: Channels of the images.
    """

    def __init__(
        self, num_classes: int, widths: Sequence[int] = (32, 64, 128), in_channels: int = 3
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index, width in enumerate(widths):
            layers += [
                nn.Conv2d(in_channels, width, 3, 2 if index else 1, padding=1, bias=False),
                nn.BatchNorm2d(width),
                nn.ReLU(inplace=True),
            ]
            in_channels = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(in_channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, C, H, W] to logits [B, num_classes]."""
        return self.classifier(self.features(images).mean(dim=(2, 3)))


class MLP(nn.Module):
    """Perceptron on the flattened image, ReLU between its layers, no normalisation.

    Args:
        num_classes: Size of the output.
        image_size: (H, W) of the images.
        widths: Units of each hidden layer.
        in_channels: Channels of the images.
    """

    def __init__(
        self,
        num_classes: int,
        image_size: tuple[int, int],
        widths: Sequence[int] = (512, 512),
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        sizes = [in_channels * image_size[0] * image_size[1], *widths]
        layers: list[nn.Module] = [nn.Flatten()]
        for fan_in, fan_out in pairwise(sizes):
            layers += [nn.Linear(fan_in, fan_out), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers, nn.Linear(sizes[-1], num_classes))

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, C, H, W] to logits [B, num_classes]."""
        return self.layers(images)
