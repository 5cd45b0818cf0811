"""Data sets in Parquet files, of the hub's schema."""

from __future__ import annotations

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

_ROWS_AT_ONCE = 1_000
"""Rows decoded together: repeated values take little in a file, and their full size in memory."""


def open_parquet(place: str) -> datasets.DatasetDict:
    """Open the splits of a folder with files named train*.parquet and so on.

    Raises:
        DataError: No such folder or files, or files that cannot be read or exceed the memory.
    """
    import datasets
    import pyarrow as pa

    folder = existing_folder("parquet", place)
    splits = {}
    for split in ("train", "validation", "test"):
        files = sorted(folder.glob(f"**/{split}*.parquet"))
        if not files:
            continue
        try:
            splits[split] = datasets.Dataset(_read(place, files))
        except (OSError, pa.ArrowException) as error:
            raise DataError(
                f"parquet:{place}: {files[0].name} and the like could not be read: "
                f"{one_line(error)}. Fetch the files again."
            ) from error
    if "train" not in splits:
        raise DataError(
            f"parquet:{place}: no train*.parquet in it. Give the folder that holds files named "
            "train*.parquet and test*.parquet, as the hub lays them out."
        )
    return datasets.DatasetDict(splits)


def _read(place: str, files: Sequence[Path]) -> pa.Table:
    """Read the files of a split, as long as the memory holds what they say and what they have."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables, said = [], 0
    for path in files:
        with path.open("rb") as file:
            said += _expected_bytes(pq.read_metadata(file))
    _check(place, files, said)
    for path in files:
        with path.open("rb") as file, pq.ParquetFile(file) as parquet:
            batches = []
            for batch in parquet.iter_batches(_ROWS_AT_ONCE):
                _check(place, files, batch.nbytes)
                batches.append(batch)
            tables.append(pa.Table.from_batches(batches, parquet.schema_arrow))
    return pa.concat_tables(tables)


def _expected_bytes(metadata: pq.FileMetaData) -> int:
    """Return the least memory that a file's metadata speak of: its columns, and 8 bytes a label."""
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    return max(sum(group.total_byte_size for group in groups), 8 * metadata.num_rows)


def _check(place: str, files: Sequence[Path], needed: int) -> None:
    if beyond := beyond_memory(needed):
        raise DataError(
            f"parquet:{place}: {files[0].name} and the like take {beyond}. Write files of fewer or "
            "smaller images."
        )
