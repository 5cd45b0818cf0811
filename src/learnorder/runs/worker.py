"""A worker process: it executes one run after another, so torch is imported only once.

``python -m learnorder.runs.worker --threads 1`` reads run folders from standard input, one JSON
line each (:func:`encode_request`), and answers with their exit codes on standard output. The output
of a run goes to its log.txt.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import os
import sys
import traceback
from contextlib import suppress
from pathlib import Path

from learnorder.errors import LearnOrderError
from learnorder.runs.execute import execute
from learnorder.runs.folder import RunFolder
from learnorder.runs.plain_text import visible
from learnorder.runs.process import release_memory
from learnorder.runs.signals import on_signals


def encode_request(folder: Path) -> bytes:
    r"""Return the line that requests a run; its folder's name may have any bytes.

    >>> encode_request(Path("runs/a\nb"))
    b'"runs/a\\nb"\n'
    """
    return json.dumps(str(folder)).encode() + b"\n"


def decode_request(line: bytes) -> Path:
    """Return the folder in a line of :func:`encode_request`."""
    return Path(json.loads(line))


def main() -> int:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m learnorder.runs.worker", description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    threads = parser.parse_args().threads
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    received: list[int] = []
    answers = os.dup(1)
    os.dup2(2, 1)  # only answers go to the original standard output
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # as standard error does
    with on_signals(received.append):
        for line in sys.stdin.buffer:
            path = decode_request(line)
            code = 128 + received[0] if received else execute_logged(path, threads, received)
            if "torch" in sys.modules:  # the worker may be idle beside others on its GPU
                release_memory()
            with suppress(BrokenPipeError):  # the parent was killed
                os.write(answers, f"{code}\n".encode())
    return 0


def execute_logged(path: Path, threads: int, received: list[int]) -> int:
    """Execute a run, with the standard streams redirected to its log.

    Args:
        path: The run's folder.
        threads: Number of threads.
        received: List to which signal numbers are appended.

    Returns:
        The exit code.
    """
    with (path / "log.txt").open("ab", buffering=0) as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
    try:
        execute(RunFolder(path), threads, received=received)
    except LearnOrderError as error:
        print(visible(error), file=sys.stderr, flush=True)
        return error.exit_code
    except Exception:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
