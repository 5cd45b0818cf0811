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
from learnorder.runs.folder import RunStatus
from learnorder.runs.lock import LockWatch, RunLock, is_locked
from learnorder.runs.pace import Pace
from learnorder.runs.signals import on_signals

_POLL_SECONDS = 0.2
_LOOK_SECONDS = 2.0
"""Time between two checks of runs that other processes have locked."""
_SIGNALLED = 128
"""Exit codes of runs that a signal stopped are above this; see :class:`Interrupted`."""
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
    stopped: list[RunFolder[Any]] = field(default_factory=list)
    """Runs that a signal stopped; the same call continues them."""
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
            status, _ = folder.read_outcome()
            if status in ENDED:
                self.ended.append(folder)
            elif not free:
                continue
            elif status == "failed":
                self.failed.append(folder)
            else:
                self.waiting.append(folder)
            del self.held[folder]

    def interruption(self, number: int, saved: str, again: str = "command") -> Interrupted:
        """Return the error for a signal that came before the runs were over.

        Args:
            number: The signal.
            saved: Where the others are saved.
            again: What continues them, a command or a call.
        """
        left = [*self.waiting, *self.held, *self.stopped, *self.elsewhere]
        count = len(self.ended) + len(self.failed) + len(left)
        words = f"{len(self.ended)} of {count} runs have ended"
        if self.failed:
            words += f", {len(self.failed)} failed"
        if left:
            words += f"; the others are saved at their {saved}. The same {again} continues them."
        else:
            words += f"; none is left. The same {again} goes on from there."
        return Interrupted(number, words)


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
    state = pool_state(folders)
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
        saved = "current step" if len(state.signals) == 1 else "last checkpoint"
        raise state.interruption(state.signals[0], saved)
    return state


def pool_state(folders: Sequence[RunFolder[Any]]) -> PoolState:
    """Return the state before any run is started."""
    ended = {folder: folder.has_ended() for folder in folders}
    return PoolState(
        waiting=[folder for folder in folders if not ended[folder]],
        ended=[folder for folder in folders if ended[folder]],
    )


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
        if folder.has_ended():
            state.ended.append(folder)
        elif code < 0 and not state.signals and state.deaths.get(folder, 0) < _MOST_DEATHS - 1:
            state.deaths[folder] = state.deaths.get(folder, 0) + 1
            state.waiting.append(folder)
        elif not state.signals and _is_held(folder, code, alive):
            if wait or folder in state.deaths:  # the lock may be that of our own dead worker
                state.held[folder] = LockWatch(folder.path)
            else:
                state.elsewhere.append(folder)
        elif state.signals and (code < 0 or code > _SIGNALLED):
            if code < 0:
                _note(folder, ["running"], status="interrupted", reason="")
            state.stopped.append(folder)
        else:
            how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
            reason = f"the worker ended with {how}; see log.txt"
            _note(folder, ["pending", "running"], status="failed", reason=reason)
            state.failed.append(folder)


def _is_held(folder: RunFolder[Any], code: int, alive: bool) -> bool:
    """Whether a run did not end because another process has locked it.

    If the worker is dead, code 3 does not mean RunInUse but comes from a call of ``sys.exit``.
    """
    return (alive and code == RunInUse.exit_code) or (code >= 0 and is_locked(folder.path))


def _note(folder: RunFolder[Any], statuses: Sequence[RunStatus], **changes: str) -> None:
    """Change the status of a run whose worker is dead, if it still is one of some statuses.

    A run that another process has taken over meanwhile stays as it is.
    """
    with suppress(RunFolderError), RunLock(folder.path):  # e.g. the disk is full
        if folder.read_status() in statuses:
            folder.update(**changes)


def _pass_on(state: PoolState, busy: dict[RunFolder[Any], Worker], number: int) -> None:
    """Pass the first signal to the workers unchanged, and any later one as SIGKILL."""
    state.signals.append(number)
    for worker in busy.values():
        worker.send_signal(number if len(state.signals) == 1 else signal.SIGKILL)
