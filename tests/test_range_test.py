"""The range test: what it sees, what rules pick of it, and that nothing of it is left behind."""

import json
import math
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import TensorDataset

from learnorder import LRSearch, Task, run_advise
from learnorder.advise.figures import rates_figure
from learnorder.advise.page import range_table
from learnorder.advise.range_rules import RULES, RangeTest, Restart, pick, smooth
from learnorder.advise.range_test import range_test
from learnorder.advise.settings import Candidate
from learnorder.advise.words import advice_findings
from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.errors import ConfigError, Interrupted
from learnorder.execution.settings import Execution
from learnorder.training.task_problem import TaskProblem

from .test_advise import fake, falling_at
from .test_task import blobs, network

RATES = [10 ** (8 * k / 99 - 7) for k in range(100)]
FALLS_AT = 0.003
"""Where the curve below falls most steeply."""


def curve(seed: int, noise: float = 0.15, *, spike: int | None = None) -> list[float]:
    """Losses of a batch each: a plateau, a fall around FALLS_AT, an explosion from 1 on."""
    drawing = np.random.default_rng(seed)
    logs = np.log10(np.array(RATES) / FALLS_AT)
    losses = 1.5 - np.tanh(2 * logs) + noise * drawing.standard_normal(len(RATES))
    losses = losses + np.where(np.array(RATES) > 1, 3.0 ** np.arange(-87, 13), 0)
    if spike is not None:
        losses[spike] += 20
    return losses.tolist()


def raised(
    task: Task,
    seeds: Sequence[int] = (0, 1, 2),
    batch_size: int = 16,
    high: float = 10.0,
    **training: Any,
) -> RangeTest:
    settings = TrainingConfig(batch_size=batch_size, **training)
    config = TaskRunConfig(TaskConfig(), settings)
    return range_test(
        settings,
        lambda seed, place: TaskProblem(replace(config, seed=seed), task, place),
        seeds=seeds,
        high=high,
    )


def random_words() -> list[int]:
    state: Any = np.random.get_state()
    return state[1].tolist()


def near(found: float | None, rate: float) -> bool:
    return found is not None and abs(math.log10(found / rate)) < 0.5


@pytest.mark.parametrize("spike", [None, 3, 12, 20])
def test_a_spike_at_the_left_and_an_explosion_leave_the_pick_where_the_loss_falls(spike):
    picks = [pick(RATES, curve(seed, spike=spike), RULES["steepest"]) for seed in range(20)]
    assert sum(near(found, FALLS_AT) for found in picks) >= 18


def test_batches_of_8_pick_within_half_a_decade_or_nothing():
    picks = [r.pick() for r in raised(Task(network, blobs()), range(20), 8).restarts]
    found = sorted(rate for rate in picks if rate is not None)
    assert len(found) >= 15
    assert sum(near(rate, found[len(found) // 2]) for rate in found) >= len(found) - 2


@pytest.mark.parametrize("rule", RULES)
def test_what_shows_nothing_is_no_pick(rule):
    drawing, find = np.random.default_rng(0), RULES[rule]
    noise = [(2 + 0.3 * drawing.standard_normal(100)).tolist() for _ in range(40)]
    assert sum(pick(RATES, losses, find) is not None for losses in noise) <= 1
    assert pick(RATES, [2.0] * 100, find) is None
    assert pick(RATES, np.linspace(1, 2, 100).tolist(), find) is None, "it only rises"
    assert pick(RATES[:20], curve(0)[:20], find) is None, "too few"


def test_a_fall_at_an_end_of_the_range_is_no_pick():
    at_the_left = [2 + 3 * math.exp(-k / 5) for k in range(100)]
    assert pick(RATES, at_the_left, RULES["steepest"], 0) is None
    at_the_right = [5 - (k / 99) ** 9 for k in range(100)]
    assert pick(RATES, at_the_right, RULES["steepest"], 0) is None
    assert pick(RATES, at_the_right, RULES["minimum"], 0) is None


@given(st.integers(0, 50), st.floats(-100, 100), st.floats(0.01, 100), st.sampled_from(list(RULES)))
def test_a_pick_does_not_depend_on_the_unit_and_the_zero_of_the_loss(seed, shift, scale, rule):
    losses = curve(seed)
    moved = [shift + scale * loss for loss in losses]
    assert pick(RATES, moved, RULES[rule]) == pick(RATES, losses, RULES[rule])


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=40), st.floats(0, 0.99))
def test_smoothing_is_without_bias_and_stays_within_the_losses(losses, share):
    smoothed = smooth(losses, share)
    assert len(smoothed) == len(losses)
    assert min(losses) - 1e-9 <= smoothed.min() <= smoothed.max() <= max(losses) + 1e-9
    assert smooth([losses[0]] * 7, share) == pytest.approx(losses[0])


def test_the_median_pick_takes_more_than_half_of_the_restarts():
    first, second, third = (r.pick() or 0 for r in falling_at(0.01, 0.1, 0.02).restarts)
    assert first < third < second
    assert falling_at(0.01, 0.1, 0.02).pick == third
    flat = Restart(9, tuple(RATES), (2.0,) * 100, "finished")
    some = falling_at(0.01, 0.1)
    assert RangeTest((*some.restarts, flat)).pick == pytest.approx(math.sqrt(first * second))
    assert RangeTest((*some.restarts, flat, flat)).pick is None


def test_restarts_differ_in_weights_and_order_and_can_be_repeated():
    found = raised(Task(network, blobs()))
    assert len({restart.losses for restart in found.restarts}) == 3
    assert found == raised(Task(network, blobs()))
    ratios = [b / a for a, b in pairwise(found.restarts[0].rates)]
    assert max(ratios) == pytest.approx(min(ratios))


def test_it_stops_where_gradient_descent_diverges():
    """With the identity as its Hessian, the loss falls below η = 2 and explodes beyond."""
    x = torch.eye(2).repeat(20, 1)
    data = TensorDataset(x, x @ torch.tensor([[1.0], [-1.0]]))
    task = Task(lambda: nn.Linear(2, 1, bias=False), data, data, loss=nn.MSELoss())
    plain = {"momentum": 0.0, "nesterov": False, "weight_decay": 0.0}
    for restart in raised(task, batch_size=40, high=1e6, **plain).restarts:
        assert restart.ended == "exploded"
        assert restart.rates[-1] < 1e3
        assert 0.01 < (restart.pick() or 0) < 2


@pytest.mark.parametrize("shift", [-50.0, 0.0])
def test_a_loss_below_zero_is_no_explosion(shift):
    def loss(outputs, targets):
        return nn.functional.cross_entropy(outputs, targets) + shift

    task = Task(network, blobs(), loss=loss)
    lengths = [len(restart.rates) for restart in raised(task).restarts]
    assert min(lengths) > 70


def test_a_batch_whose_loss_is_not_finite_is_skipped_with_its_step():
    calls = []

    def loss(outputs, targets):
        calls.append(1)
        bad = len(calls) in (10, 30)
        return nn.functional.cross_entropy(outputs, targets) * (math.nan if bad else 1)

    (broken,) = raised(Task(network, blobs(), loss=loss), seeds=[0]).restarts
    (whole,) = raised(Task(network, blobs()), seeds=[0]).restarts
    first, second = (k for k, value in enumerate(broken.losses) if value is None)
    assert second - first == 20
    assert len(broken.rates) == len(broken.losses) > 70
    assert near(broken.pick(), whole.pick() or 0)
    lost = Task(network, blobs(), loss=lambda o, t: nn.functional.cross_entropy(o, t) * math.nan)
    (restart,) = raised(lost, seeds=[0]).restarts
    assert (restart.ended, len(restart.rates), restart.pick()) == ("exploded", 3, None)


def test_all_is_left_as_it_was():
    layers = [nn.Linear(3, 16), nn.BatchNorm1d(16), nn.Dropout(), nn.Linear(16, 3)]
    model = nn.Sequential(*layers)
    layers[1].eval()
    task, before = Task(model, blobs()), {k: v.clone() for k, v in model.state_dict().items()}
    random.seed(3)
    np.random.seed(3)
    state = (torch.get_rng_state(), random.getstate(), random_words())
    raised(task)
    now = (torch.get_rng_state(), random.getstate(), random_words())
    assert torch.equal(state[0], now[0])
    assert state[1:] == now[1:]
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [module.training for module in model] == [True, False, True, True]
    assert all(parameter.grad is None for parameter in model.parameters())


def test_runs_are_the_same_with_it_and_without(tmp_path):
    search = LRSearch(
        training=TrainingConfig(epochs=2, batch_size=16), learning_rates=(0.01, 0.1), rungs=1,
        seeds=2, noise=0, shorter_plateaus=(),
    )  # fmt: skip
    task = Task(network, blobs())
    tried = run_advise(search, tmp_path / "a", task=task, execution=Execution(quiet=True))
    plain = run_advise(
        replace(search, range_test=False),
        tmp_path / "b",
        task=task,
        execution=Execution(quiet=True),
    )
    assert {arm: tried.arms[arm] for arm in plain.arms} == plain.arms
    again = run_advise(search, tmp_path / "a", task=task, execution=Execution(quiet=True))
    assert again.range_test == tried.range_test
    (tmp_path / "a" / "range_tests.json").unlink()
    limited = Execution(quiet=True, stop_after=1e-6)
    with pytest.raises(Interrupted, match=r"in the range test.*starts it again"):
        run_advise(search, tmp_path / "a", task=task, execution=limited)
    assert not (tmp_path / "a" / "range_tests.json").exists()


def test_a_model_that_never_learns_has_no_pick(tmp_path):
    class Blind(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, x):
            return 0 * self.layer(x)

    search = LRSearch(
        training=TrainingConfig(epochs=2, batch_size=16), learning_rates=(0.01, 0.1), rungs=1,
        seeds=2, noise=0, shorter_plateaus=(),
    )  # fmt: skip
    advice = run_advise(
        search, tmp_path, task=Task(Blind, blobs()), execution=Execution(quiet=True)
    )
    assert advice.picked() is None
    assert "What a range test picks" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "advice.json").read_text())["range_test_pick"] is None


def test_what_was_picked_is_said_with_its_range_or_that_nothing_was():
    arms = {Candidate(rate, 0.5): [0.5 + rate + k / 1000 for k in range(5)] for rate in (0.01, 0.1)}
    flat = [Restart(seed, tuple(RATES), (2.0,) * 100, "finished") for seed in (8, 9)]
    picked = falling_at(0.02, 0.05).restarts
    some = " ".join(advice_findings(fake(arms, range_test=RangeTest((*picked, flat[0])))))
    low, high = (restart.pick() for restart in picked)
    assert f"(median of 2 restarts, {low:.2g} to {high:.2g}; 1 without a pick)" in some
    none = " ".join(advice_findings(fake(arms, range_test=RangeTest((picked[0], *flat)))))
    assert "picks nothing: in 2 of 3 restarts the loss does not fall by more" in none


def test_the_page_has_a_line_and_a_pick_for_each_restart():
    scores = {Candidate(rate, 0.5): [rate + 0.5] * 5 for rate in (0.01, 0.1)}
    flat = Restart(9, tuple(RATES), (2.0,) * 100, "exploded")
    seen = RangeTest((*falling_at(0.02, 0.05).restarts, flat))
    figure = rates_figure(fake(scores, range_test=seen))
    traces: Any = figure.data
    below = [trace for trace in traces if trace.yaxis == "y2"]
    assert [trace.mode for trace in below].count("lines") == 3
    assert [trace.mode for trace in below].count("markers") == 2
    table = range_table(seen)
    assert [row[0].partition(" ")[0] for row in table.rows] == list(RULES)
    assert all(row[3] == "1 of 3" for row in table.rows)
    assert "exploded in 1 of 3" in table.note


def test_a_range_that_makes_no_sense_is_refused():
    for field, settings in (
        ("high", {"low": 1.0, "high": 0.1}), ("steps", {"steps": 5}), ("seeds", {"seeds": ()}),
    ):  # fmt: skip
        with pytest.raises(ConfigError, match=field):
            range_test(TrainingConfig(), lambda *_: None, **settings)  # pyright: ignore
