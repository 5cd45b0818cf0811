"""Training steps in processes that keep freed memory, against processes that return it.

``python benchmarks/memory.py [--rounds 3]``: WRN-16-1 at 32×32, batch size 128, one thread, in fp32
and bf16, each measurement in a process of its own, as malloc reads its settings when one starts.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from dataclasses import replace
from statistics import median

import torch

from common import finish
from learnorder.execution.machine import KEPT_MEMORY
from learnorder.images.backend import new_trainer
from learnorder.runs.training import time_steps
from workload import paper_run

IMAGES, STEPS, WARM_UP = 20_000, 100, 5


def alone(precision: str) -> None:
    """Print the images per second of this process, and the most memory that it has taken."""
    torch.set_num_threads(1)
    config, data = paper_run("random", IMAGES)
    config = replace(config, training=replace(config.training, precision=precision))
    with new_trainer(config, data) as trainer:
        times = time_steps(trainer, 60, most=STEPS, fewest=2 * WARM_UP)[WARM_UP:]
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps([config.training.batch_size / median(times), most]))


def measured(precision: str, *, kept: bool) -> tuple[float, float]:
    """Return images per second and bytes of a new process."""
    environment = {n: value for n, value in os.environ.items() if n not in KEPT_MEMORY}
    command = [sys.executable, __file__, "--alone", precision]
    environment |= KEPT_MEMORY if kept else {}
    return tuple(json.loads(subprocess.check_output(command, env=environment)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--alone", choices=["fp32", "bf16"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.alone:
        alone(arguments.alone)
        return
    rows, figures = list[tuple[str, str]](), dict[str, float]()
    for precision in ("fp32", "bf16"):
        pairs = [
            (measured(precision, kept=False), measured(precision, kept=True))
            for _ in range(arguments.rounds)
        ]
        figures[f"kept_ratio_{precision}"] = median(b[0] / a[0] for a, b in pairs)
        for name, found in zip(("returned", "kept"), zip(*pairs, strict=True), strict=True):
            rates, most = ([each[i] for each in found] for i in (0, 1))
            shown = f"{min(rates):.0f} to {max(rates):.0f} images/s, {max(most) / 1e6:.0f} MB"
            rows.append((f"{precision}, memory {name}", shown))
            figures |= {
                f"{name}_least_{precision}": min(rates),
                f"{name}_most_{precision}": max(rates),
                f"{name}_bytes_{precision}": max(most),
            }
    finish("Memory kept for the next step", rows, figures)


if __name__ == "__main__":
    main()
