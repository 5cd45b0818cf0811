"""Many runs in this process, one after another: for tasks that were handed over in Python."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from learnorder.errors import Interrupted, LearnOrderError
from learnorder.runs import ENDED, RunFolder
from learnorder.runs.execute import execute
from learnorder.runs.pace import Pace
from learnorder.runs.signals import on_signals
from learnorder.sweep.engine import Cores
from learnorder.sweep.pool import PoolState


def run_here(
    folders: Sequence[RunFolder], cores: Cores, watch: Callable[[PoolState], None]
) -> PoolState:
    """Execute every run that has not ended; as :func:`~learnorder.sweep.pool.run_pool`.

    Args:
        folders: The runs, in the order they are made.
        cores: Their threads.
        watch: Called several times a second.

    Raises:
        Interrupted: A signal came; the same call continues.
    """
    state = PoolState(waiting=[f for f in folders if f.status not in ENDED])
    state.ended = [f for f in folders if f.status in ENDED]
    pace, received = Pace(), list[int]()

    def each_step() -> None:
        if pace.due():
            watch(state)

    with on_signals(received.append):
        while state.waiting and not received:
            folder = state.waiting.pop(0)
            state.active.append(folder)
            try:
                execute(folder, cores.threads, each_step, received)
            except Interrupted:
                break
            except Exception as error:
                if not isinstance(error, LearnOrderError):  # a fault of the user's code, or of ours
                    logging.getLogger(__name__).exception("%s failed", folder.path)
            state.active.clear()
            (state.ended if folder.status in ENDED else state.failed).append(folder)
            watch(state)
    if received:
        raise Interrupted(
            received[0],
            f"{len(state.ended)} of {len(folders)} runs have ended and the one under way is saved "
            "where it was. The same call continues them.",
        )
    return state
