"""Regret of the choosers, with intervals that allow for the seeds that all searches share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, variance
from typing import Any

import pyarrow.parquet as pq
from scipy.stats import t as student

from learnorder.runs.judged import Target
from learnorder.statistics import POINTS, Estimate, Measured
from studies.advice_vs_peers.benchmarks import BENCHMARKS, DEFAULTS, Benchmark
from studies.advice_vs_peers.groups import GROUPS, group
from studies.advice_vs_peers.measure import RECORDS
from studies.advice_vs_peers.table import Table, read_table

ADVICE = "advise"
DEFAULT = "default"


@dataclass(frozen=True)
class Sample:
    """A quantity of single searches.

    Attributes:
        own: Of the searches of group 0, on all seeds.
        groups: Of the searches of each group on resampled seeds.
    """

    own: tuple[float, ...]
    groups: tuple[tuple[float, ...], ...]

    def minus(self, other: Sample) -> Sample:
        """Return the differences by search; a single value stands for all searches of a group."""
        pairs = zip(self.groups, other.groups, strict=True)
        return Sample(_minus(self.own, other.own), tuple(_minus(a, b) for a, b in pairs))

    def measured(self) -> Measured:
        """Return the mean, its 95 % interval and the p-value for 0; see :func:`spread_of_mean`."""
        mean, error = fmean(self.own), spread_of_mean(self)
        freedom = len(self.groups) - 1
        half = float(student.ppf(0.975, freedom)) * error
        p = float(2 * student.sf(abs(mean) / error, freedom)) if error else math.nan
        return Measured(Estimate(mean, mean - half, mean + half, len(self.own)), 0.0, POINTS, p=p)


def _minus(a: Sequence[float], b: Sequence[float]) -> tuple[float, ...]:
    a, b = (list(values) * (max(len(a), len(b)) // len(values)) for values in (a, b))
    return tuple(x - y for x, y in zip(a, b, strict=True))


def spread_of_mean(sample: Sample) -> float:
    """Return the standard error of the mean over searches.

    Its square is s²/R + max(0, V) + D. s² is the variance of the R searches on all seeds. V is
    B − W/m, where B is the variance of the means of G groups, and W the mean variance within a
    group of m searches: the part that comes from the choice of seeds, which more searches on the
    same seeds do not reduce. D is the standard error of V,
    √(2 B² / (G − 1) + 2 (W/m)² / (G (m − 1))), because few groups can miss that part by chance.

    >>> round(spread_of_mean(Sample((2.0,), ((1.0,), (2.0,), (3.0,)))) ** 2, 6)
    2.0
    """
    own, groups = sample.own, sample.groups
    size, count = len(groups[0]), len(groups)
    between = variance([fmean(values) for values in groups])
    within = fmean(variance(values) / size for values in groups) if size > 1 else 0.0
    search = variance(own) / len(own) if len(own) > 1 else 0.0
    doubt = 2 * between**2 / (count - 1)
    doubt += 2 * within**2 / (count * (size - 1)) if size > 1 else 0.0
    return math.sqrt(search + max(0.0, between - within) + math.sqrt(doubt))


@dataclass(frozen=True)
class Judged:
    """The regret of all choosers on a task.

    Attributes:
        name: Name of the task.
        target: What it is judged by.
        table: Its table.
        samples: Regret by budget and chooser; the budget is none for those that do not search.
        searches: The searches of group 0 by budget and chooser.
    """

    name: str
    target: Target
    table: Table
    samples: Mapping[tuple[str, str], Sample]
    searches: Mapping[tuple[str, str], list[dict[str, Any]]]

    def sample(self, budget: str, chooser: str) -> Sample:
        """Return the regrets of a chooser with a budget, or of one that has none."""
        return self.samples.get((budget, chooser)) or self.samples["none", chooser]

    def regret(self, budget: str, chooser: str) -> Estimate:
        """Return the mean regret of a chooser with its 95 % interval, which is not below 0."""
        e = self.sample(budget, chooser).measured().estimate
        return replace(e, low=max(0.0, e.low)) if e.mean >= 0 else e

    def against_advice(self, budget: str, chooser: str) -> Measured:
        """Return the regret of a chooser minus that of the advice with a budget."""
        return self.sample(budget, chooser).minus(self.samples[budget, ADVICE]).measured()


def judged(name: str, target: Target) -> Judged:
    """Return the regret on a task, from the records."""
    benchmark = BENCHMARKS[name]
    table = read_table(RECORDS / f"{name}.parquet", benchmark, target)
    rows = [
        row
        for row in pq.read_table(RECORDS / "searches.parquet").to_pylist()
        if (row["task"], row["target"]) == (name, target)
    ]
    truths = [table.truth(group(benchmark, name, number).truth) for number in range(GROUPS + 1)]
    keys = dict.fromkeys((row["budget"], row["chooser"]) for row in rows)
    samples = dict[tuple[str, str], Sample]()
    searches = dict[tuple[str, str], list[dict[str, Any]]]()
    for key in keys:
        own = [row for row in rows if (row["budget"], row["chooser"]) == key]
        by_group = [list[float]() for _ in truths]
        for row in own:
            truth = truths[row["group"]]
            by_group[row["group"]].append(max(truth.values()) - _worth(truth, table, row["rate"]))
        samples[key] = _sample(by_group)
        searches[key] = [row for row in own if row["group"] == 0]
    rate = DEFAULTS[benchmark.optimizer]
    samples["none", DEFAULT] = _sample([[max(truth.values()) - truth[rate]] for truth in truths])
    samples |= _optimizers(name, target, benchmark, truths)
    return Judged(name, target, table, samples, searches)


def _worth(truth: Mapping[float, float], table: Table, rate: float | None) -> float:
    """Return the truth of a learning rate; no choice is worth as much as a run that diverged."""
    return table.unlearned if rate is None else truth[rate]


def _optimizers(
    name: str, target: Target, benchmark: Benchmark, truths: Sequence[Mapping[float, float]]
) -> dict[tuple[str, str], Sample]:
    """Return the regret of optimisers without a learning rate to choose."""
    rows = [
        row
        for row in pq.read_table(RECORDS / "optimizers.parquet").to_pylist()
        if (row["task"], row["target"]) == (name, target)
    ]
    samples = dict[tuple[str, str], Sample]()
    for optimizer in dict.fromkeys(row["optimizer"] for row in rows):
        scores = {row["seed"]: row["score"] for row in rows if row["optimizer"] == optimizer}
        regrets = [
            [max(truth.values()) - fmean(scores[s] for s in group(benchmark, name, number).truth)]
            for number, truth in enumerate(truths)
        ]
        samples["none", optimizer] = _sample(regrets)
    return samples


def _sample(by_group: Sequence[Sequence[float]]) -> Sample:
    own, *groups = (tuple(values) for values in by_group)
    return Sample(own, tuple(groups))


def measured_tasks() -> list[tuple[str, Target]]:
    """Return the tasks that were replayed, with what they are judged by."""
    replayed = set(pq.read_table(RECORDS / "searches.parquet")["task"].to_pylist())
    return [
        (name, target)
        for name, benchmark in BENCHMARKS.items()
        if name in replayed
        for target in benchmark.targets
    ]
