"""``learnorder runs``."""

from __future__ import annotations

from collections.abc import Sequence

from learnorder.cli import options

DESCRIPTION = """\
List the runs at or below a folder, or show one run: status, settings, last measurements.

  learnorder runs                                   all below runs/
  learnorder runs runs/patch-demo
  learnorder runs runs/patch-demo/large-seed0       one run, whole
"""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    parser = options.make_parser("runs", DESCRIPTION, config=False)
    parser.add_argument("folder", nargs="?", type=str, default="runs", help="Where to look.")
    values = options.parse(parser, arguments)
    from learnorder.report.terminal import print_run, print_runs
    from learnorder.runs import find_runs

    found = find_runs(values["folder"])
    if len(found) == 1:
        print_run(found[0])
    else:
        print_runs(found)
    return 0
