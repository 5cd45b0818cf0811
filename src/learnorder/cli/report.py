"""``learnorder report``."""

from __future__ import annotations

from collections.abc import Sequence

from learnorder.cli import options
from learnorder.cli.parser import Parser, parse

DESCRIPTION = """\
Build the HTML page of runs that were made: of every run at or below the folders named.

  learnorder report runs/patch-demo
  learnorder report runs/a runs/b --out both.html      runs of several experiments, side by side
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = Parser("report", DESCRIPTION, config=False)
    options.add_run_folders(parser)
    values = parse(parser, arguments)
    from learnorder.report.page import write_report
    from learnorder.runs.opening import open_runs

    out = options.page_of(values)
    results = open_runs(*values["runs"])
    write_report(results, out)
    return options.finish(results, out)
