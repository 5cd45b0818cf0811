"""The table: every learning rate on every seed, at full length and at those of shorter rungs.

``python -m studies.advice_vs_peers.measure`` makes the runs below, with CIFAR-10 in
``data/cifar10``, the rated texts in ``data/sentiment`` and the networks that
``python -m studies.finetuning.measure`` pretrains, and writes a table for each task to
``results/advice_vs_peers``. Runs go to ``runs/advice_vs_peers``. It takes about an hour and a half
of one core; the same command continues it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from learnorder.config.settings import TaskRunConfig
from learnorder.execution.driver import Plan, run_plans
from learnorder.execution.settings import Execution
from learnorder.runs import RunFolder, require_ended
from learnorder.runs.judged import Target, judged_by, unlearned_scores
from studies.advice_vs_peers.benchmarks import BENCHMARKS, Benchmark
from studies.common import RESULTS, ROOT, names_chosen

RECORDS = RESULTS / "advice_vs_peers"
RUNS = ROOT / "runs" / "advice_vs_peers"
EXECUTION = Execution(workers=1, threads=1)
_SCHEMA = pa.schema({
    "target": pa.string(), "quantity": pa.string(), "higher_is_better": pa.bool_(),
    "learning_rate": pa.float64(), "epochs": pa.int32(), "seed": pa.int32(),
    "status": pa.string(), "unlearned": pa.float64(), "seconds": pa.float64(),
    "scores": pa.list_(pa.float64()),
})  # fmt: skip


def run(name: str) -> dict[tuple[float, int, int], RunFolder[TaskRunConfig]]:
    """Make the runs of a task, or continue them; return them by rate, length and seed."""
    benchmark = BENCHMARKS[name]
    folders = dict[tuple[float, int, int], RunFolder[TaskRunConfig]]()
    for epochs in benchmark.lengths():
        cells = [cell for cell in benchmark.cells() if cell[1] == epochs]
        plans = {f"{rate:g}-seed{seed}": _plan(benchmark, rate, epochs, seed)
                 for rate, _, seed in cells}  # fmt: skip
        out = RUNS / name / f"epochs-{epochs}"
        made = run_plans(plans, out, EXECUTION, title=f"{name}, {epochs} epochs")
        require_ended(made, "so the table would have gaps")
        folders |= dict(zip(cells, made, strict=True))
    return folders


def _plan(benchmark: Benchmark, rate: float, epochs: int, seed: int) -> Plan[TaskRunConfig]:
    labels = {"experiment": "advice_vs_peers", "arm": "annealed"}
    config = benchmark.config(rate, epochs, seed)
    return Plan(config, {**labels, "learning_rate.initial": f"{rate:g}"})


def rows_of(benchmark: Benchmark, cell: tuple[float, int, int], run: RunFolder[Any]) -> Any:
    """Yield a row for each target: the scores after each epoch, which end early if it diverged."""
    rate, epochs, seed = cell
    records, timings = run.records().to_pylist(), run.timings()
    seconds = sum(
        timing["train_seconds"] + timing["evaluation_seconds"]
        for timing in ([] if timings is None else timings.to_pylist())
    )  # none if it diverged in the first epoch
    for target in benchmark.targets:
        set_, quantity, higher = judged_by(run, target)
        key = (set_, quantity, "all")
        scores = [r["value"] for r in records if (r["set"], r["quantity"], r["group"]) == key]
        yield {
            "target": target, "quantity": quantity, "higher_is_better": higher,
            "learning_rate": rate, "epochs": epochs, "seed": seed,
            "status": run.read_status(), "unlearned": _unlearned(run, target), "seconds": seconds,
            "scores": scores,
        }  # fmt: skip


def _unlearned(run: RunFolder[Any], target: Target) -> float:
    """Return the score of a model that has learned nothing."""
    return 0.0 if target == "worst_group" else unlearned_scores([run])[run.config.seed]


def write_table(name: str, folders: dict[tuple[float, int, int], RunFolder[Any]]) -> Path:
    """Write the table of a task; return its path."""
    benchmark, path = BENCHMARKS[name], RECORDS / f"{name}.parquet"
    rows = [row for cell, folder in folders.items() for row in rows_of(benchmark, cell, folder)]
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows, schema=_SCHEMA)
    pq.write_table(table, path, compression="zstd", compression_level=19)
    return path


def main() -> None:
    """Make the tables named on the command line."""
    for name in names_chosen(BENCHMARKS, __doc__):
        path = write_table(name, run(name))
        print(f"{path.name} written", flush=True)


if __name__ == "__main__":
    main()
