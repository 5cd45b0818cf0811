"""A time limit: runs are saved and stopped when it is reached, as on Ctrl-C."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable

from learnorder.errors import ConfigError
from learnorder.execution.pool import PoolState
from learnorder.execution.settings import Execution


def within_time(
    execution: Execution, watch: Callable[[PoolState], None]
) -> Callable[[PoolState], None]:
    """Return ``watch``, which also interrupts this process once the time is up.

    Args:
        execution: Its ``stop_after`` is the limit.
        watch: Called several times a second while runs are executed.

    Raises:
        ConfigError: There is a limit, and this is not the main thread, which receives signals.
    """
    end = execution.stops_at()
    if end is None:
        return watch
    if threading.current_thread() is not threading.main_thread():
        raise ConfigError(
            "stop_after", execution.stop_after, "Runs can be stopped in the main thread only. "
            "Call from there, or leave it out.",
        )  # fmt: skip

    is_up = False

    def watch_time(state: PoolState) -> None:
        nonlocal is_up
        watch(state)
        if time.monotonic() >= end and not is_up:
            is_up = True
            logging.getLogger(__name__).warning(
                "The time is up (%g minutes): saving the runs.", execution.stop_after
            )
            signal.raise_signal(signal.SIGINT)

    return watch_time
