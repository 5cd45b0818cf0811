"""What it costs to make many runs, and to ask them.

``python benchmarks/sweep.py`` makes 16 short runs on digits with two workers of one thread, beside
one after the other on one thread and on two; times the start of a run in a worker that is there
already; and asks a question of 1,000 runs of 1,000 records each. ``--growth`` also times listing,
continuing and reporting 100 to 1,000 finished runs.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import learnorder
from common import finish, matmul_rate, seconds
from learnorder.config.settings import (
    DataConfig,
    ModelConfig,
    PatchConfig,
    RunConfig,
    TrainingConfig,
)
from learnorder.execution.driver import Plan, run_plans
from learnorder.execution.engine import Cores
from learnorder.execution.pool import run_pool
from learnorder.execution.settings import Execution
from learnorder.runs import RunFolder
from learnorder.schedules import Schedule

RUNS, MANY, RECORDS = 16, 1_000, 1_000
DIGITS = {
    "num_classes": 10, "image_size": [8, 8], "train_examples": 450, "evaluation_examples": 150,
    "classes": {str(digit): [45, 15] for digit in range(10)},
}  # fmt: skip
"""What a run says of its data."""
QUESTION = (
    'SELECT "learning_rate.initial" AS rate, avg(value), count(*) FROM records '
    "JOIN runs USING (run) WHERE quantity = 'accuracy' AND epoch > 90 GROUP BY rate ORDER BY rate"
)


def short_run(seed: int, epochs: int) -> RunConfig:
    """Return a run of some seconds."""
    return RunConfig(
        data=DataConfig(train_examples=600, evaluate_on="validation", validation_share=0.25),
        model=ModelConfig("WideResNet", {"depth": 10, "widen_factor": 1}),
        patch=PatchConfig(eligible_share=0.8, size=3, contrast=0.6),
        training=TrainingConfig(epochs=epochs, batch_size=32),
        learning_rate=Schedule(0.1),
        seed=seed,
    )


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


def synthetic(place: Path, count: int) -> list[Path]:
    """Write finished runs with records of the usual form, without training."""
    rng = np.random.default_rng(0)
    made = []
    for number in range(count):
        rate = (0.01, 0.03, 0.1, 0.3)[number % 4]
        config = replace(short_run(number // 4, 100), learning_rate=Schedule(rate))
        labels = {"experiment": "sweep", "arm": "large", "learning_rate.initial": f"{rate:g}"}
        folder = RunFolder.create(place / f"run{number}", config, labels)
        epochs = np.repeat(np.arange(1, RECORDS // 10 + 1), 10)
        sets = ["clean", "clean", "mixed", "mixed", "patch_only", "patch_only", "conflict",
                "conflict", "train", "train"]  # fmt: skip
        table = pa.table({
            "epoch": pa.array(epochs, pa.int32()),
            "set": sets * (RECORDS // 10),
            "group": ["all"] * RECORDS,
            "quantity": ["accuracy", "loss"] * (RECORDS // 2),
            "value": rng.random(RECORDS),
            "examples": pa.array(np.full(RECORDS, 600), pa.int64()),
        })  # fmt: skip
        pq.write_table(table, folder.file("records.parquet"))
        folder.update(status="finished", files=folder.seal(), data=DIGITS)
        made.append(folder.path)
    return made


def growth(place: Path, counts: tuple[int, ...]) -> list[tuple[str, str]]:
    """Return what listing, continuing and reporting take as runs grow."""
    rows = []
    for count in counts:
        part = place.parent / f"{place.name}-{count}"
        for run in sorted(place.iterdir())[:count]:
            shutil.copytree(run, part / run.name)
        paths = sorted(part.iterdir())
        plans = {p.name: Plan((f := RunFolder(p)).config, f.labels) for p in paths}
        listed = seconds(lambda: learnorder.query("SELECT * FROM runs", part))  # noqa: B023
        asked = seconds(lambda: learnorder.query(QUESTION, part))  # noqa: B023
        again = Execution(quiet=True)
        continued = seconds(lambda: run_plans(plans, part, again))  # noqa: B023
        results = learnorder.open_runs(part)
        reported = seconds(lambda: learnorder.write_report(results, part / "report.html"))  # noqa: B023
        rows.append((
            f"{count:,} runs of {RECORDS:,} records",
            f"list {listed:.2f} s, query {asked:.2f} s, continue with nothing to do "
            f"{continued:.2f} s, report {reported:.1f} s",
        ))  # fmt: skip
        shutil.rmtree(part)
    return rows


def main() -> None:
    """Measure, and print the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--growth", action="store_true", help="Time 100 to 1,000 runs too.")
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
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "runs"
        synthetic(place, MANY)
        learnorder.query(QUESTION, place)
        asked = median(seconds(lambda: learnorder.query(QUESTION, place)) for _ in range(3))
        grown = growth(place, (100, 300, MANY)) if arguments.growth else []
    rows = [
        (
            f"{RUNS} runs of {arguments.epochs} epochs, two workers of one thread",
            f"{taken['side']:.1f} s",
        ),
        ("one after the other on one thread", f"{taken['one']:.1f} s"),
        ("one after the other on two threads", f"{taken['two']:.1f} s"),
        ("start of a run after the first", f"{started:.2f} s"),
        (f"a question of {MANY:,} runs of {RECORDS:,} records", f"{asked:.2f} s"),
        *grown,
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
