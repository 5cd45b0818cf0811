"""Images returned by a user's function."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from learnorder.config.importing import import_object
from learnorder.config.settings import DataConfig
from learnorder.data.decoding import stack_images
from learnorder.data.labels import as_labels, match_names, numbered_classes
from learnorder.data.raw import TEST_SHARE, RawImages
from learnorder.data.rgb import Decoded
from learnorder.data.splits import stratified_order
from learnorder.errors import DataError, one_line

_FORM = (
    "It must return (images, labels), or a pair of these for training and test. Images are uint8 "
    "[N, H, W] or [N, H, W, 3], floats in [0, 1] of the same shapes, or a sequence of PIL images; "
    "labels are N integers from 0, or N names."
)


def open_function(config: DataConfig, path: str) -> RawImages:
    """Call a function that returns images and labels.

    Args:
        config: Settings of the data.
        path: Import path of the function; it is called without arguments.

    Raises:
        ConfigError: The path cannot be imported.
        DataError: The function fails, or returns anything other than images and labels.
    """
    remedy = "data.source function:PATH takes the import path of a function without arguments."
    function = import_object(path, "data.source", remedy)
    try:
        returned = function()
    except Exception as error:  # the user's code can raise anything
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise DataError(f"function:{path} failed: {reason}. {_FORM}") from error
    splits = _splits(path, returned)
    names, labels = _labels(path, [labels for _, labels in splits])
    images = [images for images, _ in splits]
    if len(splits) == 1:
        order = stratified_order(labels[0], seed=0)
        held_out = round(TEST_SHARE * len(order))
        members = {"train": order[held_out:], "test": order[:held_out]}
        images, labels = [images[0]] * 2, [labels[0]] * 2
    else:
        members = {
            name: torch.arange(len(values))
            for name, values in zip(("train", "test"), labels, strict=True)
        }

    decoded = Decoded()

    def decode(split: str, index: Tensor) -> Tensor:
        chosen = members[split][index].tolist()
        of_split = images[split == "test"]
        return stack_images(
            len(chosen),
            (_as_image(of_split[i]) for i in chosen),
            lambda i: f"function:{path}, {split} image {chosen[i]}",
            config,
            decoded,
        )

    train, test = labels[0][members["train"]], labels[1][members["test"]]
    return RawImages(f"function:{path}", names, train, test, decode, named=False, decoded=decoded)


def _splits(path: str, returned: Any) -> list[tuple[Sequence[Any], Any]]:
    """Return one or two pairs of images and labels."""
    if not isinstance(returned, tuple | list) or len(returned) != 2:
        raise DataError(f"function:{path} returned a {type(returned).__name__}. {_FORM}")
    nested = all(isinstance(part, tuple | list) and len(part) == 2 for part in returned)
    pairs = list(returned) if nested else [tuple(returned)]
    for images, labels in pairs:
        if len(images) != len(labels) or not len(images):
            raise DataError(
                f"function:{path} returned {len(images)} images and {len(labels)} labels. {_FORM}"
            )
    return [(_plain(images), labels) for images, labels in pairs]


def _plain(images: Any) -> Any:
    return images.cpu().numpy() if isinstance(images, Tensor) else images


def _labels(path: str, splits: Sequence[Any]) -> tuple[tuple[str, ...], list[Tensor]]:
    """Return the names of the classes, and the labels of each split as numbers."""
    values = [np.asarray(_plain(labels)) for labels in splits]
    if all(np.issubdtype(v.dtype, np.integer) and v.ndim == 1 for v in values):
        where = f"function:{path}"
        labels = [as_labels(v, where) for v in values]
        return numbered_classes(labels[0], where), labels
    if all(np.issubdtype(v.dtype, np.str_) and v.ndim == 1 for v in values):
        matched = match_names(values[0], values[-1], f"function:{path}")
        return matched.names, [matched.train, matched.test][: len(values)]
    kinds = ", ".join(f"{v.dtype} of shape {v.shape}" for v in values)
    raise DataError(f"function:{path} returned labels as {kinds}. {_FORM}")


def _as_image(image: Any) -> Image.Image:
    """Return an image; raise OSError if the value is not one."""
    if isinstance(image, Image.Image):
        return image
    pixels = np.asarray(image)
    if np.issubdtype(pixels.dtype, np.floating):
        if not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1):
            raise OSError(
                f"floats from {pixels.min():g} to {pixels.max():g} are not in [0, 1]: let the "
                "function divide by 255, or return uint8"
            )
        pixels = np.rint(255 * pixels).astype(np.uint8)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.dtype != np.uint8 or not (pixels.ndim == 2 or pixels.shape[2:] in ((3,), (4,))):
        raise OSError(
            f"{pixels.dtype} of shape {pixels.shape}: let the function return uint8 [H, W, 3], "
            "channels last, or [H, W]"
        )
    return Image.fromarray(pixels)
