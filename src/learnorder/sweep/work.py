"""Runs that are there already, made by whoever comes: on a cluster, as a job array for instance."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from learnorder.runs import ENDED, RunFolder
from learnorder.sweep.display import Display
from learnorder.sweep.engine import Cores, Engine
from learnorder.sweep.pool import run_pool

_LOOK_SECONDS = 15.0


def work(
    folders: Sequence[RunFolder[Any]],
    cores: Cores,
    *,
    wait: bool = False,
    quiet: bool = False,
    engine: Engine[Any] | None = None,
) -> None:
    """Make those of some runs that have not ended and that no other process makes.

    Args:
        folders: The runs.
        cores: How many at once, with how many threads.
        wait: Stay while others work on runs, and take over those whose process dies.
        quiet: Draw no progress.
        engine: What runs are made by; None is processes of this machine.

    Those that fail here are tried once.

    Raises:
        Interrupted: A signal came; the runs of this process are saved where they were.
    """
    tried = set[RunFolder[Any]]()
    while True:
        left = [f for f in folders if f.status not in ENDED and f not in tried]
        if not left:
            return
        with Display(left, cores, quiet=quiet) as display:
            state = run_pool(left, cores, display.update, engine)
        tried |= set(state.failed)
        if not (wait and state.elsewhere):
            return
        time.sleep(_LOOK_SECONDS)
