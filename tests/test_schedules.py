"""Schedules that fall linearly, with warm-up, and the anneals of a search, by known answers."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from learnorder import LRSearch, TrainingConfig
from learnorder.advise.settings import Anneal, Candidate
from learnorder.errors import ConfigError
from learnorder.schedules import Schedule


def values(schedule: Schedule, epochs: int, steps: int) -> list[float]:
    places = [(epoch, step) for epoch in range(1, epochs + 1) for step in range(steps)]
    return [schedule.at(epoch, step, steps, epochs=epochs) for epoch, step in places]


def test_a_linear_schedule_falls_from_the_first_step_towards_0():
    assert values(Schedule(0.8, linear_after=0.0), 2, 2) == pytest.approx([0.8, 0.6, 0.4, 0.2])


def test_wsd_rises_stays_and_falls():
    wsd = Schedule(1.0, warmup_epochs=1, linear_after=0.5)
    expected = [0.5, 1, 1, 1, 1, 0.75, 0.5, 0.25]
    assert values(wsd, 4, 2) == pytest.approx(expected)


def test_linear_with_warmup_is_that_of_torch():
    """As a LambdaLR that rises for 4 steps and falls from there to 0 after the last."""
    epochs, steps, warm = 5, 4, 4
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.3)

    def factor(step: int) -> float:
        rest = epochs * steps - warm
        return (step + 1) / warm if step < warm else (epochs * steps - step) / rest

    scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    rates = []
    for _ in range(epochs * steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    ours = Schedule(0.3, warmup_epochs=1, linear_after=1 / 5)
    assert values(ours, epochs, steps) == pytest.approx(rates)
    assert max(rates) == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"linear_after": 1.0}, r"linear_after: got 1\.0\. Give a share in \[0, 1\)"),
        ({"linear_after": -0.1}, r"linear_after: got -0\.1"),
        ({"linear_after": 0.5, "cosine": True}, "cosine would lower the value too"),
        ({"linear_after": 0.5, "decay": 0.9}, "decay would lower the value too"),
        (
            {"linear_after": 0.5, "step_epochs": (3,), "step_factor": 0.1, "cosine": True},
            "cosine and step_epochs would lower",
        ),
    ],
)
def test_contradictions_are_refused_when_a_schedule_is_built(settings, words):
    with pytest.raises(ConfigError, match=words):
        Schedule(0.1, **settings)


def test_a_fall_within_the_warmup_is_refused():
    Schedule(0.1, warmup_epochs=2, linear_after=0.5).check("learning_rate", 4)
    with pytest.raises(ConfigError, match=r"begin after 1\.5 epochs, in the warm-up of 2.*0\.667"):
        Schedule(0.1, warmup_epochs=2, linear_after=0.5).check("learning_rate", 3)
    with pytest.raises(ConfigError, match="A linear schedule needs the run's length"):
        Schedule(0.1, linear_after=0.5).at(1)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ((0, 0, 1), "epoch: got 0. Epochs are counted from 1"),
        ((1, 4, 4), "step: got 4. Steps of an epoch are counted from 0, and it has 4"),
        ((1, -1, 4), "step: got -1"),
        ((4, 0, 1), "epoch: got 4. The schedule is for a run of 3 epochs"),
    ],
)
@pytest.mark.parametrize("falls", [{"cosine": True}, {"linear_after": 0.0}])
def test_places_outside_the_run_are_refused(falls, place, words):
    with pytest.raises(ConfigError, match=words):
        Schedule(0.1, **falls).at(*place, epochs=3)


def search(anneal: Anneal, **settings: object) -> LRSearch:
    training = TrainingConfig(epochs=40, batch_size=32)
    rates = (0.01, 0.1)
    return replace(LRSearch(training=training, learning_rates=rates, anneal=anneal), **settings)


EXPECTED: dict[Anneal, Schedule] = {
    "step": Schedule(0.1, (11,), 0.1, warmup_epochs=1.0),
    "wsd": Schedule(0.1, warmup_epochs=1.0, linear_after=0.5),
    "linear": Schedule(0.1, warmup_epochs=1.0, linear_after=0.05),
    "cosine": Schedule(0.1, warmup_epochs=1.0, cosine=True),
    "constant": Schedule(0.1, warmup_epochs=1.0),
}


@pytest.mark.parametrize("anneal", EXPECTED)
def test_each_anneal_is_a_schedule_of_the_same_shape_at_every_length(anneal):
    schedule = search(anneal, warmup=0.05).schedule(Candidate(0.1, 0.5), 0.01, 20)
    assert replace(schedule, step_factor=None, step_epochs=()) == replace(
        EXPECTED[anneal], step_factor=None, step_epochs=()
    )
    assert schedule.step_epochs == EXPECTED[anneal].step_epochs
    assert schedule.step_factor == pytest.approx(EXPECTED[anneal].step_factor)
    longer = search(anneal, warmup=0.05).schedule(Candidate(0.1, 0.5), 0.01, 40)
    assert longer.at(37, epochs=40, steps=10) == pytest.approx(schedule.at(19, epochs=20, steps=20))


def test_only_anneals_with_a_plateau_try_shorter_ones():
    for anneal in EXPECTED:
        shorter = search(anneal).distinct_plateaus()
        assert shorter == ((0.1, 0.25) if anneal in ("step", "wsd") else ())
    assert search("wsd").is_annealed(0.01, smallest=0.01)
    assert not search("step").is_annealed(0.01, smallest=0.01)
    assert not search("constant").is_annealed(0.1, smallest=0.01)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"warmup": 1.0}, r"warmup: got 1\.0\. Give a share in \[0, 1\)"),
        ({"warmup": 0.2}, r"within the plateau of 0\.1 in the runs of 40 epochs"),
        (
            {"warmup": 0.55, "shorter_plateaus": ()},
            r"within the plateau of 0\.5 in the runs of 20 epochs",
        ),
    ],
)
def test_a_warmup_longer_than_a_plateau_is_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        search("wsd", **settings)
    if settings["warmup"] < 1:
        search("linear", **settings)
