"""The snapshots that a run on images has kept: predictions and filters after each epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from learnorder.runs.folder import SNAPSHOT_IMAGES, SNAPSHOTS, RunFolder
from learnorder.runs.sealed import unreadable

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

SETS = ("clean", "mixed", "patch_only", "conflict")
"""The evaluation sets; without the patch there is only the first."""
_PNG = b"\x89PNG\r\n\x1a\n"
_MOST = 1000
"""The largest number of images that is read."""


@dataclass(frozen=True)
class ShownImage:
    """An image of the snapshots.

    Attributes:
        index: Its position among the evaluation images.
        label: Its class.
        mixed: What it shows in the set mixed: clean, patch_only or both; None without the patch.
        conflict: Class of its pattern in the set conflict; None without the patch.
        pictures: The image in each set as a PNG of at most 96×96 pixels.
    """

    index: int
    label: int
    mixed: str | None
    conflict: int | None
    pictures: Mapping[str, bytes]


@dataclass(frozen=True)
class KeptSnapshots:
    """The snapshots of a run.

    Attributes:
        images: The images, N.
        predictions: The class predicted after each epoch, by set, int32 [epochs, N].
        filters: Weights of filters of the first layer after each epoch, float16
            [epochs, F, C, h, w]; None if it has none that can be drawn.
        first_layer: The first layer in words.
    """

    images: Sequence[ShownImage]
    predictions: Mapping[str, NDArray[np.int32]]
    filters: NDArray[np.float16] | None
    first_layer: str


def _epochs_schema() -> pa.Schema:
    """Return the columns of snapshots.parquet, which has a row for each epoch."""
    import pyarrow as pa

    classes = [(name, pa.list_(pa.int32())) for name in SETS]
    return pa.schema(
        [
            ("epoch", pa.int32()),
            *classes,
            ("first_layer", pa.string()),
            ("filters", pa.list_(pa.float16())),
            ("filter_shape", pa.list_(pa.int32())),
        ]
    )


def _images_schema() -> pa.Schema:
    """Return the columns of snapshot_images.parquet, which has a row for each image."""
    import pyarrow as pa

    pictures = [(name, pa.binary()) for name in SETS]
    columns = [("index", pa.int64()), ("label", pa.int32()), ("shown_as", pa.string())]
    return pa.schema([*columns, ("pattern_label", pa.int32()), *pictures])


def write_snapshots(folder: RunFolder[Any], kept: KeptSnapshots) -> None:
    """Write snapshots.parquet and snapshot_images.parquet to a run's folder."""
    import pyarrow as pa

    epochs = len(next(iter(kept.predictions.values())))
    filters = kept.filters
    shape = None if filters is None else list(filters.shape[1:])
    rows: dict[str, list[Any]] = {
        "epoch": list(range(1, epochs + 1)),
        **{
            name: list(kept.predictions[name]) if name in kept.predictions else [None] * epochs
            for name in SETS
        },
        "first_layer": [kept.first_layer] * epochs,
        "filters": [None] * epochs if filters is None else [each.ravel() for each in filters],
        "filter_shape": [shape] * epochs,
    }
    images = [
        {
            "index": image.index,
            "label": image.label,
            "shown_as": image.mixed,
            "pattern_label": image.conflict,
            **{name: image.pictures.get(name) for name in SETS},
        }
        for image in kept.images
    ]
    folder.write_tables(
        snapshots=pa.table(rows, schema=_epochs_schema()),
        snapshot_images=pa.Table.from_pylist(images, schema=_images_schema()),
    )


def read_snapshots(folder: RunFolder[Any]) -> KeptSnapshots | None:
    """Return the snapshots of a run as written by :func:`write_snapshots`; None if it has none.

    Raises:
        RunFolderError: They cannot be read.
    """
    tables = folder.snapshots()
    if tables is None:
        return None
    epochs, images = tables
    for table, schema, name in (
        (epochs, _epochs_schema(), SNAPSHOTS),
        (images, _images_schema(), SNAPSHOT_IMAGES),
    ):
        if not table.schema.equals(schema):
            raise unreadable(folder.file(name), "its columns are those of another version")
    try:
        return _kept(epochs, images)
    except (ValueError, TypeError, OverflowError) as error:
        raise unreadable(folder.file(SNAPSHOTS), error) from None


def _kept(epochs: pa.Table, images: pa.Table) -> KeptSnapshots:
    """Return the snapshots in two tables.

    Raises:
        ValueError: They contradict each other, or lack something.
    """
    import numpy as np

    count = images.num_rows
    if not 0 < count <= _MOST or not epochs.num_rows:
        raise ValueError(f"it has {count} images and {epochs.num_rows} epochs")
    if epochs["epoch"].to_pylist() != list(range(1, epochs.num_rows + 1)):
        raise ValueError("its epochs are not 1, 2, and so on")
    sets = [name for name in SETS if epochs[name].null_count == 0]
    if sets not in (list(SETS), ["clean"]):
        raise ValueError(f"it has predictions of {', '.join(sets) or 'no set'}")
    predictions = {name: np.array(epochs[name].to_pylist(), np.int32) for name in sets}
    if any(found.shape != (epochs.num_rows, count) for found in predictions.values()):
        raise ValueError(f"it does not have {count} predictions of each set and epoch")
    shape = epochs["filter_shape"][0].as_py()
    filters = None
    if shape is not None:
        values = np.array(epochs["filters"].to_pylist(), np.float16)
        if not np.isfinite(values).all():
            raise ValueError("its filters are not finite")
        filters = values.reshape(epochs.num_rows, *_checked_shape(shape))
    shown = [_image(row, sets) for row in images.to_pylist()]
    return KeptSnapshots(shown, predictions, filters, str(epochs["first_layer"][0].as_py()))


def _checked_shape(shape: Sequence[int]) -> Sequence[int]:
    if len(shape) != 4 or shape[1] not in (1, 3) or min(shape) < 1:
        raise ValueError(f"its filters have the shape {list(shape)}")
    return shape


def _image(row: Mapping[str, Any], sets: Sequence[str]) -> ShownImage:
    pictures = {name: row[name] for name in sets}
    if not all(isinstance(png, bytes) and png.startswith(_PNG) for png in pictures.values()):
        raise ValueError(f"image {row['index']} is not shown as PNGs")
    with_patch = (row["shown_as"], row["pattern_label"])
    if row["index"] is None or row["label"] is None or (len(sets) > 1 and None in with_patch):
        raise ValueError(f"image {row['index']} is not described")
    return ShownImage(row["index"], row["label"], *with_patch, pictures)
