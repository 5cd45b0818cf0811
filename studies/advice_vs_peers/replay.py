"""Every chooser on every task, many times, with seeds of the pool.

``python -m studies.advice_vs_peers.replay`` reads the tables and the finders' picks in
``results/advice_vs_peers`` and writes ``searches.parquet`` and ``stops.parquet`` there. It needs
the extra ``peers`` and takes about two minutes of one core for each task; nothing is trained.

Group 0 has the searches that regret is estimated from. The others, each on seeds drawn with
replacement from the pool and a truth on seeds drawn so from those of the truth, say how much it
would vary with other seeds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from learnorder.runs.judged import Target
from learnorder.seeding import derive_seed
from studies.advice_vs_peers.asha import asha_search
from studies.advice_vs_peers.benchmarks import BENCHMARKS
from studies.advice_vs_peers.choosers import (
    Choice,
    Chooser,
    advised,
    grid_search,
    random_search,
    small_search,
)
from studies.advice_vs_peers.finders import PICKS
from studies.advice_vs_peers.groups import COUNT, COUNT_IN_GROUP, GROUPS, Group, group
from studies.advice_vs_peers.measure import RECORDS
from studies.advice_vs_peers.optuna_search import PRUNERS, optuna_search
from studies.advice_vs_peers.picks import RESTARTS, found, picks_of
from studies.advice_vs_peers.table import Table, read_table
from studies.common import names_chosen

SEARCHES, STOPS = RECORDS / "searches.parquet", RECORDS / "stops.parquet"
BUDGETS = ("full", "small")
"""The budget of the default search, and that of a small one."""
SEARCHED: dict[str, Chooser] = {
    "grid": grid_search,
    "random": random_search,
    **{name: partial(optuna_search, pruner=name) for name in PRUNERS},
    "asha": asha_search,
}
"""Choosers that get the epochs of the advice, by name."""


@dataclass
class Stops:
    """What happened to the trials of a learning rate at one chooser.

    Attributes:
        trials: Their number.
        shares: The share of the schedule at which each one was stopped, that was.
    """

    trials: int = 0
    shares: list[float] = field(default_factory=list)


def replay(name: str, target: Target, stops: dict[tuple[str, ...], Stops]) -> Iterator[Any]:
    """Yield the searches on a task; trials that were stopped are added to ``stops``."""
    benchmark = BENCHMARKS[name]
    table = read_table(RECORDS / f"{name}.parquet", benchmark, target)
    best, (picks, cost) = table.best(), picks_of(name)
    for number in range(GROUPS + 1):
        on = group(benchmark, name, number)
        count = COUNT_IN_GROUP if number else COUNT
        for search, budget in product(range(count), BUDGETS):
            draws = np.random.default_rng(derive_seed(number, name, target, budget, search))
            for chooser, choice in _choices(table, budget, on, draws):
                yield {"task": name, "target": target, "budget": budget, "chooser": chooser,
                       "group": number, "search": search, **_row(choice, best)}  # fmt: skip
                for trial in choice.trials if not number else ():
                    key = (name, target, budget, chooser, f"{trial.rate:g}")
                    stops[key].trials += 1
                    stops[key].shares += [trial.share] * trial.thrown
        for search, finder in product(range(count), PICKS):
            draws = np.random.default_rng(derive_seed(number, name, finder, search))
            seeds = [int(seed) for seed in draws.permutation(list(on.pool))]
            choice = Choice(found(benchmark, finder, picks[finder], seeds))
            epochs = cost * (RESTARTS if finder == "learnorder_range" else 1)
            yield {"task": name, "target": target, "budget": "none", "chooser": finder,
                   "group": number, "search": search, **_row(choice, best),
                   "epochs": epochs}  # fmt: skip


def _choices(
    table: Table, budget: str, on: Group, draws: np.random.Generator
) -> Iterator[tuple[str, Choice]]:
    search = table.benchmark.search()
    search = small_search(search) if budget == "small" else search
    own = advised(table, on.pool, draws, search)
    yield "advise", own
    for name, chooser in SEARCHED.items():
        yield name, chooser(table, on.pool, draws, own.epochs)


def _row(choice: Choice, best: float) -> dict[str, Any]:
    return {
        "rate": choice.rate, "trials": len(choice.trials), "epochs": float(choice.epochs),
        "seconds": choice.seconds, "best_tried": choice.tried(best),
        "best_thrown_at": choice.thrown_at(best),
    }  # fmt: skip


def _replace(path: Any, rows: list[dict[str, Any]], name: str) -> None:
    """Write rows in place of those of a task."""
    table = pa.Table.from_pylist(rows)
    if path.exists():
        before = pq.read_table(path).to_pylist()
        table = pa.Table.from_pylist([row for row in before if row["task"] != name] + rows)
    pq.write_table(table, path, compression="zstd", compression_level=19)


def main() -> None:
    """Replay the tasks named on the command line."""
    for name in names_chosen(BENCHMARKS, __doc__):
        stops = defaultdict[tuple[str, ...], Stops](Stops)
        rows = [row for target in BENCHMARKS[name].targets for row in replay(name, target, stops)]
        _replace(SEARCHES, rows, name)
        fields = ("task", "target", "budget", "chooser")
        stopped = [
            {**dict(zip(fields, key, strict=False)), "learning_rate": float(key[-1]),
             "trials": kept.trials, "stopped": len(kept.shares),
             "by_half": sum(share <= 0.5 for share in kept.shares),
             "share": float(np.mean(kept.shares)) if kept.shares else None}
            for key, kept in stops.items()
        ]  # fmt: skip
        _replace(STOPS, stopped, name)
        print(f"{name}: {len(rows)} searches", flush=True)


if __name__ == "__main__":
    main()
