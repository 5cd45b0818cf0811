"""What it costs to make many runs, and to ask them.

``python benchmarks/sweep.py`` makes 16 short runs on digits with two workers of one thread, beside
one after the other on one thread and on two; times the start of a run in a worker that is there
already; and asks a question of 1,000 runs of 1,000 records each. ``growth.py`` has more runs.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import numpy as np

import learnorder
from common import finish, matmul_rate, seconds
from finished_runs import QUESTION, RECORDS, finished_runs, short_run
from learnorder.execution.engine import Cores
from learnorder.execution.pool import run_pool
from learnorder.runs import RunFolder

RUNS, MANY = 16, 1_000


@contextmanager
def folders(count: int, epochs: int) -> Iterator[list[RunFolder]]:
    """Make the folders of short runs, and remove them."""
    place = Path(tempfile.mkdtemp())
    try:
        yield [RunFolder.create(place / str(s), short_run(s, epochs)) for s in range(count)]
    finally:
        shutil.rmtree(place)


def make(cores: Cores, epochs: int) -> float:
    """Return how long the short runs take."""
    with folders(RUNS, epochs) as made:
        return seconds(lambda: run_pool(made, cores, lambda state: None))


def startup() -> float:
    """Return what a run takes besides its training and evaluation, in a worker that is there."""
    ended: list[float] = []

    def watch(state: object) -> None:
        if len(state.ended) > len(ended):  # pyright: ignore[reportAttributeAccessIssue]
            ended.append(time.perf_counter())

    with folders(10, 1) as made:
        run_pool(made, Cores(1, 1), watch)
        inside = []
        for folder in made:
            timings = folder.timings()
            assert timings is not None
            names = ("train_seconds", "evaluation_seconds")
            inside.append(sum(sum(timings[name].to_pylist()) for name in names))
    between = np.diff(ended)
    return float(median(between - np.array(inside[1:])))


def main() -> None:
    """Measure, and print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=12, help="Of each of the 16 runs.")
    parser.add_argument("--rounds", type=int, default=2, help="Of the 16 runs, taken in turn.")
    arguments = parser.parse_args()
    ways = {"side": Cores(2, 1), "one": Cores(1, 1), "two": Cores(1, 2)}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.rounds):
        for name, cores in ways.items():
            times[name].append(make(cores, arguments.epochs))
    taken = {name: median(values) for name, values in times.items()}
    started = startup()
    with finished_runs(MANY) as place:
        learnorder.query(QUESTION, place)
        asked = median(seconds(lambda: learnorder.query(QUESTION, place)) for _ in range(3))
    rows = [
        (
            f"{RUNS} runs of {arguments.epochs} epochs, two workers of one thread",
            f"{taken['side']:.1f} s",
        ),
        ("one after the other on one thread", f"{taken['one']:.1f} s"),
        ("one after the other on two threads", f"{taken['two']:.1f} s"),
        ("start of a run after the first", f"{started:.2f} s"),
        (f"a question of {MANY:,} runs of {RECORDS:,} records", f"{asked:.2f} s"),
        ("matrix products", f"{matmul_rate() / 1e9:.0f} GFLOP/s"),
    ]
    figures = {
        "throughput_ratio": taken["one"] / taken["side"],
        "throughput_ratio_two_threads": taken["two"] / taken["side"],
        "startup_s": started,
        "query_s": asked,
    }
    finish("Many runs", rows, figures)


if __name__ == "__main__":
    sys.exit(main())
