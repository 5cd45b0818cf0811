"""``learnorder retrain``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from learnorder.cli import options
from learnorder.cli.parser import Parser, parse
from learnorder.cli.report import write_experiment

if TYPE_CHECKING:
    from learnorder.runs.results import Results, TaskResults

DESCRIPTION = """\
Not learned, or learned but unused? Retrain only the last layer of every finished run in some
folders, on class-balanced examples without the pattern, and report the change in accuracy and in
reliance on the pattern. The new layer recovers content that was learned but unused; it cannot
recover content that was not learned. Takes seconds per run; the saved network is not changed.

Runs of a Task are retrained on one half of its validation examples and measured on the other, and
the reverse. If its groups are known, such as a spurious attribute within each class, the layer is
also retrained on equally many examples of each group (deep feature reweighting), and the worst
group, the gap and the reliance on the attribute are reported. If the Task was passed as an object,
call learnorder.retrain(folder, task=task) in Python. Of a search by advise, only the runs at full
length are retrained.

  learnorder retrain runs/patch-demo
  learnorder retrain runs/advise --dry-run            list the runs and the code they import
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = Parser("retrain", DESCRIPTION, config=False)
    options.add_run_folders(parser)
    parser.flag(
        "--dry-run", help="List the runs and the code and data they need, without loading any."
    )
    values = parse(parser, arguments)
    from learnorder.report.last_layers import last_layer_table
    from learnorder.report.page import write_report
    from learnorder.report.terminal import print_table
    from learnorder.retrain.run import open_networks, retrain
    from learnorder.runs.plain_text import visible

    if values["dry_run"]:
        print(visible(_dry_run(open_networks(*values["runs"]))))
        return 0
    results = retrain(*values["runs"])
    if (table := last_layer_table(results)) is not None:
        print_table(table)
    out = options.page_of(values)
    if not write_experiment(values):
        write_report(results, out)
    print(visible(f"Report: {out}"))
    return 0


def _dry_run(results: Results | TaskResults) -> str:
    """Return how many runs would be retrained, and their networks and data."""
    from learnorder.runs.results import Results

    finished = [folder for folder in results.folders if folder.read_status() == "finished"]
    count = f"{len(finished)} of {len(results.folders)} runs have finished and would be retrained. "
    if isinstance(results, Results):
        images = [f.config for f in results.folders if f in finished]
        networks = sorted({config.model.name for config in images})
        sources = sorted({config.data.source for config in images})
        return (
            f"{count}That builds {', '.join(networks)} and reads {', '.join(sources)}. Names with "
            "a dot and function: sources are code that will be imported."
        )
    tasks = [f.config.task for f in results.folders if f in finished]
    paths = sorted({task.path for task in tasks if task.path is not None})
    words = [f"That imports the tasks {', '.join(paths)}."] if paths else []
    if given := sum(task.path is None for task in tasks):
        words.append(
            f"{given} are of a Task that was passed as an object: retrain these in Python, with "
            "learnorder.retrain(folder, task=task)."
        )
    return count + " ".join(words)
