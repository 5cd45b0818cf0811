"""Groups of searches: the seeds that they draw from, and those of the truth that judges them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from learnorder.seeding import derive_seed
from studies.advice_vs_peers.benchmarks import Benchmark

GROUPS = 20
"""Groups on resampled seeds, besides group 0."""
COUNT, COUNT_IN_GROUP = 60, 3
"""Searches in group 0, and in each other group."""


@dataclass(frozen=True)
class Group:
    """The seeds of a group; in resampled ones a seed can occur several times.

    Attributes:
        pool: Seeds that searches draw from.
        truth: Seeds of the truth.
    """

    pool: tuple[int, ...]
    truth: tuple[int, ...]


def group(benchmark: Benchmark, name: str, number: int) -> Group:
    """Return a group of a task; 0 has all seeds, once."""
    pool, truth = tuple(benchmark.pool_seeds()), tuple(benchmark.truth_seeds())
    if number == 0:
        return Group(pool, truth)
    draws = np.random.default_rng(derive_seed(number, name, "seeds"))
    return Group(_resampled(pool, draws), _resampled(truth, draws))


def _resampled(seeds: tuple[int, ...], draws: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(seed) for seed in draws.choice(seeds, len(seeds)))
