"""Where images come from: digits, the Hugging Face hub, Parquet, class folders, a function.

Every source gives labels at once and decodes only the images asked for. Nothing here reads a
pickle or runs a loading script.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from learnorder.config import DataConfig
from learnorder.data.decoding import open_encoded, path_of, stack_images
from learnorder.data.function import open_function
from learnorder.data.raw import TEST_SHARE, RawImages
from learnorder.data.splits import stratified_order
from learnorder.errors import ConfigError, DataError, one_line

if TYPE_CHECKING:
    import datasets

DIGITS_TRAIN = 1200
"""Digits has no split of its own: a stratified 1,200 of its 1,797 images are for training."""

ONE_CLASS = (
    "its training images are all of one class. Patterns are told apart by class, so give data with "
    "at least two, one folder or label value for each."
)
"""Why one class is refused."""

_ROWS_AT_ONCE = 1_000
"""Encoded images read together; one by one, reading takes as long as decoding."""


def load_source(config: DataConfig) -> RawImages:
    """Open the source that ``config.source`` names.

    Raises:
        ConfigError: A source of unknown form.
        DataError: Missing or unreadable data, or a column that is not there.
    """
    if config.source == "digits":
        return _digits(config)
    kind, _, place = config.source.partition(":")
    if kind == "function" and place:
        return open_function(config, place)
    openers = {"hub": _open_hub, "parquet": _open_parquet, "folder": _open_folder}
    if kind not in openers or not place:
        raise ConfigError(
            "data.source",
            config.source,
            "Give digits, hub:NAME (e.g. hub:uoft-cs/cifar10), parquet:DIR, folder:DIR or "
            "function:PATH.",
        )
    within = _hub_folders(place) if kind == "hub" else [Path(place).expanduser()]
    return _from_splits(config, openers[kind](place), within)


def _digits(config: DataConfig) -> RawImages:
    images, target = read_digits()
    grey = np.rint(images * (255 / 16)).astype(np.uint8)
    labels = torch.from_numpy(target.astype(np.int64))
    order = stratified_order(labels, seed=0)
    members = {"train": order[:DIGITS_TRAIN], "test": order[DIGITS_TRAIN:]}

    def decode(split: str, index: Tensor) -> Tensor:
        chosen = grey[members[split][index].numpy()]
        return stack_images(
            len(chosen), map(Image.fromarray, chosen), lambda i: f"digit {i}", config
        )

    names = tuple(map(str, range(10)))
    train, test = (labels[members[split]] for split in ("train", "test"))
    return RawImages("digits", names, train, test, decode)


def read_digits() -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's digits: images [1797, 8, 8] from 0 to 16, and what they show.

    Its file is read without importing scikit-learn, which takes as long as importing torch.
    """
    found = importlib.util.find_spec("sklearn")
    places = [] if found is None else found.submodule_search_locations or []
    for place in places:
        file = Path(place, "datasets", "data", "digits.csv.gz")
        if file.exists():
            rows = np.loadtxt(file, delimiter=",")
            return rows[:, :-1].reshape(-1, 8, 8), rows[:, -1].astype(int)
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    return bunch.images, bunch.target


def _open_hub(place: str) -> datasets.DatasetDict:
    from datasets.exceptions import DatasetsError

    name, _, configuration = place.partition(":")
    try:
        return _load_dataset(name, configuration or None)
    except (OSError, ValueError, RuntimeError, DatasetsError) as error:
        raise DataError(
            f"hub:{place} could not be opened: {one_line(error)}. Check the name (as on the hub, "
            "owner/name, or a local folder) and that the hub can be reached; a copy on disk in "
            "Parquet opens with parquet:DIR."
        ) from error


def _hub_folders(place: str) -> list[Path]:
    """Return where images of a hub's set may lie: its folder, where it is one, and the caches."""
    from datasets import config
    from huggingface_hub.constants import HF_HUB_CACHE

    local = Path(place.partition(":")[0])
    caches = [config.HF_DATASETS_CACHE, config.DOWNLOADED_DATASETS_PATH, HF_HUB_CACHE]
    return [*([local] if local.is_dir() else []), *map(Path, caches)]


def _open_folder(place: str) -> datasets.DatasetDict:
    folder = _existing_folder("folder", place)
    if not any(path.is_dir() for path in folder.iterdir()):
        raise DataError(
            f"folder:{place}: there are no folders in it. Put each class's images into a folder "
            "named after the class, e.g. cat/1.png, or below train/ and test/."
        )
    try:
        return _load_dataset("imagefolder", data_dir=str(folder))
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f"folder:{place} could not be read as class folders: {one_line(error)}."
        ) from error


def _load_dataset(*args: Any, **kwargs: Any) -> datasets.DatasetDict:
    import datasets

    datasets.disable_progress_bars()
    loaded = datasets.load_dataset(*args, **kwargs)
    assert isinstance(loaded, datasets.DatasetDict)
    return loaded


def _open_parquet(place: str) -> datasets.DatasetDict:
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = _existing_folder("parquet", place)
    splits = {}
    for split in ("train", "validation", "test"):
        files = sorted(folder.glob(f"**/{split}*.parquet"))
        if not files:
            continue
        try:
            table = pa.concat_tables([pq.read_table(file) for file in files])
        except (OSError, pa.ArrowInvalid) as error:
            raise DataError(
                f"parquet:{place}: {files[0].name} and the like could not be read: "
                f"{one_line(error)}. Fetch the files again."
            ) from error
        splits[split] = datasets.Dataset(table)
    if "train" not in splits:
        raise DataError(
            f"parquet:{place}: no train*.parquet in it. Give the folder that holds files named "
            "train*.parquet and test*.parquet, as the hub lays them out."
        )
    return datasets.DatasetDict(splits)


def _existing_folder(kind: str, place: str) -> Path:
    folder = Path(place).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"{kind}:{place}: there is no such folder. Give a folder that exists, absolute or "
            "from where the command is run."
        )
    return folder


def _from_splits(config: DataConfig, splits: datasets.DatasetDict, within: list[Path]) -> RawImages:
    import datasets

    train = splits["train"] if "train" in splits else next(iter(splits.values()))
    image_column = _column(config, train, "image", datasets.Image, ("image", "img"))
    label_column = _column(config, train, "label", datasets.ClassLabel, ("label", "fine_label"))
    test = splits.get("test", splits.get("validation"))
    if test is None or test is train:
        order = stratified_order(_labels(config.source, label_column, train), seed=0).tolist()
        held_out = round(TEST_SHARE * len(order))
        train, test = train.select(order[held_out:]), train.select(order[:held_out])
    _check_images(config, image_column, train, test)
    encoded = {
        name: split.cast_column(image_column, datasets.Image(decode=False))
        for name, split in (("train", train), ("test", test))
    }
    labels = {name: _labels(config.source, label_column, split) for name, split in encoded.items()}

    def decode(split: str, index: Tensor) -> Tensor:
        rows = encoded[split].select_columns(image_column).select(index.tolist())
        blocks: Any = rows.iter(batch_size=_ROWS_AT_ONCE)

        def describe(i: int) -> str:
            path = path_of(rows[i][image_column])
            return f"{config.source}, {path or f'{split} row {index[i]}'}"

        images = (open_encoded(row, within) for block in blocks for row in block[image_column])
        return stack_images(len(rows), images, describe, config)

    feature = train.features[label_column]
    named = isinstance(feature, datasets.ClassLabel)
    names = feature.names if named else map(str, range(int(labels["train"].max()) + 1))
    return RawImages(config.source, tuple(names), labels["train"], labels["test"], decode, named)


def _check_images(config: DataConfig, column: str, *splits: datasets.Dataset) -> None:
    import datasets

    for split in splits:
        kind = split.features.get(column)
        encoded = isinstance(kind, dict) or getattr(kind, "dtype", "") == "binary"
        if not isinstance(kind, datasets.Image) and not encoded:
            raise DataError(
                f"{config.source}: column {column!r} holds {kind}, not images. Name another column "
                "with --data.image_column."
            )


def _column(
    config: DataConfig, split: datasets.Dataset, role: str, feature: type, usual: tuple[str, ...]
) -> str:
    """Return the column of a role: the one given, the only fitting one, or a usual name."""
    given = getattr(config, f"{role}_column")
    if given is not None:
        if given not in split.column_names:
            raise ConfigError(
                f"data.{role}_column", given, f"{config.source} has {split.column_names}."
            )
        return given
    fitting = [name for name, kind in split.features.items() if isinstance(kind, feature)]
    found = fitting if len(fitting) == 1 else [n for n in usual if n in split.column_names]
    if not found and role == "label" and config.source.startswith("folder:"):
        raise DataError(f"{config.source}: {ONE_CLASS}")
    if not found:
        raise DataError(
            f"{config.source}: no {role} column found among {split.column_names}. "
            f"Name it with --data.{role}_column."
        )
    return found[0]


def _labels(source: str, column: str, split: datasets.Dataset) -> Tensor:
    kind = split.features[column]
    if not str(getattr(kind, "dtype", "")).startswith(("int", "uint")):
        raise DataError(
            f"{source}: column {column!r} holds {getattr(kind, 'dtype', type(kind).__name__)}; "
            "labels must be whole numbers from 0. Name another column with --data.label_column."
        )
    values = split.with_format("numpy", columns=[column])[:][column]
    if not np.issubdtype(values.dtype, np.integer):  # numpy turns integers with gaps to floats
        raise DataError(f"{source}: column {column!r} has rows without a label. Remove them.")
    return torch.from_numpy(values.astype(np.int64))
