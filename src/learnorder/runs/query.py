"""Read-only SQL over the runs of any number of folders, through DuckDB.

Manifests and records are checked as everywhere else and copied into a database in memory. That
database has no access to files, extensions or the network, and its configuration is locked.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnorder.errors import ConfigError, RunFolderError, one_line
from learnorder.runs.arms import label_of
from learnorder.runs.folder import RunFolder
from learnorder.runs.kinds import KINDS
from learnorder.runs.manifest import find_manifests, read_each
from learnorder.runs.plain_text import storable
from learnorder.runs.settings import flatten, setting_words

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import pyarrow as pa

_LOCKS = (
    "SET python_enable_replacements = false",
    "SET temp_directory = ''",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


def connect(*paths: Path | str) -> duckdb.DuckDBPyConnection:
    """Return a DuckDB connection with two tables about the runs in some folders and subfolders.

    ``runs`` has a row for each run: ``run`` (its folder), ``name``, ``kind``, ``status``,
    ``reason``, ``arm`` (as :func:`~learnorder.runs.arms.label_of` names it), ``seed``, ``created``,
    ``updated``, every setting under its dotted name, e.g. ``"learning_rate.initial"``, and its
    other labels (``experiment``, …). A setting with the name of another column is called
    ``setting.NAME``, such a label ``label.NAME``, unless it says the same. ``records`` has the rows
    of all records, with a column ``run``. Both are copies; the connection has no access to files.

    ``connect(…).execute(sql)`` has ``.df()`` for pandas, ``.pl()`` for Polars, ``.arrow()``.

    Args:
        paths: Folders of runs; without any, ``runs``.

    Raises:
        RunFolderError: A folder does not exist, or no runs can be read.
    """
    return _connect(_find_runs(paths), with_records=True)


def query(sql: str, *paths: Path | str) -> pd.DataFrame:
    """Return the result of an SQL query over the runs in some folders and subfolders.

    Args:
        sql: One statement over the tables ``runs`` and ``records``; see :func:`connect`.
        paths: Folders of runs; without any, ``runs``.

    Returns:
        A pandas data frame with the query's rows and columns.

    Raises:
        ConfigError: The SQL is invalid, is not a query, or has several statements.
        RunFolderError: As for :func:`connect`.
    """
    _check_query(sql)
    return _execute(_connect(_find_runs(paths), with_records="records" in sql.lower()), sql)


def runs_where(condition: str, *paths: Path | str) -> list[RunFolder[Any]]:
    """Return the runs in some folders and subfolders that satisfy an SQL condition.

    Args:
        condition: A condition on the columns of ``runs``.
        paths: Folders of runs; without any, ``runs``.

    Raises:
        ConfigError: The condition is invalid.
        RunFolderError: As for :func:`connect`.
    """
    folders = _find_runs(paths)
    sql = f"SELECT run FROM runs WHERE (\n{condition}\n)"
    try:
        _check_query(sql)
        with_records = "records" in condition.lower()
        selected = set(_execute(_connect(folders, with_records=with_records), sql)["run"])
    except ConfigError as error:
        raise ConfigError("where", condition, error.remedy) from None
    return [folder for folder in folders if storable(str(folder.path)) in selected]


def _find_runs(paths: Sequence[Path | str]) -> list[RunFolder[Any]]:
    """Return the runs in some folders and subfolders, without duplicates."""
    found = (m for path in paths or ("runs",) for m in find_manifests(path))
    manifests = {m.resolve(): m for m in found}
    if not manifests:
        raise RunFolderError(f"There are no runs in {', '.join(map(str, paths or ('runs',)))}.")
    return read_each(list(manifests.values()), lambda manifest: RunFolder(manifest.parent))


def _connect(folders: Sequence[RunFolder[Any]], *, with_records: bool) -> duckdb.DuckDBPyConnection:
    import duckdb

    connection = duckdb.connect()
    connection.register("_runs", _table([_row(folder) for folder in folders]))
    connection.execute("CREATE TABLE runs AS SELECT * FROM _runs")
    connection.unregister("_runs")
    if with_records:
        _create_records(connection, folders)
    for lock in _LOCKS:
        connection.execute(lock)
    return connection


def _check_query(sql: str) -> None:
    """Refuse anything but a single query."""
    import duckdb

    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise _refused(sql, error) from None
    queries = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
    if len(statements) == 1 and statements[0].type in queries:
        return
    raise ConfigError(
        "sql", sql, "Give one SELECT or DESCRIBE; runs cannot be changed. `learnorder runs delete` "
        "deletes runs; query --to writes the result to a file."
    )  # fmt: skip


def _execute(connection: duckdb.DuckDBPyConnection, sql: str) -> pd.DataFrame:
    import duckdb

    try:
        return connection.execute(sql).df()
    except duckdb.Error as error:
        raise _refused(sql, error) from None


def _refused(sql: str, error: Exception) -> ConfigError:
    reason = one_line(error).partition(" LINE 1:")[0]
    columns = "`learnorder query 'DESCRIBE runs'` lists the columns; dotted names need quotes"
    return ConfigError("sql", sql, f"{reason} {columns}.")


def _row(folder: RunFolder[Any]) -> dict[str, Any]:
    """Return a run's row in the table of runs."""
    manifest = folder.opened
    settings = flatten(manifest["config"])
    row = {
        "run": storable(str(folder.path)),
        "name": storable(folder.path.name),
        "kind": folder.kind,
        **{name: manifest[name] for name in ("status", "reason")},
        "arm": storable(label_of(folder)),
        "seed": settings.pop("seed", None),
        **{name: manifest[name] for name in ("created", "updated")},
    }
    # SQL ignores case
    columns = {name.lower(): (name, value) for name, value in row.items()}
    for what, values in (("setting", settings), ("label", folder.labels)):
        for name, value in values.items():
            if name.lower() in columns:
                if setting_words(columns[name.lower()][1]) == value:  # as those of a sweep
                    continue
                name = f"{what}.{name}"
            columns[name.lower()] = storable(name), value
    return dict(columns.values())


def _table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Return rows as a table; a column with values of mixed types, or with lists, becomes text."""
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
        except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
            columns[name] = pa.array(_as_text(values))
        if pa.types.is_null(columns[name].type):
            columns[name] = columns[name].cast(pa.string())
    return pa.table(columns)


def _as_text(values: Sequence[Any]) -> list[str | None]:
    return [
        None if v is None else storable(v) if isinstance(v, str) else json.dumps(v) for v in values
    ]


def _create_records(
    connection: duckdb.DuckDBPyConnection, folders: Sequence[RunFolder[Any]]
) -> None:
    """Create the table of records of all runs, of any kind."""
    import pyarrow as pa

    def of_run(folder: RunFolder[Any]) -> pa.Table:
        table = folder.records()
        run = pa.repeat(storable(str(folder.path)), len(table))
        return _texts_once(table.add_column(0, "run", run))

    by_folder = {folder.path: folder for folder in folders}
    tables = read_each(list(by_folder), lambda path: of_run(by_folder[path]))
    empty = [_texts_once(kind.no_records()) for kind in KINDS.values()]
    connection.register("records", pa.concat_tables([*tables, *empty], promote_options="default"))


def _texts_once(table: pa.Table) -> pa.Table:
    """Return a table that has each text once, and numbers in place of repetitions."""
    import pyarrow as pa

    for index, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            table = table.set_column(index, field.name, table.column(index).dictionary_encode())
    return table
