"""Workers that are groups of local processes, which train one run together."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from learnorder.errors import ConfigError
from learnorder.execution.engine import Cores, has_accelerator, share_cores
from learnorder.execution.machine import process_environment
from learnorder.runs import RunFolder

_POLL_SECONDS = 0.1
GRACE_SECONDS = 10.0
"""Time for the processes of a group to end after one of them has failed."""
_STOPPED = (128 + signal.SIGINT, 128 + signal.SIGTERM)


class Group:
    """A group of processes for one run at a time: a :class:`~learnorder.execution.engine.Worker`.

    Args:
        count: Number of processes.
        threads: Threads of each process.

    Attributes:
        processes: Those of the run under way.
    """

    def __init__(self, count: int, threads: int) -> None:
        self._count, self._threads = count, threads
        self.processes = list[subprocess.Popen[bytes]]()
        self._failed_at, self._failure = 0.0, 0

    @property
    def alive(self) -> bool:
        """Always true: its processes are started anew for each run."""
        return True

    def execute(self, folder: RunFolder[Any]) -> None:
        """Start a run."""
        command = [sys.executable, "-m", "learnorder.runs.execute", str(folder.path.resolve())]
        command += ["--threads", str(self._threads)]
        port, self._failed_at, self._failure = str(_free_port()), 0.0, 0
        with folder.file("log.txt").open("ab") as log:
            for rank in range(self._count):
                group = {
                    "RANK": str(rank),
                    "LOCAL_RANK": str(rank),
                    "WORLD_SIZE": str(self._count),
                    "LOCAL_WORLD_SIZE": str(self._count),
                    "MASTER_ADDR": "127.0.0.1",
                    "MASTER_PORT": port,
                }
                self.processes.append(
                    subprocess.Popen(
                        command,
                        stdin=subprocess.DEVNULL,
                        stdout=log,
                        stderr=log,
                        env={**process_environment(self._threads), **group},
                        start_new_session=True,
                    )
                )

    def ended(self) -> bool:
        """Whether all processes have ended; some time after one fails, the others are killed.

        A process stopped by a signal has not failed: the first may still be saving the run.
        """
        codes = [process.poll() for process in self.processes]
        failures = [code for code in codes if code and code not in _STOPPED]
        if failures and not self._failure:
            self._failed_at = time.monotonic()
            self._failure = next((code for code in failures if code < 0), failures[0])
        if None not in codes:
            return True
        if self._failure and time.monotonic() - self._failed_at > GRACE_SECONDS:
            self.send_signal(signal.SIGKILL)
        return False

    def answer(self) -> tuple[int, bool]:
        """Wait for the end of the run; return its exit code and whether the group is still alive.

        The first failure determines the code: the others only lose their connection to it.
        """
        while not self.ended():
            time.sleep(_POLL_SECONDS)
        codes = [process.returncode for process in self.processes]
        self.processes.clear()
        return self._failure or codes[0] or max(codes), True

    def send_signal(self, number: int) -> None:
        """Pass a signal to all processes."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                process.send_signal(number)

    def close(self, *, kill: bool = False) -> None:
        """Wait for the processes of a run, or kill them."""
        if kill:
            self.send_signal(signal.SIGKILL)
        for process in self.processes:
            process.wait()
        self.processes.clear()


class Groups:
    """Groups of local processes: an :class:`~learnorder.execution.engine.Engine`.

    Args:
        count: Number of processes that train each run together.

    Raises:
        ConfigError: Less than one process.
    """

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ConfigError("processes", count, "Give at least 1.")
        self.processes = count

    def cores(
        self, runs: int, workers: int | None, threads: int | None, *, accelerated: bool
    ) -> Cores:
        """Run one group at a time, or ``workers``; the processes of a group share the cores.

        Raises:
            ConfigError: The runs are of the theory, which uses a single process; or several groups
                at once on GPUs, of which each group takes the first.
        """
        if not accelerated and self.processes > 1:
            raise ConfigError(
                "processes",
                self.processes,
                "Runs of the theory use a single process: give 1.",
            )
        if (workers or 1) > 1 and has_accelerator():
            remedy = "The processes of a run take the first GPUs: give 1, or leave it out."
            raise ConfigError("workers", workers, remedy)
        alone = share_cores(1, 1, None, accelerated=accelerated)
        shared = max(1, alone.threads // self.processes // (workers or 1))
        return share_cores(runs, workers or 1, threads or shared, accelerated=accelerated)

    def start(self, threads: int) -> Group:
        """Return a group."""
        return Group(self.processes, threads)

    def ready(self, busy: Mapping[RunFolder[Any], Group], seconds: float) -> list[RunFolder[Any]]:
        """Wait for groups whose processes have all ended."""
        until = time.monotonic() + seconds
        while True:
            ended = [folder for folder, group in busy.items() if group.ended()]
            if ended or time.monotonic() > until:
                return ended
            time.sleep(_POLL_SECONDS / 2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
