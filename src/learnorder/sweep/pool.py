"""Many runs on this machine: worker processes with a run each, so that killing one loses one."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import psutil

from learnorder.errors import ConfigError, Interrupted, RunFolderError, RunInUse
from learnorder.runs import ENDED, RunFolder
from learnorder.runs.signals import on_signals

_POLL_SECONDS = 0.2
_MOST_DEATHS = 3
"""Times that the process of one run may be killed before the run counts as failed."""


@dataclass(frozen=True)
class Cores:
    """How the machine's cores are shared out: ``workers`` runs at once, ``threads`` each."""

    workers: int
    threads: int


def share_cores(
    runs: int,
    workers: int | None = None,
    threads: int | None = None,
    *,
    accelerated: bool = True,
) -> Cores:
    """Choose workers and threads so that cores are not oversubscribed.

    Small networks use one thread better than several (``benchmarks/training.py`` measures it), so
    as many runs go side by side as there are physical cores; what is left over goes to threads.

    Args:
        runs: Runs to do.
        workers: Runs at once; None chooses, and chooses one where there is an accelerator.
        threads: Threads of each; None chooses.
        accelerated: Whether the runs use an accelerator where there is one.

    Raises:
        ConfigError: Less than one worker or thread.
    """
    for name, value in (("workers", workers), ("threads", threads)):
        if value is not None and value < 1:
            raise ConfigError(name, value, "Give at least 1, or null.")
    if workers is None and accelerated and _has_accelerator():
        workers = 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = min(psutil.cpu_count(logical=False) or 1, usable or 1)
    if workers is None:
        workers = max(1, min(runs, cores // (threads or 1)))
    if threads is None:
        threads = max(1, cores // workers)
    return Cores(workers, threads)


def _has_accelerator() -> bool:
    import torch

    return torch.accelerator.is_available()


class Worker:
    """A process that executes the runs it is given, one after another.

    Args:
        threads: Of each run.
    """

    def __init__(self, threads: int) -> None:
        command = [sys.executable, "-m", "learnorder.runs.worker", "--threads", str(threads)]
        variables = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, **variables},
            start_new_session=True,
        )

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self._process.poll() is None

    @property
    def answers(self) -> int:
        """The descriptor on which answers, or the end, can be waited for."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def execute(self, folder: RunFolder) -> None:
        """Begin a run."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # a dead worker is met when its answer is waited for
            self._process.stdin.write(os.fsencode(folder.path.resolve()) + b"\n")
            self._process.stdin.flush()

    def answer(self) -> tuple[int, bool]:
        """Wait for the end of the run; return its exit code and whether the worker lives on."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if line:
            return int(line), True
        return self._process.wait(), False

    def send_signal(self, number: int) -> None:
        """Pass a signal to the process."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)

    def close(self, *, kill: bool = False) -> None:
        """End the process: when it is idle, or at once."""
        if kill:
            self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):
                assert pipe is not None
                pipe.close()
        self._process.wait()


@dataclass
class PoolState:
    """What the pool is doing, for whoever draws it."""

    waiting: list[RunFolder]
    active: list[RunFolder] = field(default_factory=list)
    ended: list[RunFolder] = field(default_factory=list)
    failed: list[RunFolder] = field(default_factory=list)
    elsewhere: list[RunFolder] = field(default_factory=list)
    """Runs that another process was found to be working on."""
    deaths: dict[RunFolder, int] = field(default_factory=dict)
    """How often a run's process was killed, by the system for instance; the run then goes on."""
    signals: list[int] = field(default_factory=list)
    """Signals received: the first asks workers to save themselves, a second kills them."""


def run_pool(
    folders: Sequence[RunFolder], cores: Cores, watch: Callable[[PoolState], None]
) -> PoolState:
    """Execute every run that has not ended; return when all have ended or failed.

    A failed run leaves the others untouched. A run whose process is killed goes on in another, from
    its checkpoint, unless that happens time and again. On SIGINT or SIGTERM the workers write their
    checkpoints first; a second signal kills them, and the last checkpoint of each epoch stands.

    Args:
        folders: The runs, in the order they are to start.
        cores: How many at once, with how many threads.
        watch: Called several times a second.

    Raises:
        Interrupted: A signal came; the same call continues.
    """
    state = PoolState(waiting=[f for f in folders if f.status not in ENDED])
    state.ended = [f for f in folders if f.status in ENDED]
    busy, idle = dict[RunFolder, Worker](), list[Worker]()
    with on_signals(partial(_pass_on, state, busy)):
        try:
            while state.active or (state.waiting and not state.signals):
                while state.waiting and len(state.active) < cores.workers and not state.signals:
                    folder = state.waiting.pop(0)
                    worker = _take(idle) or Worker(cores.threads)
                    busy[folder] = worker
                    state.active.append(folder)
                    worker.execute(folder)
                    for number in state.signals:  # one that came while it was being started
                        worker.send_signal(number)
                _collect(state, busy, idle)
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


def _collect(state: PoolState, busy: dict[RunFolder, Worker], idle: list[Worker]) -> None:
    """Wait a moment for answers, and sort their runs into ended and failed."""
    with selectors.DefaultSelector() as selector:
        for folder, worker in busy.items():
            selector.register(worker.answers, selectors.EVENT_READ, folder)
        ready = [key.data for key, _ in selector.select(_POLL_SECONDS)]
    for folder in ready:
        worker = busy.pop(folder)
        state.active.remove(folder)
        code, alive = worker.answer()
        if alive:
            idle.append(worker)
        else:
            worker.close(kill=True)
        if folder.status in ENDED:
            state.ended.append(folder)
        elif code < 0 and not state.signals and state.deaths.get(folder, 0) < _MOST_DEATHS - 1:
            state.deaths[folder] = state.deaths.get(folder, 0) + 1
            state.waiting.append(folder)
        elif code == RunInUse.exit_code:
            state.elsewhere.append(folder)
        else:
            if state.signals:
                _note_stop(folder)
            else:
                _note_death(folder, code)
            state.failed.append(folder)


def _note_stop(folder: RunFolder) -> None:
    """A worker that was killed on request could not say that its run was interrupted."""
    if folder.status == "running":
        with suppress(RunFolderError):
            folder.update(status="interrupted", reason="")


def _note_death(folder: RunFolder, code: int) -> None:
    """A worker that was killed could not write its own status."""
    if folder.status in ("pending", "running"):
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        with suppress(RunFolderError):  # a full disk takes no note
            folder.update(status="failed", reason=f"the worker ended with {how}; see log.txt")


def _pass_on(state: PoolState, busy: dict[RunFolder, Worker], number: int) -> None:
    """Pass the first signal on to the workers as it is, and any later one as a kill."""
    state.signals.append(number)
    for worker in busy.values():
        worker.send_signal(number if len(state.signals) == 1 else signal.SIGKILL)
