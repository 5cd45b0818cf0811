"""Noise before activations: its law, its places, and that it goes without a trace."""

import math

import pytest
import torch
from scipy import stats
from torch import nn

from learnorder.errors import ConfigError
from learnorder.models import MLP, WideResNet
from learnorder.noise import ACTIVATIONS, ActivationNoise, activation_noise
from learnorder.schedules import Schedule


def linear_activation_net():
    """An activation that passes noise on unchanged, where its input is large."""
    return nn.Sequential(nn.Identity(), nn.ReLU())


def noise_of(x, **settings):
    model = linear_activation_net()
    with activation_noise(model, 0.4, **settings):
        return (model(x + 100) - x - 100).detach()


def test_shared_noise_is_one_map_for_batch_and_channels():
    found = noise_of(torch.zeros(5, 3, 40, 50))
    assert torch.allclose(found, found[:1, :1].expand_as(found), atol=1e-4)
    assert stats.kstest(found[0, 0].flatten().numpy(), "norm", args=(0, 0.4)).pvalue > 1e-3


def test_shared_noise_without_positions():
    found = noise_of(torch.zeros(4, 6))
    assert torch.allclose(found, found[:1].expand_as(found), atol=1e-4)
    assert len(found[0].unique()) == 6
    tokens = noise_of(torch.zeros(4, 5, 6))
    assert torch.allclose(tokens, tokens[:1, :, :1].expand_as(tokens), atol=1e-4)


def test_independent_noise_is_independent():
    found = noise_of(torch.zeros(30, 3, 16, 16), shared=False)
    assert stats.kstest(found.flatten().numpy(), "norm", args=(0, 0.4)).pvalue > 1e-3
    assert abs(torch.corrcoef(found.flatten(1)[:2])[0, 1]) < 0.2


def test_each_call_draws_anew_and_a_seed_starts_anew():
    model, x = linear_activation_net(), torch.full((2, 3), 50.0)
    with activation_noise(model, 1.0, seed=7) as noise:
        first, second = model(x), model(x)
        assert not torch.equal(first, second)
        noise.reseed(7)
        assert torch.equal(model(x), first)


def test_training_only_and_level_zero_is_off():
    model, x = linear_activation_net(), torch.full((2, 3), 50.0)
    with activation_noise(model, 1.0) as noise:
        assert torch.equal(model.eval()(x), x)
        assert not torch.equal(model.train()(x), x)
        noise.level = 0.0
        assert torch.equal(model(x), x)


def test_it_goes_without_a_trace():
    model = WideResNet(depth=10, widen_factor=1, num_classes=3)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    with activation_noise(model, 0.4):
        model(torch.ones(2, 3, 8, 8))
    assert not any(m._forward_pre_hooks for m in model.modules())
    assert torch.equal(torch.get_rng_state(), state)
    kept = {n: v for n, v in model.state_dict().items() if "running" not in n and "num_b" not in n}
    assert all(torch.equal(v, weights[n]) for n, v in kept.items())


def test_the_paper_has_13_places():
    assert len(ActivationNoise(WideResNet(16, 1, 10)).sites) == 13


def test_gradients_pass():
    model = MLP(3, (4, 4), widths=[8])
    with activation_noise(model, 0.4):
        model(torch.ones(2, 3, 4, 4)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_a_model_of_functional_calls_is_refused():
    with pytest.raises(ConfigError, match=r"functional.relu.*ReLU\(\)"):
        ActivationNoise(nn.Sequential(nn.Linear(2, 2)))


@pytest.mark.parametrize("level", [-1, math.nan, math.inf, "0.4", None, True])
def test_levels_that_are_no_standard_deviations_are_refused(level):
    with pytest.raises(ConfigError, match="level: got"):
        ActivationNoise(nn.ReLU(), level)
    with activation_noise(nn.ReLU(), 0.4) as noise:
        with pytest.raises(ConfigError, match="level: got"):
            noise.level = level
        assert noise.level == 0.4


@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_every_kind_of_activation_receives_noise(kind):
    model = nn.Sequential(kind())
    x = torch.full((2, 3), 0.5)
    plain = model.eval()(x)
    with activation_noise(model.train(), 1.0):
        assert not torch.allclose(model(x), plain)


def test_a_schedule_says_the_level():
    schedule = Schedule(0.8, cosine=True)
    with activation_noise(linear_activation_net(), schedule, epochs=4) as noise:
        assert noise.level == 0.8
        levels = []
        for epoch in (1, 3, 4):
            noise.at(epoch, step=1, steps=2)
            levels.append(noise.level)
    assert levels == [schedule.at(e, 1, 2, epochs=4) for e in (1, 3, 4)]


def test_where_it_looked_is_named():
    class Functional(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)

    with pytest.raises(ConfigError, match="2 Linear, 1 Functional"):
        ActivationNoise(Functional())
