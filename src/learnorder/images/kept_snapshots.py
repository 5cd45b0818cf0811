"""The snapshots that a run on images leaves in its folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from learnorder.data import ImageData
from learnorder.patterns import EvaluationSet, Group, to_pixels
from learnorder.report.thumbnails import THUMBNAIL, small_example
from learnorder.runs.folder import RunFolder
from learnorder.runs.snapshots import KeptSnapshots, ShownImage, write_snapshots
from learnorder.training.snapshots import RunSnapshots

_PNG_HEADER = 100
"""Bytes of a PNG besides its pixels."""


def save_snapshots(
    folder: RunFolder[Any], kept: RunSnapshots, sets: Sequence[EvaluationSet], data: ImageData
) -> None:
    """Write the snapshots of a run to its folder, unless it ended before the first.

    Args:
        folder: The run.
        kept: Its snapshots.
        sets: Its evaluation sets.
        data: Its images.
    """
    if folder.read_only or not kept.predictions:
        return
    predictions = torch.stack(kept.predictions, dim=1).numpy()
    filters = torch.stack(kept.filters).numpy() if kept.filters else None
    by_name = {each.name: each for each in sets}
    images = _shown_images(kept, by_name, data)
    by_set = dict(zip(kept.batches, predictions, strict=True))
    write_snapshots(folder, KeptSnapshots(images, by_set, filters, kept.first_layer))


def _shown_images(
    kept: RunSnapshots, sets: Mapping[str, EvaluationSet], data: ImageData
) -> list[ShownImage]:
    """Return the images of the snapshots, as each set shows them."""
    std, mean = torch.tensor(data.std), torch.tensor(data.mean)
    pixels = {name: to_pixels(b.images.cpu(), std, mean) for name, b in kept.batches.items()}
    clean = kept.batches["clean"]
    images = list[ShownImage]()
    for place, (index, label) in enumerate(
        zip(clean.indices.tolist(), clean.labels.tolist(), strict=True)
    ):
        pictures = {name: _png(values[place], index) for name, values in pixels.items()}
        mixed = conflict = None
        if "conflict" in sets:
            mixed = Group(int(kept.batches["mixed"].group[place])).label
            conflict = int(sets["conflict"].pattern_labels[index])
        images.append(ShownImage(index, label, mixed, conflict, pictures))
    return images


def picture_bytes(kept: RunSnapshots) -> int:
    """Return the bytes of the images of snapshots on disk, as if they were not compressed."""
    images = kept.batches["clean"].images
    count, channels, *sides = images.shape
    height, width = (min(side, THUMBNAIL) for side in sides)
    return len(kept.batches) * count * (_PNG_HEADER + channels * height * width)


def _png(pixels: torch.Tensor, index: int) -> bytes:
    """Return an image, uint8 [H, W, C], as a PNG of at most 96×96 pixels."""
    encoded = small_example(pixels, index)
    assert isinstance(encoded, bytes)
    return encoded
