"""Many runs: each given to a worker, and whatever happens to workers dealt with."""

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
"""Between two looks at the runs that other processes hold."""
_MOST_DEATHS = 3
"""Times that the process of one run may be killed before the run counts as failed."""


@dataclass
class PoolState:
    """What the pool is doing, for whoever draws it."""

    waiting: list[RunFolder[Any]]
    active: list[RunFolder[Any]] = field(default_factory=list)
    ended: list[RunFolder[Any]] = field(default_factory=list)
    failed: list[RunFolder[Any]] = field(default_factory=list)
    held: dict[RunFolder[Any], LockWatch] = field(default_factory=dict)
    """Runs that another process works on, and that are waited for."""
    elsewhere: list[RunFolder[Any]] = field(default_factory=list)
    """Runs that another process works on, and that are left to it."""
    deaths: dict[RunFolder[Any], int] = field(default_factory=dict)
    """How often a run's process was killed, by the system for instance; the run then goes on."""
    signals: list[int] = field(default_factory=list)
    """Signals received: the first asks workers to save themselves, a second kills them."""
    _pace: Pace = field(default_factory=lambda: Pace(_LOOK_SECONDS), init=False)

    def look_at_held(self) -> None:
        """Now and then, sort runs held by other processes into ended, failed and waiting.

        One that another process gave up as failed is not tried again here.
        """
        if not self.held or not self._pace.due():
            return
        for folder, lock in list(self.held.items()):
            free = lock.is_free()  # before the status, which is written while the lock is held
            status = folder.status
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

    A failed run leaves the others untouched. A run whose process is killed goes on in another, from
    its checkpoint, unless that happens time and again. On SIGINT or SIGTERM the workers write their
    checkpoints first; a second signal kills them, and the last checkpoint of each epoch stands.

    Args:
        folders: The runs, in the order they are to start.
        cores: How many at once, with how many threads.
        watch: Called several times a second.
        engine: Where workers come from; None is processes of this machine.
        wait: Wait for runs that other processes work on, and go on with those they leave behind.

    Raises:
        Interrupted: A signal came; the same call continues.
    """
    engine = engine or Processes()
    state = PoolState(waiting=[f for f in folders if f.status not in ENDED])
    state.ended = [f for f in folders if f.status in ENDED]
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
                    for number in state.signals:  # one that came while it was being started
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
            f"{len(state.ended)} of {len(folders)} runs have ended and the others are saved "
            f"{'where they were' if len(state.signals) == 1 else 'as they last were'}. The same "
            "command continues them.",
        )
    return state


def _take(idle: list[Worker]) -> Worker | None:
    """Return an idle worker that lives, None where there is none."""
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
    """Wait a moment for answers, and sort their runs."""
    for folder in engine.ready(busy, _POLL_SECONDS):
        worker = busy.pop(folder)
        state.active.remove(folder)
        code, alive = worker.answer()
        if alive and state.waiting:
            idle.append(worker)
        else:  # an idle one would keep its cores from others, which may wait for them
            worker.close(kill=not alive)
        if folder.status in ENDED:
            state.ended.append(folder)
        elif code < 0 and not state.signals and state.deaths.get(folder, 0) < _MOST_DEATHS - 1:
            state.deaths[folder] = state.deaths.get(folder, 0) + 1
            state.waiting.append(folder)
        elif not state.signals and _is_held(folder, code, alive):
            if wait or folder in state.deaths:  # its own worker, dead on another machine, holds it
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
    """Whether a run did not end because another process works on it.

    Where the worker did not survive, code 3 is not RunInUse but of a call of ``sys.exit``.
    """
    return (alive and code == RunInUse.exit_code) or (code >= 0 and is_locked(folder.path))


def _note_stop(folder: RunFolder[Any]) -> None:
    """A worker that was killed on request could not say that its run was interrupted."""
    if folder.status == "running" and not is_locked(folder.path):
        with suppress(RunFolderError):
            folder.update(status="interrupted", reason="")


def _note_death(folder: RunFolder[Any], code: int) -> None:
    """A worker that was killed could not write its own status."""
    if folder.status in ("pending", "running"):
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        with suppress(RunFolderError):  # a full disk takes no note
            folder.update(status="failed", reason=f"the worker ended with {how}; see log.txt")


def _pass_on(state: PoolState, busy: dict[RunFolder[Any], Worker], number: int) -> None:
    """Pass the first signal on to the workers as it is, and any later one as a kill."""
    state.signals.append(number)
    for worker in busy.values():
        worker.send_signal(number if len(state.signals) == 1 else signal.SIGKILL)
