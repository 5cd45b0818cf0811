"""``learnorder query``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from learnorder.cli.parser import Parser, parse
from learnorder.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

DESCRIPTION = """\
Query all runs in some folders and their subfolders with SQL (DuckDB). There are two tables: `runs`
has a row for each run, with its status, seed, labels and every setting under its dotted name;
`records` has the measurements. Join them on `run`.

  learnorder query 'DESCRIBE runs'                                  list the columns
  learnorder query 'SELECT status, count(*) FROM runs GROUP BY 1'
  learnorder query 'SELECT arm, "learning_rate.initial", avg(value)
                    FROM records JOIN runs USING (run)
                    WHERE "set" = '"'clean'"' AND quantity = '"'accuracy'"'
                    GROUP BY 1, 2' runs/sweep --to clean.csv
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = Parser("query", DESCRIPTION, config=False)
    parser.add("sql", str, help="The query.")
    parser.add("runs", str, nargs="*", default=[], help="Folders of runs (default: runs).")
    parser.add("--to", str | None, default=None, help="Write all rows to a .csv or .parquet file.")
    parser.add("--rows", int, default=100, help="Maximum number of rows to print.")
    parser.flag("--wide", help="Print all columns, not only those that fit the terminal.")
    values = parse(parser, arguments)
    from learnorder.runs.query import query

    to = values["to"] and Path(values["to"])
    if os.path.isdir(values["sql"]):  # noqa: PTH112 - Path.is_dir raises an error if it is long
        remedy = "It is a folder. Give the query first: learnorder query 'DESCRIBE runs' FOLDER."
        raise ConfigError("sql", values["sql"], remedy)
    if values["rows"] < 0:
        raise ConfigError("rows", values["rows"], "Give 0 or more.")
    if to is not None and to.suffix not in (".csv", ".parquet"):
        raise ConfigError("to", values["to"], "Give a file that ends in .csv or .parquet.")
    frame = query(values["sql"], *values["runs"])
    if to is not None:
        _write(frame, to)
        from learnorder.runs.plain_text import visible

        print(visible(f"{len(frame)} rows: {to}"))
        return 0
    from learnorder.report.terminal import print_frame

    print_frame(frame, values["rows"], wide=values["wide"])
    return 0


def _write(frame: pd.DataFrame, to: Path) -> None:
    from learnorder.runs.files import atomic_write

    with atomic_write(to) as temporary:
        if to.suffix == ".csv":
            frame.to_csv(temporary, index=False)
        else:
            frame.to_parquet(temporary, index=False)
