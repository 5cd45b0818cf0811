"""Ray Tune's own asynchronous successive halving, replayed on a table; needs the extra ``ray``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from types import SimpleNamespace
from typing import Any

import numpy as np

from studies.advice_vs_peers.choosers import Choice, SeedDraws, Trial, trial_of
from studies.advice_vs_peers.table import Run, Table

WORKERS = 4
"""Trials that run at once."""


@dataclass
class _Started:
    """A trial of Ray Tune."""

    handle: Any
    rate: float
    run: Run
    epochs: int = 0


def asha_search(
    table: Table, pool: Sequence[int], draws: np.random.Generator, epochs: int
) -> Choice:
    """Search with Ray Tune: learning rates at random, and asynchronous successive halving.

    Four trials at once, an epoch each in turn, until the epochs are spent. The trial with the best
    last score is chosen, as by Tune's ``get_best_result``.
    """
    from ray.tune.schedulers import AsyncHyperBandScheduler

    scheduler = AsyncHyperBandScheduler(metric="score", mode="max", max_t=table.benchmark.epochs)
    controller: Any = None  # the scheduler does not use it
    starting = _starts(table, SeedDraws(pool, draws), draws)
    running, trials, best = list[_Started](), list[Trial](), dict[int, tuple[float, float]]()
    for _ in range(epochs):
        while len(running) < WORKERS:
            running.append(next(starting))
            scheduler.on_trial_add(controller, running[-1].handle)
        trial = running.pop(0)
        trial.epochs += 1
        if trial.epochs > len(trial.run.scores):
            scheduler.on_trial_remove(controller, trial.handle)
            trials.append(trial_of(table, trial.rate, trial.run, trial.epochs, thrown=False))
            best.pop(int(trial.handle.trial_id), None)
            continue
        score = trial.run.scores[trial.epochs - 1]
        best[int(trial.handle.trial_id)] = score, trial.rate
        result = {"training_iteration": trial.epochs, "score": score}
        stops = scheduler.on_trial_result(controller, trial.handle, result) == "STOP"
        if not stops:
            running.append(trial)
            continue
        thrown = trial.epochs < table.benchmark.epochs
        trials.append(trial_of(table, trial.rate, trial.run, trial.epochs, thrown=thrown))
    for trial in running:
        if trial.epochs:
            trials.append(trial_of(table, trial.rate, trial.run, trial.epochs, thrown=False))
    return Choice(max(best.values())[1] if best else None, tuple(trials))


def _starts(table: Table, seeds: SeedDraws, draws: np.random.Generator) -> Iterator[_Started]:
    for number in count():
        rate = float(draws.choice(table.benchmark.grid()))
        run = table.runs[rate, table.benchmark.epochs, seeds.next(rate)]
        yield _Started(SimpleNamespace(trial_id=str(number)), rate, run)
