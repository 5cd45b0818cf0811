"""A table of runs that somebody made: CSV, TSV, Parquet or a data frame, with nested columns."""

from __future__ import annotations

import ast
import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnorder.errors import ConfigError, DataError, refusing

if TYPE_CHECKING:
    import pandas as pd

Cell = str | float | None
"""A value: a text, a number, or None where there is none."""
MOST_RUNS = 10_000
"""Most rows of a table."""
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_NESTED_IN = frozenset({"value", "desc"})
"""Keys of a setting in the raw configuration of a W&B run."""


@dataclass(frozen=True)
class RunTable:
    """A table with a row for each run.

    Attributes:
        source: The file, or "a data frame".
        columns: Cells of each column, by name; nested columns have dotted names.
    """

    source: str
    columns: dict[str, list[Cell]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))

    def name(self, row: int) -> str:
        """Return a row's number, from 1, with the name of its run if there is one."""
        if {"number", "value", "state"} <= self.columns.keys():  # a study of Optuna
            return f"trial {self.columns['number'][row]}"
        for column in ("Name", "name", "run_name", "tags.mlflow.runName", "ID", "run_id"):
            if column in self.columns and (named := self.columns[column][row]) is not None:
                return f"row {row + 1} ({named})"
        return f"row {row + 1}"

    def rows(self, kept: Sequence[int]) -> RunTable:
        """Return a table of some of the rows."""
        columns = {name: [cells[i] for i in kept] for name, cells in self.columns.items()}
        return RunTable(self.source, columns)


def number(cell: Cell) -> float | None:
    """Return a cell as a number, also nan or infinite; None if it is empty or no number.

    >>> number("1e-3"), number("Infinity"), number("adam"), number(None)
    (0.001, inf, None, None)
    """
    if isinstance(cell, str):
        try:
            return float(cell)
        except ValueError:
            return None
    return cell


def same(a: Cell, b: Cell) -> bool:
    """Return whether two cells are equal, as numbers if both are.

    >>> same("0.10", 0.1), same("adam", "Adam")
    (True, False)
    """
    x, y = number(a), number(b)
    if x is None or y is None:
        return a == b
    return math.isclose(x, y, rel_tol=1e-9) or (math.isnan(x) and math.isnan(y))


def empty(cell: Cell) -> bool:
    """Return whether a cell has no value, or nan, which stands for none in data frames."""
    return cell is None or cell != cell


def read_table(runs: Path | str | pd.DataFrame) -> RunTable:
    """Read a table of runs.

    Args:
        runs: A .csv, .tsv or .parquet file, or a pandas data frame.

    Raises:
        ConfigError: The file's name does not say what it is.
        DataError: It cannot be read, has no rows or too many, or two columns of one name.
    """
    if not isinstance(runs, str | Path):
        return _table("a data frame", _frame_columns(runs, "the data frame"))
    path = Path(runs)
    suffix = path.suffix.lower()
    if suffix not in (*_DELIMITERS, ".parquet"):
        raise ConfigError("from", str(runs), "Give a .csv, .tsv or .parquet file.")
    with refusing(lambda reason: DataError(f"{path} cannot be read: {reason}.")):
        if suffix == ".parquet":
            import pyarrow.parquet

            frame = pyarrow.parquet.read_table(path).to_pandas()
            return _table(str(path), _frame_columns(frame, str(path)))
        return _table(str(path), _csv_columns(path, _DELIMITERS[suffix]))


def _csv_columns(path: Path, delimiter: str) -> dict[str, list[Cell]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file, delimiter=delimiter, strict=True)
        names = [name.strip() for name in next(lines, [])]
        rows = [line for line in lines if any(cell.strip() for cell in line)]
    for index, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise DataError(
                f"{path}, row {index}: it has {len(row)} cells, and there are {len(names)} "
                "columns. Write the file again."
            )
    _check_names(names, str(path))
    columns = zip(*rows, strict=True) if rows else ([] for _ in names)
    return {
        name: [as_cell(cell) for cell in cells] for name, cells in zip(names, columns, strict=True)
    }


def _frame_columns(frame: pd.DataFrame, where: str) -> dict[str, list[Cell]]:
    """Return the columns of a data frame; names of several levels are joined by dots."""
    names = [
        ".".join(str(part) for part in name if str(part)) if isinstance(name, tuple) else str(name)
        for name in frame.columns
    ]
    _check_names(names, where)
    return {name: [as_cell(v) for v in frame.iloc[:, i].tolist()] for i, name in enumerate(names)}


def _check_names(names: Sequence[str], where: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{where}: two columns are called {name!r}. Rename or remove one.")


def _table(source: str, columns: dict[str, list[Cell]]) -> RunTable:
    """Return a table with nested columns as columns of their own, without pandas' index."""
    flat: dict[str, list[Cell]] = {}
    for name, cells in columns.items():
        nested = [_mapping(cell) for cell in cells]
        if any(nested) and all(m is not None for m, c in zip(nested, cells, strict=True) if c):
            flat |= _spread(name, [mapping or {} for mapping in nested])
        elif name or [number(cell) for cell in cells] != list(range(len(cells))):
            flat[name or "(first column)"] = cells
    table = RunTable(source, flat)
    if not 0 < len(table) <= MOST_RUNS:
        raise DataError(
            f"{source}: it has {len(table):,} rows. Give a header and a row for each run, at most "
            f"{MOST_RUNS:,}."
        )
    return table


def as_cell(value: Any) -> Cell:
    """Return a value as a text or a number; None if it is missing or empty."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, Mapping):
        return json.dumps(value, default=str)
    return str(value).strip() or None


def _mapping(cell: Cell) -> Mapping[str, Any] | None:
    """Return the mapping that a cell is the text of, in JSON or as Python prints it."""
    if not isinstance(cell, str) or not cell.startswith("{"):
        return None
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):
        value = _literal(cell)
    return value if isinstance(value, Mapping) else None


def _literal(text: str) -> Any:
    """Return the value of a Python literal, in which nan and inf are numbers; None if it is none.

    >>> _literal("{'lr': 0.1, 'acc': nan}")
    {'lr': 0.1, 'acc': nan}
    """
    try:
        tree = ast.parse(text, mode="eval")
        return ast.literal_eval(_Numbers().visit(tree))
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None


class _Numbers(ast.NodeTransformer):
    """Replaces the names nan and inf by these numbers."""

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in ("nan", "inf"):
            return ast.copy_location(ast.Constant(float(node.id)), node)
        return node


def _spread(name: str, mappings: Sequence[Mapping[str, Any]]) -> dict[str, list[Cell]]:
    """Return the values of nested mappings, one for each row, as columns with dotted names."""
    flat = [dict(_leaves(name, mapping)) for mapping in mappings]
    names = dict.fromkeys(name for row in flat for name in row)
    return {name: [row.get(name) for row in flat] for name in names}


def _leaves(at: str, mapping: Mapping[str, Any]) -> Iterable[tuple[str, Cell]]:
    for key, value in mapping.items():
        if isinstance(value, Mapping) and "value" in value and value.keys() <= _NESTED_IN:
            value = value["value"]
        if isinstance(value, Mapping) and value:
            yield from _leaves(f"{at}.{key}", value)
        else:
            yield f"{at}.{key}", as_cell(value)
