"""Conversion of images to RGB, as image viewers display them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageOps

_PLAIN = ("1", "L", "P", "RGB")
_OTHER_COLOURS = ("CMYK", "YCbCr", "HSV", "LAB", "RGBX")
_WITH_ALPHA = ("LA", "La", "PA", "RGBA", "RGBa")
_DEEP = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
_WHITE = {"F": 1.0}
_WHITE_16_BIT = 65535.0
_ORIENTATION = 0x0112
_DARKEST = 1 / 3
"""Images of more than 8 bits are refused if their largest value is below this share of white: most
likely, fewer bits are used than the file format provides."""


@dataclass
class Decoded:
    """Counts of decoded images.

    Attributes:
        modes: Number of images by Pillow mode, e.g. RGB.
        sizes: Number of images by (width, height) of the files.
        converted: Number of images by conversion.
        brightest: The largest value in images of 16 bits or more per pixel, relative to white; 0
            without such images.
    """

    modes: Counter[str] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    converted: Counter[str] = field(default_factory=Counter)
    brightest: float = 0.0


def to_rgb(image: Image.Image, decoded: Decoded, white: float | None = None) -> Image.Image:
    """Return an image in RGB, as image viewers display it.

    The EXIF orientation is applied, transparency is composed on white, and only the first of
    several frames or pages is used. Values of more than 8 bits are scaled linearly, with ``white``
    to 255.

    Args:
        image: The opened image.
        decoded: Updated with size, mode and conversion.
        white: The value of white in images of 16 or 32 bits per pixel; None: 65535, or 1 for
            floats.

    Raises:
        OSError: The mode is unknown, or values are outside [0, white].
    """
    mode = image.mode
    decoded.modes[mode] += 1
    decoded.sizes[image.size] += 1
    if getattr(image, "n_frames", 1) > 1:
        decoded.converted["first of several frames or pages"] += 1
    if _has_exif(image) and image.getexif().get(_ORIENTATION, 1) not in (0, 1):
        decoded.converted["rotated according to EXIF"] += 1
        image = ImageOps.exif_transpose(image)
    if mode in _DEEP:
        return _from_deep(image, mode, decoded, white)
    if mode in _WITH_ALPHA or (mode in _PLAIN and "transparency" in image.info):
        return _on_white(image, decoded)
    if mode in _OTHER_COLOURS:
        decoded.converted[f"from {mode}"] += 1
    elif mode not in _PLAIN:
        raise OSError(f"its mode {mode} is not supported; save it as RGB")
    return image.convert("RGB")


def _has_exif(image: Image.Image) -> bool:
    """Whether an image may have EXIF data, whose reading takes as long as decoding."""
    names = [str(name).lower() for name in image.info]
    return image.format == "TIFF" or any("exif" in name or "xm" in name for name in names)


def check_brightness(decoded: Decoded, white: float | None, where: str) -> None:
    """Refuse images of more than 8 bits that would all be nearly black.

    Raises:
        OSError: They would be, and ``white`` is None.
    """
    if white is None and 0 < decoded.brightest < _DARKEST:
        most = round(decoded.brightest * _WHITE_16_BIT)
        likely = 2 ** max(most, 1).bit_length() - 1
        raise OSError(
            f"{where} have more than 8 bits per pixel, and the largest value is {most} of 65535: "
            f"they would be nearly black. Set the value of white with --data.white, e.g. {likely}."
        )


def _from_deep(image: Image.Image, mode: str, decoded: Decoded, white: float | None) -> Image.Image:
    values = np.asarray(image, dtype=np.float64)
    scale = white or _WHITE.get(mode, _WHITE_16_BIT)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if not (np.isfinite(values).all() and low >= 0 and high <= scale):
        raise OSError(
            f"its mode is {mode} with values from {low:g} to {high:g}, but white is {scale:g}. "
            "Set the value of white with --data.white"
        )
    if mode != "F":
        decoded.brightest = max(decoded.brightest, high / scale)
    decoded.converted[f"{mode}, with {scale:g} as white"] += 1
    return Image.fromarray(np.rint(values * (255 / scale)).astype(np.uint8)).convert("RGB")


def _on_white(image: Image.Image, decoded: Decoded) -> Image.Image:
    with_alpha = image.convert("RGBA")
    low, _ = with_alpha.getchannel("A").getextrema()
    if low == 255:
        return with_alpha.convert("RGB")
    decoded.converted["transparent, composed on white"] += 1
    white = Image.new("RGBA", with_alpha.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, with_alpha).convert("RGB")
