"""The values that many runs have recorded, in little memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from learnorder.runs.folder import RunFolder

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

Key = tuple[str, str, str]
"""A set, quantity and group."""

_KEY = ("set", "quantity", "group")


class RecordedValues:
    """The records of runs that train a network, by run, set, quantity and group.

    The runs of an experiment mostly measure the same at the same epochs. What their rows say beside
    the values is therefore kept once, and of each run only its values: 8 bytes a record.

    Args:
        folders: The runs.

    Raises:
        RunFolderError: Records cannot be read.
    """

    def __init__(self, folders: Iterable[RunFolder[Any]]) -> None:
        self._layouts: dict[bytes, _Layout] = {}
        self._runs: dict[RunFolder[Any], tuple[_Layout, NDArray[np.float64]]] = {}
        for folder in folders:
            table = folder.records()
            rows = table.select(["epoch", *_KEY])
            digest = _digest(rows)
            if (layout := self._layouts.get(digest)) is None:
                layout = self._layouts[digest] = _Layout(rows)
            self._runs[folder] = layout, table["value"].to_numpy()

    def sets(self) -> set[str]:
        """Return the sets that were evaluated."""
        return {set_ for layout in self._layouts.values() for set_, _, _ in layout.rows}

    def series(self, folder: RunFolder[Any], key: Key) -> dict[int, float]:
        """Return a run's values of a set, quantity and group, by epoch."""
        layout, values = self._runs.get(folder, (None, None))
        if layout is None or values is None or (found := layout.rows.get(key)) is None:
            return {}
        epochs, rows = found
        return dict(zip(epochs, values[rows].tolist(), strict=True))


class _Layout:
    """What the rows of a table of records say beside their values.

    Attributes:
        rows: Epochs and row indices by set, quantity and group.
    """

    def __init__(self, table: pa.Table) -> None:
        frame = table.to_pandas()
        epochs = frame["epoch"].to_numpy()
        self.rows: dict[Key, tuple[list[int], NDArray[np.intp]]] = {}
        if not frame.empty:
            indices: dict[Any, Any] = frame.groupby(list(_KEY)).indices
            self.rows = {key: (epochs[rows].tolist(), rows) for key, rows in indices.items()}


def _digest(table: pa.Table) -> bytes:
    """Return a digest that differs for tables with other rows."""
    digest = hashlib.blake2b(digest_size=16)
    for column in table.columns:
        for chunk in column.chunks:
            digest.update(f"{len(chunk)} {chunk.offset};".encode())
            for buffer in chunk.buffers():
                digest.update(b"-" if buffer is None else b"%d:" % buffer.size)
                digest.update(b"" if buffer is None else buffer)
    return digest.digest()
