"""Which logits and labels are accepted, by what rule, and what is refused by name."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from learnorder import LearningOrder
from learnorder.errors import ConfigError, DataError

NAN, INF = float("nan"), float("inf")


def learned(logits, labels, **how):
    """Return which of a batch's examples are correct."""
    order = LearningOrder(len(labels), **how)
    order.update(range(len(labels)), logits, labels)
    return order.first_learned.tolist()


# not finite


@pytest.mark.parametrize("bad", [NAN, INF])
def test_what_is_not_finite_is_never_correct_and_counted(bad):
    """All of a row, at its label, beside its label, and infinity against a class only."""
    logits = torch.tensor(
        [[bad, bad, bad], [bad, 0.0, 1.0], [2.0, 0.0, bad], [2.0, 0.0, -INF], [2.0, 0.0, 1.0]]
    )
    order = LearningOrder(5)
    order.update(range(5), logits, torch.zeros(5, dtype=torch.int64))
    assert order.first_learned.tolist() == [0, 0, 0, 1, 1]
    assert order.nonfinite.tolist() == [1, 1, 1, 0, 0]
    assert (order.nonfinite > 0).sum() == 3
    assert order.frame()["nonfinite"].tolist() == [1, 1, 1, 0, 0]
    order.update([0, 0, 4], torch.full((3, 3), bad), [0, 1, 2])
    assert order.nonfinite.tolist() == [3, 1, 1, 0, 1]
    assert order.forgetting_events.tolist() == [0, 0, 0, 0, 1]


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
def test_of_one_logit_too(bad):
    order = LearningOrder(2)
    order.update([0, 1], torch.tensor([bad, bad]), torch.tensor([0, 1]))
    assert order.first_learned.tolist() == [0, 0]
    assert order.nonfinite.tolist() == [1, 1]


def test_half_precision_that_overflows_is_not_finite():
    logits = torch.tensor([[70000.0, 0.0]]).half()
    assert learned(logits, [0]) == [0]


def test_of_equal_logits_the_first_counts():
    assert learned(torch.zeros(3, 3), [0, 1, 2]) == [1, 0, 0]


# types and shapes

LOGITS = torch.tensor([[2.0, 0.0, 1.0], [0.0, 1.0, -1.0], [0.0, 0.5, 3.0]])


@pytest.mark.parametrize(
    "dtype",
    [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn],
)
def test_logits_of_every_float_type(dtype):
    assert learned(LOGITS.to(dtype), [0, 1, 0]) == [1, 1, 0]


@pytest.mark.parametrize(
    "dtype",
    [torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64, torch.float32, torch.bfloat16],
)
def test_labels_of_every_type_that_counts(dtype):
    assert learned(LOGITS, torch.tensor([0, 1, 0]).to(dtype)) == [1, 1, 0]
    assert learned(LOGITS, torch.tensor([[0], [1], [0]]).to(dtype)) == [1, 1, 0]


@pytest.mark.parametrize(
    "made",
    [
        lambda x: x.numpy(),
        lambda x: x.tolist(),
        lambda x: np.asarray(x.numpy(), order="F"),
        lambda x: x.numpy().astype(">f4"),
        lambda x: x.numpy().astype(np.longdouble),
        lambda x: np.frombuffer(x.numpy().tobytes(), x.numpy().dtype).reshape(x.shape),
        lambda x: x.clone().requires_grad_() if x.is_floating_point() else x,
        lambda x: x.t().contiguous().t(),
    ],
)
def test_arrays_and_lists(made):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert learned(made(LOGITS), made(torch.tensor([0, 1, 0]))) == [1, 1, 0]


@pytest.mark.parametrize(
    "indices",
    [
        [2, 0],
        (2, 0),
        np.array([2, 0], np.uint8),
        np.array([2, 0], np.uint64),
        torch.tensor([2, 0], dtype=torch.int16),
        torch.tensor([[2], [0]]),
        [torch.tensor(2), torch.tensor(0)],
    ],
)
def test_indices_of_every_whole_type(indices):
    order = LearningOrder(3)
    order.update(indices, LOGITS[[2, 0]], [2, 0])
    assert order.first_learned.tolist() == [1, 0, 1]


def test_two_classes_by_bool_labels():
    truth = torch.tensor([True, False, True])
    outputs = torch.tensor([3.0, 2.0, -1.0])
    for logits in (outputs, outputs[:, None], torch.stack([-outputs, outputs], 1)):
        for labels in (truth, truth[:, None], truth.numpy(), truth.float(), truth.int()):
            assert learned(logits, labels) == [1, 0, 0]


def test_one_logit_and_smoothed_labels():
    """One-sided smoothing, 0.9 for class 1, and class 0 a little above 0."""
    logits = torch.tensor([2.0, -2.0, -2.0, 2.0])
    assert learned(logits, torch.tensor([0.9, 0.0, 0.1, 0.1])) == [1, 1, 1, 0]
    assert learned(logits[:, None], torch.tensor([[0.9], [0.0], [0.1], [0.1]])) == [1, 1, 1, 0]


def test_shares_of_classes_are_their_largest():
    smoothed = F.one_hot(torch.tensor([0, 1, 0]), 3) * 0.7 + 0.1
    mixed = torch.tensor([[0.7, 0.3, 0.0], [0.4, 0.6, 0.0], [0.6, 0.0, 0.4]])
    for labels in (smoothed, mixed, smoothed.bfloat16(), F.one_hot(torch.tensor([0, 1, 0]), 3)):
        assert learned(LOGITS, labels) == [1, 1, 0]


def test_class_probabilities_are_not_ignored():
    order = LearningOrder(3, ignore_index=0)
    order.update([0, 1, 2], LOGITS, F.one_hot(torch.tensor([0, 1, 0]), 3))
    assert order.epochs_seen.tolist() == [1, 1, 1]


def test_what_is_ignored_is_not_recorded():
    order = LearningOrder(3, groups=["a", "b", "b"])
    order.update([0, 1, 2], LOGITS, [0, -100, 0])
    assert order.epochs_seen.tolist() == [1, 0, 1]
    assert order.curve("b")[1].n == 1
    order.update([0, 1, 2], torch.full((3, 3), NAN), [-100, -100, -100])
    assert order.epochs_seen.tolist() == [1, 0, 1]
    assert order.nonfinite.sum() == 0
    other = LearningOrder(3, ignore_index=255)
    other.update([0, 1, 2], LOGITS, np.array([0, 255, 0], np.uint8))
    assert other.epochs_seen.tolist() == [1, 0, 1]
    binary = LearningOrder(2, ignore_index=-1)
    binary.update([0, 1], torch.tensor([1.0, 1.0]), torch.tensor([0.9, -1.0]))
    assert binary.epochs_seen.tolist() == [1, 0]


def test_a_batch_of_one_that_was_squeezed_and_one_of_none():
    order = LearningOrder(2)
    order.update(torch.tensor(1), torch.tensor(3.0), torch.tensor(1))
    assert order.first_learned.tolist() == [0, 1]
    order.update([], torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))
    assert order.epochs_seen.tolist() == [0, 1]


Z = torch.zeros(2, 3)
REFUSED = {
    "classes, not logits": (torch.tensor([1, 0]), [1, 0], "torch.int64, not floats"),
    "one-hot predictions": (torch.eye(2, dtype=torch.bool), [1, 0], "torch.bool, not floats"),
    "what a model returns": ({"logits": Z}, [0, 1], "outputs.logits"),
    "several heads": ((Z, Z), [0, 1], "Logits have shape .2, 2, 3."),
    "text": (Z, ["cat", "dog"], "Labels are <U3"),
    "half labels": (Z, [0.5, 1.0], "fractions, such as 0.5"),
    "no label": (Z, [NAN, 1.0], "fractions, such as nan"),
    "a regression": (torch.zeros(2), [3.7, 0.0], "fractions, such as 3.7"),
    "half of one logit": (torch.zeros(2), [0.5, 1.0], "fractions, such as 0.5"),
    "signs": (torch.zeros(2), [-1, 1], "Labels run from -1 to 1"),
    "infinite": (Z, [INF, 1.0], "Labels run from 1 to inf"),
    "several labels": (Z, [[1, 0, 1], [0, 0, 0]], "sum to 1 for each example"),
    "none of several": (Z, [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]], "sum to 1 for each example"),
    "a tie": (Z, [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]], "the same largest probability"),
    "shares below 0": (Z, [[1.5, -0.5, 0.0], [1.0, 0.0, 0.0]], "sum to 1 for each example"),
    "other shares": (Z, [[0.5, 0.5], [1.0, 0.0]], "shape .2, 2. and logits .2, 3."),
    "no classes": (torch.zeros(2, 0), [0, 1], "shape .2, 0."),
    "tokens": (torch.zeros(2, 4, 3), torch.zeros(2, 4), "tokens='all'.*positions=T"),
    "ragged": (Z, [[1], [1, 2]], "Labels are a list; give one tensor or array"),
    "other lengths": (Z, [1], "2 indices, 2 predictions and 1 labels"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name_before_anything_is_recorded(name):
    logits, labels, message = REFUSED[name]
    order = LearningOrder(2)
    with pytest.raises(DataError, match=message):
        order.update([0, 1], logits, labels)
    assert order.epochs == 0


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ([0.0, 1.0], "Indices are float64 with shape"),
        ([True, False], "Indices are bool"),
        (["0", "1"], "Indices are <U1"),
        (torch.zeros(2, 2, dtype=torch.int64), "shape .2, 2."),
        ([0, 5], "from 0 to 5, but there are 2 examples"),
        ([-1, 0], "from -1 to 0"),
        (None, "Indices are object"),
    ],
)
def test_indices_refused_by_name(indices, message):
    order = LearningOrder(2)
    with pytest.raises(DataError, match=message):
        order.update(indices, Z, [0, 1])
    assert order.epochs == 0


def test_probabilities_in_place_of_one_logit_are_warned_about():
    order = LearningOrder(20)
    with pytest.warns(UserWarning, match="before the sigmoid") as caught:
        order.update(range(20), torch.linspace(0.1, 0.9, 20), torch.ones(20))
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        order.update(range(20), torch.linspace(-0.1, 0.9, 20), torch.ones(20))


# a rule of one's own


def test_what_is_correct_by_a_rule_of_one_s_own():
    order = LearningOrder(4)
    order.record([3, 1], torch.tensor([True, False]))
    order.record(np.array([1, 2]), [True, True], epoch=5)
    assert order.first_learned.tolist() == [0, 5, 5, 1]
    for correct in ([1, 0], [True], [[True], [False]], [0.5, 1.0]):
        with pytest.raises(DataError, match="correct"):
            order.record([0, 1], correct)
    pairs = LearningOrder(2, positions=2)
    pairs.record([1], [[True, False]])
    assert pairs.first_learned.tolist() == [[0, 0], [1, 0]]
    with pytest.raises(DataError, match=r"give \[B, T\]"):
        pairs.record([1], [True])


# tokens


def one_hot(predicted, classes=4):
    return F.one_hot(torch.as_tensor(predicted), classes).float()


LABELS = torch.tensor([[1, 2, 3], [1, 2, -100], [-100, -100, 3], [-100, -100, -100]])
SOME = one_hot([[1, 2, 0], [1, 2, 0], [0, 0, 3], [1, 1, 1]])
"""Right at two of three tokens, at both of two, at one of one, and nothing to be right at."""


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("all", [0, 1, 1, 0]),
        ("last", [0, 1, 1, 0]),
        (1.0, [0, 1, 1, 0]),
        (2 / 3, [1, 1, 1, 0]),
        (0.67, [0, 1, 1, 0]),
        (1, [0, 1, 1, 0]),
    ],
)
def test_a_sequence_by_a_rule_on_its_tokens(rule, expected):
    order = LearningOrder(4, tokens=rule)
    order.update(range(4), SOME, LABELS)
    assert order.first_learned.tolist() == expected
    assert order.epochs_seen.tolist() == [1, 1, 1, 0]


def test_the_last_labelled_token():
    order = LearningOrder(2, tokens="last")
    order.update([0, 1], one_hot([[0, 2, 0], [1, 0, 3]]), [[1, 2, -100], [1, 2, 1]])
    assert order.first_learned.tolist() == [1, 0]


@pytest.mark.parametrize("rule", ["all", "last", 0.1])
def test_a_sequence_with_a_token_that_is_not_finite_is_not_correct(rule):
    logits = SOME.clone()
    logits[1, 0] = NAN
    logits[2, 0] = NAN  # not labelled
    order = LearningOrder(4, tokens=rule)
    order.update(range(4), logits, LABELS)
    assert order.first_learned.tolist()[1:] == [0, 1, 0]
    assert order.nonfinite.tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize(
    "how", [{"tokens": "all"}, {"tokens": "last"}, {"tokens": 0.5}, {"positions": 3}]
)
@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_no_sequences_and_sequences_without_tokens(how, shape):
    """Such as a causal model's of one token, shifted."""
    order = LearningOrder(2, **how)
    order.update(range(shape[0]), torch.zeros(*shape, 4), torch.zeros(shape, dtype=torch.int64))
    assert order.epochs == 0


def test_each_position():
    order = LearningOrder(4, groups=["a", "b", "b", "b"], positions=3)
    order.update(range(4), SOME, LABELS)
    assert order.first_learned.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert order.epochs_seen.tolist() == [[1, 1, 1], [1, 1, 0], [0, 0, 1], [0, 0, 0]]
    assert (order.curve("a")[1].n, order.curve("b")[1].n) == (3, 3)
    order.update([2], SOME[[2], :2], [[1, 2]])  # a shorter batch
    assert order.epochs_seen[2].tolist() == [1, 1, 1]
    frame = order.frame()
    assert frame.loc[(1, 2), "first_learned"] == 0
    assert frame.index.names == ["index", "position"]
    with pytest.raises(DataError, match="positions=4 or more"):
        order.update([0], one_hot([[1, 1, 1, 1]]), [[1, 1, 1, 1]])
    order.update([0], one_hot([[1, 1, 1, 1]]), [[1, 1, 1, -100]])  # padding goes beyond
    again = LearningOrder(4, groups=["a", "b", "b", "b"], positions=3)
    again.load_state_dict(order.state_dict())
    assert again.frame().equals(order.frame())


def test_groups_of_tokens():
    kinds = torch.tensor([[0, 1], [1, 1]])
    order = LearningOrder(2, groups=kinds, positions=2)
    order.update([0, 1], one_hot([[1, 1], [1, 2]]), [[1, 0], [1, 2]])
    assert {kind: order.curve(kind)[1].mean for kind in (0, 1)} == {0: 1.0, 1: 2 / 3}


def test_pixels_are_tokens():
    labels = torch.randint(0, 4, (2, 5, 3))
    order = LearningOrder(2, positions=15)
    order.update([0, 1], one_hot(labels), labels)
    assert order.first_learned.tolist() == [[1] * 15] * 2


def test_labels_of_a_causal_model_are_shifted_by_the_user():
    """Of a model that repeats its input, token t + 1 is the input's next."""
    inputs = torch.tensor([[1, 1, 2], [3, 3, 3]])
    order = LearningOrder(2, tokens="all")
    order.update([0, 1], one_hot(inputs)[:, :-1], inputs[:, 1:])
    assert order.first_learned.tolist() == [0, 1]


@pytest.mark.parametrize(
    ("logits", "labels"),
    [
        (torch.zeros(2, 3), [0, 1]),
        (torch.zeros(2, 4, 3), [0, 1]),
        (torch.zeros(2, 4, 3), torch.zeros(2, 3)),  # classes second
        (torch.zeros(2, 3), torch.zeros(2, 3)),
    ],
)
def test_tokens_of_other_shapes_are_refused(logits, labels):
    with pytest.raises(DataError, match=r"with the classes last \(logits.movedim"):
        LearningOrder(2, tokens="all").update([0, 1], logits, labels)


@pytest.mark.parametrize(
    ("how", "field"),
    [
        ({"tokens": "mean"}, "tokens"),
        ({"tokens": 0.0}, "tokens"),
        ({"tokens": 1.5}, "tokens"),
        ({"tokens": True}, "tokens"),
        ({"tokens": ["all"]}, "tokens"),
        ({"tokens": "all", "positions": 3}, "tokens"),
        ({"positions": 0}, "positions"),
        ({"positions": 2.5}, "positions"),
    ],
)
def test_rules_that_are_not_known_are_refused(how, field):
    with pytest.raises(ConfigError) as caught:
        LearningOrder(2, **how)
    assert caught.value.field == field


def by_hand(correct, labelled, rule):
    """Return whether a sequence is correct, None if it has no labelled token."""
    kept = [c for c, has in zip(correct, labelled, strict=True) if has]
    if not kept:
        return None
    if isinstance(rule, str):
        return all(kept) if rule == "all" else kept[-1]
    return sum(kept) / len(kept) >= rule


@settings(deadline=None)
@given(st.data())
def test_rules_on_tokens_against_plain_loops(data):
    """Any tokens, labelled or not, in batches of any width and size."""
    rule = data.draw(st.sampled_from(["all", "last", 0.25, 0.5, 0.9, 1.0]))
    width = data.draw(st.integers(1, 5))
    row = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=width, max_size=width)
    sequences = data.draw(st.lists(row, min_size=1, max_size=7))
    size = data.draw(st.integers(1, 7))
    order, each = (LearningOrder(len(sequences), **h) for h in ({"tokens": rule}, {"positions": 5}))
    for start in range(0, len(sequences), size):
        batch = torch.tensor(sequences[start : start + size])
        right, has = batch[..., 0], batch[..., 1]
        logits, labels = one_hot(torch.where(right, 2, 1)), torch.where(has, 2, -100)
        for one in (order, each):
            one.update(range(start, start + len(batch)), logits, labels)
    for index, sequence in enumerate(sequences):
        has_them, rights = zip(*sequence, strict=True)
        expected = by_hand(has_them, rights, rule)
        assert order.epochs_seen[index] == (expected is not None)
        assert order.first_learned[index] == bool(expected)
        for position, (right, has) in enumerate(sequence):
            assert each.epochs_seen[index, position] == has
            assert each.first_learned[index, position] == (right and has)
