"""Reading the tables of runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from learnorder.errors import one_line
from learnorder.runs.sealed import unreadable

if TYPE_CHECKING:
    import pyarrow as pa

_MOST_ROWS = 50_000_000
"""The longest table that is read."""


def read_table(path: Path, content: bytes) -> pa.Table:
    """Return the table in a Parquet file.

    Args:
        path: The file, for errors.
        content: Its bytes.

    Raises:
        RunFolderError: It is damaged, or has more than 50 million rows.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        if file.metadata.num_rows > _MOST_ROWS:
            raise unreadable(path, f"it has {file.metadata.num_rows:,} rows")
        return file.read(use_threads=False)  # files are small, and many
    except (OSError, ValueError, pa.ArrowException) as error:
        raise unreadable(path, one_line(error)) from error
