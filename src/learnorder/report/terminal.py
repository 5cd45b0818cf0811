"""The summary of results in the terminal."""

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
"""Characters from which a column is folded rather than left out."""


_NOTHING = "–"
"""What a cell without a value shows."""
_SAID_LINES = 3
"""Lines of a terminal, at most, that say what is the same in all rows."""
_PAGE = 100_000
"""Characters of a page on which nothing is folded."""


def _console() -> Console:
    """The terminal, or a page wide enough that nothing is folded where output goes to a file."""
    console = Console()
    return console if console.is_terminal else Console(width=_PAGE, height=_PAGE)


def print_runs(folders: Sequence[RunFolder], *, wide: bool = False) -> None:
    """Print a line for each run: the columns that fit the terminal, or all."""
    names = ["run", "arm", "seed", "status", "progress", "last measured"]
    rows = [
        [
            str(folder.path),
            label_of(folder),
            str(folder.config.seed),
            folder.status,
            _progress(folder),
            _headline(folder),
        ]
        for folder in folders
    ]
    left_out = _print_columns(names, rows, wide=wide)
    if left_out:
        print(f"{_columns(left_out)}: --wide shows all, runs FOLDER one run whole.")


def _columns(count: int) -> str:
    return f"{count} more column{'' if count == 1 else 's'}"


def _print_columns(
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    wide: bool,
    numbers: Sequence[bool] = (),
) -> int:
    """Print a table; return how many of the last columns were left out, as they do not fit.

    Where not all fit, what is the same in all rows is said once, below the table.
    """
    console = Console(width=_PAGE, height=_PAGE) if wide else _console()
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    varying, said = list(range(len(names))), ""
    if len(rows) > 1 and _fitting(names, columns, console.width) < len(names):
        varying, columns, said = _factored(names, columns)
    shown = _fitting([names[i] for i in varying], [columns[i] for i in varying], console.width)
    table = Table()
    for index in varying[:shown]:
        right = index < len(numbers) and numbers[index]
        table.add_column(plain(names[index]), justify="right" if right else "left", overflow="fold")
    for row in zip(*(columns[index] for index in varying[:shown]), strict=True):
        _add_row(table, *row)
    console.print(table)
    if said:
        console.print(plain(_shortened(said, _SAID_LINES * console.width)))
    return len(varying) - shown


def _factored(
    names: Sequence[str], columns: Sequence[Sequence[str]]
) -> tuple[list[int], list[Sequence[str]], str]:
    """Return which columns differ between rows, all columns, and what all rows share, in words.

    Of runs' paths, the folder that all of them lie in is shared; their names need no column.
    """
    columns, shared = list(columns), list[str]()
    varying = [index for index, column in enumerate(columns) if len(set(column)) > 1]
    if "run" in names and (paths := names.index("run")) in varying:
        last = [Path(path).name for path in columns[paths]]
        varying = [index for index in varying if index == paths or list(columns[index]) != last]
        if folder := _common_folder(columns[paths]):
            columns[paths] = [str(Path(path).relative_to(folder)) for path in columns[paths]]
            shared.append(f"run {folder}{os.sep}…")
    for name, column in zip(names, columns, strict=True):
        if len(set(column)) == 1 and column[0] not in ("", _NOTHING):
            shared.append(f"{name} {column[0]}")
    return varying or [0], columns, f"In all rows: {', '.join(shared)}" if shared else ""


def _common_folder(paths: Sequence[str]) -> str:
    """Return the folder that some paths lie in; empty where there is none."""
    try:
        return os.path.commonpath([Path(path).parent for path in paths])
    except ValueError:  # absolute and relative ones, or several drives
        return ""


def _shortened(text: str, most: int) -> str:
    """Return a text of at most so many characters; the last says that there is more."""
    return text if len(text) <= most else f"{text[: most - 2]} …"


def _fitting(names: Sequence[str], columns: Sequence[Sequence[str]], width: int) -> int:
    """Return how many columns, from the first, stand side by side within a width; at least one."""
    used, fit = 1, 0
    for name, column in zip(names, columns, strict=True):
        cells = (visible(each) for each in (name, *column))
        used += 3 + min(_WIDEST, max(map(cell_len, cells)))
        fit += used <= width
    return max(fit, 1)


def _add_row(table: Table, *cells: object) -> None:
    """Add a row of cells that stand in the table as they are."""
    table.add_row(*map(plain, cells))


def _headline(folder: RunFolder) -> str:
    """Return what tells most of what a run measured last, in words."""
    *key, words = kind_named(folder.kind).headline
    try:
        value = _last(folder).get(tuple(key))
    except RunFolderError:
        return "records are damaged"
    return "" if value is None else f"{words} {_shown(value, words)}"


def _shown(value: float, what: str) -> str:
    return f"{value:.4g}" if what.endswith("loss") else f"{100 * value:.1f} %"


def print_run(folder: RunFolder) -> None:
    """Print a run's status, settings and last measurements."""
    manifest, console = folder.manifest, _console()
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


def print_difference(one: RunFolder, other: RunFolder) -> None:
    """Print the settings and labels in which two runs differ, and how each stands."""
    table = Table()
    for name in ("", one.path, other.path):
        table.add_column(plain(name), overflow="fold")
    flat = [
        {"kind": each.kind, **each.labels, **flatten(each.config.to_dict())}
        for each in (one, other)
    ]
    for name in dict.fromkeys(name for each in flat for name in each):
        values = [str(each.get(name, "–")) for each in flat]
        if values[0] != values[1]:
            _add_row(table, name, *values)
    if not table.row_count:
        _console().print("They have the same settings, labels and seed.")
    else:
        _console().print(table)


def print_frame(found: pd.DataFrame, most: int, *, wide: bool = False) -> None:
    """Print the rows of a frame, at most so many: the columns that fit the terminal, or all."""
    rows = [list(map(_cell, row)) for row in found.head(most).itertuples(index=False)]
    numbers = [kind.kind in "iuf" for kind in found.dtypes]
    left_out = _print_columns(list(map(str, found.columns)), rows, wide=wide, numbers=numbers)
    if left_out:
        print(f"{_columns(left_out)}: --wide prints all, --to writes them; or SELECT some by name.")
    if len(found) > most:
        print(f"{len(found) - most} more rows: --rows {len(found)} prints all, --to writes them.")


def _cell(value: Any) -> str:
    import pandas as pd

    if value is None or value is pd.NA or value != value:
        return _NOTHING
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _last(folder: RunFolder) -> dict[tuple[str, ...], float]:
    """Return what a run measured last, by set, group (of images) and quantity."""
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


def print_table(found: TextTable) -> None:
    """Print a table."""
    table = Table(
        title=plain(found.title, "table.title"),
        caption=plain(found.note, "table.caption"),
        title_justify="left",
    )
    for index, name in enumerate(found.columns):
        left = index == 0 or found.wrap
        heading = Text(visible(name).replace(".", ".\n"))
        table.add_column(heading, justify="left" if left else "right")
    for row in found.rows:
        _add_row(table, *row)
    _console().print(table)
