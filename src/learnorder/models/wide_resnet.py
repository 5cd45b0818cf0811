"""WideResNet as published, with any depth and width."""

from __future__ import annotations

import math

from torch import Tensor, nn

from learnorder.errors import ConfigError


class _Block(nn.Module):
    """Two 3×3 convolutions, each after batch norm and ReLU, added to a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.shortcut = (
            None
            if in_channels == out_channels
            else nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        h = self.relu1(self.bn1(x))
        skip = x if self.shortcut is None else self.shortcut(h)
        return skip + self.conv2(self.relu2(self.bn2(self.conv1(h))))


class WideResNet(nn.Module):
    """Wide residual network (Zagoruyko and Komodakis, *Wide Residual Networks*, BMVC 2016).

    Three groups of (depth − 4)/6 pre-activation blocks with 16k, 32k and 64k channels, k =
    ``widen_factor``; global average pooling; one linear layer. Convolution weights are initialised
    from N(0, 2/(kernel² · out_channels)), batch norm with scale 1 and shift 0, as in the paper's
    code.

    Args:
        depth: 6n + 4, e.g. 10, 16, 28.
        widen_factor: k; the paper uses depth 16 with k = 10.
        num_classes: Number of classes.
        in_channels: Channels of the images.

    Raises:
        ConfigError: ``depth`` is not 6n + 4 with n ≥ 1, or ``widen_factor`` is below 1.

    >>> model = WideResNet(depth=16, widen_factor=10, num_classes=10)
    >>> sum(p.numel() for p in model.parameters())
    17116634
    >>> sum(isinstance(m, nn.ReLU) for m in model.modules())
    13
    """

    def __init__(
        self, depth: int = 10, widen_factor: int = 1, num_classes: int = 10, in_channels: int = 3
    ) -> None:
        super().__init__()
        if depth < 10 or (depth - 4) % 6:
            raise ConfigError("model.arguments.depth", depth, "Give 6n + 4: 10, 16, 22, 28, …")
        if widen_factor < 1:
            raise ConfigError("model.arguments.widen_factor", widen_factor, "Give at least 1.")
        width = 16
        layers: list[nn.Module] = [nn.Conv2d(in_channels, width, 3, padding=1, bias=False)]
        for group in range(3):
            out_width = 16 * widen_factor * 2**group
            for index in range((depth - 4) // 6):
                layers.append(_Block(width, out_width, 2 if group and index == 0 else 1))
                width = out_width
        self.features = nn.Sequential(*layers, nn.BatchNorm2d(width), nn.ReLU(inplace=True))
        self.classifier = nn.Linear(width, num_classes)
        self._initialise()

    def _initialise(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                fan_out = math.prod(module.kernel_size) * module.out_channels
                nn.init.normal_(module.weight, 0.0, math.sqrt(2.0 / fan_out))
        nn.init.zeros_(self.classifier.bias)

    def forward(self, images: Tensor) -> Tensor:
        """Map images [B, C, H, W] to logits [B, num_classes]."""
        return self.classifier(self.features(images).mean(dim=(2, 3)))
