"""Ways to choose a learning rate by complete runs, replayed on a table.

A chooser gets the table, the seeds of the pool, a random generator and a number of epochs, and
returns its choice with the trials that it made. It sees nothing of the truth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import numpy as np

from learnorder.advise.scores import BySeed
from learnorder.advise.selection import Selection
from learnorder.advise.settings import LRSearch
from studies.advice_vs_peers.table import Run, Table


@dataclass(frozen=True)
class Trial:
    """A run that a chooser started.

    Attributes:
        rate: Learning rate.
        epochs: Epochs trained.
        share: These, as a share of the full length.
        thrown: Whether the chooser threw the learning rate away after this run, or stopped it.
        seconds: Time of training and evaluation.
    """

    rate: float
    epochs: int
    share: float
    thrown: bool
    seconds: float = 0.0


@dataclass(frozen=True)
class Choice:
    """The outcome of a search.

    Attributes:
        rate: The learning rate that is chosen; None for none.
        trials: The runs.
    """

    rate: float | None
    trials: tuple[Trial, ...] = ()

    @property
    def epochs(self) -> int:
        """Epochs of all runs."""
        return sum(trial.epochs for trial in self.trials)

    @property
    def seconds(self) -> float:
        """Time of all runs."""
        return sum(trial.seconds for trial in self.trials)

    def thrown_at(self, rate: float) -> float | None:
        """Return the largest share of the schedule that a learning rate got, if it was thrown away.

        It was thrown away if every trial of it was; None if it was not, or was never tried.
        """
        own = [trial for trial in self.trials if trial.rate == rate]
        if not own or not all(trial.thrown for trial in own):
            return None
        return max(trial.share for trial in own)

    def tried(self, rate: float) -> bool:
        """Return whether a learning rate was tried."""
        return any(trial.rate == rate for trial in self.trials)


Chooser = Callable[[Table, Sequence[int], np.random.Generator, int], Choice]
"""From the table, the pool, a generator and the number of epochs, which may be ignored."""


class SeedDraws:
    """Draws seeds of the pool for the trials of a learning rate, each once before any twice."""

    def __init__(self, pool: Sequence[int], draws: np.random.Generator) -> None:
        self._pool, self._draws = list(pool), draws
        self._left: dict[float, list[int]] = {}

    def next(self, rate: float) -> int:
        """Return the seed of the next trial of a learning rate."""
        if not self._left.get(rate):
            self._left[rate] = [int(seed) for seed in self._draws.permutation(self._pool)]
        return self._left[rate].pop()


def trial_of(table: Table, rate: float, run: Run, epochs: int, *, thrown: bool) -> Trial:
    """Return a trial of which a number of epochs were trained."""
    seconds = run.seconds * epochs / run.epochs
    return Trial(rate, epochs, epochs / table.benchmark.epochs, thrown, seconds)


class _Rungs:
    """Trains the rungs of a search of ``advise`` on a table."""

    def __init__(self, table: Table, search: LRSearch, pool: Sequence[int]) -> None:
        self._table, self._search, self._pool = table, search, pool
        self.score, self.higher_is_better = table.quantity, True
        self.reasons: dict[int, dict[float, str]] = {}
        self.runs: dict[tuple[float, int, int], Run] = {}

    def train_rates(self, counts: Mapping[float, int], rung: int) -> dict[float, BySeed]:
        """Return the final scores of finished runs, by learning rate and seed."""
        epochs, scores = self._search.rung_epochs(rung), dict[float, BySeed]()
        for rate, count in counts.items():
            scores[rate] = {}
            for seed in self._search.rung_seeds(rung)[:count]:
                run = self._table.runs[rate, epochs, self._pool[seed]]
                self.runs[rate, rung, seed] = run
                if run.finished:
                    scores[rate][seed] = run.scores[-1]
        return scores


def small_search(search: LRSearch) -> LRSearch:
    """Return a search of less than a third of the cost: half the grid, and fewer seeds."""
    rates = search.learning_rates
    assert rates is not None
    return replace(search, learning_rates=rates[::2], screening_seeds=1, seeds=2)


def advised(
    table: Table, pool: Sequence[int], draws: np.random.Generator, search: LRSearch
) -> Choice:
    """Search as ``advise`` does, on seeds drawn from the pool."""
    assert search.learning_rates is not None
    drawn = [int(seed) for seed in draws.permutation(list(pool))]
    trainer = _Rungs(table, search, drawn)
    rungs = Selection(search, search.learning_rates, trainer).run()
    trials = list[Trial]()
    for (rate, rung, _), run in trainer.runs.items():
        thrown = rung < search.rungs - 1 and rate not in rungs[rung + 1].scores
        trials.append(trial_of(table, rate, run, run.epochs, thrown=thrown))
    return Choice(_best_of(rungs[-1].scores), tuple(trials))


def _best_of(scores: Mapping[float, BySeed]) -> float:
    """Return the learning rate with the best mean score, of those with the most scores."""
    most = max(len(by_seed) for by_seed in scores.values())
    complete = {rate: by_seed for rate, by_seed in scores.items() if len(by_seed) == most}
    return max(complete, key=lambda rate: fmean(complete[rate].values()))


def random_search(
    table: Table, pool: Sequence[int], draws: np.random.Generator, epochs: int
) -> Choice:
    """Train learning rates drawn at random at full length, and choose that of the best run."""
    seeds, spent = SeedDraws(pool, draws), 0
    trials, best = list[Trial](), dict[float, float]()
    while spent < epochs:
        rate = float(draws.choice(table.benchmark.grid()))
        run = table.runs[rate, table.benchmark.epochs, seeds.next(rate)]
        trials.append(trial_of(table, rate, run, run.epochs, thrown=False))
        spent += run.epochs
        if run.finished:
            best[rate] = max(best.get(rate, -np.inf), run.scores[-1])
    return Choice(_largest(best), tuple(trials))


def grid_search(
    table: Table, pool: Sequence[int], draws: np.random.Generator, epochs: int
) -> Choice:
    """Train every learning rate at full length on as many seeds as fit; choose the best mean."""
    grid, length = table.benchmark.grid(), table.benchmark.epochs
    count = max(1, epochs // (length * len(grid)))
    seeds = [int(seed) for seed in draws.permutation(list(pool))[:count]]
    trials, means = list[Trial](), dict[float, float]()
    for rate in grid:
        runs = [table.runs[rate, length, seed] for seed in seeds]
        trials += [trial_of(table, rate, run, run.epochs, thrown=False) for run in runs]
        if all(run.finished for run in runs):
            means[rate] = fmean(run.scores[-1] for run in runs)
    return Choice(_largest(means), tuple(trials))


def _largest(scores: dict[float, float]) -> float | None:
    return max(scores, key=lambda rate: scores[rate]) if scores else None


def nearest(rate: float, grid: Sequence[float]) -> float:
    """Return the learning rate of a grid that is nearest on a logarithmic scale.

    >>> nearest(0.04, (0.01, 0.1)), nearest(5.0, (0.01, 0.1))
    (0.1, 0.1)
    """
    return min(grid, key=lambda other: abs(np.log(other / rate)))
