"""Workers that are processes of this machine: killing one loses one run."""

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
    """A process that executes the runs it is given, one after another.

    Args:
        threads: Of each run.
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
        """Whether the process is there."""
        return self._process.poll() is None

    @property
    def answers(self) -> int:
        """The descriptor on which answers, or the end, can be waited for."""
        assert self._process.stdout is not None
        return self._process.stdout.fileno()

    def execute(self, folder: RunFolder[Any]) -> None:
        """Begin a run."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # a dead worker is met when its answer is waited for
            self._process.stdin.write(encode_request(folder.path.resolve()))
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


class Processes:
    """This machine: an :class:`~learnorder.execution.engine.Engine`."""

    processes = 1

    def cores(
        self, runs: int, workers: int | None, threads: int | None, *, accelerated: bool
    ) -> Cores:
        """Share out the machine's cores."""
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
