"""Execution of prepared runs, e.g. as a job array on a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from learnorder.execution.display import Display
from learnorder.execution.driver import cores_for, with_engine
from learnorder.execution.pool import run_pool
from learnorder.execution.settings import Execution
from learnorder.execution.sharing import share_devices
from learnorder.execution.time_limit import within_time
from learnorder.runs import RunFolder


def work(
    folders: Sequence[RunFolder[Any]],
    execution: Execution = Execution(),
    *,
    wait: bool = False,
) -> None:
    """Execute runs that have not ended and that no other process is working on.

    Args:
        folders: The runs.
        execution: How they are executed.
        wait: Wait for runs of other processes, and take over if one of them dies.

    Raises:
        Interrupted: A signal stopped this process's runs; they are saved.
    """
    left = [folder for folder in folders if not folder.has_ended()]
    if left:
        execution = with_engine(execution)
        configs = [folder.config for folder in left]
        cores = share_devices(configs, execution, cores_for(configs, execution))
        with Display(left, cores, quiet=execution.quiet) as display:
            watch = within_time(execution, display.update)
            run_pool(left, cores, watch, execution.engine, wait=wait)
