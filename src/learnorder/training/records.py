"""The measurements of a run: rows with epoch, set, group, quantity and value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("epoch", "set", "group", "quantity", "value", "examples")


@dataclass
class Records:
    """Measurements in long form.

    Columns: ``epoch``, counted from 1; ``set``: train (measured on each batch before its update, in
    training mode), clean, mixed, patch_only, conflict, validation, keep (of an old task, to measure
    what is forgotten), pruned_90 and so on (clean or validation, without this percentage of the
    weights), or run (e.g. the learning rate);
    ``group``: all, or clean, patch_only, both within train, or the name of a known group;
    ``quantity``, e.g. accuracy, loss, learning_rate, reliance (on the pattern within conflict, on
    the attribute of known groups within clean and validation); ``value``; ``examples``, the number
    of examples measured.
    """

    columns: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in COLUMNS})

    def add(
        self, epoch: int, set_: str, quantity: str, value: float, *, group: str = "all", n: int = 0
    ) -> None:
        """Append one row."""
        for name, item in zip(COLUMNS, (epoch, set_, group, quantity, value, n), strict=True):
            self.columns[name].append(item)

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows, with the values of ``COLUMNS``."""
        return zip(*(self.columns[name] for name in COLUMNS), strict=True)

    def last(self, set_: str, quantity: str) -> float:
        """Return the last value of a quantity over all examples of a set."""
        keys = zip(*(self.columns[name] for name in ("set", "quantity", "group")), strict=True)
        rows = [row for row, key in enumerate(keys) if key == (set_, quantity, "all")]
        return self.columns["value"][rows[-1]]

    def __len__(self) -> int:
        return len(self.columns["epoch"])

    def table(self) -> pa.Table:
        """Return the rows as an Arrow table."""
        import pyarrow as pa

        kinds = (pa.int32(), pa.string(), pa.string(), pa.string(), pa.float64(), pa.int64())
        return pa.table(
            {n: pa.array(self.columns[n], k) for n, k in zip(COLUMNS, kinds, strict=True)}
        )
