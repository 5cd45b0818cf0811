"""Decoding of images into one uint8 tensor."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from learnorder.config.memory import beyond_memory
from learnorder.config.settings import DataConfig
from learnorder.data.rgb import Decoded, check_brightness, to_rgb
from learnorder.errors import DataError, one_line

Encoded = dict[str, Any] | None
"""An image in a Hugging Face data set: its bytes, or its path."""

MOST_PIXELS = 64_000_000
"""The largest image that is decoded: a file of a few kilobytes can decompress to gigabytes."""


def open_encoded(encoded: Encoded, within: Sequence[Path]) -> Image.Image:
    """Open an encoded image.

    Args:
        encoded: Its bytes or its path.
        within: The folders that may contain the image; relative paths start at the first.

    Raises:
        OSError: There is no image, or its path leaves the folders.
    """
    if encoded is None or encoded["bytes"] is encoded["path"] is None:
        raise OSError("the row contains no image")
    if encoded["bytes"] is not None:
        return Image.open(io.BytesIO(encoded["bytes"]))
    # Links within the folder are the user's own, so they are not resolved.
    roots = [Path(os.path.abspath(folder)) for folder in within]  # noqa: PTH100
    path = Path(os.path.abspath(roots[0] / encoded["path"]))  # noqa: PTH100
    if not any(path.is_relative_to(root) for root in roots):
        raise OSError(f"its path leaves the data folder {roots[0]}")
    return Image.open(path)


def path_of(encoded: Encoded) -> str | None:
    """Return the path of an encoded image, None if it has none."""
    return None if encoded is None else encoded["path"]


def stack_images(
    count: int,
    images: Iterator[Image.Image],
    describe: Callable[[int], str],
    config: DataConfig,
    decoded: Decoded,
) -> Tensor:
    """Decode images into uint8 [count, H, W, 3], resized to ``config.resolution``.

    Args:
        count: Number of images.
        images: The opened images.
        describe: Returns a name for the image of an index, for errors.
        config: Settings of the data.
        decoded: Counts sizes, modes and conversions.

    Raises:
        DataError: An image cannot be read or is too large, sizes differ
            without a resolution, the images exceed the memory, or all are nearly black.
    """
    side = config.resolution
    stacked = None if side is None else _room(config, count, side, side)
    for i in range(count):
        pixels = _decode(images, partial(describe, i), config, decoded)
        if stacked is None:
            stacked = _room(config, count, pixels.shape[1], pixels.shape[0])
        if pixels.shape != stacked.shape[1:]:
            raise DataError(
                f"{describe(i)}: {pixels.shape[1]}×{pixels.shape[0]} pixels, but the images before "
                f"it have {stacked.shape[2]}×{stacked.shape[1]}. To resize images of mixed sizes, "
                "set --data.resolution, e.g. --data.resolution 32."
            )
        stacked[i] = pixels
    try:
        check_brightness(decoded, config.white, "its images")
    except OSError as error:
        raise DataError(f"{config.source}: {error}") from None
    assert stacked is not None
    return torch.from_numpy(stacked)


def _decode(
    images: Iterator[Image.Image], name: Callable[[], str], config: DataConfig, decoded: Decoded
) -> np.ndarray:
    """Decode the next image, uint8 [H, W, 3]; its size is checked before it is decoded."""
    side = config.resolution
    try:
        with next(images) as opened:
            if (pixels := opened.width * opened.height) <= MOST_PIXELS:
                image = to_rgb(opened, decoded, config.white)
                if side is not None and image.size != (side, side):
                    image = image.resize((side, side), Image.Resampling.BOX)
                return np.asarray(image)
            reason = f"{opened.width:,}×{opened.height:,} are {pixels:,} pixels"
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        reason = one_line(error).rstrip(".")
    except Exception as error:  # decoders of damaged files raise anything
        raise DataError(
            f"{name()}: not a readable image ({one_line(error)}). Replace or remove it."
        ) from error
    raise DataError(
        f"{name()}: too large ({reason}); the limit is {MOST_PIXELS:,} pixels. Resize or remove it."
    )


def _room(config: DataConfig, count: int, width: int, height: int) -> np.ndarray:
    """Return an empty array for images, uint8 [count, height, width, 3], if it fits the memory."""
    if beyond := beyond_memory(count * height * width * 3):
        raise DataError(
            f"{config.source}: {count:,} images of {width:,}×{height:,} pixels take {beyond}. "
            "Decrease --data.resolution, --data.train_examples or --data.evaluation_examples."
        )
    return np.empty((count, height, width, 3), np.uint8)
