"""The learning order of examples against known answers, and against an obvious reference."""

import math
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau
from torch.utils.data import DataLoader, TensorDataset

from learnorder import IndexedDataset, LearningOrder
from learnorder.errors import ConfigError, DataError
from learnorder.toolkit.rank_agreement import rank_agreement


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


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 5), st.booleans()), max_size=12), max_size=5),
    st.integers(1, 13),
    st.booleans(),
    st.booleans(),
)
def test_any_batches_of_any_examples(passes, size, told, once):
    """Partial passes, examples never seen or seen again, in batches of any size."""
    once = once and told
    order = LearningOrder(6)
    reference = [Reference() for _ in range(6)]
    for epoch, examples in enumerate(passes, start=1):
        for start in range(0, len(examples), size):
            batch = examples[start : start + size]
            index = torch.tensor([i for i, _ in batch])
            correct = torch.tensor([c for _, c in batch])
            labels = torch.zeros(len(batch), dtype=torch.int64)
            order.update(
                index, logits_for(correct, labels), labels, epoch=epoch if told else None, once=once
            )
        for i, c in examples:
            history = reference[i].history
            if not (once and history and history[-1][0] == epoch):
                history.append((epoch if told else len(history) + 1, c))
    last = [r.history[-1][0] if r.history else 0 for r in reference]
    assert order.epochs_seen.tolist() == last
    assert order.epochs == max(last)
    assert order.first_learned.tolist() == [r.first() for r in reference]
    assert order.learned_for_good.tolist() == [r.since() for r in reference]
    assert order.forgetting_events.tolist() == [len(r.lost()) for r in reference]
    assert order.last_forgotten.tolist() == [max(r.lost(), default=0) for r in reference]
    recorded = Counter(e for r in reference for e, _ in r.history)
    assert {epoch: estimate.n for epoch, estimate in order.curve().items()} == recorded


def test_epochs_by_what_is_seen_and_by_what_is_told():
    """Example 0 in epochs 1 and 3, example 1 twice in epoch 3, example 2 never."""
    labels = torch.zeros(2, dtype=torch.int64)
    right = logits_for(torch.tensor([True, True]), labels)
    by_count, by_epoch, once = (LearningOrder(3) for _ in range(3))
    for order, how in ((by_count, {}), (by_epoch, {}), (once, {"once": True})):
        for epoch, index in ((1, [0]), (3, [1, 0]), (3, [1])):
            told = {} if order is by_count else {"epoch": epoch}
            order.update(index, right[: len(index)], labels[: len(index)], **told, **how)
    assert by_count.epochs_seen.tolist() == [2, 2, 0]
    assert by_count.first_learned.tolist() == [1, 1, 0]
    assert by_epoch.epochs_seen.tolist() == [3, 3, 0]
    assert by_epoch.first_learned.tolist() == [1, 3, 0]
    assert {e: c.n for e, c in by_count.curve().items()} == {1: 2, 2: 2}
    assert {e: c.n for e, c in by_epoch.curve().items()} == {1: 1, 3: 3}
    assert {e: c.n for e, c in once.curve().items()} == {1: 1, 3: 2}


def test_an_epoch_before_one_recorded_is_refused_before_anything_is_recorded():
    order = LearningOrder(3)
    right = logits_for(torch.tensor([True]), torch.tensor([0]))
    order.update([0], right, [0], epoch=3)
    order.update([1], right, [0], epoch=2)  # of another example
    with pytest.raises(DataError, match="Epoch 2 comes after epoch 3"):
        order.update([2, 0], right.repeat(2, 1), [0, 0], epoch=2)
    assert order.epochs_seen.tolist() == [3, 2, 0]
    with pytest.raises(DataError, match=r"integers; got 1\.5"):
        order.update([0], right, [0], epoch=1.5)
    with pytest.raises(ConfigError, match="Give the epoch too"):
        order.update([0], right, [0], once=True)


def test_examples_that_one_run_never_saw_are_not_compared():
    one, two = LearningOrder(5), LearningOrder(5)
    with pytest.raises(DataError, match="No example was recorded in both"):
        one.agreement(two)
    for epoch, seen in enumerate(([0, 1, 2, 3], [1, 2], [2]), start=1):
        for order, indices in ((one, seen), (two, [i for i in seen if i != 3])):
            labels = torch.zeros(len(indices), dtype=torch.int64)
            correct = torch.tensor([i == epoch - 1 for i in indices])
            order.update(indices, logits_for(correct, labels), labels, epoch=epoch)
    assert one.agreement(two).n == 3
    assert one.agreement(two).tau == 1.0


def test_a_state_of_before_nonfinite_was_counted():
    order = LearningOrder(2)
    order.update([0], torch.tensor([[0.0, 1.0]]), [1])
    state = order.state_dict()
    del state["nonfinite"]
    again = LearningOrder(2)
    again.update([1], torch.tensor([[float("nan"), 1.0]]), [1])
    again.load_state_dict(state)
    assert again.frame().equals(order.frame())


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
    with pytest.raises(DataError, match=r"it has \[.model"):
        LearningOrder(6).load_state_dict({"model": torch.zeros(1)})


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
    for number in (0, 2.0, True, None):
        with pytest.raises(ConfigError, match="num_examples"):
            LearningOrder(number)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({0: "a", 1: "b"}, "in the order of the examples"),
        ({"a", "b"}, "in the order of the examples"),
        (np.array([1.0, math.nan]), "missing for example 1"),
        ([0.5, 1.5], "not fractions"),
        (torch.zeros(2, 2), "one value for each example"),
        ([["a"], ["b"]], "not list"),
    ],
)
def test_groups_of_other_kinds_are_refused(groups, message):
    with pytest.raises(ConfigError, match=message):
        LearningOrder(2, groups)


@pytest.mark.parametrize("groups", [[*torch.tensor([1, 0, 1])], torch.tensor([[1], [0], [1]])])
def test_groups_are_equal_by_value(groups):
    order = LearningOrder(3, groups)
    order.update(range(3), torch.zeros(3, 2), [0, 0, 1])
    assert order.group_names == [0, 1]
    assert order.curve(1)[1].n == 2


@pytest.mark.parametrize(
    ("one", "other", "name"),
    [
        ({"groups": ["a", "b"]}, {"groups": ["b", "a"]}, "groups"),
        ({"groups": ["a", "b"]}, {"groups": ["a", "c"]}, "groups"),
        ({"tokens": "all"}, {"tokens": "last"}, "tokens"),
        ({"ignore_index": 0}, {}, "ignore_index"),
    ],
)
def test_states_of_other_orders_are_refused(one, other, name):
    state = LearningOrder(2, **one).state_dict()
    LearningOrder(2, **one).load_state_dict(state)
    with pytest.raises(DataError, match=f"other {name}"):
        LearningOrder(2, **other).load_state_dict(state)
    with pytest.raises(DataError, match="other positions"):
        LearningOrder(1, positions=2).load_state_dict(LearningOrder(2).state_dict())


def test_nothing_is_recorded_of_an_epoch_too_large():
    order = LearningOrder(2, dynamics=True)
    with pytest.raises(DataError, match="at most 1,000,000 epochs"):
        order.update([0, 1], torch.eye(2), [0, 1], epoch=2**31)
    assert np.isnan(order.confidence).all()


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
    assert order.frame()["epochs_seen"].tolist() == [0] * len(order.frame())
