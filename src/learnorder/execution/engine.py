"""Engines and their workers, which execute runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from learnorder.execution.machine import check_counts, usable_cores
from learnorder.runs import RunFolder


@dataclass(frozen=True)
class Cores:
    """How the cores are divided.

    Attributes:
        workers: Runs at once.
        threads: Threads of each run.
        speed_up: How many times as fast as one run at a time they are; None is ``workers`` times.
    """

    workers: int
    threads: int
    speed_up: float | None = None


def share_cores(
    runs: int,
    workers: int | None = None,
    threads: int | None = None,
    *,
    accelerated: bool = True,
) -> Cores:
    """Choose workers and threads without oversubscribing the usable cores.

    Small networks are most efficient with one thread (measured by ``benchmarks/training.py``), so
    as many runs as possible run in parallel; remaining cores become threads. The load of the
    machine is not considered: the number of threads affects the last bits of sums, and the same
    command gives the same numbers.

    Args:
        runs: Number of runs to execute.
        workers: Runs at once; None is automatic, and 1 on an accelerator.
        threads: Threads per run; None is automatic.
        accelerated: Whether the runs use an accelerator if there is one.

    Raises:
        ConfigError: Less than one worker or thread.
    """
    check_counts(workers, threads)
    if workers is None and accelerated and has_accelerator():
        workers = 1
    cores = usable_cores()
    if workers is None:
        workers = max(1, min(runs, cores // (threads or 1)))
    if threads is None:
        threads = max(1, cores // workers)
    return Cores(workers, threads)


def has_accelerator() -> bool:
    """Whether torch has an accelerator here."""
    import torch

    return torch.accelerator.is_available()


class Worker(Protocol):
    """Executes runs, one after another."""

    @property
    def alive(self) -> bool:
        """Whether it is alive, as far as is known."""
        ...

    def execute(self, folder: RunFolder[Any]) -> None:
        """Start a run."""
        ...

    def answer(self) -> tuple[int, bool]:
        """Wait for the end of the run; return its exit code and whether the worker is still alive.

        The code of a worker that was killed is negative.
        """
        ...

    def send_signal(self, number: int) -> None:
        """Pass a signal to the run: SIGKILL kills the worker, others save the run."""
        ...

    def close(self, *, kill: bool = False) -> None:
        """Stop the worker when it is idle, or kill it at once."""
        ...


WorkerT = TypeVar("WorkerT", bound=Worker)


class Engine(Protocol[WorkerT]):
    """Starts workers."""

    @property
    def processes(self) -> int:
        """Number of processes that train each run together."""
        ...

    def cores(
        self, runs: int, workers: int | None, threads: int | None, *, accelerated: bool
    ) -> Cores:
        """Choose the number of runs at once and their threads; see :func:`share_cores`."""
        ...

    def start(self, threads: int) -> WorkerT:
        """Start a worker whose runs use ``threads`` threads."""
        ...

    def ready(self, busy: Mapping[RunFolder[Any], WorkerT], seconds: float) -> list[RunFolder[Any]]:
        """Wait at most ``seconds``; return the runs whose workers have an answer."""
        ...
