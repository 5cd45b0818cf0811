"""Runs that are there already, made by whoever comes: on a cluster, as a job array for instance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from learnorder.execution.display import Display
from learnorder.execution.driver import cores_for
from learnorder.execution.pool import run_pool
from learnorder.execution.settings import Execution
from learnorder.runs import ENDED, RunFolder


def work(
    folders: Sequence[RunFolder[Any]],
    execution: Execution = Execution(),
    *,
    wait: bool = False,
) -> None:
    """Make those of some runs that have not ended and that no other process makes.

    Args:
        folders: The runs.
        execution: How they are executed.
        wait: Stay while others work on runs, and take over those whose process dies.

    Raises:
        Interrupted: A signal came; the runs of this process are saved where they were.
    """
    left = [folder for folder in folders if folder.status not in ENDED]
    if left:
        cores = cores_for([folder.config for folder in left], execution)
        with Display(left, cores, quiet=execution.quiet) as display:
            run_pool(left, cores, display.update, execution.engine, wait=wait)
