"""The attribute of each image, of which known groups are made: columns and metadata files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnorder.data.class_folders import OUTSIDE, ClassFolders
from learnorder.data.groups import plain_values, read_column
from learnorder.errors import ConfigError, DataError, did_you_mean

if TYPE_CHECKING:
    import datasets

FIELD = "data.group_column"
"""The setting, for errors."""
_FILES = ("metadata.csv", "metadata.parquet")
_PATHS = "file_name"


def column_attribute(split: datasets.Dataset, column: str | None, where: str) -> list[Any] | None:
    """Return a column of a Hugging Face data set as plain values; None without a column.

    The numbers of a class-label column become its names.

    Args:
        split: The split.
        column: Name of the column.
        where: Source and split, for errors.

    Raises:
        ConfigError: There is no such column, or values are missing or of an unsuitable type.
    """
    if column is None:
        return None
    if column not in split.column_names:
        parts = (
            did_you_mean(column, split.column_names),
            f"Choose one of the columns of {where}: {split.column_names}.",
        )
        raise ConfigError(FIELD, column, " ".join(filter(None, parts)))
    arrow: Any = split.with_format("arrow", columns=[column])[:][column]
    values = arrow.to_pylist()
    names = getattr(split.features[column], "names", None)
    if names is not None:  # the hub's number of a missing class is -1
        values = [names[v] if v is not None and 0 <= v < len(names) else None for v in values]
    return plain_values(values, FIELD, lambda i: f"row {i:,} of {where}")


@dataclass(frozen=True)
class FolderAttribute:
    """The attribute of the images in class folders.

    Attributes:
        values: Attribute of each image, by split.
        skipped: Number of skipped files and rows by reason; metadata files are not skipped.
    """

    values: dict[str, list[Any]]
    skipped: Counter[str]


def folder_attribute(folders: ClassFolders, root: Path, column: str, name: str) -> FolderAttribute:
    """Return the attribute of each image from metadata files.

    There is one file in the root, or one in the folder of each split. Its rows have ``file_name``,
    the path relative to the file's folder, and the attribute. Rows without an image are counted.

    Args:
        folders: The class folders.
        root: The folder that contains them.
        column: Column of the attribute.
        name: Name of the source, for errors.

    Raises:
        ConfigError: There is no metadata file or column, or a value is missing.
        DataError: There are several files for the same images, or an image has no row or several.
    """
    files = _metadata_files(folders, root, column, name)
    rows = dict[Path, Any]()
    for file in files:
        for path, value in _rows(file, column):
            if path in rows:
                raise DataError(
                    f"{file}: {_PATHS} {path.relative_to(file.parent)} has several rows. Keep one "
                    "row for each image."
                )
            rows[path] = value
    values = {}
    for split, images in folders.splits.items():
        paths = [path for path, _ in images]
        _check_all_have_rows(paths, rows, files)
        split_values = [rows[path] for path in paths]
        values[split] = plain_values(split_values, FIELD, lambda i, paths=paths: str(paths[i]))
    without = len(rows) - sum(map(len, values.values()))
    skipped = folders.skipped - Counter({OUTSIDE: len(files)})
    if without:
        skipped[f"rows of {files[0].name} without an image"] += without
    return FolderAttribute(values, skipped)


def find_metadata(root: Path) -> list[Path]:
    """Return the metadata files in a folder and in those directly below it."""
    below = (entry for entry in sorted(root.iterdir()) if entry.is_dir())
    return [file for folder in (root, *below) for file in _metadata_in(folder)]


def _metadata_in(folder: Path) -> list[Path]:
    return [folder / name for name in _FILES if (folder / name).is_file()]


def _metadata_files(folders: ClassFolders, root: Path, column: str, name: str) -> list[Path]:
    """Return the one file of all images, or the one of each split."""
    places = list(dict.fromkeys([root, *folders.folders.values()]))
    found = {place: files for place in places if (files := _metadata_in(place))}
    files = [file for place in found.values() for file in place]
    if not files:
        raise ConfigError(
            FIELD,
            column,
            f"{name} contains no {' or '.join(_FILES)}. Write one with the columns {_PATHS}, e.g. "
            f"{_example(folders, root)}, and {column}.",
        )
    if len(files) > len(found) or (root in found and len(found) > 1):
        listed = ", ".join(str(file.relative_to(root)) for file in files)
        raise DataError(
            f"{name}: {listed} describe the same images. Keep one file for all images, or one in "
            "the folder of each split."
        )
    return files


def _rows(file: Path, column: str) -> list[tuple[Path, Any]]:
    """Return the path and the attribute of each row of a metadata file."""
    names = plain_values(read_column(file, _PATHS, FIELD), f"{_PATHS} of {file}", "row {:,}".format)
    values = read_column(file, column, FIELD)
    return [(file.parent / str(name), value) for name, value in zip(names, values, strict=True)]


def _check_all_have_rows(paths: Sequence[Path], rows: dict[Path, Any], files: list[Path]) -> None:
    missing = [path for path in paths if path not in rows]
    if missing:
        file = next((f for f in files if missing[0].is_relative_to(f.parent)), None)
        where = f"the folder of its split contains no {_FILES[0]}"
        if file is not None:
            where = f"its {_PATHS} in {file} is {missing[0].relative_to(file.parent)}"
        raise DataError(
            f"{missing[0]}: {len(missing):,} of {len(paths):,} images, such as this one, have no "
            f"row of metadata. Add one; {where}."
        )


def _example(folders: ClassFolders, root: Path) -> str:
    return str(folders.splits["train"][0][0].relative_to(root))
