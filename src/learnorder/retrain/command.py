"""``learnorder retrain``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from learnorder.cli import options
from learnorder.cli.parser import Parser, parse

if TYPE_CHECKING:
    from learnorder.runs.results import Results

DESCRIPTION = """\
Not learned, or learned but unused? Retrain only the last layer of every finished run in some
folders, on class-balanced images without the pattern, and report the change in clean accuracy and
in reliance on the pattern. The new layer recovers content that was learned but unused; it cannot
recover content that was not learned. Takes seconds per run; the saved network is not changed.

  learnorder retrain runs/patch-demo
  learnorder retrain runs/patch-demo --dry-run        list the runs and the code they import
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = Parser("retrain", DESCRIPTION, config=False)
    options.add_run_folders(parser)
    parser.flag(
        "--dry-run", help="List the runs and the code and data they need, without loading any."
    )
    values = parse(parser, arguments)
    from learnorder.report.page import write_report
    from learnorder.report.tables import last_layer_table
    from learnorder.report.terminal import print_table
    from learnorder.retrain.run import open_images, retrain
    from learnorder.runs.plain_text import visible

    if values["dry_run"]:
        print(_dry_run(open_images(*values["runs"])))
        return 0
    results = retrain(*values["runs"])
    if (table := last_layer_table(results)) is not None:
        print_table(table)
    out = options.page_of(values)
    write_report(results, out)
    print(visible(f"Report: {out}"))
    return 0


def _dry_run(results: Results) -> str:
    """Return how many runs would be retrained, and their networks and data."""
    finished = [folder for folder in results.folders if folder.read_status() == "finished"]
    networks = sorted({folder.config.model.name for folder in finished})
    sources = sorted({folder.config.data.source for folder in finished})
    return (
        f"{len(finished)} of {len(results.folders)} runs have finished and would be retrained. "
        f"That builds {', '.join(networks)} and reads {', '.join(sources)}. Names with a dot and "
        "function: sources are code that will be imported."
    )
