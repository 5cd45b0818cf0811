"""The cores that this process may use, and how numerical libraries use them and the memory."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path

import psutil

from learnorder.errors import ConfigError

SLEEPING_THREADS = {"GOMP_SPINCOUNT": "1000", "OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
"""Makes threads that wait for others soon sleep, for GNU's and Intel's OpenMP.

By default they spin for some milliseconds at the end of each operation. With another process on the
core, the thread that they wait for may be the one that they keep from running. GNU's threads spin
for some microseconds before they sleep: to sleep at once and be woken takes longer than most waits.
"""
KEPT_MEMORY = {"MALLOC_MMAP_THRESHOLD_": str(32 << 20), "MALLOC_TRIM_THRESHOLD_": str(1 << 30)}
"""Makes glibc's malloc keep freed memory for the next step.

By default it returns most of a step's memory to the system, which then hands it out page by page.
That takes a tenth of a step on virtual machines. The thresholds are in bytes; the first is the
largest that all versions of glibc accept.
"""
MOST = 512
"""Maximum number of threads, and of runs at once."""
VISIBLE_GPUS = "CUDA_VISIBLE_DEVICES"
"""The variable of the environment that lists the GPUs that a process sees."""
_CGROUPS = Path("/sys/fs/cgroup")
_OWN_CGROUPS = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """Return the number of cores that this process may use, at least 1.

    It is the smallest of the physical cores, those that the process is bound to, and the quota of
    its control groups, rounded down, as containers and schedulers set it.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    cores = min(psutil.cpu_count(logical=False) or 1, bound or 1, core_quota())
    return max(1, math.floor(cores))


def core_quota(groups: Path = _CGROUPS, own: Path = _OWN_CGROUPS) -> float:
    """Return the smallest quota of the control groups of this process, in cores; inf without one.

    Args:
        groups: Where the file system of control groups is mounted.
        own: The file that lists the control groups of the process, as /proc/self/cgroup.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:  # not Linux
        return math.inf
    quota = math.inf
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = groups / controllers if controllers else groups  # a version 1 or version 2 group
        folder = root / path.lstrip("/")
        for group in (folder, *folder.parents):
            quota = min(quota, _quota_of(group))
            if group == root:
                break
    return quota


def _quota_of(group: Path) -> float:
    """Return the quota of a control group of version 2 or 1."""
    try:
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text().split()
        else:
            quota, period = ((group / f"cpu.cfs_{n}_us").read_text() for n in ("quota", "period"))
        return math.inf if quota == "max" or int(quota) <= 0 else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # the root has none, or it is not readable
        return math.inf


def check_counts(workers: int | None, threads: int | None) -> None:
    """Check the number of runs at once and of threads; None is automatic.

    Raises:
        ConfigError: One is below 1, or above 512.
    """
    for name, value in (("workers", workers), ("threads", threads)):
        if value is not None and not 1 <= value <= MOST:
            raise ConfigError(name, value, f"Give at least 1, at most {MOST}, or null.")


def unless_set(settings: Mapping[str, str]) -> dict[str, str]:
    """Return settings of a library, or none of them if the environment has one of them already."""
    return {} if settings.keys() & os.environ.keys() else dict(settings)


def library_settings() -> dict[str, str]:
    """Return how the libraries of a run's process wait and keep memory, unless it is set here."""
    return {**unless_set(SLEEPING_THREADS), **unless_set(KEPT_MEMORY)}


def process_environment(threads: int) -> dict[str, str]:
    """Return the environment of a subprocess whose libraries use ``threads`` threads.

    Threads that wait sleep and freed memory is kept, unless this process's environment says
    otherwise.
    """
    counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
    return {**library_settings(), **os.environ, **counts}
