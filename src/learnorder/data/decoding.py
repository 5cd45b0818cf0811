"""Decoding images, one after the other, into one uint8 tensor of one size."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from learnorder.config import DataConfig
from learnorder.errors import DataError, one_line

Encoded = dict[str, Any] | None
"""An image as Hugging Face datasets hold it: its bytes, or its path."""


def open_encoded(encoded: Encoded, within: Sequence[Path]) -> Image.Image:
    """Open an encoded image.

    Args:
        encoded: Its bytes or its path.
        within: The folders of the data, which a path must not leave; a relative one begins at the
            first.

    Raises:
        OSError: There is no image, or none within the folders.
    """
    if encoded is None or encoded["bytes"] is encoded["path"] is None:
        raise OSError("there is no image in this row")
    if encoded["bytes"] is not None:
        return Image.open(io.BytesIO(encoded["bytes"]))
    # Links within the folder are the user's own, so they are not resolved.
    roots = [Path(os.path.abspath(folder)) for folder in within]  # noqa: PTH100
    path = Path(os.path.abspath(roots[0] / encoded["path"]))  # noqa: PTH100
    if not any(path.is_relative_to(root) for root in roots):
        raise OSError(f"its path leaves the data's folder {roots[0]}")
    return Image.open(path)


def path_of(encoded: Encoded) -> str | None:
    """Return the path of an encoded image, where it has one."""
    return None if encoded is None else encoded["path"]


def stack_images(
    count: int,
    images: Iterator[Image.Image],
    describe: Callable[[int], str],
    config: DataConfig,
) -> Tensor:
    """Decode images into uint8 [count, H, W, 3], brought to ``config.resolution``.

    Args:
        count: How many there are.
        images: Opens one after the other.
        describe: Names an image by its place among them.
        config: Of the data.

    Raises:
        DataError: No images, one that cannot be read, or several sizes and no resolution.
    """
    if count == 0:
        raise DataError(f"{config.source}: there are no images in a split that is needed.")
    size = None if config.resolution is None else (config.resolution, config.resolution)
    stacked: np.ndarray | None = None
    for i in range(count):
        try:
            image = next(images).convert("RGB")
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
            raise DataError(
                f"{describe(i)}: not a readable image ({one_line(error)}). Replace or remove it."
            ) from error
        if size is not None and image.size != size:
            image = image.resize(size, Image.Resampling.BOX)
        pixels = np.asarray(image)
        if stacked is None:
            stacked = np.empty((count, *pixels.shape), np.uint8)
        if pixels.shape != stacked.shape[1:]:
            raise DataError(
                f"{describe(i)}: {pixels.shape[1]}×{pixels.shape[0]} pixels where the images "
                f"before it have {stacked.shape[2]}×{stacked.shape[1]}. Images of mixed sizes "
                "are brought to one with --data.resolution, e.g. --data.resolution 32."
            )
        stacked[i] = pixels
    assert stacked is not None
    return torch.from_numpy(stacked)
