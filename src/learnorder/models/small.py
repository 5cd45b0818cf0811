"""Small networks: a plain convolutional network, a perceptron and a vision transformer."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from learnorder.errors import ConfigError


class ConvNet(nn.Module):
    """Plain network: 3×3 convolution, batch norm and ReLU for each width; global average pooling.

    Args:
        num_classes: Number of classes.
        widths: Channels of each layer; all layers but the first have stride 2.
        in_channels: Channels of the images.
        normalised: Whether there is batch norm; without it, convolutions have biases.
    """

    def __init__(
        self,
        num_classes: int,
        widths: Sequence[int] = (32, 64, 128),
        in_channels: int = 3,
        *,
        normalised: bool = True,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index, width in enumerate(widths):
            stride = 2 if index else 1
            layers.append(nn.Conv2d(in_channels, width, 3, stride, padding=1, bias=not normalised))
            if normalised:
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.ReLU(inplace=True))
            in_channels = width
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(in_channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, C, H, W] to logits [B, num_classes]."""
        return self.classifier(self.features(images).mean(dim=(2, 3)))


class MLP(nn.Module):
    """Perceptron on flattened images, with ReLU between layers and no normalisation.

    Args:
        num_classes: Number of classes.
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


class ViT(nn.Module):
    """Small vision transformer (Dosovitskiy et al., *An Image is Worth 16×16 Words*, ICLR 2021).

    Linear embedding of square patches, learned position embeddings, pre-norm encoder layers with
    GELU and no dropout, layer norm, mean over tokens, linear classifier.

    Args:
        num_classes: Number of classes.
        image_size: (H, W) of the images.
        patch_size: Side of a patch in pixels; must divide H and W.
        width: Size of a token.
        depth: Number of encoder layers.
        heads: Number of attention heads; must divide ``width``.
        in_channels: Channels of the images.

    Raises:
        ConfigError: ``patch_size`` does not divide the image.

    >>> ViT(10, (16, 16)).eval()(torch.zeros(2, 3, 16, 16)).shape
    torch.Size([2, 10])
    """

    def __init__(
        self,
        num_classes: int,
        image_size: tuple[int, int],
        patch_size: int = 4,
        width: int = 96,
        depth: int = 4,
        heads: int = 4,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        if any(side % patch_size for side in image_size):
            raise ConfigError(
                "model.arguments.patch_size",
                patch_size,
                f"The images are {image_size[0]}×{image_size[1]}: give a divisor of both sides.",
            )
        tokens = (image_size[0] // patch_size) * (image_size[1] // patch_size)
        self.embed = nn.Conv2d(in_channels, width, patch_size, patch_size)
        self.positions = nn.Parameter(0.02 * torch.randn(1, tokens, width))
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(
                width, heads, 4 * width, dropout=0.0, activation=nn.GELU(), batch_first=True,
                norm_first=True,
            )
            for _ in range(depth)
        )  # fmt: skip
        self.norm = nn.LayerNorm(width)
        self.classifier = nn.Linear(width, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, C, H, W] to logits [B, num_classes]."""
        tokens = self.embed(images).flatten(2).transpose(1, 2) + self.positions
        for layer in self.layers:
            tokens = layer(tokens)
        return self.classifier(self.norm(tokens).mean(dim=1))
