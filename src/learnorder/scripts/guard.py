"""Runs a command, and stops all that it started when it ends or when its owner dies.

``python -m learnorder.scripts.guard`` reads a :class:`Request` from the first line of standard
input and answers with an :class:`Outcome` on standard output. It stops the command when standard
input ends, which it also does when the owner is killed. It imports no torch.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

_POLL_SECONDS = 0.05
_LEAVE_SECONDS = 2.0
"""Time for processes that are left over to end by themselves."""
_STOP_SECONDS = 10.0
"""Time between the request to stop and the kill."""
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class Request:
    """A command to run.

    Attributes:
        arguments: Its words.
        stdout: File for its standard output.
        stderr: File for its standard error.
        timeout: Seconds after which it is stopped; None is no limit.
    """

    arguments: list[str]
    stdout: str
    stderr: str
    timeout: float | None = None


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        code: Exit code; minus the signal's number if a signal ended it; None if it never started.
        seconds: How long it ran.
        error: Why it never started; empty if it did.
        timed_out: Whether its time was over.
        stopped: Whether its owner stopped it.
        left: How many processes that it started were still running, and were stopped.
    """

    code: int | None
    seconds: float
    error: str = ""
    timed_out: bool = False
    stopped: bool = False
    left: int = 0


def run(request: Request) -> Outcome:
    """Run a command until it ends, its time is over, or standard input ends."""
    started = time.monotonic()
    with Path(request.stdout).open("wb") as out, Path(request.stderr).open("wb") as err:
        try:
            process = subprocess.Popen(
                request.arguments,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return Outcome(None, 0.0, error=str(error))
    timed_out = stopped = False
    while process.poll() is None:
        if request.timeout is not None and time.monotonic() - started > request.timeout:
            timed_out = True
        elif _input_ended(_POLL_SECONDS):
            stopped = True
        if timed_out or stopped:
            _stop(process)
            break
    seconds = time.monotonic() - started
    left = _clean_up(patient=not (timed_out or stopped))
    return Outcome(
        process.returncode, seconds, timed_out=timed_out, stopped=stopped,
        left=0 if timed_out or stopped else left,
    )  # fmt: skip


def _input_ended(seconds: float) -> bool:
    """Wait at most this long for the end of standard input."""
    ready, _, _ = select.select([sys.stdin.buffer], [], [], seconds)
    return bool(ready) and not os.read(sys.stdin.fileno(), 4096)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a command: by SIGTERM, and by SIGKILL after some seconds."""
    for number, seconds in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return


def _clean_up(*, patient: bool) -> int:
    """Stop the processes that are left over; return their number."""
    _, left = psutil.wait_procs(_descendants(), _LEAVE_SECONDS if patient else 0)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    _, alive = psutil.wait_procs(left, _LEAVE_SECONDS)
    for process in {*alive, *_descendants()}:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, _LEAVE_SECONDS)
    return len(left)


def _descendants() -> list[psutil.Process]:
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    ]


def _adopt_orphans() -> None:
    """Become the parent of processes whose parent ends, on Linux."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def main() -> int:
    """Serve one request."""
    for number in (signal.SIGINT, signal.SIGTERM):  # the owner stops it by closing standard input
        signal.signal(number, lambda *_: None)  # unlike SIG_IGN, the command does not inherit it
    _adopt_orphans()
    line = b""
    while not line.endswith(b"\n"):  # unbuffered, so that select sees what follows
        if not (part := os.read(sys.stdin.fileno(), 1)):
            return 1
        line += part
    outcome = run(Request(**json.loads(line)))
    with suppress(BrokenPipeError):
        sys.stdout.write(json.dumps(asdict(outcome)) + "\n")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
