"""A gallery of example images as the network sees them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from learnorder.patterns.patch import Draw, Group, Patch

ROWS: tuple[tuple[str, Group, float, bool], ...] = (
    ("clean", Group.CLEAN, 0.0, False),
    ("image with pattern z + ζ", Group.BOTH, 1.0, False),
    ("image with pattern z − ζ", Group.BOTH, -1.0, False),
    ("pattern alone", Group.PATCH_ONLY, 1.0, False),
    ("conflict: pattern of the next class", Group.BOTH, 1.0, True),
)
"""Rows of the gallery: title, group, amplitude of ζ, whether the pattern has another class."""


@dataclass(frozen=True)
class Gallery:
    """Example images.

    Attributes:
        pixels: uint8 [rows, columns, H, W, 3]; values outside the pixel range are clipped.
        rows: Title of each row.
        columns: Class of each column's image.
    """

    pixels: Tensor
    rows: tuple[str, ...]
    columns: tuple[str, ...]


def draw_gallery(
    images: Tensor,
    labels: Tensor,
    patch: Patch,
    *,
    class_names: tuple[str, ...],
    mean: tuple[float, ...],
    std: tuple[float, ...],
    columns: int = 8,
) -> Gallery:
    """Plant the pattern on one image of each of the first ``columns`` classes.

    Args:
        images: Images, uint8 [N, H, W, 3].
        labels: Classes, int64 [N].
        patch: The run's pattern.
        class_names: Name of each label.
        mean: Channel means in [0, 1].
        std: Channel standard deviations in [0, 1].
        columns: Largest number of classes.
    """
    classes = [c for c in range(len(class_names)) if bool((labels == c).any())][:columns]
    first = torch.tensor([int((labels == c).nonzero()[0]) for c in classes])
    scale, shift = torch.tensor(std), torch.tensor(mean)
    normalised = ((images[first].float() / 255 - shift) / scale).permute(0, 3, 1, 2)
    shown = labels[first]
    rows = []
    for _, group, amplitude, conflict in ROWS:
        draw = Draw(torch.full_like(shown, int(group)), torch.full((len(shown),), amplitude))
        pattern_labels = (shown + 1) % len(class_names) if conflict else shown
        planted = patch.plant(normalised.clone(), pattern_labels, draw)
        rows.append(to_pixels(planted, scale, shift))
    return Gallery(
        torch.stack(rows), tuple(row[0] for row in ROWS), tuple(class_names[c] for c in classes)
    )


def to_pixels(images: Tensor, std: Tensor, mean: Tensor) -> Tensor:
    """Return normalised images as pixels; values outside their range are clipped.

    Args:
        images: Normalised images, float [B, C, H, W].
        std: Channel standard deviations in [0, 1], [C].
        mean: Channel means in [0, 1], [C].

    Returns:
        uint8 [B, H, W, C].

    >>> to_pixels(torch.tensor([[[[0.0, 1.0, 9.0]]]]), torch.tensor([0.2]), torch.tensor([0.4]))
    tensor([[[[102],
              [153],
              [255]]]], dtype=torch.uint8)
    """
    shown = images.permute(0, 2, 3, 1) * std + mean
    return (shown.clamp(0, 1) * 255).round().to(torch.uint8)
