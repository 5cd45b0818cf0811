"""The learning order of examples against known answers, and against an obvious reference."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau
from torch.utils.data import DataLoader, TensorDataset

from learnorder import IndexedDataset, LearningOrder, rank_agreement
from learnorder.errors import ConfigError, DataError


def logits_for(correct, labels, classes=3):
    """Logits whose largest is the label's where correct, and another's where not."""
    predicted = torch.where(correct, labels, (labels + 1) % classes)
    return torch.nn.functional.one_hot(predicted, classes).float()


class Reference:
    """One example's history, read off with plain loops."""

    def __init__(self):
        self.history = []  # (epoch, correct)

    def first(self):
        return next((e for e, correct in self.history if correct), 0)

    def since(self):
        epoch = 0
        for e, correct in self.history:
            epoch = (epoch or e) if correct else 0
        return epoch

    def lost(self):
        pairs = zip(self.history, self.history[1:], strict=False)
        return [e for (_, was), (e, now) in pairs if was and not now]


@pytest.mark.parametrize("told", [True, False])
def test_against_plain_loops(told):
    """Random predictions in shuffled batches, with some examples twice in a batch."""
    drawing = torch.Generator().manual_seed(3)
    n, epochs = 40, 9
    order = LearningOrder(n, groups=[f"g{i % 3}" for i in range(n)])
    reference = [Reference() for _ in range(n)]
    counted = {}
    for epoch in range(1, epochs + 1):
        examples = torch.cat([torch.arange(n), torch.randint(0, n, (7,), generator=drawing)])
        examples = examples[torch.randperm(len(examples), generator=drawing)]
        for batch in examples.split(16):
            labels = torch.randint(0, 3, (len(batch),), generator=drawing)
            correct = torch.rand(len(batch), generator=drawing) < epoch / epochs
            order.update(batch, logits_for(correct, labels), labels, epoch=epoch if told else None)
            for i, c in zip(batch.tolist(), correct.tolist(), strict=True):
                one = reference[i]
                one.history.append((epoch if told else len(one.history) + 1, c))
                counted.setdefault((f"g{i % 3}", one.history[-1][0]), []).append(c)
    assert order.first_learned.tolist() == [r.first() for r in reference]
    assert order.learned_for_good.tolist() == [r.since() for r in reference]
    assert order.forgetting_events.tolist() == [len(r.lost()) for r in reference]
    assert order.last_forgotten.tolist() == [max(r.lost(), default=0) for r in reference]
    for group in order.group_names:
        curve = order.curve(group)
        for epoch, estimate in curve.items():
            seen = counted[group, epoch]
            assert (estimate.n, estimate.mean) == (len(seen), pytest.approx(np.mean(seen)))
    whole = order.curve()
    assert sum(e.n for e in whole.values()) == sum(len(r.history) for r in reference)
    frame = order.frame()
    assert Counter(frame["group"]) == Counter(f"g{i % 3}" for i in range(n))
    assert frame["first_learned"].tolist() == order.first_learned.tolist()


def test_going_on_from_a_checkpoint():
    whole, half = LearningOrder(5), LearningOrder(5)
    drawing = torch.Generator().manual_seed(0)
    batches = [
        (torch.randperm(5, generator=drawing), torch.rand(5, generator=drawing) < 0.5)
        for _ in range(6)
    ]
    labels = torch.zeros(5, dtype=torch.int64)
    for step, (index, correct) in enumerate(batches):
        if step == 3:
            state = half.state_dict()
            half = LearningOrder(5)
            half.load_state_dict(state)
        for order in (whole, half):
            order.update(index, logits_for(correct, labels), labels)
    assert whole.frame().equals(half.frame())
    with pytest.raises(DataError, match="5 examples"):
        LearningOrder(6).load_state_dict(whole.state_dict())


def test_two_classes_by_one_logit():
    order = LearningOrder(3)
    order.update(torch.arange(3), torch.tensor([2.0, -1.0, 0.5]), torch.tensor([1, 0, 0]))
    assert order.first_learned.tolist() == [1, 1, 0]
    order.update([2], torch.tensor([[-3.0]]), torch.tensor([0]))
    assert order.first_learned.tolist() == [1, 1, 2]


def test_the_model_s_gradients_are_left_alone():
    logits = torch.zeros(2, 3, requires_grad=True)
    LearningOrder(2).update([0, 1], logits, torch.tensor([0, 1]))
    logits.sum().backward()
    assert logits.grad is not None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda o: o.update([0, 9], torch.zeros(2, 3), torch.zeros(2)), "from 0 to 9"),
        (lambda o: o.update([-1], torch.zeros(1, 3), torch.zeros(1)), "from -1 to -1"),
        (lambda o: o.update([0], torch.zeros(2, 3), torch.zeros(2)), "1 indices, 2 predictions"),
        (lambda o: o.update([0], torch.zeros(1, 3, 3), torch.zeros(1)), "shape"),
        (lambda o: o.update([0], torch.zeros(1, 3), torch.zeros(1), epoch=0), "counted from 1"),
        (lambda o: o.update([0], torch.zeros(1, 3), torch.tensor([3])), "from 0 to 2"),
        (lambda o: o.update([0], torch.zeros(1), torch.tensor([-1])), "from 0 to 1"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(DataError, match=message):
        call(LearningOrder(5))


def test_bad_groups_are_named():
    with pytest.raises(ConfigError, match="5 examples"):
        LearningOrder(5, groups=["a"])
    with pytest.raises(KeyError, match="all"):
        LearningOrder(5).curve("b")
    with pytest.raises(ConfigError):
        LearningOrder(0)


def test_agreement_is_kendalls_tau():
    drawing = np.random.default_rng(1)
    a = drawing.integers(1, 9, 300)
    b = np.clip(a + drawing.integers(-2, 4, 300), 1, 12)
    found = rank_agreement(a, b)
    assert found.tau == pytest.approx(kendalltau(a, b).statistic)
    again = rank_agreement(a, a)
    assert (again.tau, again.low, again.high) == pytest.approx((1.0, 1.0, 1.0))
    assert rank_agreement(a, -a).tau == pytest.approx(-1.0)
    assert math.isnan(rank_agreement(a, np.ones(300)).tau)
    with pytest.raises(DataError):
        rank_agreement([1], [1, 2])


def test_the_interval_covers_what_it_says():
    """Of 200 samples of 200 examples, about 95 % have the population's τ in their interval."""
    drawing = np.random.default_rng(5)
    a = drawing.integers(1, 9, 200_000)
    b = np.clip(a + drawing.integers(-3, 5, len(a)), 1, 12)
    true = rank_agreement(a, b).tau
    inside = 0
    for _ in range(200):
        sample = drawing.integers(0, len(a), 200)
        found = rank_agreement(a[sample], b[sample])
        inside += found.low <= true <= found.high
    assert 180 <= inside <= 199


def test_never_is_later_than_all():
    one, two = LearningOrder(3), LearningOrder(3)
    labels = torch.zeros(3, dtype=torch.int64)
    for correct in ([True, False, False], [True, True, False]):
        one.update(range(3), logits_for(torch.tensor(correct), labels), labels)
        two.update(range(3), logits_for(~torch.tensor(correct), labels), labels)
    assert one.first_learned.tolist() == [1, 2, 0]
    assert two.first_learned.tolist() == [0, 1, 1]
    assert one.agreement(two).tau < 0
    with pytest.raises(DataError, match="same examples"):
        one.agreement(LearningOrder(4))


def test_indices_stay_with_their_items():
    data = TensorDataset(torch.arange(10.0), torch.arange(10) % 2)
    for values, labels, index in DataLoader(IndexedDataset(data), batch_size=4, shuffle=True):
        assert values.tolist() == index.tolist()
        assert labels.tolist() == (index % 2).tolist()
    bare = IndexedDataset([10, 20])
    assert (bare[1], bare[-1], len(bare)) == ((20, 1), (20, 1), 2)
    assert IndexedDataset(data).tensors is data.tensors
    with pytest.raises(KeyError, match="another key"):
        IndexedDataset([{"index": 3}])[0]


def test_lengths_that_do_not_fit_are_refused_before_anything_is_recorded():
    order = LearningOrder(4)
    with pytest.raises(DataError, match="2 indices, 3 predictions and 2 labels"):
        order.update(torch.tensor([0, 1]), torch.zeros(3, 2), torch.tensor([0, 1]))
    assert order.frame()["epochs_seen"].sum() == 0
