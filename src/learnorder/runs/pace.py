"""How often something is done while a run goes on."""

from __future__ import annotations

import time


class Pace:
    """Says when some seconds have passed since it last said so; the first time, at once.

    Args:
        seconds: Between two times.
    """

    def __init__(self, seconds: float = 0.5) -> None:
        self._seconds, self._next = seconds, 0.0

    def due(self) -> bool:
        """Return whether it is time."""
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True
