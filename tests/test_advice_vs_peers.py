"""Ways to choose a learning rate, on a table whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from studies.advice_vs_peers.asha import asha_search
from studies.advice_vs_peers.benchmarks import BENCHMARKS, DEFAULTS, Benchmark
from studies.advice_vs_peers.choosers import (
    Choice,
    SeedDraws,
    Trial,
    advised,
    grid_search,
    random_search,
    small_search,
)
from studies.advice_vs_peers.groups import group
from studies.advice_vs_peers.regret import Sample, spread_of_mean
from studies.advice_vs_peers.table import Run, Table

TOY = Benchmark("toy", "unused", "SGD", 0.01, rates=11, epochs=12, pool=12, truth=3)
BUDGET = 38 * TOY.epochs


def table(*, late: bool, diverging: float | None = None) -> Table:
    """Return a table without noise, whose best learning rate is 1.

    Args:
        late: Whether the larger a learning rate, the worse it is until the anneal at half of the
            epochs; else the final order shows from the first epoch on.
        diverging: A learning rate that diverges in epoch 2.
    """
    runs, grid = {}, TOY.grid()
    for epochs in TOY.lengths():
        for seed in (*TOY.pool_seeds(), *TOY.truth_seeds()):
            for place, rate in enumerate(grid):
                final = 0.9 - 0.02 * abs(place - 8)
                early = 0.5 - 0.02 * place if late else final - 0.3
                scores = [early] * (epochs // 2) + [final] * (epochs - epochs // 2)
                run = Run(tuple(scores), finished=True, seconds=1.0)
                lost = rate == diverging
                runs[rate, epochs, seed] = Run((0.1,), finished=False) if lost else run
    return Table(TOY, runs, unlearned=0.1)


def searches(search, of: Table, count: int = 20, **more) -> list[Choice]:
    return [
        search(of, TOY.pool_seeds(), np.random.default_rng(number), BUDGET, **more)
        for number in range(count)
    ]


def lost(choices: list[Choice], rate: float) -> float:
    """Return the share of searches that threw a learning rate away."""
    return float(np.mean([choice.thrown_at(rate) is not None for choice in choices]))


@pytest.mark.parametrize("benchmark", BENCHMARKS.values(), ids=BENCHMARKS)
def test_a_table_has_the_default_rate_and_the_seeds_of_a_search(benchmark):
    assert DEFAULTS[benchmark.optimizer] in benchmark.grid()
    search = benchmark.search()
    taken = {seed for rung in range(search.rungs) for seed in search.rung_seeds(rung)}
    assert benchmark.pool >= len(taken) == 9
    assert min(taken) == 0, "seeds are places in the pool"
    assert not set(benchmark.pool_seeds()) & set(benchmark.truth_seeds())
    assert benchmark.lengths()[-1] == 4 * benchmark.lengths()[0] == benchmark.epochs


def test_complete_schedules_find_what_wins_after_the_anneal():
    known = table(late=True)
    assert known.best() == 1.0
    found = advised(known, TOY.pool_seeds(), np.random.default_rng(0), TOY.search())
    assert found.rate == 1.0
    assert found.thrown_at(1.0) is None
    assert found.thrown_at(0.01) is None, "the smallest is always kept"
    assert found.thrown_at(0.01778) == 0.25
    assert found.epochs == 12 * (11 * 2 / 4 + 7 * 2 / 2 + 5 * 5)
    assert {choice.rate for choice in searches(grid_search, known)} == {1.0}
    assert np.mean([choice.rate == 1.0 for choice in searches(random_search, known)]) > 0.8


def test_the_small_search_costs_less_than_a_third():
    known = table(late=True)
    draws = np.random.default_rng(0)
    small = advised(known, TOY.pool_seeds(), draws, small_search(TOY.search()))
    whole = advised(known, TOY.pool_seeds(), draws, TOY.search())
    assert small.rate == 1.0
    assert small.epochs < whole.epochs / 3


def test_successive_halving_loses_what_wins_after_the_anneal():
    pytest.importorskip("ray")
    late, early = (searches(asha_search, table(late=late)) for late in (True, False))
    assert lost(late, 1.0) > 0.5
    assert np.mean([choice.rate == 1.0 for choice in late]) < 0.5
    assert np.mean([choice.rate == 1.0 for choice in early]) > 0.9
    assert all(choice.epochs == BUDGET for choice in late)


def test_the_median_pruner_loses_what_wins_after_the_anneal():
    optuna_search = pytest.importorskip("studies.advice_vs_peers.optuna_search").optuna_search
    late, early = (
        searches(optuna_search, table(late=late), 10, pruner="tpe_median") for late in (True, False)
    )
    assert lost(late, 1.0) > 0.3, "not of all: the first five trials are never pruned"
    assert lost(early, 1.0) == 0
    assert np.mean([choice.rate == 1.0 for choice in late]) < 0.7
    assert np.mean([choice.rate == 1.0 for choice in early]) > 0.7
    assert all(BUDGET <= choice.epochs < BUDGET + TOY.epochs for choice in late)


def test_hyperband_stops_more_trials_of_what_wins_after_the_anneal():
    """Its last brackets first look after the anneal, so that it does not lose all of them."""
    optuna_search = pytest.importorskip("studies.advice_vs_peers.optuna_search").optuna_search

    def stopped(late: bool) -> float:
        found = searches(optuna_search, table(late=late), 10, pruner="tpe_hyperband")
        return float(np.mean([t.thrown for c in found for t in c.trials if t.rate == 1.0]))

    assert stopped(late=True) > stopped(late=False) + 0.1


def test_without_a_pruner_optuna_finds_it():
    optuna_search = pytest.importorskip("studies.advice_vs_peers.optuna_search").optuna_search
    found = searches(optuna_search, table(late=True), 10, pruner="tpe")
    assert lost(found, 1.0) == 0
    assert np.mean([choice.rate == 1.0 for choice in found]) > 0.8


def test_what_diverges_is_not_chosen_and_costs_the_epochs_until_then():
    known = table(late=True, diverging=1.0)
    assert known.truth()[1.0] == pytest.approx(0.1)
    assert known.best() == pytest.approx(0.5623)
    found = advised(known, TOY.pool_seeds(), np.random.default_rng(0), TOY.search())
    assert found.rate == pytest.approx(0.5623)
    assert sum(trial.epochs for trial in found.trials if trial.rate == 1.0) == 2 * 2
    for search in (random_search, grid_search, asha_search):
        assert all(choice.rate != 1.0 for choice in searches(search, known, 5))


def test_a_learning_rate_is_thrown_away_if_every_trial_of_it_is():
    stopped = Trial(0.1, 3, 0.25, thrown=True)
    both = Choice(0.2, (stopped, replace(stopped, epochs=6, share=0.5)))
    assert both.thrown_at(0.1) == 0.5
    assert both.thrown_at(0.2) is None
    kept = Choice(0.2, (stopped, replace(stopped, thrown=False, share=1.0)))
    assert kept.thrown_at(0.1) is None
    assert not kept.tried(0.2)


def test_seeds_are_drawn_once_before_any_is_drawn_twice():
    draws = SeedDraws([5, 6, 7], np.random.default_rng(0))
    drawn = [draws.next(0.1) for _ in range(6)]
    assert sorted(drawn[:3]) == sorted(drawn[3:]) == [5, 6, 7]


def test_the_error_of_a_mean_regret_counts_the_seeds_that_searches_share():
    """Ten thousand searches on four seeds, whose means differ, do not make the mean exact."""
    draws = np.random.default_rng(0)
    seeds = draws.normal(1.0, 0.5, 4)

    def searches_on(pool, count):
        return tuple(draws.choice(pool, count) + draws.normal(0, 0.2, count))

    groups = tuple(searches_on(draws.choice(seeds, 4), 50) for _ in range(400))
    sample = Sample(searches_on(seeds, 10_000), groups)
    assert spread_of_mean(sample) == pytest.approx(np.std(seeds) / 2, rel=0.15)
    alike = Sample((1.0, 3.0), ((1.0, 3.0), (3.0, 1.0)))
    assert spread_of_mean(alike) ** 2 == pytest.approx(1.0 + 1.0), "s² / R, and the doubt"
    constant = Sample((2.0,), ((1.0,), (2.0,), (3.0,)))
    assert spread_of_mean(constant) ** 2 == pytest.approx(1.0 + 1.0)


def test_regret_is_compared_search_by_search():
    advice = Sample((0.1, 0.2), ((0.1, 0.2), (0.3, 0.1)))
    peer = Sample((0.4, 0.5), ((0.4, 0.5), (0.6, 0.4)))
    gap = peer.minus(advice).measured()
    assert gap.estimate.mean == pytest.approx(0.3)
    assert gap.estimate.n == 2
    constant = Sample((1.0,), ((1.0,), (1.1,)))
    assert constant.minus(advice).own == pytest.approx((0.9, 0.8))
    assert constant.minus(advice).groups[1] == pytest.approx((0.8, 1.0))


def test_groups_resample_the_seeds_of_pool_and_truth_apart():
    whole, other = group(TOY, "toy", 0), group(TOY, "toy", 1)
    assert (whole.pool, whole.truth) == (tuple(range(100, 112)), (0, 1, 2))
    assert set(other.pool) < set(whole.pool)
    assert set(other.truth) <= set(whole.truth)
    assert group(TOY, "toy", 1) == other
    assert group(TOY, "toy", 2) != other


def test_a_range_tests_pick_moves_to_the_grid_and_without_one_to_the_default():
    replay = pytest.importorskip("studies.advice_vs_peers.picks")
    picks = {100: 1e-7, 101: None, 102: 0.5, 103: 0.02, 104: 0.02}
    seeds = [101, 100, 102, 103, 104]
    assert replay.found(TOY, "lightning", picks, [100]) == 0.01
    assert replay.found(TOY, "lightning", picks, [101]) == 0.1
    assert replay.found(TOY, "learnorder_range", picks, seeds) == pytest.approx(0.01778)
