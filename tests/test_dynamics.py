"""Training dynamics of examples: known answers, an obvious reference, and every kind of logits."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from learnorder import LearningOrder
from learnorder.errors import ConfigError, DataError
from learnorder.toolkit import scores

NAN, INF = float("nan"), float("inf")


def dynamics(order):
    frame = order.frame()
    return frame[["confidence", "variability", "correctness", "aum"]].to_numpy()


def followed(logits, labels, **how):
    """The dynamics of a batch, seen once."""
    order = LearningOrder(len(labels), dynamics=True, **how)
    order.update(range(len(labels)), logits, labels)
    return dynamics(order)


def test_of_two_epochs_by_hand():
    """Probabilities 0.2 and 0.6: mean 0.4, deviation 0.2; margins ln 0.2/0.5 and ln 0.6/0.3."""
    order = LearningOrder(3, dynamics=True)
    for p in ([0.2, 0.5, 0.3], [0.6, 0.3, 0.1]):
        order.update([1], torch.tensor([p]).log() + 7, [0])
    assert order.confidence.tolist() == pytest.approx([NAN, 0.4, NAN], nan_ok=True)
    assert order.variability.tolist() == pytest.approx([NAN, 0.2, NAN], nan_ok=True)
    assert order.correctness.tolist() == pytest.approx([NAN, 0.5, NAN], nan_ok=True)
    aum = (math.log(0.4) + math.log(2)) / 2
    assert order.aum.tolist() == pytest.approx([NAN, aum, NAN], nan_ok=True)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.lists(st.integers(0, 4), max_size=9), max_size=5), st.booleans(), st.integers(0, 99)
)
def test_against_plain_loops(passes, once, seed):
    """Partial passes with repeated examples, against NumPy on the stored predictions."""
    drawing = torch.Generator().manual_seed(seed)
    order = LearningOrder(5, dynamics=True)
    seen = [[] for _ in range(5)]
    for epoch, examples in enumerate(passes, start=1):
        logits = 3 * torch.randn(len(examples), 4, generator=drawing)
        labels = torch.randint(0, 4, (len(examples),), generator=drawing)
        order.update(
            torch.tensor(examples, dtype=torch.int64), logits, labels, epoch=epoch, once=once
        )
        counted = set()
        for i, z, y in zip(examples, logits.double(), labels.tolist(), strict=True):
            if not (once and i in counted):
                others = [float(z[c]) for c in range(4) if c != y]
                margin = float(z[y]) - max(others)
                seen[i].append((float(z.softmax(0)[y]), margin, margin > 0))
            counted.add(i)
    for row, history in zip(dynamics(order), seen, strict=True):
        if not history:
            assert np.isnan(row).all()
            continue
        p, margin, correct = np.array(history).T
        expected = [p.mean(), p.std(), correct.mean(), margin.mean()]
        assert row.tolist() == pytest.approx(expected, abs=1e-5)


def test_a_constant_probability_has_no_variability():
    order = LearningOrder(1, dynamics=True)
    for _ in range(1000):
        order.update([0], torch.tensor([[0.1, 0.7, 0.3]], dtype=torch.float64), [1])
    assert order.variability[0] == pytest.approx(0, abs=1e-9)
    assert order.aum[0] == pytest.approx(0.4)


def test_one_logit_stands_for_two():
    logits, labels = torch.tensor([2.0, -1.0, 0.5]), torch.tensor([1, 0, 0])
    pair = torch.stack([torch.zeros(3), logits], 1)
    expected = followed(pair, labels)
    assert expected[:, 3].tolist() == [2.0, 1.0, -0.5]
    for given_ in (logits, logits[:, None], logits.half()):
        assert followed(given_, labels) == pytest.approx(expected, abs=1e-6)
    smoothed = followed(logits, torch.tensor([0.9, 0.1, 0.0]))
    assert smoothed == pytest.approx(expected, abs=1e-6)


def test_of_shares_of_classes_the_largest_is_the_label():
    logits = torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, 3.0]])
    shares = torch.tensor([[0.7, 0.1, 0.2], [0.0, 0.6, 0.4]])
    assert followed(logits, shares).tolist() == followed(logits, [0, 1]).tolist()


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn]
)
def test_logits_of_every_float_type(dtype):
    logits = torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, -1.0]])
    assert followed(logits.to(dtype), [0, 2]) == pytest.approx(followed(logits, [0, 2]), abs=1e-6)


def test_ignored_labels_are_not_followed():
    order = LearningOrder(2, dynamics=True, ignore_index=255)
    order.update([0, 1], torch.tensor([[1.0, 0.0], [1.0, 0.0]]), np.array([0, 255], np.uint8))
    assert np.isnan(order.confidence).tolist() == [False, True]


@pytest.mark.parametrize("bad", [NAN, INF])
def test_what_is_not_finite_is_wrong_and_left_out_of_means(bad):
    order = LearningOrder(2, dynamics=True)
    good = torch.tensor([[2.0, 0.0], [2.0, 0.0]])
    order.update([0, 1], good, [0, 0])
    order.update([0], torch.tensor([[bad, 0.0]]), [0])
    assert order.nonfinite.tolist() == [1, 0]
    assert order.correctness.tolist() == [0.5, 1.0]
    for values in (order.confidence, order.variability, order.aum):
        assert values[0] == values[1] == values[1]
    never = LearningOrder(1, dynamics=True)
    never.update([0], torch.tensor([[bad, 0.0]]), [0])
    assert dynamics(never)[0].tolist() == pytest.approx([NAN, NAN, 0.0, NAN], nan_ok=True)


def test_a_masked_class_has_no_probability():
    rows = followed(torch.tensor([[0.0, -INF, 1.0], [0.0, -INF, -INF]]), [1, 0])
    assert rows[0].tolist() == [0.0, 0.0, 0.0, -INF]
    assert rows[1].tolist() == [1.0, 0.0, 1.0, INF]


# tokens

LOGITS = torch.tensor([[[3.0, 0.0], [0.0, 1.0], [0.0, 2.0]], [[1.0, 0.0], [5.0, 0.0], [0.0, 0.0]]])
LABELS = torch.tensor([[0, 0, 1], [-100, 0, -100]])


@pytest.mark.parametrize("rule", ["all", 0.5])
def test_a_sequence_has_the_geometric_mean_of_its_tokens(rule):
    p = [[*LOGITS[b, t].softmax(0)][LABELS[b, t]].item() for b, t in ((0, 0), (0, 1), (0, 2))]
    rows = followed(LOGITS, LABELS, tokens=rule)
    assert rows[0, 0] == pytest.approx(math.prod(p) ** (1 / 3))
    assert rows[0, 3] == pytest.approx((3 - 1 + 2) / 3)
    assert rows[:, 2].tolist() == ([0, 1] if rule == "all" else [1, 1])
    assert rows[1, [0, 3]].tolist() == pytest.approx([F.sigmoid(torch.tensor(5.0)).item(), 5])


def test_by_the_last_token_its_own_counts():
    rows = followed(LOGITS, LABELS, tokens="last")
    assert rows[:, 3].tolist() == pytest.approx([2, 5])
    assert rows[0, 0] == pytest.approx(F.sigmoid(torch.tensor(2.0)).item())


def test_each_position_has_its_own():
    order = LearningOrder(2, positions=4, dynamics=True)
    order.update([1, 0], LOGITS, LABELS)
    assert order.aum.tolist() == pytest.approx(
        np.array([[NAN, 5, NAN, NAN], [3, -1, 2, NAN]]), nan_ok=True
    )
    assert order.frame().loc[(1, 1), "aum"] == -1


def test_a_token_that_is_not_finite_leaves_its_sequence_out():
    logits = LOGITS.clone()
    logits[0, 0, 0] = NAN  # labelled
    logits[1, 0, 0] = NAN  # not labelled
    rows = followed(logits, LABELS, tokens="all")
    assert np.isnan(rows[:, 0]).tolist() == [True, False]


def test_many_logits_are_converted_in_parts(monkeypatch):
    logits, labels = torch.randn(7, 5, generator=torch.Generator().manual_seed(0)), [0, 1, 2] * 2
    whole = followed(logits, [*labels, 4])
    monkeypatch.setattr(scores, "_ELEMENTS", 10)
    assert followed(logits, [*labels, 4]).tolist() == whole.tolist()


# what needs logits, and checkpoints


def test_without_dynamics_they_are_refused_by_name():
    order = LearningOrder(2)
    assert not order.has_dynamics
    assert "aum" not in order.frame()
    for name in ("confidence", "variability", "correctness", "aum"):
        with pytest.raises(ConfigError, match=r"dynamics=True"):
            getattr(order, name)
    with pytest.raises(ConfigError, match="dynamics"):
        LearningOrder(2, dynamics=1)


def test_record_has_no_logits():
    order = LearningOrder(2, dynamics=True)
    with pytest.raises(DataError, match=r"record.*has no logits.*without dynamics=True"):
        order.record([0], [True])
    assert order.epochs == 0
    order.record([], [])  # the callback's batch that was skipped


def test_a_state_continues():
    logits = torch.randn(6, 4, 3, generator=torch.Generator().manual_seed(1))
    whole, half, again = (LearningOrder(4, dynamics=True) for _ in range(3))
    for epoch, z in enumerate(logits):
        whole.update(range(4), z, [0, 1, 2, 0])
        if epoch < 3:
            half.update(range(4), z, [0, 1, 2, 0])
    again.load_state_dict(half.state_dict())
    for z in logits[3:]:
        again.update(range(4), z, [0, 1, 2, 0])
    assert again.frame().equals(whole.frame())


def test_a_state_of_the_other_kind_is_refused():
    with_, without = LearningOrder(2, dynamics=True), LearningOrder(2)
    with pytest.raises(DataError, match=r"has no training dynamics.*dynamics=False"):
        with_.load_state_dict(without.state_dict())
    with pytest.raises(DataError, match=r"has training dynamics.*dynamics=True"):
        without.load_state_dict(with_.state_dict())
