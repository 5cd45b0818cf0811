"""Execution of runs in this process, one after another: for tasks passed as Python objects."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from learnorder.errors import Interrupted, LearnOrderError, RunInUse
from learnorder.execution.engine import Cores
from learnorder.execution.pool import PoolState, pool_state
from learnorder.runs import RunFolder
from learnorder.runs.execute import execute
from learnorder.runs.lock import LockWatch
from learnorder.runs.pace import Pace
from learnorder.runs.signals import on_signals

_POLL_SECONDS = 0.2


def run_here(
    folders: Sequence[RunFolder[Any]], cores: Cores, watch: Callable[[PoolState], None]
) -> PoolState:
    """Execute every run that has not ended; see :func:`~learnorder.execution.pool.run_pool`.

    Args:
        folders: The runs, in order of execution.
        cores: The number of threads.
        watch: Called several times a second.

    Raises:
        Interrupted: A signal stopped the runs; the same call continues.
    """
    state = pool_state(folders)
    pace, received = Pace(), list[int]()

    def each_step() -> None:
        if pace.due():
            watch(state)

    with on_signals(received.append):
        while (state.waiting or state.held) and not received:
            if state.waiting:
                _execute_next(state, cores, each_step, received)
            else:
                time.sleep(_POLL_SECONDS)
            state.look_at_held()
            watch(state)
    if received:
        raise state.interruption(received[0], "current step", "call")
    return state


def _execute_next(
    state: PoolState, cores: Cores, each_step: Callable[[], None], received: list[int]
) -> None:
    """Execute the first waiting run, and move it to the list of its outcome."""
    folder = state.waiting.pop(0)
    state.active.append(folder)
    try:
        execute(folder, cores.threads, each_step, received)
    except Interrupted:
        state.stopped.append(folder)
    except RunInUse:
        state.held[folder] = LockWatch(folder.path)
    except Exception as error:
        if not isinstance(error, LearnOrderError):  # a bug
            logging.getLogger(__name__).exception("%s failed", folder.path)
    state.active.clear()
    if folder not in (*state.held, *state.stopped):
        (state.ended if folder.has_ended() else state.failed).append(folder)
