"""What a user's function shows of an example: a text, or an image as a thumbnail."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from learnorder.errors import DataError
from learnorder.report.content import Picture, Quoted

LONGEST_TEXT = 300
"""Characters of a text on a page."""
THUMBNAIL = 96
"""Largest width and height of a thumbnail, in pixels."""


def shown_example(value: Any, index: int) -> Quoted:
    """Return a text, shortened, or an image as a table cell.

    Args:
        value: As for :func:`small_example`, or what it returns.
        index: Index of the example.

    Raises:
        DataError: As for :func:`small_example`.
    """
    small = value if isinstance(value, bytes) else small_example(value, index)
    if isinstance(small, str):
        return Quoted(small)
    address = "data:image/png;base64," + base64.b64encode(small).decode()
    return Picture(f"example {index}", address)


def small_example(value: Any, index: int) -> str | bytes:
    """Return a text, shortened, or an image as a PNG of at most 96×96 pixels.

    Args:
        value: Text, PIL image, or uint8 tensor or array [H, W], [H, W, 1 | 3 | 4] or
            [1 | 3 | 4, H, W]; if both fit, channels are last.
        index: Index of the example.

    Raises:
        DataError: It is neither, or an image of more than 8 bits.
    """
    if isinstance(value, str):
        return escaped(value if len(value) <= LONGEST_TEXT else f"{value[:LONGEST_TEXT]} …")
    image = value if isinstance(value, Image.Image) else _image(value, index)
    if image.mode.startswith(("I", "F")):
        raise DataError(
            f"show({index}) returned a PIL image of mode {image.mode}, whose range is not known. "
            "Scale it to 8 bits, and return mode L or RGB."
        )
    transparent = "A" in image.getbands() or "transparency" in image.info
    image = image.convert("RGBA" if transparent else "RGB")
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def escaped(text: str) -> str:
    r"""Return a text with lone surrogates escaped, which UTF-8 cannot encode.

    >>> escaped("half \ud83d")
    'half \\ud83d'
    """
    return text.encode(errors="backslashreplace").decode()


def _image(value: Any, index: int) -> Image.Image:
    name = type(value).__name__
    if not isinstance(value, Tensor | np.ndarray):
        raise DataError(
            f"show({index}) returned an object of type {name}. Return a text, a PIL image, or "
            "pixels as a uint8 tensor or array."
        )
    pixels = value.detach().cpu().numpy() if isinstance(value, Tensor) else value
    if pixels.dtype != np.uint8:
        raise DataError(
            f"show({index}) returned pixels as {pixels.dtype}. Return uint8 from 0 to 255, e.g. "
            "(255 * image).round().to(torch.uint8) for an image in [0, 1]."
        )
    if pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4):
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if not pixels.size or not (
        pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (3, 4))
    ):
        raise DataError(
            f"show({index}) returned pixels of shape {tuple(value.shape)}. Return [H, W], "
            "[H, W, 3] or [3, H, W]."
        )
    return Image.fromarray(np.ascontiguousarray(pixels))
