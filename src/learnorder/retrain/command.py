"""``learnorder retrain``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from learnorder.cli import options
from learnorder.cli.parser import Parser, parse

if TYPE_CHECKING:
    from learnorder.runs.results import Results

DESCRIPTION = """\
Learned, or only used? Retrain the last layer alone of every finished run at or below some folders,
on balanced images without the pattern, and report what that changes in clean accuracy and in
reliance on the pattern. Features that were learned but not used come back; those that were not
learned do not. Seconds a run; the network itself is left as it is.

  learnorder retrain runs/patch-demo
  learnorder retrain runs/patch-demo --dry-run        which runs, and whose code that imports
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = Parser("retrain", DESCRIPTION, config=False)
    options.add_run_folders(parser)
    parser.flag(
        "--dry-run", help="Say which runs, and what code and data that reads; import none of it."
    )
    values = parse(parser, arguments)
    from learnorder.report.page import write_report
    from learnorder.report.tables import last_layer_table
    from learnorder.report.terminal import print_table
    from learnorder.retrain.run import open_images, retrain
    from learnorder.runs.plain_text import visible

    if values["dry_run"]:
        print(_planned(open_images(*values["runs"])))
        return 0
    results = retrain(*values["runs"])
    if (table := last_layer_table(results)) is not None:
        print_table(table)
    out = options.page_of(values)
    write_report(results, out)
    print(visible(f"Report: {out}"))
    return 0


def _planned(results: Results) -> str:
    """Return which runs would be retrained, and what that reads."""
    finished = [folder for folder in results.folders if folder.status == "finished"]
    networks = sorted({folder.config.model.name for folder in finished})
    sources = sorted({folder.config.data.source for folder in finished})
    return (
        f"{len(finished)} of {len(results.folders)} runs have finished and would be retrained. "
        f"That builds {', '.join(networks)} and reads {', '.join(sources)}: names with a dot, and "
        "function: sources, are code that is imported then."
    )
