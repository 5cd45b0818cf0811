"""Cost estimate of an experiment: runs, time and disk space, measured on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from learnorder.config.memory import size_words
from learnorder.execution.driver import Plan, cores_for, find_folders, with_engine
from learnorder.execution.engine import Cores
from learnorder.execution.log_lines import duration, phase
from learnorder.execution.settings import Execution
from learnorder.execution.sharing import share_devices
from learnorder.execution.workloads import by_workload, workload_of
from learnorder.runs.kinds import CostEstimate, kind_of

_REPORT_BYTES = 5_000_000
_START_SECONDS = 4.0
"""Start of a worker process, mostly the import of torch."""


@dataclass(frozen=True)
class Cost:
    """The cost of an experiment.

    Attributes:
        runs: Number of runs to execute.
        ended: Number of runs that have ended already.
        longest: The longest run.
        seconds: Time for all runs in parallel.
        disk_bytes: Disk space at the end.
        peak_bytes: Disk space during the runs, including checkpoints.
        cores: How the runs share the machine.
    """

    runs: int
    ended: int
    longest: CostEstimate
    seconds: float
    disk_bytes: float
    peak_bytes: float
    cores: Cores

    def __str__(self) -> str:
        ended = f" ({self.ended} more have ended)" if self.ended else ""
        about = "at most" if self.longest.at_most else "about"
        return (
            f"{self.runs} run{'s' * (self.runs != 1)}{ended} of up to {self.longest.what}; {about} "
            f"{duration(self.longest.seconds)} each "
            f"and {duration(self.seconds)} in all with {self.cores.workers} at once "
            f"({self.cores.threads} thread{'s' * (self.cores.threads != 1)} each), as measured on "
            "this machine; "
            f"{size_words(self.disk_bytes)} of disk when done, {size_words(self.peak_bytes)} while "
            "running."
        )


def estimate_cost(
    plans: Mapping[str, Plan],
    out: Path,
    execution: Execution = Execution(),
) -> Cost:
    """Check the plans and their folders, and time a few steps of each; nothing is written.

    Args:
        plans: The runs.
        out: Folder of the run folders; runs that have ended there cost nothing.
        execution: How the runs would be executed; the time is measured on this machine in any case.

    Raises:
        LearnOrderError: As for :func:`~learnorder.execution.driver.run_plans`.
    """
    import torch

    execution = with_engine(execution)
    folders = find_folders(plans, out, execution.engine)
    cores = cores_for([plan.config for plan in plans.values()], execution)
    names = [n for n, f in folders.items() if f is None or not f.has_ended()]
    cores = share_devices([plans[n].config for n in names], execution, cores, timed=True)
    before = torch.get_num_threads()
    torch.set_num_threads(cores.threads)
    try:
        distinct = by_workload(plan.config for plan in plans.values())
        with phase("timing a few steps of each run", quiet=execution.quiet):
            measured = {key: kind_of(c).load_backend().measure(c) for key, c in distinct.items()}
    finally:
        torch.set_num_threads(before)
    costs = {name: measured[workload_of(plan.config)] for name, plan in plans.items()}
    to_do = [costs[name] for name in names]
    start = _START_SECONDS * min(len(to_do), cores.workers)
    disk = sum(cost.disk_bytes for cost in costs.values()) + _REPORT_BYTES
    return Cost(
        runs=len(to_do),
        ended=len(plans) - len(to_do),
        longest=max(to_do or costs.values(), key=lambda cost: cost.seconds),
        seconds=(sum(cost.seconds for cost in to_do) + start) / (cores.speed_up or cores.workers),
        disk_bytes=disk,
        peak_bytes=disk + max(cost.peak_bytes for cost in costs.values()) * cores.workers,
        cores=cores,
    )
