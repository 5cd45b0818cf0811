"""What a log that no terminal shows says of long work: a line every minute."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console

from learnorder.runs.plain_text import plain

LOG_SECONDS = 60.0
"""Between two lines."""


@contextmanager
def log_lines(
    words: Callable[[], str], console: Console, seconds: float = LOG_SECONDS
) -> Iterator[None]:
    """Print a line every minute while a block runs; nothing in a terminal, which shows progress.

    Args:
        words: Returns what the line says after how long it has been going on.
        console: Where it is printed.
        seconds: Between two lines.
    """
    if console.is_terminal or console.quiet:
        yield
        return
    started, over = time.monotonic(), threading.Event()

    def speak() -> None:
        while not over.wait(seconds):
            elapsed = duration(time.monotonic() - started)
            console.print(plain(f"after {elapsed}: {words()}"), soft_wrap=True)

    thread = threading.Thread(target=speak, name="log lines", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@contextmanager
def phase(title: str, *, quiet: bool = False) -> Iterator[None]:
    """Say every minute in a log that work which has no display of its own goes on.

    Args:
        title: What is being done.
        quiet: Say nothing.
    """
    with log_lines(lambda: title, Console(stderr=True, quiet=quiet)):
        yield


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it.

    >>> duration(42), duration(400), duration(8000)
    ('42 s', '7 min', '2.2 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
