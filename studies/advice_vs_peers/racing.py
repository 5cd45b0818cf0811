"""The search of ``advise`` that races against the one without a race, on all its arms.

``python -m studies.advice_vs_peers.racing`` reads the tables and the range test's picks in
``results/advice_vs_peers`` and writes ``races.parquet`` there, in a few minutes of one core;
nothing is trained.

The tables have learning rates only. Learning rates of the grid stand in for the other arms: for
shorter plateaus those one and two steps below the best one, for noise the third smallest, for the
range test's pick the one that is nearest to it. Whether a verdict is right is judged by the mean
difference over all seeds of the table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from statistics import fmean
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from learnorder.advise.other_arms import OtherArms
from learnorder.advise.result import near
from learnorder.advise.scores import BySeed
from learnorder.advise.selection import Selection, final_scores
from learnorder.advise.settings import Candidate, LRSearch
from learnorder.runs.judged import Target
from learnorder.seeding import derive_seed
from studies.advice_vs_peers.benchmarks import BENCHMARKS, Benchmark
from studies.advice_vs_peers.groups import COUNT, COUNT_IN_GROUP, GROUPS, group
from studies.advice_vs_peers.measure import RECORDS
from studies.advice_vs_peers.picks import RESTARTS, found, picks_of
from studies.advice_vs_peers.table import Run, Table, read_table
from studies.common import names_chosen

RACES = RECORDS / "races.parquet"
NOISE, BELOW = 2, {0.25: 1, 0.1: 2}
"""Place in the grid of what stands in for noise; steps below the best for the plateaus."""


def searches_of(benchmark: Benchmark) -> dict[str, LRSearch]:
    """Return the searches that are compared, with all their arms."""
    former = replace(benchmark.search(), shorter_plateaus=(0.1, 0.25), noise=0.4)
    defaults = {each.name: each.default for each in fields(LRSearch)}
    names = ("rungs", "keep", "screening_seeds", "seeds", "race")
    raced = replace(former, **{name: defaults[name] for name in names})
    return {
        "before": former,
        "race": raced,
        "race_former": replace(former, race=True),
        "race_quarter": replace(raced, keep=0.25),
        "race_half": replace(raced, keep=0.5),
        "race_2_short": replace(raced, screening_seeds=2),
        "race_3_seeds": replace(raced, seeds=3),
    }


@dataclass
class TableTrainer:
    """Trains arms on a table, with stand-ins; each run costs its epochs once.

    Attributes:
        table: The table.
        search: The search.
        pool: Seeds of the table, in the order in which the search takes them.
        score: Name of the score.
    """

    table: Table
    search: LRSearch
    pool: Sequence[int]
    score: str
    higher_is_better: bool = True
    reasons: dict[int, dict[float, str]] = field(default_factory=dict)
    runs: dict[tuple[Candidate, int, int], Run] = field(default_factory=dict)

    def rate_of(self, arm: Candidate) -> float:
        """Return the learning rate that stands in for an arm."""
        grid = self.table.benchmark.grid()
        if arm.noise:
            return grid[NOISE]
        steps = BELOW.get(arm.plateau, 0)
        return grid[max(0, grid.index(arm.learning_rate) - steps)]

    def train_rates(self, counts: Mapping[float, int], rung: int) -> dict[float, BySeed]:
        """Return the final scores of finished runs, by learning rate and seed."""
        plateau = self.search.plateau
        arms = self._train({Candidate(rate, plateau): n for rate, n in counts.items()}, rung)
        return {arm.learning_rate: scores for arm, scores in arms.items()}

    def train_arms(self, counts: Mapping[Candidate, int]) -> dict[Candidate, BySeed]:
        """Return the final scores of finished runs at full length."""
        return self._train(counts, self.search.rungs - 1)

    def _train(self, counts: Mapping[Candidate, int], rung: int) -> dict[Candidate, BySeed]:
        epochs, scores = self.search.rung_epochs(rung), dict[Candidate, BySeed]()
        for arm, count in counts.items():
            scores[arm] = {}
            for seed in self.search.rung_seeds(rung)[:count]:
                run = self.table.runs[self.rate_of(arm), epochs, self.pool[seed]]
                self.runs[arm, rung, seed] = run
                if run.finished:
                    scores[arm][seed] = run.scores[-1]
        return scores

    def full_runs(self, *, rates_only: bool) -> float:
        """Return the epochs of all runs, in full runs."""
        plateau = self.search.plateau
        runs = [
            run
            for (arm, _, _), run in self.runs.items()
            if not rates_only or (arm.plateau == plateau and not arm.noise)
        ]
        return sum(run.epochs for run in runs) / self.table.benchmark.epochs


def truth_of(table: Table, rate: float, best: float) -> float | None:
    """Return the mean difference of two learning rates over all seeds; None if a run diverged."""
    benchmark = table.benchmark
    pairs = [
        [table.runs[each, benchmark.epochs, seed] for each in (rate, best)]
        for seed in (*benchmark.pool_seeds(), *benchmark.truth_seeds())
    ]
    if not all(run.finished for pair in pairs for run in pair):
        return None
    return fmean(one.scores[-1] - other.scores[-1] for one, other in pairs)


def replayed(
    table: Table, search: LRSearch, pool: Sequence[int], pick: float | None, test: float
) -> dict[str, Any]:
    """Return the outcome of a search with all its arms.

    Args:
        table: The table.
        search: The search.
        pool: Its seeds.
        pick: The learning rate that stands in for the range test's pick; None for none.
        test: Cost of the range test, in full runs.
    """
    trainer = TableTrainer(table, search, pool, table.quantity)
    assert search.learning_rates is not None
    final = Selection(search, search.learning_rates, trainer).run()[-1]
    rates_only = trainer.full_runs(rates_only=True)
    rates = sorted(final.scores)
    fixed = [Candidate(search.learning_rates[0], search.plateau, search.noise)]
    if pick is not None and near(pick, rates) not in rates:
        fixed.append(Candidate(pick, search.plateau))
    race = OtherArms(search, rates[0], trainer, fixed).run(final)
    arms = {arm: race.scores[arm] for arm in race.counts}
    scores = final_scores(search, trainer, arms, race.counts)
    plain = {arm: arms[arm] for arm in [Candidate(rate, search.plateau) for rate in rates]}
    best = final_scores(search, trainer, plain, race.counts).best()
    counted = Counter[str]()
    for arm in arms:
        verdict, truth = scores.verdict(arm, best), truth_of(
            table, trainer.rate_of(arm), best.learning_rate
        )  # fmt: skip
        if trainer.rate_of(arm) == best.learning_rate:
            continue
        counted[verdict] += 1
        if truth is not None:
            counted["false_worse"] += verdict == "worse" and truth >= 0
            counted["false_as_good"] += (
                verdict in ("as_good", "better") and truth < -scores.tolerance
            )
    top = Candidate(table.best(), search.plateau)
    in_band = top in plain and scores.verdict(top, best) not in ("worse", "diverged")
    names = ("worse", "as_good", "better", "undecided", "diverged", "false_worse", "false_as_good")
    return {
        "rate": best.learning_rate, "full_runs": rates_only,
        "full_runs_all": trainer.full_runs(rates_only=False) + test, "band_has_best": in_band,
        **{name: counted[name] for name in names},
    }  # fmt: skip


def replay(name: str, target: Target) -> Iterator[dict[str, Any]]:
    """Yield the outcomes of all searches on a task, on the seeds of :mod:`.replay`."""
    benchmark = BENCHMARKS[name]
    table = read_table(RECORDS / f"{name}.parquet", benchmark, target)
    picks, test_epochs = picks_of(name)
    test, known = RESTARTS * test_epochs / benchmark.epochs, picks["learnorder_range"]
    for number in range(GROUPS + 1):
        on = group(benchmark, name, number)
        for search in range(COUNT_IN_GROUP if number else COUNT):
            draws = np.random.default_rng(derive_seed(number, name, target, "full", search))
            pool = [int(seed) for seed in draws.permutation(list(on.pool))]
            has_pick = any(known[seed] is not None for seed in pool[:RESTARTS])
            pick = found(benchmark, "learnorder_range", known, pool) if has_pick else None
            for kind, settings in searches_of(benchmark).items():
                yield {
                    "task": name, "target": target, "search_of": kind, "group": number,
                    "search": search, **replayed(table, settings, pool, pick, test),
                }  # fmt: skip


def main() -> None:
    """Replay all tasks, or those named on the command line, whose rows are replaced."""
    names = names_chosen(BENCHMARKS, __doc__)
    rows = [row for name in names for target in BENCHMARKS[name].targets
            for row in replay(name, target)]  # fmt: skip
    if RACES.exists():
        before = pq.read_table(RACES).to_pylist()
        rows = [row for row in before if row["task"] not in names] + rows
    pq.write_table(
        pa.Table.from_pylist(rows), RACES, compression="zstd", compression_level=19
    )  # fmt: skip
    print(f"{len(rows)} searches in {RACES.name}")


if __name__ == "__main__":
    main()
