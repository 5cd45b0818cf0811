"""Optuna's own sampler and pruners, replayed on a table.

Needs the extra ``peers``. Trials train the annealed schedules of the table and report their score
after each epoch. A trial that gets to its last epoch counts, whatever a pruner says then.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import optuna  # pyright: ignore[reportMissingImports]

from studies.advice_vs_peers.choosers import Choice, SeedDraws, Trial, nearest, trial_of
from studies.advice_vs_peers.table import Run, Table

PRUNERS: dict[str, Callable[[int], Any]] = {
    "tpe": lambda _: optuna.pruners.NopPruner(),
    "tpe_median": lambda _: optuna.pruners.MedianPruner(),
    "tpe_hyperband": lambda epochs: optuna.pruners.HyperbandPruner(
        min_resource=1, max_resource=epochs
    ),
}
"""Pruners by chooser, from the length of a run; other settings are Optuna's."""


def bounds(grid: Sequence[float]) -> tuple[float, float]:
    """Return the range that is searched: half a step beyond both ends of the grid.

    So each learning rate of the grid is the nearest one to an equal part of it.
    """
    step = math.sqrt(grid[1] / grid[0])
    return grid[0] / step, grid[-1] * step


def optuna_search(
    table: Table, pool: Sequence[int], draws: np.random.Generator, epochs: int, pruner: str
) -> Choice:
    """Search with Optuna: a tree-structured Parzen estimator, and a pruner.

    The learning rate is suggested log-uniformly and moved to the nearest of the grid. Trials start
    as long as epochs are left, and the last may end. The best completed trial is chosen.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    grid, full = table.benchmark.grid(), table.benchmark.epochs
    study = optuna.create_study(
        study_name=f"search {draws.integers(2**31)}",  # Hyperband's brackets depend on it
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=int(draws.integers(2**31))),
        pruner=PRUNERS[pruner](full),
    )
    seeds, trials, spent = SeedDraws(pool, draws), list[Trial](), 0
    low, high = bounds(grid)
    while spent < epochs:
        asked = study.ask()
        rate = nearest(asked.suggest_float("learning_rate", low, high, log=True), grid)
        run = table.runs[rate, full, seeds.next(rate)]
        trained, pruned = _train(asked, run)
        trials.append(trial_of(table, rate, run, trained, thrown=pruned))
        spent += trained
        if pruned:
            study.tell(asked, state=optuna.trial.TrialState.PRUNED)
        elif run.finished:
            study.tell(asked, run.scores[-1])
        else:
            study.tell(asked, state=optuna.trial.TrialState.FAIL)
    ended = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
    if not ended:
        return Choice(None, tuple(trials))
    return Choice(nearest(study.best_params["learning_rate"], grid), tuple(trials))


def _train(asked: Any, run: Run) -> tuple[int, bool]:
    """Report a run's scores; return the epochs trained, and whether it was pruned."""
    for epoch, score in enumerate(run.scores, start=1):
        asked.report(score, epoch)
        if epoch < run.epochs and asked.should_prune():
            return epoch, True
    return run.epochs, False
