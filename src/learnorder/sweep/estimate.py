"""What an experiment would cost: its runs, their time and their space, measured on this machine."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

from learnorder.config import RunConfig
from learnorder.data import load_images
from learnorder.sweep.driver import Plan, check
from learnorder.sweep.pool import Cores, share_cores
from learnorder.training import Trainer

_MEASURE_SECONDS = 1.0
_RECORD_BYTES_PER_EPOCH = 400


@dataclass(frozen=True)
class Cost:
    """The cost of an experiment.

    Attributes:
        runs: Number of runs.
        seconds_each: Longest run, alone on its threads.
        seconds: All runs, with the machine's cores shared out.
        disk_bytes: Space at the end.
        peak_bytes: Space while checkpoints stand too.
        parameters: Of the largest network.
        steps: Steps of the longest run.
        cores: How the runs share the machine.
    """

    runs: int
    seconds_each: float
    seconds: float
    disk_bytes: int
    peak_bytes: int
    parameters: int
    steps: int
    cores: Cores

    def __str__(self) -> str:
        return (
            f"{self.runs} runs of up to {self.steps:,} steps and {self.parameters:,} parameters; "
            f"about {_duration(self.seconds_each)} each and {_duration(self.seconds)} in all with "
            f"{self.cores.workers} at once ({self.cores.threads} thread(s) each), as measured on "
            f"this machine just now; {_size(self.disk_bytes)} of disk when done, "
            f"{_size(self.peak_bytes)} while running."
        )


def estimate_cost(
    plans: Mapping[str, Plan], workers: int | None = None, threads: int | None = None
) -> Cost:
    """Check the plans and time a few steps of each distinct one; nothing is written."""
    import torch

    check(plans)
    cores = share_cores(len(plans), workers, threads)
    before = torch.get_num_threads()
    torch.set_num_threads(cores.threads)
    try:
        measured = {}
        for plan in plans.values():
            key = _workload(plan.config)
            if key not in measured:
                measured[key] = _measure(plan.config)
    finally:
        torch.set_num_threads(before)
    each = [measured[_workload(plan.config)] for plan in plans.values()]
    weights = sum(4 * parameters for _, parameters, _ in each)
    records = sum(_RECORD_BYTES_PER_EPOCH * p.config.training.epochs for p in plans.values())
    largest = max(parameters for _, parameters, _ in each)
    return Cost(
        runs=len(plans),
        seconds_each=max(seconds for seconds, _, _ in each),
        seconds=sum(seconds for seconds, _, _ in each) / cores.workers,
        disk_bytes=weights + records,
        peak_bytes=weights + records + 8 * largest * cores.workers,
        parameters=largest,
        steps=max(steps for _, _, steps in each),
        cores=cores,
    )


def _workload(config: RunConfig) -> str:
    noisy = config.noise.level.initial > 0
    return repr((config.data, config.model, config.patch.planted, config.training, noisy))


def _measure(config: RunConfig) -> tuple[float, int, int]:
    """Return seconds of a run, its parameters, its steps."""
    trainer = Trainer(config, load_images(config.data))
    epochs, steps = config.training.epochs, trainer.batches.steps
    timed: list[float] = []
    for batch in islice(trainer.batches.epoch(1), 100):
        started = time.perf_counter()
        trainer.train_step(batch)
        timed.append(time.perf_counter() - started)
        if sum(timed) > _MEASURE_SECONDS:
            break
    warm = timed[1:] or timed  # the first step also warms up
    with_evaluation = sum(warm) / len(warm) * steps * (1 + _evaluation_share(trainer))
    parameters = sum(p.numel() for p in trainer.network.parameters())
    return epochs * with_evaluation, parameters, epochs * steps


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
