"""Data sets in Parquet files with the schema of the Hugging Face hub."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from learnorder.config.memory import beyond_memory
from learnorder.data.folders import existing_folder
from learnorder.errors import DataError, one_line

if TYPE_CHECKING:
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

_SPLIT = re.compile(
    r"(?P<train>train)|(?P<test>test)|(?P<validation>validation|(?:val|valid|dev)(?![a-z]))"
)
_ROWS_AT_ONCE = 1_000
"""Rows read at once: repeated values take little space in a file, but full size in memory."""


def open_parquet(place: str) -> tuple[datasets.DatasetDict, Counter[str]]:
    """Open the splits of a folder with files train*.parquet, validation*.parquet, test*.parquet.

    Files of the validation split may also be named val, valid or dev.

    Returns:
        The splits, and the number of rows in other Parquet files, by reason to leave them out.

    Raises:
        DataError: The folder or train*.parquet does not exist, or files cannot be read or exceed
            the memory.
    """
    import datasets
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = existing_folder("parquet", place)
    by_split = dict[str | None, list[Path]]()
    for file in sorted(folder.glob("**/*.parquet")):
        by_split.setdefault(_split_of(file), []).append(file)
    splits, skipped = {}, Counter[str]()
    for split, files in by_split.items():
        try:
            if split is None:
                for file in files:
                    reason = f"in {file.name}, which is not named like a split"
                    skipped[reason] += pq.read_metadata(file).num_rows
            else:
                splits[split] = datasets.Dataset(_read(place, files))
        except (OSError, pa.ArrowException) as error:
            raise DataError(
                f"parquet:{place}: {files[0].name} or a file of the same split could not be read: "
                f"{one_line(error)}. Download the files again."
            ) from error
    if "train" not in splits:
        raise DataError(
            f"parquet:{place}: it contains no train*.parquet. Give the folder with the files "
            "train*.parquet and test*.parquet, as on the Hugging Face hub."
        )
    return datasets.DatasetDict(splits), skipped


def _split_of(file: Path) -> str | None:
    """Return the split of a file by its name, None if it is of none.

    >>> [_split_of(Path(name)) for name in ("train-00.parquet", "val.parquet", "values.parquet")]
    ['train', 'validation', None]
    """
    found = _SPLIT.match(file.name)
    return None if found is None else found.lastgroup


def _read(place: str, files: Sequence[Path]) -> pa.Table:
    """Read the files of a split, unless their stated or actual size exceeds the memory."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables, stated = [], 0
    for path in files:
        with path.open("rb") as file:
            stated += _stated_bytes(pq.read_metadata(file))
    _check(place, files, stated)
    for path in files:
        with path.open("rb") as file, pq.ParquetFile(file) as parquet:
            batches = []
            for batch in parquet.iter_batches(_ROWS_AT_ONCE):
                _check(place, files, batch.nbytes)
                batches.append(batch)
            tables.append(pa.Table.from_batches(batches, parquet.schema_arrow))
    return pa.concat_tables(tables)


def _stated_bytes(metadata: pq.FileMetaData) -> int:
    """Return a lower bound of a file's size in memory, from its metadata: 8 bytes per label."""
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    return max(sum(group.total_byte_size for group in groups), 8 * metadata.num_rows)


def _check(place: str, files: Sequence[Path], needed: int) -> None:
    if beyond := beyond_memory(needed):
        raise DataError(
            f"parquet:{place}: the files of the split of {files[0].name} take {beyond}. Write "
            "files with fewer or smaller images."
        )
