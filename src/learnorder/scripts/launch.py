"""Launching a command from the process of a run, and watching it."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from learnorder.errors import LearnOrderError
from learnorder.scripts.guard import Outcome, Request

_POLL_SECONDS = 0.1


def launch(
    arguments: Sequence[str],
    folder: Path,
    timeout: float | None = None,
    watch: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Run a command to its end; what it prints goes to stdout.txt and stderr.txt in a folder.

    All processes that it starts are stopped when it ends, also if this process is killed.

    Args:
        arguments: The words of the command.
        folder: An existing folder.
        timeout: Seconds after which it is stopped; None is no limit.
        watch: Called ten times a second; if it returns True, the command is stopped.

    Raises:
        LearnOrderError: The process that watches the command was killed.
    """
    printed = [(folder / name).resolve() for name in ("stdout.txt", "stderr.txt")]
    for path in printed:  # empty from the start, for whoever watches
        path.write_bytes(b"")
    request = Request(list(arguments), str(printed[0]), str(printed[1]), timeout)
    guard = subprocess.Popen(
        [sys.executable, "-m", "learnorder.scripts.guard"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert guard.stdin is not None
    assert guard.stdout is not None
    try:
        with suppress(BrokenPipeError):
            guard.stdin.write(json.dumps(asdict(request)).encode() + b"\n")
            guard.stdin.flush()
        while not select.select([guard.stdout], [], [], _POLL_SECONDS)[0]:
            if watch():
                break
        guard.stdin.close()  # stops the command, if it runs
        answer = guard.stdout.readline()
    finally:
        with suppress(BrokenPipeError):
            guard.stdin.close()
        guard.wait()
        guard.stdout.close()
    if not answer:
        raise LearnOrderError(f"{arguments[0]}: the process that watches it was killed.")
    return Outcome(**json.loads(answer))
