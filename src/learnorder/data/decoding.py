"""Decoding images, one after the other, into one uint8 tensor of one size."""

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
"""An image as Hugging Face datasets hold it: its bytes, or its path."""

MOST_PIXELS = 64_000_000
"""Larger images are not decoded: a file of some kilobytes can unpack to gigabytes."""


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
    decoded: Decoded,
) -> Tensor:
    """Decode images into uint8 [count, H, W, 3], brought to ``config.resolution``.

    Args:
        count: How many there are.
        images: Opens one after the other.
        describe: Names an image by its place among them.
        config: Of the data.
        decoded: Gets what was found in the images, and done to them.

    Raises:
        DataError: No images, one that cannot be read or is too large, several sizes and no
            resolution, more than the memory holds, or all nearly black.
    """
    if count == 0:
        raise DataError(f"{config.source}: there are no images in a split that is needed.")
    side = config.resolution
    stacked = None if side is None else _room(config, count, side, side)
    for i in range(count):
        pixels = _decode(images, partial(describe, i), config, decoded)
        if stacked is None:
            stacked = _room(config, count, pixels.shape[1], pixels.shape[0])
        if pixels.shape != stacked.shape[1:]:
            raise DataError(
                f"{describe(i)}: {pixels.shape[1]}×{pixels.shape[0]} pixels where the images "
                f"before it have {stacked.shape[2]}×{stacked.shape[1]}. Images of mixed sizes "
                "are brought to one with --data.resolution, e.g. --data.resolution 32."
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
    """Decode the next image, uint8 [H, W, 3]; its size is looked at before its pixels are."""
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
        f"{name()}: too large ({reason}); images of up to {MOST_PIXELS:,} pixels are read. Make it "
        "smaller or remove it."
    )


def _room(config: DataConfig, count: int, width: int, height: int) -> np.ndarray:
    """Return the array for images, uint8 [count, height, width, 3], if the memory holds it."""
    if beyond := beyond_memory(count * height * width * 3):
        raise DataError(
            f"{config.source}: {count:,} images of {width:,}×{height:,} pixels take {beyond}. Give "
            "a smaller --data.resolution, or fewer images with --data.train_examples and "
            "--data.evaluation_examples."
        )
    return np.empty((count, height, width, 3), np.uint8)
