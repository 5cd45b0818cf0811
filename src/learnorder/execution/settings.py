"""Settings of how runs are executed."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from learnorder.errors import ConfigError
from learnorder.execution.machine import check_counts

if TYPE_CHECKING:
    from learnorder.execution.engine import Engine


@dataclass(frozen=True)
class Execution:
    """How runs are executed. Results differ at most by rounding, if ``threads`` differs.

    >>> Execution(workers=2, quiet=True).workers
    2

    Raises:
        ConfigError: ``workers`` or ``threads`` is not from 1 to 512, or ``stop_after`` is not above
            0.
    """

    workers: int | None = None
    """Number of runs at once. None takes one for each physical core, or for each GPU."""
    threads: int | None = None
    """Number of threads of each run. None divides the cores among the workers."""
    quiet: bool = False
    """Whether to show no progress."""
    engine: Engine[Any] | None = None
    """Executes the runs. None executes each in a local process;
    :class:`~learnorder.execution.processes.Processes` also chooses the GPUs and how many runs share
    one, :class:`~learnorder.execution.groups.Groups` has several processes for each run, and
    :class:`~learnorder.execution.ray_engine.RayCluster` is a Ray cluster."""
    stop_after: float | None = None
    """Minutes, from the creation of this object, after which the runs are saved and stopped as on
    Ctrl-C; the same call continues them. None means no limit."""
    _began: float = field(default_factory=time.monotonic, repr=False, compare=False, kw_only=True)

    def __post_init__(self) -> None:
        check_counts(self.workers, self.threads)
        if self.stop_after is not None and not 0 < self.stop_after < math.inf:
            raise ConfigError("stop_after", self.stop_after, "Give minutes above 0, or null.")

    def stops_at(self) -> float | None:
        """Return when the runs are stopped, in seconds of ``time.monotonic``; None for no limit."""
        return None if self.stop_after is None else self._began + 60 * self.stop_after
