"""``learnorder work``."""

from __future__ import annotations

from collections.abc import Sequence

from learnorder.cli import running
from learnorder.cli.parser import Parser, parse
from learnorder.errors import RunFolderError

DESCRIPTION = """\
Execute the runs in a folder and its subfolders that have not ended. Start it in any number of
processes, on any number of machines that share the disk: each run is executed exactly once. Create
the folders with `--prepare` of patch, plain, train, sweep or theory.

  learnorder sweep --grid '{patch.contrast: [0.3, 0.6]}' --seeds 50 --out /shared/s --prepare
  learnorder work /shared/s                              all cores of this machine
  sbatch --array=0-19 --cpus-per-task=4 --wrap 'learnorder work /shared/s --wait'
  learnorder work /shared/s --engine ray --address auto  on a Ray cluster

On Ctrl-C or SIGTERM, which Slurm sends before a time limit, it saves a checkpoint of its runs; the
next `work` continues them.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = Parser("work", DESCRIPTION, config=False)
    parser.add("folder", str, help="Folder of runs.")
    parser.add(
        "--workers",
        int | None,
        default=None,
        help="Runs at once; null is one for each core, or for each GPU.",
    )
    running.add_devices(parser)
    parser.add("--threads", int | None, default=None, help="Threads per run; null is automatic.")
    running.add_time_limit(parser)
    running.add_engine(parser)
    running.add_processes(parser)
    parser.flag(
        "--wait", help="Wait for runs of other processes, and take over if one of them dies."
    )
    parser.flag("--quiet", help="Show no progress.")
    values = parse(parser, arguments)
    from learnorder.execution.work import work
    from learnorder.runs import ENDED, find_runs
    from learnorder.runs.lock import is_locked
    from learnorder.runs.plain_text import visible

    folders = find_runs(values["folder"])
    if not folders:
        raise RunFolderError(
            f"{values['folder']}: contains no runs. Give the folder that a command with --prepare "
            "has named."
        )
    work(folders, running.execution(values), wait=values["wait"])
    outcomes = {folder: folder.read_outcome() for folder in folders}
    ended = sum(status in ENDED for status, _ in outcomes.values())
    held = [f for f, (status, _) in outcomes.items() if status == "running" and is_locked(f.path)]
    others = f", {len(held)} are running in other processes" if held else ""
    print(f"{ended} of {len(folders)} runs have ended{others}.")
    failed = {folder: reason for folder, (status, reason) in outcomes.items() if status == "failed"}
    for folder, reason in failed.items():
        print(visible(f"{folder.path}: failed. {reason}"))
    return 1 if failed else 0
