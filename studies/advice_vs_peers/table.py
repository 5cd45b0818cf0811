"""The table of a task: what each run scored after each epoch, and the truth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import pyarrow.dataset as ds
import pyarrow.parquet as pq

from learnorder.runs.judged import Target
from studies.advice_vs_peers.benchmarks import Benchmark

Cell = tuple[float, int, int]
"""Learning rate, length in epochs, seed."""


@dataclass(frozen=True)
class Run:
    """A run of the table.

    Attributes:
        scores: Score after each epoch; they end early if it diverged.
        finished: Whether it did not diverge.
        seconds: Time of training and evaluation.
    """

    scores: tuple[float, ...]
    finished: bool
    seconds: float = 0.0

    @property
    def epochs(self) -> int:
        """The epochs that it cost; the one in which it diverged counts."""
        return len(self.scores) + (not self.finished)


@dataclass(frozen=True)
class Table:
    """All runs of a task, judged by a score of which higher is better.

    Attributes:
        benchmark: The task.
        runs: The runs.
        quantity: Name of the score.
        unlearned: Score of a model that has learned nothing: that of a run that diverged.
    """

    benchmark: Benchmark
    runs: Mapping[Cell, Run]
    quantity: str = "accuracy"
    unlearned: float = 0.0

    def final(self, rate: float, seed: int) -> float:
        """Return the final score of a run at full length."""
        run = self.runs[rate, self.benchmark.epochs, seed]
        return run.scores[-1] if run.finished else self.unlearned

    def truth(self, seeds: Sequence[int] | None = None) -> dict[float, float]:
        """Return the mean final score of each learning rate over the seeds of the truth.

        Args:
            seeds: Other seeds, in which one can be repeated.
        """
        seeds = self.benchmark.truth_seeds() if seeds is None else seeds
        return {
            rate: fmean(self.final(rate, seed) for seed in seeds) for rate in self.benchmark.grid()
        }

    def best(self) -> float:
        """Return the learning rate with the best truth."""
        truth = self.truth()
        return max(truth, key=lambda rate: truth[rate])


def read_table(path: Path, benchmark: Benchmark, target: Target) -> Table:
    """Return the table of a task.

    Raises:
        ValueError: A lower score is better, for which the peers' rules are not set up.
    """
    rows = pq.read_table(path).filter(ds.field("target") == target).to_pylist()
    if not all(row["higher_is_better"] for row in rows):
        raise ValueError(f"{path.name}: lower is better for {target}; give a score")
    runs = {
        (row["learning_rate"], row["epochs"], row["seed"]): Run(
            tuple(score for score in row["scores"] if math.isfinite(score)),
            row["status"] == "finished",
            row["seconds"],
        )
        for row in rows
    }
    unlearned = fmean(row["unlearned"] for row in rows)
    return Table(benchmark, runs, rows[0]["quantity"], unlearned)
