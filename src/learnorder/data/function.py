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
from learnorder.data.attributes import FIELD
from learnorder.data.decoding import stack_images
from learnorder.data.groups import plain_values, strata_of
from learnorder.data.labels import as_labels, match_names, numbered_classes
from learnorder.data.raw import TEST_SHARE, RawImages
from learnorder.data.rgb import Decoded
from learnorder.data.splits import stratified_order
from learnorder.errors import ConfigError, DataError, LearnOrderError, one_line

_FORM = (
    "It must return (images, labels), or a pair of these for training and test. Images are uint8 "
    "[N, H, W] or [N, H, W, 3], floats in [0, 1] of the same shapes, or a sequence of PIL images; "
    "labels are N integers from 0, or N names. With data.group_column it must return (images, "
    "labels, groups), where groups are N strings or integers."
)


def open_function(config: DataConfig, path: str) -> RawImages:
    """Call a function that returns images and labels, and with ``data.group_column`` groups.

    Args:
        config: Settings of the data.
        path: Import path of the function; it is called without arguments.

    Raises:
        ConfigError: The path cannot be imported; or groups are returned without
            ``data.group_column``, missing with it, or have missing values.
        DataError: The function fails, or returns anything else.
    """
    remedy = "data.source function:PATH takes the import path of a function without arguments."
    function = import_object(path, "data.source", remedy)
    try:
        returned = function()
    except LearnOrderError:
        raise
    except Exception as error:  # the user's code can raise anything
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise DataError(f"function:{path} failed: {reason}. {_FORM}") from error
    splits = _splits(path, returned)
    names, labels = _labels(path, [split[1] for split in splits])
    images = [split[0] for split in splits]
    attributes = _attributes(config, path, splits)
    if len(splits) == 1:
        order = stratified_order(strata_of(labels[0], attributes[0]), seed=0)
        held_out = round(TEST_SHARE * len(order))
        members = {"train": order[held_out:], "test": order[:held_out]}
        images, labels, attributes = images * 2, labels * 2, attributes * 2
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
    chosen = {
        split: [values[i] for i in members[split].tolist()]
        for split, values in zip(("train", "test"), attributes, strict=True)
        if values is not None
    }
    return RawImages(
        f"function:{path}",
        names,
        train,
        test,
        decode,
        named=False,
        decoded=decoded,
        attributes=chosen or None,
    )


def _splits(path: str, returned: Any) -> list[tuple[Any, ...]]:
    """Return one or two tuples of images, labels and, if there are any, groups."""
    if not isinstance(returned, tuple | list) or len(returned) not in (2, 3):
        raise DataError(f"function:{path} returned a {type(returned).__name__}. {_FORM}")
    nested = len(returned) == 2 and all(map(_is_split, returned))
    nested = nested and len(returned[0]) == len(returned[1])
    splits = [tuple(part) for part in returned] if nested else [tuple(returned)]
    for images, *others in splits:
        for what, values in zip(("labels", "groups"), others, strict=False):
            if len(images) != len(values) or not len(images):
                raise DataError(
                    f"function:{path} returned {len(images)} images and {len(values)} {what}. "
                    f"{_FORM}"
                )
    return [(_plain(images), *others) for images, *others in splits]


def _is_split(part: Any) -> bool:
    """Whether a part is (images, labels) or (images, labels, groups), rather than images."""
    if not isinstance(part, tuple | list):
        return False
    sized = all(hasattr(item, "__len__") and not isinstance(item, str) for item in part)
    return len(part) == 2 or (len(part) == 3 and sized)


def _attributes(
    config: DataConfig, path: str, splits: Sequence[tuple[Any, ...]]
) -> list[list[Any] | None]:
    """Return the groups of each split as plain values."""
    column, returned = config.group_column, [len(split) == 3 for split in splits]
    if column is None and any(returned):
        raise ConfigError(
            FIELD,
            None,
            f"function:{path} returns groups too. Name their attribute, e.g. hospital, or return "
            "(images, labels).",
        )
    if column is not None and not all(returned):
        raise ConfigError(FIELD, column, f"function:{path} returns no groups. {_FORM}")
    if column is None:
        return [None] * len(splits)
    return [
        plain_values(groups, FIELD, f"{name} image {{:,}} of function:{path}".format)
        for name, (_, _, groups) in zip(("train", "test"), splits, strict=False)
    ]


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
