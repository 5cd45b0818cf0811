"""Workers that are local processes."""

from __future__ import annotations

import selectors
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from learnorder.execution.engine import Cores, process_environment, share_cores
from learnorder.runs import RunFolder
from learnorder.runs.worker import encode_request


class Process:
    """A process that executes runs one after another.

    Args:
        threads: Threads of each run.
    """

    def __init__(self, threads: int) -> None:
        command = [sys.executable, "-m", "learnorder.runs.worker", "--threads", str(threads)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=process_environment(threads),
            start_new_session=True,
        )

    @property
    def alive(self) -> bool:
        """Whether the process is alive."""
        return self._process.poll() is None

    @property
    def answers(self) -> int:
        """File descriptor that is readable when there is an answer or the process has ended."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def execute(self, folder: RunFolder[Any]) -> None:
        """Start a run."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # answer() detects a dead worker
            self._process.stdin.write(encode_request(folder.path.resolve()))
            self._process.stdin.flush()

    def answer(self) -> tuple[int, bool]:
        """Wait for the end of the run; return its exit code and whether the worker is alive."""
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
        """Stop the process when it is idle, or kill it at once."""
        if kill:
            self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):
                assert pipe is not None
                pipe.close()
        self._process.wait()


class Processes:
    """Local processes: an :class:`~learnorder.execution.engine.Engine`."""

    processes = 1

    def cores(
        self, runs: int, workers: int | None, threads: int | None, *, accelerated: bool
    ) -> Cores:
        """Divide the machine's cores; see :func:`~learnorder.execution.engine.share_cores`."""
        return share_cores(runs, workers, threads, accelerated=accelerated)

    def start(self, threads: int) -> Process:
        """Start a process."""
        return Process(threads)

    def ready(self, busy: Mapping[RunFolder[Any], Process], seconds: float) -> list[RunFolder[Any]]:
        """Wait for answers."""
        with selectors.DefaultSelector() as selector:
            for folder, worker in busy.items():
                selector.register(worker.answers, selectors.EVENT_READ, folder)
            return [key.data for key, _ in selector.select(seconds)]
