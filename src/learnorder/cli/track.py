"""``learnorder track``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from learnorder.cli.parser import Parser, parse

DESCRIPTION = """\
Copy the measurements of runs to a tracker. It reads run folders, so it can start at any time, on
any machine. Measurements that it has already copied are skipped.

  learnorder track tensorboard runs/sweep              then: tensorboard --logdir runs/tensorboard
  learnorder track tensorboard runs/sweep --follow     until the runs have ended
  learnorder track wandb runs/sweep --project order    offline; then, with a network connection:
                                                       wandb sync runs/wandb/wandb/offline-run-*
"""

_LOOK_SECONDS = 10.0


def main(arguments: Sequence[str]) -> int:
    """Run the command."""
    parser = Parser("track", DESCRIPTION, config=False)
    parser.add("tracker", Literal["tensorboard", "wandb"], help="The tracker.")
    parser.add("runs", str, nargs="*", default=[], help="Folders of runs (default: runs).")
    parser.add("--to", str | None, default=None, help="Target folder; null is runs/TRACKER.")
    parser.add("--project", str, default="learnorder", help="Project of W&B.")
    parser.flag("--follow", help="Repeat every 10 s until all runs have ended.")
    values = parse(parser, arguments)
    from learnorder.runs import ENDED, find_runs
    from learnorder.runs.plain_text import visible
    from learnorder.runs.trackers import track

    to = Path(values["to"] or f"runs/{values['tracker']}")
    copied = set[Path]()
    while True:
        runs = [run for path in values["runs"] or ["runs"] for run in find_runs(path)]
        waiting = [run for run in runs if run.read_status() not in (*ENDED, "failed")]
        new = track(runs, values["tracker"], to, project=values["project"])
        copied |= {run.path for run in new}
        if not (values["follow"] and waiting):
            break
        time.sleep(_LOOK_SECONDS)
    print(visible(f"New measurements of {len(copied)} of {len(runs)} runs: {to}"))
    return 0
