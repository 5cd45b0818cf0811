"""A limit on how often something is done."""

from __future__ import annotations

import time


class Pace:
    """A timer that is due at once, and then again after some seconds.

    Args:
        seconds: The interval.
    """

    def __init__(self, seconds: float = 0.5) -> None:
        self._seconds, self._next = seconds, 0.0

    def due(self) -> bool:
        """Return whether the interval has passed; if so, start the next."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True
