"""The picks of range tests, from their records."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow.parquet as pq

from learnorder.advise.range_rules import middle
from studies.advice_vs_peers.benchmarks import DEFAULTS, Benchmark
from studies.advice_vs_peers.choosers import nearest
from studies.advice_vs_peers.finders import FINDERS, PICKS

RESTARTS = 5
"""Restarts of learnorder's range test, whose median is the pick."""


def picks_of(name: str) -> tuple[dict[str, dict[int, float | None]], float]:
    """Return the picks of each range test on a task, by seed of the pool, and a test's epochs."""
    rows = [row for row in pq.read_table(FINDERS).to_pylist() if row["task"] == name]
    by_seed = {
        finder: {row["seed"]: row["rate"] for row in rows if row["finder"] == finder}
        for finder in PICKS
    }
    return by_seed, rows[0]["epochs"]


def found(
    benchmark: Benchmark, finder: str, picks: dict[int, float | None], seeds: Sequence[int]
) -> float:
    """Return the learning rate of the grid that is nearest to a range test's pick.

    Without a pick it is the default. Learnorder's is the median of five restarts.
    """
    if finder == "learnorder_range":
        own = sorted(rate for seed in seeds[:RESTARTS] if (rate := picks[seed]) is not None)
        pick = middle(own, RESTARTS)
    else:
        pick = picks[seeds[0]]
    return nearest(pick or DEFAULTS[benchmark.optimizer], benchmark.grid())
