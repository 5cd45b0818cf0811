"""The study of flipped labels: flips, folds and the precision of a ranking."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from learnorder import LearningOrder
from studies.mislabelled import measure
from studies.mislabelled.measure import flip, held_out, precision, suspicions, train
from studies.mislabelled.tasks import TASKS

TINY = replace(TASKS["digits"], model=lambda x, classes: nn.Linear(x.shape[1], classes), epochs=2)


def examples(n=100):
    labels = torch.arange(n) % 3
    return nn.functional.one_hot(labels, 3).float(), labels


def test_a_tenth_is_flipped_to_another_class():
    inputs, labels = examples(1000)
    data = flip(inputs, labels, 0)
    assert data.flipped.sum() == 100
    assert data.classes == 3
    assert ((data.labels != labels).numpy() == data.flipped).all()
    shifts = (data.labels - labels)[torch.from_numpy(data.flipped)] % 3
    assert set(shifts.tolist()) == {1, 2}
    assert (flip(inputs, labels, 0).labels == data.labels).all()
    assert (flip(inputs, labels, 1).labels != data.labels).any()


def test_the_precision_of_a_ranking():
    flipped = np.array([True, True, False, False, False])
    assert precision(np.array([5.0, 4.0, 3.0, 2.0, 1.0]), flipped) == 1
    assert precision(np.array([1.0, 2.0, 3.0, 4.0, 5.0]), flipped) == 0
    assert precision(np.array([3.0, 1.0, 2.0, 0.0, 0.0]), flipped) == 0.5
    assert precision(np.zeros(5), flipped) == pytest.approx(0.4), "by chance"
    assert precision(np.array([3.0, 1.0, 1.0, 0.0, 0.0]), flipped) == 0.75, "expected, of two tied"


def test_folds_hold_out_each_example_once():
    data = flip(*examples(), 0)
    folds = list(held_out(TINY, data, 0.1, 0))
    assert sorted(np.concatenate([fold for fold, _ in folds]).tolist()) == list(range(100))
    assert all(found.shape == (20, 3) for _, found in folds)
    assert np.allclose(folds[0][1].sum(axis=1), 1)


def test_training_records_what_is_never_learned_as_most_suspicious():
    data = flip(*examples(), 0)
    order = LearningOrder(100, dynamics=True)
    _, losses = train(TINY, data, 0.5, 0, order, torch.arange(100))
    for name, suspicion in suspicions(order, losses).items():
        assert precision(suspicion, data.flipped) == 1, name


def test_what_is_done_is_not_measured_again(monkeypatch):
    calls = []
    task = replace(TINY, load=examples, seeds=2, rates=(0.1, 0.5), rate=0.5)
    for name in ("measured", "compared"):
        monkeypatch.setattr(
            measure, name, lambda *how, name=name: calls.append((name, *how[2:])) or {"aum": 1.0}
        )
    rows = list(measure.runs(task, [{"seed": 0, "rate": 0.5}]))
    assert rows[0] == {"seed": 0, "rate": 0.1, "aum": 1.0}
    assert calls == [("measured", 0.1, 0), ("measured", 0.1, 1), ("compared", 0.5, 1)]
