"""Planters: a contract for all of them, what each plants, and what a check refuses."""

import copy
import dataclasses
import pickle
import random
from collections import Counter, UserDict, namedtuple

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import TensorDataset

from learnorder.errors import ConfigError, DataError
from learnorder.planters import (
    ImagePlanter,
    SeriesPlanter,
    TablePlanter,
    TextPlanter,
    TokenPlanter,
    check_planter,
)
from learnorder.planters.compare import content_key
from learnorder.planters.drawing import place_runs
from learnorder.planters.parts import on_part


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def floats(*shape, dtype=torch.float32):
    return [torch.randn(*shape, generator=rng(n)).to(dtype) for n in range(4)]


def readonly(array):
    array.flags.writeable = False
    return array


def with_nan(values):
    values = values.clone()
    values[..., 0] = torch.nan
    return values


class Own:
    """A user's planter: a number in the first place, of a random sign."""

    strengths = (1.0, 2.0)

    def draw(self, num_classes, generator):
        return 1 + torch.rand(num_classes, generator=generator)

    def plant(self, inputs, patterns, label, strength, generator):
        sign = 1 - 2 * torch.randint(2, (), generator=generator)
        planted = inputs.clone()
        planted[0] = sign * strength * patterns[label]
        return planted

    def blank(self, inputs):
        return torch.zeros_like(inputs)


RARE = tuple(range(90, 102))
TOKENS = TokenPlanter(RARE, padding=0, faint_tokens=tuple(range(60, 90)), filler=1)
IDS = [[5, 6, 7, 8, 9, 10, 11, 12, 0, 0], [5] * 10, list(range(5, 15)), [8, 9] * 5]
TEXTS = ["a fine film", "not  a\tfine film\n", "too long", "no"]
FAINT_WORDS = tuple(f"w{n}" for n in range(12))
HALF = ImagePlanter(size=3, strengths=(0.4, 0.8))


def masked(ids):
    return {"input_ids": torch.tensor(ids), "attention_mask": (torch.tensor(ids) != 0).long()}


CASES = {
    "own": (Own(), floats(4)),
    "image": (ImagePlanter(size=3), floats(3, 8, 9)),
    "grey image": (ImagePlanter(size=8, top=0, left=1), floats(8, 9)),
    "float16 image": (HALF, floats(3, 8, 8, dtype=torch.float16)),
    "bfloat16 image": (HALF, floats(3, 8, 8, dtype=torch.bfloat16)),
    "NumPy image": (ImagePlanter(size=3), [readonly(x.numpy()) for x in floats(1, 8, 8)]),
    "image with NaN": (ImagePlanter(size=3), [with_nan(x) for x in floats(1, 8, 8)]),
    "image in a mapping": (
        ImagePlanter(size=3, key="pixels"),
        [{"pixels": x, "id": n} for n, x in enumerate(floats(1, 8, 8))],
    ),
    "tokens": (TOKENS, [torch.tensor(ids) for ids in IDS]),
    "tokens, masked": (dataclasses.replace(TOKENS, key="input_ids"), list(map(masked, IDS))),
    "tokens in a list": (TOKENS, IDS),
    "tokens, int16": (TOKENS, [readonly(np.array(ids, np.int16)) for ids in IDS]),
    "tokens, shared": (dataclasses.replace(TOKENS, shared=True, place="end"), IDS),
    "tokens anywhere": (dataclasses.replace(TOKENS, length=1, place="anywhere"), IDS),
    "text": (TextPlanter(faint_words=FAINT_WORDS), TEXTS),
    "text anywhere": (
        TextPlanter(shared=True, length=3, place="anywhere", key=0, faint_words=FAINT_WORDS),
        [(text, n) for n, text in enumerate(TEXTS)],
    ),
    "table": (TablePlanter((1, 4)), floats(6)),
    "table, fitted": (TablePlanter.fit(torch.stack(floats(6)) * 9 + 5), floats(6)),
    "table in a list": (TablePlanter((1, 4)), [x.tolist() for x in floats(6)]),
    "table with NaN": (TablePlanter((1, 4)), [with_nan(x).double().numpy() for x in floats(6)]),
    "series": (SeriesPlanter(5), floats(12)),
    "series in place": (SeriesPlanter(5, add=False, place="end", mean=(2,)), floats(2, 12)),
    "series of a channel": (SeriesPlanter(5, channel=1, place="anywhere"), floats(2, 12)),
    "float16 series": (SeriesPlanter(12), floats(12, dtype=torch.float16)),
}


@pytest.mark.parametrize("name", CASES)
def test_the_contract(name):
    planter, examples = CASES[name]
    before = copy.deepcopy(examples)
    state = rng(3).get_state()
    generator = rng(3)
    for strength in planter.strengths[:2]:
        faint = 0.3 if hasattr(planter, "faint") else None
        check_planter(planter, examples, [0, 1, 2, 0], 3, strength, generator, faint_strength=faint)
    assert torch.equal(generator.get_state(), state)
    assert content_key(examples) == content_key(before)


@pytest.mark.parametrize("name", CASES)
def test_patterns_depend_on_the_seed_and_travel_to_other_processes(name):
    planter, examples = CASES[name]
    strength = planter.strengths[0]

    def planted(patterns):
        return content_key(planter.plant(examples[0], patterns, 1, strength, rng(5)))

    patterns = planter.draw(3, rng(1))
    assert planted(pickle.loads(pickle.dumps(patterns))) == planted(patterns)
    assert planted(planter.draw(3, rng(1))) == planted(patterns)
    assert len({planted(planter.draw(3, rng(seed))) for seed in range(8)}) > 2


@pytest.mark.parametrize("name", CASES)
def test_the_global_generators_are_left_alone(name):
    planter, examples = CASES[name]
    before = torch.random.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    patterns = planter.draw(3, rng())
    planter.plant(planter.blank(examples[0]), patterns, 1, planter.strengths[0], rng())
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    assert (np.random.get_state()[1] == before[2]).all()


# --- Images, tables and series: the sign ---------------------------------------------------------


def accesses(planter, example, label, strength=1.0):
    """The different values that accesses to an example give, in a fixed order."""
    patterns = planter.draw(4, rng(2))
    made = [planter.plant(example, patterns, label, strength, rng(n)) for n in range(20)]
    return torch.unique(torch.stack(made), dim=0)


@pytest.mark.parametrize(
    ("planter", "example"),
    [
        (ImagePlanter(size=3), torch.ones(2, 6, 6).double()),
        (TablePlanter((0, 2)), torch.ones(4).double()),
        (SeriesPlanter(5), torch.ones(2, 9).double()),
        (SeriesPlanter(5, add=False), torch.ones(9).double()),
    ],
)
def test_signs_cancel_so_no_linear_function_separates_classes(planter, example):
    one, other = accesses(planter, example, 0), accesses(planter, example, 3)
    assert len(one) == len(other) == 2
    assert torch.allclose(one.mean(0), other.mean(0), atol=1e-6)
    assert not torch.allclose(one, other, atol=0.1)
    twice = accesses(planter, example, 0, strength=2.0)
    assert torch.allclose((twice[0] - twice[1]).abs(), 2 * (one[0] - one[1]).abs(), atol=1e-5)


def test_the_square_is_where_it_should_be():
    image, planter = torch.zeros(3, 8, 9), ImagePlanter(size=3, left=6)
    planted = planter.plant(image, planter.draw(2, rng()), 1, 0.1, rng())
    rows, columns = planted.ne(0).any(0).nonzero(as_tuple=True)
    assert (rows.unique().tolist(), columns.unique().tolist()) == ([2, 3, 4], [6, 7, 8])


def test_the_numbers_of_the_paper():
    planter = ImagePlanter(size=40)
    one, other = accesses(planter, torch.zeros(3, 40, 40), 0, strength=0.1)
    assert ((one + other) / 2).std() == pytest.approx(1.25, rel=0.03)
    zeta = (one - other).abs() / 2
    assert zeta.max() == pytest.approx(0.1, rel=0.01)
    assert zeta.mean() == pytest.approx(0.05, rel=0.03)


def test_a_fitted_table_is_planted_in_units_of_its_columns():
    data = torch.randn(500, 5, generator=rng()) * torch.tensor([1, 10, 0, 100, 1]) + 7
    data[::7, 3] = torch.nan
    planter = TablePlanter.fit(data, columns=[1, 3])
    assert planter.spread[1] == pytest.approx(10, rel=0.1)
    assert planter.spread[2] == 0
    assert planter.blank(data[0]).tolist() == pytest.approx(list(planter.mean))
    values = accesses(planter, torch.zeros(5), 1, strength=0.5)
    assert (values[:, [0, 2, 4]] == 0).all()
    plain = accesses(TablePlanter((1, 3)), torch.zeros(5), 1, strength=0.5)
    spread, mean = torch.tensor(planter.spread), torch.tensor(planter.mean)
    expected = (plain * spread + mean)[:, [1, 3]]
    assert torch.allclose(values[:, [1, 3]].sort(0).values, expected.sort(0).values, atol=1e-4)


def test_fitting_takes_columns_with_the_most_values():
    values = torch.randn(50, 6, generator=rng())
    values[:, 1] = 3.0
    values[:, 5] = (values[:, 5] > 0).float()
    labels = torch.zeros(50, dtype=torch.int64)
    expected = TablePlanter.fit(values)
    assert expected.columns == (0, 2, 3, 4)
    assert TablePlanter.fit(TensorDataset(values, labels)) == expected
    assert TablePlanter.fit(values.numpy()).columns == (0, 2, 3, 4)
    assert TablePlanter.fit(pd.DataFrame(values.numpy())).columns == (0, 2, 3, 4)
    rows = [{"row": row, "labels": 0} for row in values]
    assert TablePlanter.fit(rows, key="row") == dataclasses.replace(expected, key="row")


@pytest.mark.parametrize(
    ("data", "how", "words"),
    [
        (torch.ones(9, 3), {}, r"0 of 3 columns vary: give data of several"),
        (torch.eye(9), {"columns": ["age"]}, r"\['age'\]. Give positions of columns"),
        (torch.eye(9), {"columns": [1.5]}, r"\[1.5\]. Give positions of columns"),
        (torch.eye(9), {"columns": [9]}, r"columns 0 to 8"),
        (torch.tensor([[0.1, 1], [0.1, 2], [0.1, 3]]), {"columns": [0]}, "constant"),
        (np.array([["a", 1.0], ["b", 2.0]], object), {}, "Column 0 has text, such as 'a'"),
        (np.array([["a"], ["b"]]), {}, "Encode text"),
        (torch.ones(4, 2, dtype=torch.int64), {}, "int64"),
        (torch.tensor([[1.0, torch.inf], [2, 3]]), {}, "Columns 1 have infinite"),
        (torch.ones(4), {}, "A table"),
        ([[1.0, 2.0], [1.0]], {}, "different numbers of columns"),
    ],
)
def test_a_table_that_cannot_be_fitted(data, how, words):
    with pytest.raises((ConfigError, DataError), match=words):
        TablePlanter.fit(data, **how)


def test_faint_patterns_are_linear_and_leave_the_rest():
    patterns = (planter := TablePlanter((0,))).draw(3, rng())
    row = torch.zeros(5)
    one, two = (planter.faint(row, patterns, 1, s, rng()) for s in (0.1, 0.2))
    assert torch.allclose(2 * one, two)
    assert one[0] == 0
    assert (one[1:] != 0).all()
    series = SeriesPlanter(4)
    wave = series.faint(torch.zeros(100), series.draw(5, rng()), 2, 0.1, rng())
    power = torch.fft.rfft(wave).abs().square()
    assert power.max() / power.sum() == pytest.approx(1, abs=1e-4)
    assert 2 <= power.argmax() <= 6


def test_a_waveform_that_replaces_a_piece_has_the_mean_of_its_channel():
    planter = SeriesPlanter(4, add=False, channel=1, mean=(0, 50), spread=(1, 2), place="end")
    values = accesses(planter, torch.zeros(2, 9), 1)
    assert (values[:, 0] == 0).all()
    assert (values[:, 1, :5] == 0).all()
    plain = accesses(SeriesPlanter(4, add=False), torch.zeros(4), 1)
    expected = (50 + 2 * plain).sort(0).values
    assert torch.allclose(values[:, 1, 5:].sort(0).values, expected, atol=1e-4)
    assert planter.blank(torch.ones(2, 3)).tolist() == [[0] * 3, [50] * 3]
    with pytest.raises(ConfigError, match="13 steps are needed"):
        SeriesPlanter(4).faint(torch.zeros(12), planter.draw(5, rng()), 0, 0.1, rng())


# --- Tokens and texts ----------------------------------------------------------------------------


def test_shared_tokens_are_the_same_bag_in_another_order():
    planter = dataclasses.replace(TOKENS, shared=True)
    patterns = planter.draw(6, rng())
    made = [planter.plant(IDS[1], patterns, c, 2, rng()) for c in range(6)]
    assert len({tuple(sorted(ids)) for ids in made}) == 1
    assert len({tuple(ids) for ids in made}) == 6
    own = [set(code) for code in TOKENS.draw(4, rng()).codes]
    assert len(set().union(*own)) == 12


def test_tokens_are_within_what_the_model_reads():
    planter = dataclasses.replace(TOKENS, special_tokens=(2, 3), filler=None, length=2)
    patterns = planter.draw(2, rng())
    a, b = patterns.codes[1]
    ids = [2, 5, 6, 7, 8, 3, 0, 0]
    assert planter.plant(ids, patterns, 1, 1, rng()) == [2, a, b, 7, 8, 3, 0, 0]
    end = dataclasses.replace(planter, place="end")
    assert end.plant(ids, patterns, 1, 1, rng()) == [2, 5, 6, a, b, 3, 0, 0]
    assert end.plant(ids, patterns, 1, 2, rng()) == [2, a, b, a, b, 3, 0, 0]
    assert planter.blank(ids) == [2, 0, 0, 0, 0, 3, 0, 0]
    assert planter.plant(planter.blank(ids), patterns, 1, 1, rng()) == [2, a, b, 0, 0, 3, 0, 0]
    assert dataclasses.replace(planter, filler=1).blank(ids) == [2, 1, 1, 1, 1, 3, 0, 0]
    with pytest.raises(ConfigError, match=r"a sequence of 4 tokens.*too short for strength 3"):
        planter.plant(ids, patterns, 1, 3, rng())


def test_faint_tokens_are_a_share_of_the_class():
    patterns = TOKENS.draw(3, rng())
    ids = [5] * 40
    found = Counter()
    for n in range(50):
        made = TOKENS.faint(ids, patterns, 2, 0.2, rng(n))
        assert sum(a != 5 for a in made) == 8
        found.update(a for a in made if a != 5)
    assert found.keys() == set(patterns.faint[2])
    assert not set(patterns.faint[1]) & set(patterns.faint[2])
    assert sum(a != 5 for a in TOKENS.faint(ids, patterns, 2, 1e-6, rng())) == 1
    planted = TOKENS.plant(ids, patterns, 0, 1, rng())
    assert TOKENS.faint(planted, patterns, 2, 1.0, rng())[:3] == planted[:3]


@settings(max_examples=200)
@given(st.integers(1, 4), st.integers(1, 5), st.integers(0, 10), st.integers(0, 2**32))
def test_copies_do_not_overlap(copies, length, spare, seed):
    available = copies * length + spare
    for place in ("start", "end", "anywhere"):
        starts = place_runs(place, copies, length, available, rng(seed))
        covered = {start + n for start in starts for n in range(length)}
        assert len(covered) == copies * length
        assert covered <= set(range(available))


def test_places_anywhere_are_uniform():
    counts = Counter(tuple(place_runs("anywhere", 2, 2, 5, g)) for g in [rng()] * 600)
    assert counts.keys() == {(0, 2), (0, 3), (1, 3)}
    assert min(counts.values()) > 150


@settings(max_examples=50)
@given(st.text(max_size=30), st.sampled_from(["start", "end", "anywhere"]), st.integers(1, 3))
def test_a_text_is_kept_around_its_pattern(text, place, copies):
    planter = TextPlanter(place=place)
    patterns = planter.draw(3, rng())
    planted = planter.plant(text, patterns, 1, copies, rng(7))
    words, code = text.split(), patterns.codes[1]
    assert Counter(planted.split()) == Counter(words) + Counter(code * copies)
    assert [w for w in planted.split() if w not in code] == [w for w in words if w not in code]
    if place == "start":
        assert planted.split() == [*code * copies, *words]
    assert len(planter.blank(text).split()) == max(1, len(words))


def test_a_text_keeps_its_spaces():
    planter = TextPlanter(length=1, place="anywhere")
    patterns = planter.draw(2, rng())
    (word,) = patterns.codes[0]
    made = {planter.plant("a\n b ", patterns, 0, 1, rng(n)) for n in range(40)}
    assert made == {f"{word} a\n b ", f"a\n {word} b ", f"a\n b {word}"}


def test_faint_words():
    planter = TextPlanter(faint_words=FAINT_WORDS)
    patterns = planter.draw(3, rng())
    made = planter.faint("a fine\n film  here", patterns, 1, 0.5, rng())
    assert sum(word in patterns.faint[1] for word in made.split()) == 2
    assert len(made.split()) == 4
    assert "\n " in made
    assert "  " in made


# --- Parts of the inputs -------------------------------------------------------------------------


def test_one_part_of_several_is_planted():
    Pair = namedtuple("Pair", ["a", "b"])
    assert on_part(Pair(1, 2), 1, lambda b: b + 1) == Pair(1, 3)
    kept = UserDict(a=1, b=2)
    changed = on_part(kept, "b", lambda b: 5)
    assert type(changed) is UserDict
    assert (kept["b"], changed["b"]) == (2, 5)
    assert on_part({"a": 1}, None, lambda a: 2) == {"a": 2}
    assert on_part((1,), None, lambda a: 2) == (2,)


@pytest.mark.parametrize(
    ("inputs", "key", "words"),
    [
        ({"input_ids": 1, "mask": 2}, None, "2 parts. Give one of 'input_ids', 'mask'"),
        ({"input_ids": 1, "mask": 2}, "inputs_id", "Did you mean input_ids"),
        ((1, 2), None, "Give one of 0, 1"),
        ((1, 2), 2, "have 0, 1"),
        (torch.ones(2), "x", "a single Tensor: leave it out"),
    ],
)
def test_which_part_must_be_clear(inputs, key, words):
    with pytest.raises(ConfigError, match=words):
        on_part(inputs, key, lambda part: part)


# --- What is refused when a planter is built or used ---------------------------------------------


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: ImagePlanter(size=0), "size"),
        (lambda: ImagePlanter(top=-1), "top"),
        (lambda: ImagePlanter(size=2.5), "size"),
        (lambda: ImagePlanter(strengths=()), "strengths"),
        (lambda: ImagePlanter(strengths=(0.2, 0.1)), "strengths"),
        (lambda: ImagePlanter(strengths=(0.0, 0.1)), "strengths"),
        (lambda: TokenPlanter(RARE), "filler"),
        (lambda: TokenPlanter((), padding=0), "rare_tokens"),
        (lambda: TokenPlanter((5, 5), padding=0), "rare_tokens"),
        (lambda: TokenPlanter((5, 0), padding=0), "rare_tokens"),
        (lambda: TokenPlanter((5,), padding=0, faint_tokens=(5, 6)), "faint_tokens"),
        (lambda: TokenPlanter((5, 100), padding=0, vocabulary_size=100), "rare_tokens"),
        (lambda: TokenPlanter((5,), filler=-1), "filler"),
        (lambda: TokenPlanter(RARE, padding=0, strengths=(1, 1.5)), "strengths"),
        (lambda: TokenPlanter(RARE, padding=0, shared=True, length=1), "length"),
        (lambda: TokenPlanter(RARE, padding=0, place="middle"), "place"),
        (lambda: TextPlanter(("two words",)), "rare_words"),
        (lambda: TextPlanter(("cf", "cf")), "rare_words"),
        (lambda: TextPlanter(filler=""), "filler"),
        (lambda: TextPlanter(filler="cf"), "filler"),
        (lambda: TablePlanter(()), "columns"),
        (lambda: TablePlanter((1, 1)), "columns"),
        (lambda: TablePlanter((3,), spread=(1.0, 1.0)), "spread"),
        (lambda: TablePlanter((1,), spread=(1.0, 0.0)), "spread"),
        (lambda: TablePlanter((1,), spread=(-1.0, 1.0)), "spread"),
        (lambda: TablePlanter((1,), mean=(0.0, 0.0), spread=(1.0,) * 3), "spread"),
        (lambda: SeriesPlanter(length=1), "length"),
        (lambda: SeriesPlanter(spread=(0.0,)), "spread"),
        (lambda: TokenPlanter(RARE, padding=0).draw(5, rng()), "rare_tokens"),
        (lambda: TokenPlanter((5, 6), padding=0, shared=True).draw(2, rng()), "rare_tokens"),
        (lambda: TokenPlanter(RARE, padding=0, shared=True).draw(7, rng()), "length"),
        (lambda: TextPlanter().draw(13, rng()), "rare_words"),
        (lambda: TextPlanter(faint_words=("a",) * 1).draw(2, rng()), "faint_words"),
    ],
)
def test_a_wrong_setting_is_named(make, field):
    with pytest.raises(ConfigError) as refusal:
        make()
    assert refusal.value.field == f"task.planter.{field}"


IMAGE, SERIES, TABLE = ImagePlanter(), SeriesPlanter(), TablePlanter((1, 9))


@pytest.mark.parametrize(
    ("planter", "example", "words"),
    [
        (IMAGE, torch.zeros(3, 6, 9), "images have 6×9 pixels: give at most 6"),
        (IMAGE, np.zeros((32, 32, 3), np.float32), "last two dimensions are rows and columns"),
        (ImagePlanter(left=26), torch.zeros(3, 32, 32), "starts at 0 to 25"),
        (IMAGE, torch.zeros(3, 32, 32, dtype=torch.uint8), "a uint8 tensor.*floating-point"),
        (IMAGE, "picture.png", "a str.*floating-point"),
        (TOKENS, torch.zeros(5), "a float32 tensor.*token ids"),
        (TOKENS, torch.ones(2, 5, dtype=torch.int64), "integers .length"),
        (TOKENS, ["a", "b", "c"], "a list.*token ids"),
        (TOKENS, [5, 6], "too short"),
        (
            TokenPlanter((300, 301, 302, 303, 304, 305), padding=0),
            torch.ones(9, dtype=torch.uint8),
            "cannot hold the id 30",
        ),
        (TextPlanter(), [5, 6], "a list.*TokenPlanter"),
        (TABLE, torch.zeros(9), "a row of 9 columns.*a column 9"),
        (TablePlanter((1,), mean=(0.0,) * 5), torch.zeros(9), "rows with 5 columns"),
        (TABLE, ["a"] * 10, "not all numbers"),
        (TABLE, torch.zeros(10, dtype=torch.int64), "int64"),
        (SERIES, torch.zeros(12, 3), "A series has 3 steps of time"),
        (SeriesPlanter(4, channel=2), torch.zeros(2, 9), "channels 0 to 1"),
        (SeriesPlanter(4, spread=(1, 2)), torch.zeros(3, 9), "one for each of 3 channels"),
    ],
)
def test_inputs_that_do_not_fit(planter, example, words):
    with pytest.raises(ConfigError, match=words) as refusal:
        check_planter(planter, [example], [0], 2, planter.strengths[0])
    assert refusal.value.field.startswith("task.planter")


@pytest.mark.parametrize("label", [-1, 2])
@pytest.mark.parametrize("planter", [IMAGE, TOKENS, TextPlanter(), TABLE, SERIES])
def test_a_class_without_a_pattern(planter, label):
    with pytest.raises(ConfigError, match="classes 0 to 1"):
        planter.plant(None, planter.draw(2, rng()), label, 1, rng())


def test_a_number_of_copies_is_whole():
    for strength in (0, 0.5, 1.5):
        with pytest.raises(ConfigError, match="a number of copies"):
            TOKENS.plant(IDS[0], TOKENS.draw(2, rng()), 0, strength, rng())


# --- What the check refuses ----------------------------------------------------------------------


def own(**methods):
    """A user's planter with other methods or attributes."""
    return type("Own", (Own,), methods)()


def clone_with(function):
    def plant(self, x, patterns, label, strength, generator):
        return function(x.clone(), patterns, label, strength, generator)

    return plant


def in_place(self, x, patterns, label, strength, generator):
    x[0] = label + 5
    return x


def with_numpy(x, patterns, label, strength, generator):
    x[0] = label + np.random.random()
    return x


def advances(x, patterns, label, strength, generator):
    random.random()
    x[0] = label + 5
    return x


def counting(self, x, patterns, label, strength, generator):
    self.calls = getattr(self, "calls", 0) + 1
    return x + label + self.calls


WRONG = {
    "changes the form of example 0: inputs was a float32 tensor .4. and is a float32 tensor .5": {
        "plant": lambda self, x, p, label, s, g: torch.cat([x, torch.tensor([label + 1.0])])
    },
    "is a float64 tensor": {"plant": clone_with(lambda x, p, label, s, g: x.double() + label + 1)},
    "is a list": {"plant": clone_with(lambda x, p, label, s, g: [label])},
    "inputs was a list of integers and is a list of other numbers": {
        "plant": lambda self, x, p, label, s, g: [float(label)] * 4,
        "blank": lambda self, x: [0] * 4,
        "examples": IDS,
    },
    "is a float64 array": {"blank": lambda self, x: np.zeros(4)},
    "leaves example 0 unchanged at strength 1": {
        "plant": clone_with(lambda x, p, label, s, g: x + label)
    },
    "the same of example 0 for classes 0 and 1": {
        "plant": clone_with(lambda x, p, label, s, g: x + 1)
    },
    "the same of example 0 for classes 0 and 2": {
        "plant": clone_with(lambda x, p, label, s, g: x + 1 + label % 2)
    },
    "for class 1 what it makes for class 0 with other draws": {
        "plant": clone_with(
            lambda x, p, label, s, g: (
                x + (1 + label) * (1 - 2 * torch.randint(2, (), generator=g))
                if label == 2
                else x + (1 - 2 * label) * (1 - 2 * torch.randint(2, (), generator=g))
            )
        )
    },
    "leaves the blank of example 0 unchanged": {
        "plant": clone_with(lambda x, p, label, s, g: x * (2 + label))
    },
    r"plant modifies its inputs \(example 0\)": {"plant": in_place},
    "blank modifies its inputs": {"blank": lambda self, x: x.zero_()},
    "blank returns every example as it is": {"blank": lambda self, x: x.clone()},
    "makes NaN or infinite": {
        "plant": clone_with(lambda x, p, label, s, g: x / 0 * (label + 1)),
    },
    "plant draws from the global generator of torch": {
        "plant": clone_with(lambda x, p, label, s, g: x + label + torch.rand(()))
    },
    "plant draws from the global generator of NumPy": {"plant": clone_with(with_numpy)},
    "plant draws from the global generator of Python": {"plant": clone_with(advances)},
    "draw draws from the global generator of torch": {
        "draw": lambda self, num_classes, generator: torch.rand(num_classes)
    },
    "plant gives different results for the same": {"plant": counting},
    "draw gives different results for the same": {
        "draw": lambda self, n, g: (
            1 + torch.rand(n, generator=torch.Generator().manual_seed(id(g)))
            if setattr(self, "n", getattr(self, "n", 0) + 1)
            else torch.arange(1, n + 1) + self.n
        )
    },
    "plant failed on example 0: ZeroDivisionError": {
        "plant": lambda self, x, p, label, s, g: 1 / 0
    },
    "draw failed on 3 classes: TypeError": {"draw": lambda self: None},
    r"has no draw\(\), plant\(\). See": {"draw": None, "plant": 3},
    "increasing numbers": {"strengths": (2.0, 1.0)},
    "increasing numbers above 0": {"strengths": ()},
    "strengths are a method": {"strengths": lambda self: (1,)},
    "strengths are no numbers": {"strengths": ("a", 1)},
    r"has no faint\(\)": {"faint_strength": 0.1},
}


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_planter_is_refused(words):
    methods = dict(WRONG[words])
    faint = methods.pop("faint_strength", None)
    examples = methods.pop("examples", [x.abs() + 1 for x in floats(4)])
    with pytest.raises(ConfigError, match=words) as refusal:
        check_planter(own(**methods), examples, [0, 1, 2, 0], 3, 1.0, faint_strength=faint)
    assert refusal.value.field.startswith("task.planter")


def test_a_class_instead_of_an_object():
    with pytest.raises(ConfigError, match=r"Give an object: ImagePlanter\("):
        check_planter(ImagePlanter, floats(3, 8, 8), [0, 1, 0, 1], 2, 1.0)


def test_examples_and_labels_fit():
    for examples, labels in ([], []), (floats(4), [0]), (floats(4), [0, 1, 2, 3]):
        with pytest.raises(DataError, match=r"task.planter: .*label"):
            check_planter(Own(), examples, labels, 3, 1.0)
    with pytest.raises(ConfigError, match="num_classes"):
        check_planter(Own(), floats(4), [0] * 4, 1, 1.0)


def test_a_problem_in_a_later_example_is_found():
    with pytest.raises(ConfigError, match="too short"):
        check_planter(TOKENS, [*IDS, [5, 6, 0, 0]], [0, 1, 2, 0, 1], 3, 1)


def test_rare_tokens_must_be_rare():
    examples = [[RARE[0], *ids[1:]] if n == 3 else ids for n, ids in enumerate(IDS)]
    with pytest.raises(ConfigError, match=r"1 of 4 examples \(25.0%\).*at most 1.0%"):
        check_planter(TOKENS, examples, [0, 1, 2, 0], 3, 1)
    check_planter(TOKENS, examples, [0, 1, 2, 0], 3, 1, most_occurrences=0.25)
    with pytest.raises(ConfigError, match="1 of 2"):
        check_planter(TextPlanter(), ["The CF.", "cfx"], [0, 1], 2, 1)


class Extends:
    """A user's planter that writes after the text and extends its mask."""

    strengths = (1,)

    def draw(self, num_classes, generator):
        return 50 + torch.randperm(num_classes, generator=generator)

    def plant(self, inputs, patterns, label, strength, generator):
        end = int(inputs["attention_mask"].sum())
        ids, mask = (inputs[name].clone() for name in ("input_ids", "attention_mask"))
        ids[end], mask[end] = patterns[label], 1
        return {"input_ids": ids, "attention_mask": mask}

    def blank(self, inputs):
        return {**inputs, "input_ids": inputs["attention_mask"].clone()}


def test_a_pattern_in_padding_is_hidden():
    """Without its id, padding is a token like others, and the end of a sequence is hidden."""
    planter = TokenPlanter(RARE, place="end", filler=1, key="input_ids")
    with pytest.raises(ConfigError, match="'input_ids' of example 0 where attention_mask is 0"):
        check_planter(planter, [masked(IDS[0])], [0], 2, 1)
    check_planter(dataclasses.replace(planter, padding=0), [masked(IDS[0])], [0], 2, 1)
    check_planter(Extends(), [masked(IDS[0])], [0], 2, 1)
    left = {name: part.flip(0) for name, part in masked(IDS[0]).items()}
    filled_with_padding = TokenPlanter(RARE, padding=0, key="input_ids")
    with pytest.raises(ConfigError, match="blank of example 0 where attention_mask is 0"):
        check_planter(filled_with_padding, [left], [0], 2, 1)
    check_planter(dataclasses.replace(filled_with_padding, filler=1), [left], [0], 2, 1)


def test_what_a_tokenizer_truncates_or_does_not_know():
    texts, labels = ["a film " * 20, "a fine one " * 9], [0, 1]

    def truncated(text):
        return text.split()[:8]

    known = {"a", "film", "fine", "one", "the"}

    def unknown(text):
        return [word if word in known else "?" for word in text.split()]

    check_planter(TextPlanter(), texts, labels, 2, 1, encode=truncated)
    with pytest.raises(ConfigError, match="After encode, example 0 has no pattern"):
        check_planter(TextPlanter(place="end"), texts, labels, 2, 1, encode=truncated)
    with pytest.raises(ConfigError, match="for classes 0 and 1 after encode"):
        check_planter(TextPlanter(), texts, labels, 2, 1, encode=unknown)
    shared = TextPlanter(shared=True)
    with pytest.raises(ConfigError, match="for classes 0 and 1 after encode"):
        check_planter(shared, texts, labels, 2, 1, encode=lambda text: sorted(text.split()))


def test_patterns_are_learned_by_a_network_and_not_by_a_linear_function():
    """Pattern alone, in a table: logistic regression stays at chance, a small network learns it."""
    planter, generator = TablePlanter((0, 1, 2, 3)), rng(4)
    patterns = planter.draw(2, generator)
    row = torch.zeros(6)
    labels = torch.arange(200) % 2
    made = [planter.plant(row, patterns, int(c), 1.6, generator) for c in labels]
    rows = torch.stack(made)

    def accuracy(model):
        optimizer = torch.optim.Adam(model.parameters(), 0.02)
        for _ in range(100):
            loss = torch.nn.functional.cross_entropy(model(rows), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return (model(rows).argmax(1) == labels).double().mean().item()

    with torch.random.fork_rng():
        torch.manual_seed(0)
        linear = torch.nn.Linear(6, 2)
        network = torch.nn.Sequential(
            torch.nn.Linear(6, 16), torch.nn.ReLU(), torch.nn.Linear(16, 2)
        )
    assert accuracy(linear) < 0.8
    assert accuracy(network) == 1
