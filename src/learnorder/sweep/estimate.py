"""What an experiment would cost: its runs, their time and their space, measured on this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from learnorder.config import RunConfig
from learnorder.data import load_images
from learnorder.runs import ENDED, RunFolder
from learnorder.sweep.driver import Plan, check
from learnorder.sweep.pool import Cores, share_cores
from learnorder.training import Trainer

_MEASURE_SECONDS = 1.0
_RECORD_BYTES_PER_EPOCH = 400
_REPORT_BYTES = 5_000_000
_START_SECONDS = 4.0
"""What a run's process takes to start, of which importing torch is most."""


@dataclass(frozen=True)
class Cost:
    """The cost of an experiment.

    Attributes:
        runs: Number of runs to do.
        ended: Number of runs that have ended already.
        seconds_each: Longest run, alone on its threads.
        seconds: All runs, with the machine's cores shared out.
        disk_bytes: Space at the end.
        peak_bytes: Space while checkpoints stand too.
        parameters: Of the largest network.
        steps: Steps of the longest run.
        cores: How the runs share the machine.
    """

    runs: int
    ended: int
    seconds_each: float
    seconds: float
    disk_bytes: int
    peak_bytes: int
    parameters: int
    steps: int
    cores: Cores

    def __str__(self) -> str:
        ended = f" ({self.ended} more have ended)" if self.ended else ""
        work = f"{self.steps:,} steps and {self.parameters:,} parameters"
        return (
            f"{self.runs} runs{ended} of up to {work}; about {_duration(self.seconds_each)} each "
            f"and {_duration(self.seconds)} in all with {self.cores.workers} at once "
            f"({self.cores.threads} thread(s) each), as measured on this machine just now; "
            f"{_size(self.disk_bytes)} of disk when done, {_size(self.peak_bytes)} while running."
        )


def estimate_cost(
    plans: Mapping[str, Plan],
    out: Path,
    workers: int | None = None,
    threads: int | None = None,
) -> Cost:
    """Check the plans and their folders, and time a few steps of each; nothing is written.

    Args:
        plans: The runs.
        out: Where they would go; those that have ended there cost nothing.
        workers: Runs at once, as in :func:`~learnorder.sweep.pool.share_cores`.
        threads: Threads of each run.

    Raises:
        LearnOrderError: As running the plans would.
    """
    import torch

    found = {name: RunFolder.find(out / name, plan.config) for name, plan in plans.items()}
    check(plans)
    cores = share_cores(len(plans), workers, threads)
    before = torch.get_num_threads()
    torch.set_num_threads(cores.threads)
    try:
        distinct = {_workload(plan.config): plan.config for plan in plans.values()}
        measured = {key: _measure(config) for key, config in distinct.items()}
    finally:
        torch.set_num_threads(before)
    to_do = [
        measured[_workload(plans[name].config)]
        for name, folder in found.items()
        if folder is None or folder.status not in ENDED
    ]
    every = [measured[_workload(plan.config)] for plan in plans.values()]
    largest = max(each.parameters for each in every)
    epochs = sum(plan.config.training.epochs for plan in plans.values())
    disk = sum(4 * each.parameters for each in every) + _RECORD_BYTES_PER_EPOCH * epochs
    return Cost(
        runs=len(to_do),
        ended=len(plans) - len(to_do),
        seconds_each=max((each.seconds for each in to_do), default=0.0),
        seconds=sum(each.seconds for each in to_do) / cores.workers,
        disk_bytes=disk + _REPORT_BYTES,
        peak_bytes=disk + _REPORT_BYTES + 2 * 8 * largest * cores.workers,
        parameters=largest,
        steps=max(each.steps for each in every),
        cores=cores,
    )


@dataclass(frozen=True)
class _Run:
    """What one run takes."""

    seconds: float
    parameters: int
    steps: int


def _workload(config: RunConfig) -> str:
    noisy = config.noise.level.initial > 0
    return repr((config.data, config.model, config.patch.planted, config.training, noisy))


def _measure(config: RunConfig) -> _Run:
    trainer = Trainer(config, load_images(config.data))
    epochs, steps = config.training.epochs, trainer.batches.steps
    timed: list[float] = []
    started = time.perf_counter()
    for batch in islice(trainer.batches.epoch(1), 100):
        trainer.train_step(batch)
        trainer.synchronize()
        now = time.perf_counter()
        timed.append(now - started)
        started = now
        if sum(timed) > _MEASURE_SECONDS:
            break
    warm = timed[1:] or timed  # the first step also warms up
    epoch = sum(warm) / len(warm) * steps * (1 + _evaluation_share(trainer))
    parameters = sum(p.numel() for p in trainer.network.parameters())
    return _Run(_START_SECONDS + epochs * epoch, parameters, epochs * steps)


def _evaluation_share(trainer: Trainer) -> float:
    """Evaluation's cost beside training's: a forward pass is about a third of a step."""
    evaluated = sum(len(chosen.pattern_labels) for chosen in trainer.sets)
    return evaluated / (3 * len(trainer.batches.eligible))


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"
