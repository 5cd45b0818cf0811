"""Tables in the terminal."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from learnorder.errors import RunFolderError
from learnorder.report.content import TextTable
from learnorder.runs import RunFolder, flatten
from learnorder.runs.arms import label_of
from learnorder.runs.kinds import kind_named
from learnorder.runs.plain_text import plain, visible
from learnorder.runs.results import RunSet

if TYPE_CHECKING:
    import pandas as pd

_WIDEST = 60
"""Characters at which a column is wrapped."""
_NOTHING = "–"
"""Text of an empty cell."""
_SHARED_LINES = 3
"""The largest number of lines for values that all rows share."""
_PAGE = 100_000
"""Width in characters of output that is not wrapped."""


def _console() -> Console:
    """Return the terminal, or a console that does not wrap if the output is not a terminal."""
    console = Console()
    return console if console.is_terminal else Console(width=_PAGE, height=_PAGE)


def print_runs(folders: Sequence[RunFolder], *, wide: bool = False) -> None:
    """Print a table of runs: the columns that fit the terminal, or all if ``wide``."""
    names = ["run", "arm", "seed", "status", "progress", "last measured"]
    rows = [
        [
            str(folder.path),
            label_of(folder),
            str(folder.config.seed),
            folder.read_status(),
            _progress(folder),
            _headline(folder),
        ]
        for folder in folders
    ]
    left_out = _print_columns(names, rows, wide=wide)
    if left_out:
        print(f"{_columns(left_out)}: --wide shows all; runs FOLDER shows all of one run.")


def _columns(count: int) -> str:
    return f"{count} more column{'' if count == 1 else 's'}"


def _print_columns(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    wide: bool,
    numbers: Sequence[bool] = (),
) -> int:
    """Print a table; return the number of columns at the end that do not fit and are left out.

    If not all columns fit, values that all rows share are printed once, below the table.
    """
    console = Console(width=_PAGE, height=_PAGE) if wide else _console()
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    varying, shared = list(range(len(names))), ""
    if len(rows) > 1 and _fitting(names, columns, console.width) < len(names):
        varying, columns, shared = _factored(names, columns)
    shown = _fitting([names[i] for i in varying], [columns[i] for i in varying], console.width)
    table = Table()
    for index in varying[:shown]:
        right = index < len(numbers) and numbers[index]
        table.add_column(plain(names[index]), justify="right" if right else "left", overflow="fold")
    for row in zip(*(columns[index] for index in varying[:shown]), strict=True):
        _add_row(table, *row)
    console.print(table)
    if shared:
        console.print(plain(_shortened(shared, _SHARED_LINES * console.width)))
    return len(varying) - shown


def _factored(
    names: Sequence[str], columns: Sequence[Sequence[str]]
) -> tuple[list[int], list[Sequence[str]], str]:
    """Return the indices of varying columns, all columns, and the values that all rows share.

    If all runs are in one folder, their paths become relative to it. Columns that repeat the names
    of the runs are left out.
    """
    columns, shared = list(columns), list[str]()
    varying = [index for index, column in enumerate(columns) if len(set(column)) > 1]
    if "run" in names and (paths := names.index("run")) in varying:
        run_names = [Path(path).name for path in columns[paths]]
        varying = [i for i in varying if i == paths or list(columns[i]) != run_names]
        if folder := _common_folder(columns[paths]):
            columns[paths] = [str(Path(path).relative_to(folder)) for path in columns[paths]]
            shared.append(f"run {folder}{os.sep}…")
    for name, column in zip(names, columns, strict=True):
        if len(set(column)) == 1 and column[0] not in ("", _NOTHING):
            shared.append(f"{name} {column[0]}")
    return varying or [0], columns, f"In all rows: {', '.join(shared)}" if shared else ""


def _common_folder(paths: Sequence[str]) -> str:
    """Return the folder that contains all paths, or an empty string."""
    try:
        return os.path.commonpath([Path(path).parent for path in paths])
    except ValueError:  # absolute and relative paths, or several drives
        return ""


def _shortened(text: str, length: int) -> str:
    """Return a text cut to a length, with an ellipsis."""
    return text if len(text) <= length else f"{text[: length - 2]} …"


def _fitting(names: Sequence[str], columns: Sequence[Sequence[str]], width: int) -> int:
    """Return the number of leading columns that fit a width, at least one."""
    used, fit = 1, 0
    for name, column in zip(names, columns, strict=True):
        cells = map(visible, (name, *column))
        used += 3 + min(_WIDEST, max(map(cell_len, cells)))
        fit += used <= width
    return max(fit, 1)


def _add_row(table: Table, *cells: object) -> None:
    """Add a row of cells, without interpreting markup."""
    table.add_row(*map(plain, cells))


def _headline(folder: RunFolder) -> str:
    """Return the last value of a run's main quantity, in words."""
    *key, words = kind_named(folder.kind).headline
    try:
        value = _last(folder).get(tuple(key))
    except RunFolderError:
        return "records are damaged"
    return "" if value is None else f"{words} {_shown(value, words)}"


def _shown(value: float, quantity: str) -> str:
    return f"{value:.4g}" if quantity.endswith("loss") else f"{100 * value:.1f} %"


def print_run(folder: RunFolder) -> None:
    """Print a run's status, settings and last measurements."""
    manifest, console = folder.read_manifest(), _console()
    reason = f": {manifest['reason']}" if manifest["reason"] else ""
    line = f"{folder.path}  {manifest['status']}{reason}  {_progress(folder)}"
    console.print(plain(line), soft_wrap=True)
    settings = yaml.safe_dump(manifest["config"], sort_keys=False)  # it escapes what is not ASCII
    console.print(settings, markup=False, highlight=False, emoji=False)
    table = Table(title="Last measured", title_justify="left")
    for name in ("set", "group", "quantity"):
        table.add_column(name)
    table.add_column("value", justify="right")
    for (set_, group, quantity), value in _last(folder).items():
        _add_row(table, set_, group, quantity, f"{value:.4g}")
    console.print(table)


def print_difference(first: RunFolder, second: RunFolder) -> None:
    """Print the kind, labels and settings in which two runs differ."""
    table = Table()
    for name in ("", first.path, second.path):
        table.add_column(plain(name), overflow="fold")
    settings = [
        {"kind": run.kind, **run.labels, **flatten(run.config.to_dict())} for run in (first, second)
    ]
    for name in dict.fromkeys(name for values in settings for name in values):
        values = [str(flat.get(name, "–")) for flat in settings]
        if values[0] != values[1]:
            _add_row(table, name, *values)
    if not table.row_count:
        _console().print("The runs have the same settings, labels and seed.")
    else:
        _console().print(table)


def print_frame(frame: pd.DataFrame, most: int, *, wide: bool = False) -> None:
    """Print the first ``most`` rows: the columns that fit the terminal, or all if ``wide``."""
    rows = [list(map(_cell, row)) for row in frame.head(most).itertuples(index=False)]
    numbers = [dtype.kind in "iuf" for dtype in frame.dtypes]
    left_out = _print_columns(list(map(str, frame.columns)), rows, wide=wide, numbers=numbers)
    if left_out:
        print(f"{_columns(left_out)}: --wide prints all, --to writes them; or SELECT some by name.")
    if len(frame) > most:
        print(f"{len(frame) - most} more rows: --rows {len(frame)} prints all, --to writes them.")


def _cell(value: Any) -> str:
    import pandas as pd

    if value is None or value is pd.NA or value != value:
        return _NOTHING
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _last(folder: RunFolder) -> dict[tuple[str, ...], float]:
    """Return the last measurements of a run by set, group (for images) and quantity."""
    rows = folder.records().to_pylist()
    moment = kind_named(folder.kind).moment
    last = max((row[moment] for row in rows), default=0)
    return {
        (row["set"], row.get("group", ""), row["quantity"]): row["value"]
        for row in rows
        if row[moment] == last
    }


def _progress(folder: RunFolder) -> str:
    progress = folder.progress()
    return "" if progress is None else progress.note


def print_summary(results: RunSet[Any]) -> None:
    """Print final accuracies or errors by arm, with 95 % intervals over seeds."""
    print_table(kind_named(results.folders[0].kind).present().summary_table(results))


def print_table(content: TextTable) -> None:
    """Print a table with its title and note."""
    table = Table(
        title=plain(content.title, "table.title"),
        caption=plain(content.note, "table.caption"),
        title_justify="left",
    )
    for index, name in enumerate(content.columns):
        left = index == 0 or content.wrap
        heading = Text(visible(name).replace(".", ".\n"))
        table.add_column(heading, justify="left" if left else "right")
    for row in content.rows:
        _add_row(table, *row)
    _console().print(table)
