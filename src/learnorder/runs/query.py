"""SQL over the runs of any number of folders, through DuckDB."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnorder.errors import ConfigError, RunFolderError, one_line
from learnorder.runs.manifest import find_manifests, read_each, read_manifest, unreadable
from learnorder.runs.settings import flatten

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa

_RECORDS = ("epoch", "time", "set", "group", "quantity", "value", "examples")
"""Columns that a query can rely on, whatever the kinds of runs there are."""


def connect(*paths: Path | str) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection with two tables about the runs at or below some folders.

    ``runs`` has a row for each run: ``run`` (its folder), ``name``, ``kind``, ``status``,
    ``reason``, ``seed``, ``created``, ``updated``, its labels (``arm``, ``experiment``, …), and
    every setting under its dotted name, e.g. ``"learning_rate.initial"``. ``records`` has the rows
    of all records, with ``run`` before them. Nothing is written to the folders.

    ``connect(…).execute(sql)`` has ``.df()`` for pandas, ``.pl()`` for Polars, ``.arrow()``.

    Args:
        paths: Folders of runs; none is ``runs``.

    Raises:
        RunFolderError: No such folder, or no runs that can be read.
    """
    import duckdb

    manifests = list(dict.fromkeys(m for path in paths or ("runs",) for m in find_manifests(path)))
    if not manifests:
        raise RunFolderError(f"There are no runs below {', '.join(map(str, paths))}.")
    connection, rows = duckdb.connect(), read_each(manifests, _row)
    connection.register("_runs", _table(rows))
    connection.execute("CREATE TABLE runs AS SELECT * FROM _runs")
    connection.unregister("_runs")
    files = [f for row in rows if (f := Path(row["run"], "records.parquet")).exists()]
    try:
        _create_records(connection, files)
    except duckdb.Error:
        _create_records(connection, read_each(files, _whole))
    return connection


def query(sql: str, *paths: Path | str) -> pd.DataFrame:
    """Return what an SQL query finds among the runs at or below some folders.

    Args:
        sql: Over the tables ``runs`` and ``records``; see :func:`connect`.
        paths: Folders of runs; none is ``runs``.

    Raises:
        ConfigError: SQL that DuckDB refuses, or that asks nothing.
        RunFolderError: As :func:`connect`.
    """
    import duckdb

    connection = connect(*paths)
    try:
        statements = duckdb.extract_statements(sql)
        asks = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
        if statements and statements[-1].type in asks:
            return connection.execute(sql).df()
    except duckdb.Error as error:
        reason = one_line(error).partition(" LINE 1:")[0]
        columns = "`learnorder query 'DESCRIBE runs'` lists the columns; dotted names need quotes"
        raise ConfigError("sql", sql, f"{reason} {columns}.") from None
    raise ConfigError(
        "sql", sql, "A question is a SELECT or DESCRIBE: run folders are read, and not changed. "
        "`learnorder runs delete` deletes runs; query --to writes what was found."
    )  # fmt: skip


def _row(manifest: Path) -> dict[str, Any]:
    """Return what the table of runs has of a run."""
    found = read_manifest(manifest.parent)
    settings = flatten(found["config"])
    return {
        "run": str(manifest.parent),
        "name": manifest.parent.name,
        "kind": found.get("kind", "images"),
        **{name: found.get(name) for name in ("status", "reason")},
        "seed": settings.pop("seed", None),
        **{name: found.get(name) for name in ("created", "updated")},
        **found["labels"],  # words, where settings of these names have types
        **settings,
    }


def _table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Return rows as a table; a column of values of several kinds, or of lists, is text."""
    import pyarrow as pa

    columns: dict[str, Any] = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        nested = any(isinstance(value, list | dict) for value in values)
        numbers = {type(v) for v in values if v is not None} <= {int, float}
        try:
            columns[name] = pa.array(
                [float(v) if numbers and isinstance(v, float | int) else v for v in values]
                if numbers and any(isinstance(v, float) for v in values)
                else _as_text(values)
                if nested
                else values
            )
        except (pa.ArrowInvalid, pa.ArrowTypeError):
            columns[name] = pa.array(_as_text(values))
        if pa.types.is_null(columns[name].type):
            columns[name] = columns[name].cast(pa.string())
    return pa.table(columns)


def _as_text(values: Sequence[Any]) -> list[str | None]:
    plain = (str, type(None))
    return [v if isinstance(v, plain) else json.dumps(v) for v in values]


def _create_records(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> None:
    """Make the view of records over the files of all runs; a question reads what it needs."""
    kinds = {"epoch": "INTEGER", "time": "DOUBLE", "value": "DOUBLE", "examples": "BIGINT"}
    empty = {name: f'NULL::{kinds.get(name, "VARCHAR")} AS "{name}"' for name in _RECORDS}
    if not files:
        missing = ", ".join(empty.values())
        connection.execute(f"CREATE VIEW records AS SELECT NULL AS run, {missing} WHERE false")
        return
    import pyarrow as pa

    folders = pa.table({"file": list(map(str, files)), "run": [str(f.parent) for f in files]})
    connection.register("_files", folders)
    connection.execute("CREATE OR REPLACE TABLE folders AS SELECT * FROM _files")
    connection.unregister("_files")
    listed = ", ".join(_literal(file) for file in files)
    read = f"read_parquet([{listed}], filename = true, union_by_name = true)"
    described = connection.execute(f"DESCRIBE SELECT * FROM {read}").fetchall()
    there = {name for name, *_ in described}
    missing = "".join(f", {text}" for name, text in empty.items() if name not in there)
    connection.execute(
        f"CREATE VIEW records AS SELECT folders.run, read.* EXCLUDE (filename){missing} "
        f"FROM {read} AS read JOIN folders ON folders.file = read.filename"
    )


def _whole(file: Path) -> Path:
    """Return a Parquet file, or refuse it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        pq.read_metadata(file)
    except (OSError, pa.ArrowException) as error:
        raise unreadable(file, one_line(error)) from error
    return file


def _literal(file: Path) -> str:
    """Return a file's name for SQL, none of whose characters stands for others."""
    plain = "".join(f"[{c}]" if c in "[*?" else c for c in str(file))
    return "'" + plain.replace("'", "''") + "'"
