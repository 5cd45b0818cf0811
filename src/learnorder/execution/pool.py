"""Execution of many runs by workers, which may be killed."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from learnorder.errors import Interrupted, RunFolderError, RunInUse
from learnorder.execution.engine import Cores, Engine, Worker
from learnorder.execution.processes import Processes
from learnorder.runs import ENDED, RunFolder
from learnorder.runs.lock import LockWatch, is_locked
from learnorder.runs.pace import Pace
from learnorder.runs.signals import on_signals

_POLL_SECONDS = 0.2
_LOOK_SECONDS = 2.0
"""Time between two checks of runs that other processes have locked."""
_MOST_DEATHS = 3
"""A run counts as failed once its process has been killed this many times."""


@dataclass
class PoolState:
    """The runs by state, for the display."""

    waiting: list[RunFolder[Any]]
    active: list[RunFolder[Any]] = field(default_factory=list)
    ended: list[RunFolder[Any]] = field(default_factory=list)
    failed: list[RunFolder[Any]] = field(default_factory=list)
    held: dict[RunFolder[Any], LockWatch] = field(default_factory=dict)
    """Runs of other processes that are waited for."""
    elsewhere: list[RunFolder[Any]] = field(default_factory=list)
    """Runs of other processes that are not waited for."""
    deaths: dict[RunFolder[Any], int] = field(default_factory=dict)
    """How often a run's process was killed, e.g. by the system; the run is then restarted."""
    signals: list[int] = field(default_factory=list)
    """Signals received: on the first, workers save their runs; a second kills them."""
    _pace: Pace = field(default_factory=lambda: Pace(_LOOK_SECONDS), init=False)

    def look_at_held(self) -> None:
        """Every 2 s, move runs that other processes have released to ended, failed or waiting.

        A run that failed in another process is not tried again.
        """
        if not self.held or not self._pace.due():
            return
        for folder, lock in list(self.held.items()):
            free = lock.is_free()  # before the status, which is written under the lock
            status = folder.read_status()
            if status in ENDED:
                self.ended.append(folder)
            elif not free:
                continue
            elif status == "failed":
                self.failed.append(folder)
            else:
                self.waiting.append(folder)
            del self.held[folder]


def run_pool(
    folders: Sequence[RunFolder[Any]],
    cores: Cores,
    watch: Callable[[PoolState], None],
    engine: Engine[Any] | None = None,
    *,
    wait: bool = True,
) -> PoolState:
    """Execute every run that has not ended; return when all have ended or failed.

    A failed run does not affect the others. A run whose process is killed continues in another
    from its checkpoint, at most twice. On SIGINT or SIGTERM the workers write checkpoints first; a
    second signal kills them, and the checkpoint of each run's last epoch remains.

    Args:
        folders: The runs, in the order to start them.
        cores: The number of runs at once, and of their threads.
        watch: Called several times a second.
        engine: Starts the workers; None is local processes.
        wait: Wait for runs of other processes, and continue those that they leave unfinished.

    Raises:
        Interrupted: A signal stopped the runs; the same call continues.
    """
    engine = engine or Processes()
    state = PoolState(waiting=[f for f in folders if f.read_status() not in ENDED])
    state.ended = [f for f in folders if f.read_status() in ENDED]
    busy, idle = dict[RunFolder[Any], Worker](), list[Worker]()
    with on_signals(partial(_pass_on, state, busy)):
        try:
            while state.active or ((state.waiting or state.held) and not state.signals):
                while state.waiting and len(state.active) < cores.workers and not state.signals:
                    folder = state.waiting.pop(0)
                    worker = _take(idle) or engine.start(cores.threads)
                    busy[folder] = worker
                    state.active.append(folder)
                    worker.execute(folder)
                    for number in state.signals:  # received while the worker started
                        worker.send_signal(number)
                _collect(state, busy, idle, engine, wait)
                state.look_at_held()
                watch(state)
        finally:
            for worker in busy.values():
                worker.close(kill=True)
            for worker in idle:
                worker.close()
    if state.signals:
        raise Interrupted(
            state.signals[0],
            f"{len(state.ended)} of {len(folders)} runs have ended; the others are saved at their "
            f"{'current step' if len(state.signals) == 1 else 'last checkpoint'}. The same command "
            "continues them.",
        )
    return state


def _take(idle: list[Worker]) -> Worker | None:
    """Return an idle worker that is alive, or None."""
    while idle:
        worker = idle.pop()
        if worker.alive:
            return worker
        worker.close()
    return None


def _collect(
    state: PoolState,
    busy: dict[RunFolder[Any], Worker],
    idle: list[Worker],
    engine: Engine[Any],
    wait: bool,
) -> None:
    """Wait briefly for answers, and move their runs to the list of the outcome."""
    for folder in engine.ready(busy, _POLL_SECONDS):
        worker = busy.pop(folder)
        state.active.remove(folder)
        code, alive = worker.answer()
        if alive and state.waiting:
            idle.append(worker)
        else:  # on a cluster, others may wait for the cores of an idle worker
            worker.close(kill=not alive)
        if folder.read_status() in ENDED:
            state.ended.append(folder)
        elif code < 0 and not state.signals and state.deaths.get(folder, 0) < _MOST_DEATHS - 1:
            state.deaths[folder] = state.deaths.get(folder, 0) + 1
            state.waiting.append(folder)
        elif not state.signals and _is_held(folder, code, alive):
            if wait or folder in state.deaths:  # the lock may be that of our own dead worker
                state.held[folder] = LockWatch(folder.path)
            else:
                state.elsewhere.append(folder)
        else:
            if not state.signals:
                _note_death(folder, code)
            elif code < 0:
                _note_stop(folder)
            state.failed.append(folder)


def _is_held(folder: RunFolder[Any], code: int, alive: bool) -> bool:
    """Whether a run did not end because another process has locked it.

    If the worker is dead, code 3 does not mean RunInUse but comes from a call of ``sys.exit``.
    """
    return (alive and code == RunInUse.exit_code) or (code >= 0 and is_locked(folder.path))


def _note_stop(folder: RunFolder[Any]) -> None:
    """Write the status of a run whose worker was killed by a second signal."""
    if folder.read_status() == "running" and not is_locked(folder.path):
        with suppress(RunFolderError):
            folder.update(status="interrupted", reason="")


def _note_death(folder: RunFolder[Any], code: int) -> None:
    """Write the status of a run whose worker was killed."""
    if folder.read_status() in ("pending", "running"):
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        with suppress(RunFolderError):  # e.g. the disk is full
            folder.update(status="failed", reason=f"the worker ended with {how}; see log.txt")


def _pass_on(state: PoolState, busy: dict[RunFolder[Any], Worker], number: int) -> None:
    """Pass the first signal to the workers unchanged, and any later one as SIGKILL."""
    state.signals.append(number)
    for worker in busy.values():
        worker.send_signal(number if len(state.signals) == 1 else signal.SIGKILL)
