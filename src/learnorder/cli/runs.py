"""``learnorder runs``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from learnorder.cli.parser import Parser, parse
from learnorder.errors import ConfigError

if TYPE_CHECKING:
    from learnorder.runs import RunFolder

DESCRIPTION = """\
List the runs at or below a folder, show one, tell two apart, or delete some.

  learnorder runs                                   all below runs/
  learnorder runs runs/patch-demo/large-seed0       one run, whole: status, settings, last measured
  learnorder runs --where "status = 'failed'"       those that an SQL condition picks
  learnorder runs --where '"learning_rate.initial" > 0.1 AND seed < 3' runs/sweep
  learnorder runs diff runs/a/large-seed0 runs/b/large-seed0
  learnorder runs delete runs/sweep --where "status = 'failed'"      asks before it does

Conditions are over the columns of the table `runs`: learnorder query 'DESCRIBE runs' lists them.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    if arguments and arguments[0] in _ACTIONS:
        return _ACTIONS[arguments[0]](arguments[1:])
    parser = Parser("runs", DESCRIPTION, config=False)
    parser.add("folder", str, nargs="?", default="runs", help="Where to look.")
    _add_where(parser)
    parser.flag("--wide", help="Print all columns, not those alone that fit the terminal.")
    values = parse(parser, arguments)
    from learnorder.report.terminal import print_run, print_runs
    from learnorder.runs.experiment import read_experiment
    from learnorder.runs.plain_text import visible

    found = _chosen(values["folder"], values["where"])
    if len(found) == 1:
        print_run(found[0])
        return 0
    if (experiment := read_experiment(values["folder"])) is not None:
        kind = experiment.of()
        print(visible(f"{values['folder']}: {kind.what} (learnorder {kind.command})"))
    print_runs(found, wide=values["wide"])
    return 0


def _add_where(parser: Parser) -> None:
    parser.add("--where", str | None, default=None, help="An SQL condition that picks runs.")


def _chosen(folder: str, where: str | None) -> list[RunFolder[Any]]:
    from learnorder.runs import find_runs
    from learnorder.runs.query import runs_where

    return find_runs(folder) if where is None else runs_where(where, folder)


def _diff(arguments: Sequence[str]) -> int:
    """Print the settings in which two runs differ."""
    parser = Parser("runs diff", "Print what differs between two runs.", config=False)
    parser.add("one", str, help="A run's folder.")
    parser.add("other", str, help="Another's.")
    values = parse(parser, arguments)
    from learnorder.report.terminal import print_difference
    from learnorder.runs import RunFolder

    print_difference(RunFolder(values["one"]), RunFolder(values["other"]))
    return 0


def _delete(arguments: Sequence[str]) -> int:
    """Delete runs, having asked."""
    parser = Parser("runs delete", "Delete runs, having asked.", config=False)
    parser.add("folder", str, help="A run, or a folder of runs.")
    _add_where(parser)
    parser.flag("--yes", help="Do not ask.")
    values = parse(parser, arguments)
    from learnorder.report.terminal import print_runs

    found = _chosen(values["folder"], values["where"])
    if not found:
        print("No run is picked by this.")
        return 0
    print_runs(found)
    if not values["yes"]:
        if not sys.stdin.isatty():
            raise ConfigError("yes", False, "Nobody can be asked here. Give --yes to delete them.")
        answer = input(f"Delete {'this run' if len(found) == 1 else f'these {len(found)} runs'}? "
                       "[y/N] ")  # fmt: skip
        if answer.strip().lower() not in ("y", "yes"):
            print("Nothing was deleted.")
            return 1
    for folder in found:
        folder.delete()
    print(f"{len(found)} deleted.")
    return 0


_ACTIONS = {"diff": _diff, "delete": _delete}
