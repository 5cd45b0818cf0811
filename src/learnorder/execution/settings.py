"""Settings of how runs are executed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from learnorder.errors import ConfigError

if TYPE_CHECKING:
    from learnorder.execution.engine import Engine

_MOST = 512
"""Maximum number of threads, and of runs at once."""


@dataclass(frozen=True)
class Execution:
    """How runs are executed. Results differ at most by rounding, if ``threads`` differs.

    >>> Execution(workers=2, quiet=True).workers
    2

    Raises:
        ConfigError: Less than one worker or thread, or more than 512.
    """

    workers: int | None = None
    """Runs at once; None is the number of physical cores, or 1 if there is an accelerator."""
    threads: int | None = None
    """Threads of each run; None divides the cores among the workers."""
    quiet: bool = False
    """Show no progress."""
    engine: Engine[Any] | None = None
    """Executes the runs. None is one local process per run;
    :class:`~learnorder.execution.groups.Groups` is several processes for each run, and
    :class:`~learnorder.execution.ray_engine.RayCluster` a Ray cluster."""

    def __post_init__(self) -> None:
        for name in ("workers", "threads"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= _MOST:
                raise ConfigError(name, value, f"Give at least 1, at most {_MOST}, or null.")
