"""Progress lines for logs, one every minute."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from learnorder.runs.plain_text import plain

LOG_SECONDS = 60.0
"""Time between two lines."""


@contextmanager
def log_lines(
    words: Callable[[], str], console: Console, seconds: float = LOG_SECONDS
) -> Iterator[None]:
    """Print a line every minute during a ``with`` block, except in a terminal.

    Args:
        words: Returns the text of the line, which follows the time elapsed.
        console: Where to print.
        seconds: Time between two lines.
    """
    if console.is_terminal or console.quiet:
        yield
        return
    started, over = time.monotonic(), threading.Event()

    def print_lines() -> None:
        while not over.wait(seconds):
            elapsed = duration(time.monotonic() - started)
            console.print(plain(f"after {elapsed}: {words()}"), soft_wrap=True)

    thread = threading.Thread(target=print_lines, name="log lines", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def phase(title: str, *, quiet: bool = False) -> Iterator[None]:
    """Print every minute in a log that a task without a display of its own is still running.

    Args:
        title: Description of the task.
        quiet: Print nothing.
    """
    with log_lines(lambda: title, Console(stderr=True, quiet=quiet)):
        yield


def note(text: str, *, quiet: bool = False) -> None:
    """Print a line beside the display of the runs.

    Args:
        text: The line.
        quiet: Print nothing.
    """
    Console(stderr=True, quiet=quiet).print(plain(text), soft_wrap=True)


def duration(seconds: float) -> str:
    """Return a time in a suitable unit.

    >>> duration(42), duration(400), duration(8000)
    ('42 s', '7 min', '2.2 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
