"""Sources of images: digits, the Hugging Face hub, Parquet, class folders, a function.

Sources provide all labels at once and decode images on demand. They never read pickles or run
loading scripts.
"""

from __future__ import annotations

import importlib.util
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from learnorder.config.settings import DataConfig
from learnorder.data.attributes import FIELD, column_attribute, folder_attribute
from learnorder.data.class_folders import read_class_folders
from learnorder.data.decoding import open_encoded, path_of, stack_images
from learnorder.data.folders import existing_folder
from learnorder.data.function import open_function
from learnorder.data.groups import strata_of
from learnorder.data.hub import hub_folders, open_hub
from learnorder.data.labels import class_order, label_values, split_labels
from learnorder.data.parquet import open_parquet
from learnorder.data.raw import TEST_SHARE, RawImages
from learnorder.data.rgb import Decoded
from learnorder.data.splits import stratified_order
from learnorder.errors import ConfigError, DataError

if TYPE_CHECKING:
    import datasets

DIGITS_TRAIN = 1200
"""Digits has no splits: a stratified 1,200 of its 1,797 images are for training."""

ONE_CLASS = (
    "all training images are of one class. At least two classes are needed, each with its own "
    "folder or label."
)
"""The end of the error for data with one class."""

_ROWS_AT_ONCE = 1_000
"""Encoded images read at once; one by one, reading takes as long as decoding."""
_BYTES_AT_ONCE = 100_000_000
"""The largest size of these; large images are read in smaller groups."""


def load_source(config: DataConfig) -> RawImages:
    """Open ``config.source``.

    Raises:
        ConfigError: The form of the source or the name of a column is unknown.
        DataError: The data are missing or unreadable, or have no column of images or labels.
    """
    if config.source == "digits":
        return _digits(config)
    kind, _, place = config.source.partition(":")
    if kind == "function" and place:
        return open_function(config, place)
    if kind == "folder" and place:
        return _open_folder(config, place)
    if kind not in ("hub", "parquet") or not place:
        raise ConfigError(
            "data.source",
            config.source,
            "Give digits, hub:NAME (e.g. hub:uoft-cs/cifar10), parquet:DIR, folder:DIR or "
            "function:PATH.",
        )
    if kind == "hub":
        return _from_splits(config, open_hub(place), Counter(), hub_folders(place))
    return _from_splits(config, *open_parquet(place), [existing_folder(kind, place)])


def _digits(config: DataConfig) -> RawImages:
    if config.group_column is not None:
        raise ConfigError(
            FIELD,
            config.group_column,
            "Digits have no attributes. Give another data.source, or null.",
        )
    images, target = read_digits()
    grey = np.rint(images * (255 / 16)).astype(np.uint8)
    labels = torch.from_numpy(target.astype(np.int64))
    order = stratified_order(labels, seed=0)
    members = {"train": order[:DIGITS_TRAIN], "test": order[DIGITS_TRAIN:]}

    decoded = Decoded()

    def decode(split: str, index: Tensor) -> Tensor:
        chosen = grey[members[split][index].numpy()]
        return stack_images(
            len(chosen), map(Image.fromarray, chosen), lambda i: f"digit {i}", config, decoded
        )

    names = tuple(map(str, range(10)))
    train, test = (labels[members[split]] for split in ("train", "test"))
    return RawImages("digits", names, train, test, decode, decoded=decoded)


def read_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's digits: images [1797, 8, 8] from 0 to 16, and labels [1797].

    The file is read without importing scikit-learn, which takes as long as importing torch.
    """
    spec = importlib.util.find_spec("sklearn")
    for package in (spec and spec.submodule_search_locations) or []:
        file = Path(package, "datasets", "data", "digits.csv.gz")
        if file.exists():
            rows = np.loadtxt(file, delimiter=",")
            return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(int)
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    return bunch.images, bunch.target


def _open_folder(config: DataConfig, place: str) -> RawImages:
    root = existing_folder("folder", place)
    folders = read_class_folders(root, config.source)
    splits = {
        split: ([path for path, _ in images], torch.tensor([label for _, label in images]))
        for split, images in folders.splits.items()
    }
    attributes, skipped = None, folders.skipped
    if config.group_column is not None:
        found = folder_attribute(folders, root, config.group_column, config.source)
        attributes, skipped = found.values, found.skipped
    if "test" not in splits:
        paths, labels = splits["train"]
        values = None if attributes is None else attributes["train"]
        order = stratified_order(strata_of(labels, values), seed=0)
        held_out = round(TEST_SHARE * len(order))
        for split, index in (("train", order[held_out:]), ("test", order[:held_out])):
            splits[split] = ([paths[i] for i in index.tolist()], labels[index])
            if attributes is not None and values is not None:
                attributes[split] = [values[i] for i in index.tolist()]
    decoded = Decoded()

    def decode(split: str, index: Tensor) -> Tensor:
        chosen = [splits[split][0][i] for i in index.tolist()]
        opened = (Image.open(path) for path in chosen)
        return stack_images(len(chosen), opened, lambda i: str(chosen[i]), config, decoded)

    return RawImages(
        config.source,
        folders.class_names,
        splits["train"][1],
        splits["test"][1],
        decode,
        decoded=decoded,
        skipped=skipped,
        attributes=attributes,
    )


def _from_splits(
    config: DataConfig, splits: datasets.DatasetDict, skipped: Counter[str], within: list[Path]
) -> RawImages:
    """Open the splits of a data set.

    Args:
        config: Settings of the data.
        splits: The splits by name.
        skipped: Number of images that are in no split, by reason.
        within: Folders that may contain the image files.
    """
    import datasets

    train = splits["train"] if "train" in splits else next(iter(splits.values()))
    image_column = _column(config, train, "image", datasets.Image, ("image", "img"))
    label_column = _column(config, train, "label", datasets.ClassLabel, ("label", "fine_label"))
    where = _where(config.source, label_column)
    test = splits.get("test", splits.get("validation"))
    for name, split in splits.items():
        if split is not train and split is not test:
            skipped[f"in the split {name}, which is not used"] += len(split)
    if test is None or test is train:
        labels = class_order(label_values(train, label_column, where))
        values = column_attribute(train, config.group_column, config.source)
        order = stratified_order(strata_of(labels, values), seed=0).tolist()
        held_out = round(TEST_SHARE * len(order))
        train, test = train.select(order[held_out:]), train.select(order[:held_out])
    _check_images(config, image_column, train, test)
    encoded = {
        name: split.cast_column(image_column, datasets.Image(decode=False))
        for name, split in (("train", train), ("test", test))
    }
    labels = split_labels(train, test, label_column, where)
    attributes = {
        name: values
        for name, split in (("train", train), ("test", test))
        if (values := _attribute(config, split, name)) is not None
    }
    decoded = Decoded()

    def decode(split: str, index: Tensor) -> Tensor:
        rows = encoded[split].select_columns(image_column).select(index.tolist())
        row_bytes = encoded[split].data.nbytes // max(len(encoded[split].data), 1)
        batch_size = max(1, min(_ROWS_AT_ONCE, _BYTES_AT_ONCE // max(row_bytes, 1)))
        blocks: Any = rows.iter(batch_size=batch_size)

        def describe(i: int) -> str:
            path = path_of(rows[i][image_column])
            return f"{config.source}, {path or f'{split} row {index[i]}'}"

        images = (open_encoded(row, within) for block in blocks for row in block[image_column])
        return stack_images(len(rows), images, describe, config, decoded)

    return RawImages(
        config.source,
        labels.names,
        labels.train,
        labels.test,
        decode,
        labels.named,
        decoded,
        skipped,
        attributes or None,
    )


def _attribute(config: DataConfig, split: datasets.Dataset, name: str) -> list[Any] | None:
    return column_attribute(split, config.group_column, f"the {name} split of {config.source}")


def _check_images(config: DataConfig, column: str, *splits: datasets.Dataset) -> None:
    import datasets

    for split in splits:
        kind = split.features.get(column)
        encoded = isinstance(kind, dict) or getattr(kind, "dtype", "") == "binary"
        if not isinstance(kind, datasets.Image) and not encoded:
            raise DataError(
                f"{_where(config.source, column)} contains {kind}, not images. Choose another "
                "column with --data.image_column."
            )


def _column(
    config: DataConfig, split: datasets.Dataset, role: str, feature: type, usual: tuple[str, ...]
) -> str:
    """Return the configured column, the only one of the feature's type, or one of a usual name."""
    configured = getattr(config, f"{role}_column")
    if configured is not None:
        if configured not in split.column_names:
            raise ConfigError(
                f"data.{role}_column",
                configured,
                f"Choose one of the columns of {config.source}: {split.column_names}.",
            )
        return configured
    typed = [name for name, kind in split.features.items() if isinstance(kind, feature)]
    candidates = typed if len(typed) == 1 else [n for n in usual if n in split.column_names]
    if not candidates:
        raise DataError(
            f"{config.source}: there is no {role} column among {split.column_names}. "
            f"Choose one with --data.{role}_column."
        )
    return candidates[0]


def _where(source: str, column: str) -> str:
    return f"{source}: column {column!r}"
