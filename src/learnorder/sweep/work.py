"""Runs that are there already, made by whoever comes: on a cluster, as a job array for instance."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from learnorder.runs import ENDED, RunFolder, find_runs
from learnorder.sweep.display import Display
from learnorder.sweep.engine import Cores, Engine
from learnorder.sweep.pool import run_pool

_LOOK_SECONDS = 15.0


def work(
    path: Path | str,
    cores: Cores,
    *,
    wait: bool = False,
    quiet: bool = False,
    engine: Engine[Any] | None = None,
) -> list[RunFolder]:
    """Make the runs at or below a folder that have not ended and that no other process makes.

    Args:
        path: The folder.
        cores: How many at once, with how many threads.
        wait: Stay while others work on runs, and take over those whose process dies.
        quiet: Draw no progress.
        engine: What runs are made by; None is processes of this machine.

    Returns:
        All runs there; those that failed here were tried once.

    Raises:
        RunFolderError: There is no such folder.
        Interrupted: A signal came; the runs of this process are saved where they were.
    """
    folders, tried = find_runs(path), set[Path]()
    while True:
        left = [f for f in folders if f.status not in ENDED and f.path not in tried]
        if not left:
            return folders
        with Display(left, cores, quiet=quiet) as display:
            state = run_pool(left, cores, display.update, engine)
        tried |= {folder.path for folder in state.failed}
        if not (wait and state.elsewhere):
            return folders
        time.sleep(_LOOK_SECONDS)
