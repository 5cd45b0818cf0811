"""Many runs on this machine: one subprocess a run, so that killing one loses one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import psutil

from learnorder.errors import ConfigError, Interrupted, RunFolderError, RunInUse
from learnorder.runs import ENDED, RunFolder
from learnorder.runs.signals import on_signals

_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Cores:
    """How the machine's cores are shared out: ``workers`` runs at once, ``threads`` each."""

    workers: int
    threads: int


def share_cores(runs: int, workers: int | None = None, threads: int | None = None) -> Cores:
    """Choose workers and threads so that cores are not oversubscribed.

    Small networks use one thread better than several (``benchmarks/training.py`` measures it), so
    as many runs go side by side as there are physical cores; what is left over goes to threads.

    Args:
        runs: Runs to do.
        workers: Runs at once; None chooses, and chooses one where there is an accelerator.
        threads: Threads of each; None chooses.

    Raises:
        ConfigError: Less than one worker or thread.
    """
    for name, value in (("workers", workers), ("threads", threads)):
        if value is not None and value < 1:
            raise ConfigError(name, value, "Give at least 1, or null.")
    if workers is None and _has_accelerator():
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


@dataclass
class PoolState:
    """What the pool is doing, for whoever draws it."""

    waiting: list[RunFolder]
    active: dict[RunFolder, subprocess.Popen[bytes]] = field(default_factory=dict)
    ended: list[RunFolder] = field(default_factory=list)
    failed: list[RunFolder] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)
    """Signals received: the first asks workers to save themselves, a second kills them."""


def run_pool(
    folders: Sequence[RunFolder], cores: Cores, watch: Callable[[PoolState], None]
) -> PoolState:
    """Execute every run that has not ended; return when all have ended or failed.

    A failed run leaves the others untouched. On SIGINT or SIGTERM the workers write their
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
    with on_signals(partial(_pass_on, state)):
        try:
            while state.active or (state.waiting and not state.signals):
                while state.waiting and len(state.active) < cores.workers and not state.signals:
                    folder = state.waiting.pop(0)
                    state.active[folder] = _start(folder, cores.threads)
                _collect(state)
                watch(state)
                time.sleep(_POLL_SECONDS)
        finally:
            for process in state.active.values():
                process.kill()
                process.wait()
    if state.signals:
        raise Interrupted(
            state.signals[0],
            f"{len(state.ended)} of {len(folders)} runs have ended and the others are saved where "
            "they were. The same command continues them.",
        )
    return state


def _start(folder: RunFolder, threads: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "learnorder.runs.execute"]
    command += [str(folder.path), "--threads", str(threads)]
    variables = {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    with folder.file("log.txt").open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **variables},
            start_new_session=True,
        )


def _collect(state: PoolState) -> None:
    for folder, process in list(state.active.items()):
        if process.poll() is None:
            continue
        del state.active[folder]
        if folder.status in ENDED:
            state.ended.append(folder)
        else:
            if process.returncode != RunInUse.exit_code and not state.signals:
                _note_death(folder, process.returncode)
            state.failed.append(folder)


def _note_death(folder: RunFolder, code: int) -> None:
    """A worker that was killed could not write its own status."""
    if folder.status in ("pending", "running"):
        how = f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        with suppress(RunFolderError):  # a full disk takes no note
            folder.update(status="failed", reason=f"the worker ended with {how}; see log.txt")


def _pass_on(state: PoolState, number: int) -> None:
    """Pass the first signal on to the workers as it is, and any later one as a kill."""
    state.signals.append(number)
    for process in state.active.values():
        process.send_signal(number if len(state.signals) == 1 else signal.SIGKILL)
