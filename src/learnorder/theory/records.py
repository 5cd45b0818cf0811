"""The measurements of a run of the theory as rows: one value and its moment each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ("grid", "time", "steps", "phase", "set", "quantity", "value", "examples")


@dataclass
class TheoryRecords:
    """Rows in long form.

    Columns: ``grid``, index on the logarithmic grid of times, −1 at the end of a phase; ``time``,
    η·t; ``steps``; ``phase``, from 0; ``set``: train, p_only, q_only, both, all (test examples of
    one kind, and of the whole distribution), q (outputs on Q's directions) or run; ``quantity``,
    e.g. error, loss, margin; ``value``; ``examples``, the number of examples, 0 if exact.
    """

    columns: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in COLUMNS})

    def add(self, *row: Any) -> None:
        """Append one row, in the order of the columns."""
        for name, item in zip(COLUMNS, row, strict=True):
            self.columns[name].append(item)

    def table(self) -> pa.Table:
        """Return the rows as an Arrow table."""
        import pyarrow as pa

        kinds = (pa.int32(), pa.float64(), pa.float64(), pa.int32(), pa.string(), pa.string(),
                 pa.float64(), pa.int64())  # fmt: skip
        return pa.table(
            {n: pa.array(self.columns[n], k) for n, k in zip(COLUMNS, kinds, strict=True)}
        )
