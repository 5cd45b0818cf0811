"""Runs that are there already, made by whoever comes: on a cluster, as a job array for instance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from learnorder.runs import ENDED, RunFolder
from learnorder.sweep.display import Display
from learnorder.sweep.engine import Cores, Engine
from learnorder.sweep.pool import run_pool


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

    Raises:
        Interrupted: A signal came; the runs of this process are saved where they were.
    """
    left = [folder for folder in folders if folder.status not in ENDED]
    if left:
        with Display(left, cores, quiet=quiet) as display:
            run_pool(left, cores, display.update, engine, wait=wait)
