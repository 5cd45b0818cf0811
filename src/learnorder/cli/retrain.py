"""``learnorder retrain``."""

from __future__ import annotations

from collections.abc import Sequence

from learnorder.cli import options

DESCRIPTION = """\
Learned, or only used? Retrain the last layer alone of every finished run at or below some folders,
on balanced images without the pattern, and report what that changes in clean accuracy and in
reliance on the pattern. Features that were learned but not used come back; those that were not
learned do not. Seconds a run; the network itself is left as it is.

  learnorder retrain runs/patch-demo
"""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    parser = options.make_parser("retrain", DESCRIPTION, config=False)
    options.add_run_folders(parser)
    values = options.parse(parser, arguments)
    from learnorder.reading import retrain
    from learnorder.report import write_report
    from learnorder.report.tables import last_layer_table
    from learnorder.report.terminal import print_table
    from learnorder.runs.plain_text import visible

    results = retrain(*values["runs"])
    if (table := last_layer_table(results)) is not None:
        print_table(table)
    out = options.page_of(values)
    write_report(results, out)
    print(visible(f"Report: {out}"))
    return 0
