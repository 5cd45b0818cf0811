"""The task with a linear feature beside slabs, and the claims that are tested on it."""

import pytest
import torch

from learnorder.reproduce.papers.groups import AS_TRAINED, LINEAR_SHUFFLED, SLABS_SHUFFLED
from learnorder.reproduce.papers.literature import shah2020
from learnorder.reproduce.papers.slabs import linear_and_slabs


@pytest.fixture(scope="module")
def task():
    return linear_and_slabs(examples=4_000, held_out=1_000)


def test_each_coordinate_predicts_the_class(task):
    inputs, labels = task.train.tensors
    assert torch.equal(inputs[:, 0] > 0, labels == 1)
    assert inputs[:, 0].abs().min() >= 0.1
    slab = (inputs[:, 1:] / 0.44).round()  # slabs are 0.24 thick and 0.2 apart
    assert ((inputs[:, 1:] - 0.44 * slab).abs() <= 0.12 + 1e-6).all()
    assert torch.equal(slab % 2 != 0, (labels == 1).view(-1, 1).expand_as(slab))
    middle = (slab[labels == 0] == 0).float().mean()
    assert float(middle) == pytest.approx(0.75, abs=0.02)


def test_slabs_say_nothing_along_a_line(task):
    inputs, labels = task.train.tensors
    difference = inputs[labels == 1, 1:].mean(0) - inputs[labels == 0, 1:].mean(0)
    assert float(difference.abs().max()) < 0.1
    assert float((inputs[labels == 1, 1:] > 0).float().mean()) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("right", [0.9, 0.5])
def test_the_linear_feature_is_wrong_in_a_share(right):
    inputs, labels = linear_and_slabs(right, examples=4_000).train.tensors
    agree = (inputs[:, 0] > 0) == (labels == 1)
    assert float(agree.float().mean()) == pytest.approx(right, abs=0.03)
    assert inputs[:, 0].abs().min() >= 0.1


def test_shuffling_takes_what_a_feature_says_and_nothing_else(task):
    inputs, labels = task.validation.tensors
    group = task.groups.validation
    linear = (inputs[:, 0] > 0) == (labels == 1)
    slabs = ((inputs[:, 1] / 0.44).round() % 2 != 0) == (labels == 1)
    right = {}
    for name in (AS_TRAINED, LINEAR_SHUFFLED, SLABS_SHUFFLED):
        rows = torch.tensor([each == name for each in group])
        assert int(rows.sum()) == 1_000
        right[name] = [float(each[rows].float().mean()) for each in (linear, slabs)]
    half = pytest.approx(0.5, abs=0.06)
    assert right == {AS_TRAINED: [1, 1], LINEAR_SHUFFLED: [half, 1], SLABS_SHUFFLED: [1, half]}
    rows = torch.tensor([each == SLABS_SHUFFLED for each in group])
    together = (inputs[rows, 1:] / 0.44).round() % 2
    assert torch.equal(together, together[:, :1].expand_as(together)), "those of one example"


def test_arms_differ_in_the_learning_rate_and_the_epochs():
    experiments = shah2020.PAPER.experiments()
    for experiment in experiments.values():
        arms = {name: config for name, config in experiment.arms.items() if name != shah2020.LONG}
        assert len({config.learning_rate for config in arms.values()}) == 3
        first, *others = ((config.task, config.training) for config in arms.values())
        assert all(other == first for other in others)
    noisy = experiments[shah2020.NOISY].arms
    long, large = noisy[shah2020.LONG], noisy[shah2020.LARGE]
    assert long.learning_rate == noisy[shah2020.SMALL].learning_rate
    progress = [config.learning_rate.initial * config.training.epochs for config in (long, large)]
    assert progress[0] == progress[1]
