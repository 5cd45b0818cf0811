"""Any image that Pillow opens as the colours that a viewer shows, or refused by its mode."""

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
"""Images of more than 8 bits whose brightest value is below this share of white are refused: their
values are most likely of fewer bits than the file has room for."""


@dataclass
class Decoded:
    """What was found in images and done to them.

    Attributes:
        modes: Images by Pillow's mode, e.g. RGB.
        sizes: Images by (width, height), as the files have them.
        converted: Images by what was done to show them as a viewer does.
        brightest: The largest value in images of more than 8 bits, over their white; 0 for none.
    """

    modes: Counter[str] = field(default_factory=Counter)
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    converted: Counter[str] = field(default_factory=Counter)
    brightest: float = 0.0


def to_rgb(image: Image.Image, decoded: Decoded, white: float | None = None) -> Image.Image:
    """Return an image in RGB, as a viewer shows it.

    Turned as its EXIF orientation says; transparency on white; of several frames or pages the
    first. Values of more than 8 bits are scaled linearly so that ``white`` becomes 255.

    Args:
        image: As opened.
        decoded: Gets what was found and done.
        white: The value that is white in images of 16 or 32 bits a pixel; None takes 65535, or 1
            for floats.

    Raises:
        OSError: A mode that is not known, or values outside [0, white].
    """
    mode = image.mode
    decoded.modes[mode] += 1
    decoded.sizes[image.size] += 1
    if getattr(image, "n_frames", 1) > 1:
        decoded.converted["the first of several frames or pages"] += 1
    if _has_exif(image) and image.getexif().get(_ORIENTATION, 1) not in (0, 1):
        decoded.converted["turned as EXIF says"] += 1
        image = ImageOps.exif_transpose(image)
    if mode in _DEEP:
        return _from_deep(image, mode, decoded, white)
    if mode in _WITH_ALPHA or (mode in _PLAIN and "transparency" in image.info):
        return _on_white(image, decoded)
    if mode in _OTHER_COLOURS:
        decoded.converted[f"from {mode}"] += 1
    elif mode not in _PLAIN:
        raise OSError(f"its mode is {mode}, which is not known here; save it as RGB")
    return image.convert("RGB")


def _has_exif(image: Image.Image) -> bool:
    """Whether an image may have EXIF data; asking for these takes as long as decoding."""
    names = [str(name).lower() for name in image.info]
    return image.format == "TIFF" or any("exif" in name or "xm" in name for name in names)


def check_brightness(decoded: Decoded, white: float | None, where: str) -> None:
    """Refuse deep images that would all be nearly black.

    Raises:
        OSError: They are, and no white was given.
    """
    if white is None and 0 < decoded.brightest < _DARKEST:
        most = round(decoded.brightest * _WHITE_16_BIT)
        likely = 2 ** max(most, 1).bit_length() - 1
        raise OSError(
            f"{where} have more than 8 bits a pixel, and the largest value is {most} of 65535: "
            "they would be nearly black. Say which value is white with --data.white, e.g. "
            f"{likely}."
        )


def _from_deep(image: Image.Image, mode: str, decoded: Decoded, white: float | None) -> Image.Image:
    values = np.asarray(image, dtype=np.float64)
    scale = white or _WHITE.get(mode, _WHITE_16_BIT)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    if not (np.isfinite(values).all() and low >= 0 and high <= scale):
        raise OSError(
            f"its mode is {mode} with values from {low:g} to {high:g}, where white is {scale:g}. "
            "Say which value is white with --data.white"
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
    decoded.converted["transparent, on white"] += 1
    white = Image.new("RGBA", with_alpha.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, with_alpha).convert("RGB")
