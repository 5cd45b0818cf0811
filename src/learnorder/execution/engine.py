"""What makes runs: a number of workers, and where they come from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import psutil

from learnorder.execution.settings import Execution
from learnorder.runs import RunFolder


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
    Execution(workers, threads)  # refuses numbers that make no sense
    if workers is None and accelerated and _has_accelerator():
        workers = 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = min(psutil.cpu_count(logical=False) or 1, usable or 1)
    if workers is None:
        workers = max(1, min(runs, cores // (threads or 1)))
    if threads is None:
        threads = max(1, cores // workers)
    return Cores(workers, threads)


def process_environment(threads: int) -> dict[str, str]:
    """Return this process's environment for one whose libraries use so many threads."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
    return {**os.environ, **{name: str(threads) for name in names}}


def _has_accelerator() -> bool:
    import torch

    return torch.accelerator.is_available()


class Worker(Protocol):
    """What executes the runs it is given, one after another."""

    @property
    def alive(self) -> bool:
        """Whether it is there, as far as is known."""
        ...

    def execute(self, folder: RunFolder[Any]) -> None:
        """Begin a run."""
        ...

    def answer(self) -> tuple[int, bool]:
        """Wait for the end of the run; return its exit code and whether the worker lives on.

        The code of a worker that was killed is negative.
        """
        ...

    def send_signal(self, number: int) -> None:
        """Pass a signal to the run: SIGKILL ends the worker, others save the run."""
        ...

    def close(self, *, kill: bool = False) -> None:
        """End the worker: when it is idle, or at once."""
        ...


WorkerT = TypeVar("WorkerT", bound=Worker)


class Engine(Protocol[WorkerT]):
    """Where workers come from."""

    @property
    def processes(self) -> int:
        """How many processes make each run together."""
        ...

    def cores(
        self, runs: int, workers: int | None, threads: int | None, *, accelerated: bool
    ) -> Cores:
        """Choose how many runs go at once; as :func:`share_cores`."""
        ...

    def start(self, threads: int) -> WorkerT:
        """Start a worker whose runs have so many threads."""
        ...

    def ready(self, busy: Mapping[RunFolder[Any], WorkerT], seconds: float) -> list[RunFolder[Any]]:
        """Wait so long at most; return the runs whose workers have an answer."""
        ...
