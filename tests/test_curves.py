"""Curves over the epochs."""

import math
from dataclasses import replace

import pytest

from learnorder.report.curves import mark_changes
from learnorder.reproduce.papers.figures import Curves
from learnorder.reproduce.papers.measures import Quantity
from learnorder.runs.opening import open_runs
from learnorder.schedules import Schedule
from learnorder.statistics import estimate

from .conftest import fake_run

CLEAN = Quantity("clean", "accuracy", "accuracy")


def stepped(config, *epochs):
    """Return a run of 20 epochs whose learning rate is annealed at some of them."""
    rate = Schedule(0.1, step_epochs=epochs, step_factor=0.5)
    return replace(config, training=replace(config.training, epochs=20), learning_rate=rate)


@pytest.mark.parametrize("log_epochs", [False, True])
def test_the_anneal_is_marked_where_it_is(tiny, tmp_path, log_epochs):
    config = stepped(tiny, 8)
    fake_run(tmp_path / "large", config, {"arm": "large"}, patch_only=[0.5] * 20)
    figure = Curves(CLEAN, log_epochs=log_epochs).draw(open_runs(tmp_path))
    (line,), (words,) = figure.layout.shapes, figure.layout.annotations
    assert line.x0 == line.x1 == 7.5
    assert words.text == "LR annealed"
    assert words.x == (pytest.approx(math.log10(7.5)) if log_epochs else 7.5)


@pytest.mark.parametrize("log", [False, True])
def test_a_band_on_a_logarithmic_axis_ends_above_0(tiny, tmp_path, log):
    fake_run(tmp_path / "large", tiny, {"arm": "large"}, patch_only=[0.5])
    results = open_runs(tmp_path)
    results.curve = lambda *_: {1: estimate([0.1, 0.1, 0.7]), 2: estimate([0.2, 0.1, 0.1])}
    band, _ = Curves(CLEAN, log=log).draw(results).data
    assert (min(band.y) > 0) == log


def test_many_changes_are_not_marked(tiny, tmp_path):
    config = stepped(tiny, 2, 4, 6, 8, 10)
    folder = fake_run(tmp_path / "large", config, {"arm": "large"}, patch_only=[0.5] * 20)
    figure = Curves(CLEAN).draw(open_runs(tmp_path))
    mark_changes(figure, [folder])
    assert not figure.layout.shapes
