"""A sheet with decoded images of each class, for visual inspection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from learnorder.data.images import ImageData, Images

_CLASSES = 10
_TRAINED, _EVALUATED = 3, 1
"""Numbers of training and evaluation images of each class."""
_MOST_PIXELS = 64
"""Larger images are downscaled to this longest side."""


@dataclass(frozen=True)
class Samples:
    """Images of the first classes.

    Attributes:
        sheet: The images side by side.
        rows: Title of each row.
        columns: Class of each column.
    """

    sheet: Image.Image
    rows: tuple[str, ...]
    columns: tuple[str, ...]


def sample_images(data: ImageData) -> Samples:
    """Return the first images of each of the first classes, a column for each class.

    Tiles are white if a class has too few images.
    """
    parts = ((data.train, "training", _TRAINED), (data.evaluation, "evaluation", _EVALUATED))
    rows = tuple(title for _, title, count in parts for _ in range(count))
    columns = data.class_names[:_CLASSES]
    height, width = data.image_size
    scale = min(1.0, _MOST_PIXELS / max(height, width))
    size = max(1, round(scale * width)), max(1, round(scale * height))
    sheet = Image.new("RGB", (len(columns) * size[0], len(rows) * size[1]), "white")
    first_row = 0
    for images, _, count in parts:
        for label in range(len(columns)):
            for place, pixels in enumerate(_first(images, label, count)):
                tile = Image.fromarray(pixels).resize(size, Image.Resampling.BOX)
                sheet.paste(tile, (label * size[0], (first_row + place) * size[1]))
        first_row += count
    return Samples(sheet, rows, columns)


def _first(images: Images, label: int, count: int) -> list[np.ndarray]:
    """Return the first images of a class, uint8 [H, W, 3]."""
    members = torch.nonzero(images.labels == label)[:count, 0]
    return list(images.pixels[members].numpy())
