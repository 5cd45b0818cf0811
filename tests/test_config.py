"""Configurations: the same in memory, JSON and YAML, and refused in words that help."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from learnorder.config.settings import ModelConfig, PatchConfig, RunConfig
from learnorder.config.training import NoiseConfig
from learnorder.errors import ConfigError
from learnorder.images.patch import SCALES
from learnorder.schedules import Schedule


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("arm", ["large", "small", "small_noise"])
def test_round_trip_through_json(scale, arm):
    config = SCALES[scale]().run(arm, seed=3)
    assert RunConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({"data": {"sorce": "digits"}}, ["sorce"]),
        ({"learning_rat": {"initial": 1}}, ["learning_rat"]),
        ({"training": {"epochs": "many"}}, ["training.epochs", "many"]),
        ({"training": {"epochs": 0}}, ["training.epochs", "0", "at least 1"]),
        ({"patch": {"eligible_share": 1.2}}, ["patch.eligible_share", "1.2", "[0, 1]"]),
        ({"patch": {"size": 0}}, ["patch.size", "0"]),
        ({"data": {"evaluate_on": "validation"}}, ["data.validation_share", "e.g. 0.2"]),
        ({"data": {"train_examples": 0}}, ["data.train_examples"]),
        ({"training": {"momentum": 0.0}}, ["training.nesterov", "momentum"]),
        ({"learning_rate": {"initial": 0.0}}, ["learning_rate.initial"]),
    ],
)
def test_refusals_name_field_value_and_remedy(values, names):
    with pytest.raises(ConfigError) as refused:
        RunConfig.from_dict(values)
    for name in names:
        assert name in str(refused.value)


def test_numbers_of_numpy_are_numbers():
    model = ModelConfig(arguments={"width": np.int64(8), "rates": [np.float32(0.5)]})
    assert json.dumps(model.arguments) == '{"width": 8, "rates": [0.5]}'


def test_an_error_shows_a_path_and_a_list_whole():
    path, rates = "/home/somebody/projects/vision/data/flowers-102", list(range(12))
    assert repr(path) in str(ConfigError("data.source", path, ""))
    assert repr(rates) in str(ConfigError("learning_rates", rates, ""))
    assert len(str(ConfigError("data.source", "x" * 1000, ""))) < 300


def test_a_schedule_that_cannot_happen_is_refused():
    with pytest.raises(ConfigError, match=r"learning_rate.step_epochs.*60 epochs.*61"):
        RunConfig(learning_rate=Schedule(0.1, step_epochs=(61,), step_factor=0.1))
    with pytest.raises(ConfigError, match=r"noise\.level\.step_epochs"):
        RunConfig(noise=NoiseConfig(Schedule(0.4, step_epochs=(90,), step_factor=0.0)))
    with pytest.raises(ConfigError, match="warmup_epochs"):
        RunConfig(learning_rate=Schedule(0.1, warmup_epochs=60))


@pytest.mark.parametrize(
    "bad",
    [
        {"initial": -0.1},
        {"initial": float("nan")},
        {"initial": 1, "step_epochs": (3,)},
        {"initial": 1, "step_factor": 0.1},
        {"initial": 1, "step_epochs": (5, 3), "step_factor": 0.1},
        {"initial": 1, "step_epochs": (5,), "step_factor": 1.5},
        {"initial": 1, "decay": 0.0},
        {"initial": 1, "warmup_epochs": -1},
    ],
)
def test_schedules_are_checked_when_built(bad):
    with pytest.raises(ConfigError):
        Schedule(**bad)


def test_published_schedules():
    """The paper's code: lr · 0.04 from epoch 30; noise · 0.995 per epoch; 0.2 at 60, 120, 150."""
    early = Schedule(0.1, step_epochs=(30,), step_factor=0.04)
    assert [early.at(e) for e in (1, 29, 30, 60)] == pytest.approx([0.1, 0.1, 0.004, 0.004])
    default = Schedule(0.1, step_epochs=(60, 120, 150), step_factor=0.2)
    expected = [0.1, 0.02, 0.004, 0.0008]
    assert [default.at(e) for e in (59, 60, 120, 200)] == pytest.approx(expected)
    assert Schedule(0.4, decay=0.995).at(100) == pytest.approx(0.4 * 0.995**99)


@given(
    epoch=st.integers(1, 20),
    step=st.integers(0, 9),
    warmup=st.floats(0, 10),
    cosine=st.booleans(),
)
def test_values_stay_between_zero_and_initial(epoch, step, warmup, cosine):
    schedule = Schedule(2.0, warmup_epochs=warmup, cosine=cosine, decay=0.9)
    assert 0 <= schedule.at(epoch, step, 10, epochs=20) <= 2.0


def test_warm_up_rises_by_step_to_initial():
    schedule = Schedule(1.0, warmup_epochs=2)
    values = [schedule.at(e, s, 5) for e in (1, 2, 3) for s in range(5)]
    assert values[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert values[10:] == [1.0] * 5


def test_no_patch_by_default():
    assert not PatchConfig().planted
