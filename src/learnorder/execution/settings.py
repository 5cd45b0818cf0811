"""How runs are executed: one value, which every function that runs something takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from learnorder.errors import ConfigError

if TYPE_CHECKING:
    from learnorder.execution.engine import Engine

_MOST = 512
"""Threads of a run, or runs at once, beyond which a number is mistyped."""


@dataclass(frozen=True)
class Execution:
    """How runs are executed. Results do not depend on it, but for rounding with other threads.

    >>> Execution(workers=2, quiet=True).workers
    2

    Raises:
        ConfigError: Less than one worker or thread, or more than 512.
    """

    workers: int | None = None
    """Runs at once; None takes the physical cores there are, or 1 where there is an accelerator."""
    threads: int | None = None
    """Threads of each run; None shares the cores out among the workers."""
    quiet: bool = False
    """Draw no progress."""
    engine: Engine[Any] | None = None
    """What makes the runs. None is processes of this machine with a run each;
    :class:`~learnorder.execution.groups.Groups` is several processes for each run, and
    :class:`~learnorder.execution.ray_engine.RayCluster` a Ray cluster."""

    def __post_init__(self) -> None:
        for name in ("workers", "threads"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= _MOST:
                raise ConfigError(name, value, f"Give at least 1, at most {_MOST}, or null.")
