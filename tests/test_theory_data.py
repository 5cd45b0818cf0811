"""The P/Q distribution against closed forms, and settings that are refused."""

import math

import pytest
import torch

from learnorder.errors import ConfigError
from learnorder.seeding import generator
from learnorder.theory import (
    AlgorithmConfig,
    DistributionConfig,
    MeasureConfig,
    NetworkConfig,
    SolverConfig,
    TheoryConfig,
    paper_scaling,
)
from learnorder.theory.distribution import directions, draw_examples, w_star_vector

CONFIG = DistributionConfig(
    d=20, num_train=50, p0=0.3, q0=0.2, r=0.1, s=3.0, gamma0=0.4, w_star=(1.0, 2.0, 2.0)
)
N = 40_000


@pytest.fixture(scope="module")
def examples():
    return draw_examples(CONFIG, N, generator(0, "train"))


def near(measured: torch.Tensor, expected: float) -> bool:
    """Whether a sample's mean is within five standard errors of its expectation."""
    error = measured.double().std() / math.sqrt(len(measured))
    return abs(float(measured.double().mean()) - expected) < 5 * float(error)


def test_frequencies(examples):
    assert near(examples.has_p & ~examples.has_q, CONFIG.p0_value)
    assert near(~examples.has_p & examples.has_q, CONFIG.q0)
    assert not (~examples.has_p & ~examples.has_q).any()
    assert near(examples.y > 0, 0.5)
    assert (examples.b[examples.y > 0] == 0).all()
    assert near(examples.b[examples.y < 0] > 0, 0.5)
    assert (examples.b[examples.y < 0] != 0).all()


def test_moments_and_margin_of_p(examples):
    w_star = w_star_vector(CONFIG)
    assert float(w_star.norm()) == pytest.approx(1)
    x1, y = examples.x1[examples.has_p], examples.y[examples.has_p]
    along = y * (x1 @ w_star)
    assert float(along.min()) >= CONFIG.gamma0_value
    d = CONFIG.d
    assert near(along, CONFIG.gamma0_value + math.sqrt(2 / math.pi / d))
    assert near((along - CONFIG.gamma0_value).square(), 1 / d)
    across = x1 - (x1 @ w_star)[:, None] * w_star
    assert near(across.square().sum(dim=1), (d - 1) / d)
    assert near(y * across[:, 5], 0)


def test_moments_of_q(examples):
    alpha = examples.amplitude[examples.has_q] / CONFIG.s
    assert near(alpha, 1 / 2)
    assert near(alpha.square(), 1 / 3)
    x2, v = examples.x2(), directions(CONFIG.r, CONFIG.d)
    assert torch.allclose(x2, examples.amplitude[:, None] * v[examples.b.long() + 1])
    assert float(v[1] @ (v[2] - v[1])) == 0
    assert float((v[2] - v[1]).norm()) == pytest.approx(CONFIG.r)


@pytest.mark.parametrize(("kind", "p", "q"), [("p_only", 1, 0), ("q_only", 0, 1), ("both", 1, 1)])
def test_sets_of_one_kind(kind, p, q):
    found = draw_examples(CONFIG, 500, generator(1, kind), kind, torch.float32)
    assert found.x1.dtype == torch.float32
    assert found.has_p.all() == bool(p) == found.has_p.any()
    assert found.has_q.all() == bool(q) == found.has_q.any()


def test_one_seed_makes_the_examples():
    one, other = (draw_examples(CONFIG, 10, generator(s, "train")).x1 for s in (3, 4))
    assert torch.equal(one, draw_examples(CONFIG, 10, generator(3, "train")).x1)
    assert not torch.equal(one, other)


def test_the_papers_scaling():
    config = paper_scaling(d=400, kappa=0.5)
    data = config.distribution
    assert (data.N, data.p0_value, data.s) == (1600, 0.125, 1.0)
    assert data.gamma0_value == pytest.approx(0.05)
    assert data.r == pytest.approx(400**-0.75)
    assert config.algorithm.weight_decay == pytest.approx(400**-1.25)
    assert TheoryConfig.from_dict(config.to_dict()) == config


def test_n_and_kappa_say_the_same():
    assert DistributionConfig(d=100, kappa=0.5).N == 400
    assert DistributionConfig(d=100, num_train=400, p0=None).p0_value == pytest.approx(0.125)
    assert DistributionConfig(d=100, num_train=400, kappa=0.5).N == 400
    assert DistributionConfig(d=100).N == 100
    with pytest.raises(ConfigError, match=r"distribution.kappa: got 1.0.*means κ = 0.5"):
        DistributionConfig(d=100, num_train=400, kappa=1.0)


def theory(**sections):
    return lambda: TheoryConfig(**sections)


@pytest.mark.parametrize(
    ("build", "field", "says"),
    [
        (lambda: DistributionConfig(r=0.0), "distribution.r", "> 0"),
        (lambda: DistributionConfig(r=-1e-3), "distribution.r", "> 0"),
        (lambda: DistributionConfig(r=2.0), "distribution.r", "r ≤ 1"),
        (lambda: DistributionConfig(s=math.nan), "distribution.s", "finite"),
        (lambda: DistributionConfig(p0=0.6, q0=0.5), "distribution.p0", "must not exceed 1"),
        (lambda: DistributionConfig(kappa=1.4, p0=None), "distribution.p0", "κ²/2 by default"),
        (lambda: DistributionConfig(p0=-0.1), "distribution.p0", r"\[0, 1\]"),
        (lambda: DistributionConfig(num_train=1), "distribution.num_train", "N ≥ 2"),
        (lambda: DistributionConfig(kappa=0.0), "distribution.kappa", "κ > 0"),
        (lambda: DistributionConfig(d=2), "distribution.d", "d ≥ 3"),
        (lambda: DistributionConfig(w_star=(0, 0, 0)), "distribution.w_star", "not all 0"),
        (lambda: DistributionConfig(gamma0=-1.0), "distribution.gamma0", "≥ 0"),
        (
            theory(algorithm=AlgorithmConfig(eta1=1e-6, eta2=1e-5)),
            "algorithm.eta2",
            "which is 1e-06",
        ),
        (lambda: AlgorithmConfig(eta2=0.0), "algorithm.eta2", "> 0"),
        (lambda: AlgorithmConfig(epsilon2=0.7), "algorithm.epsilon2", "log 2"),
        (theory(algorithm=AlgorithmConfig(weight_decay=1e6)), "algorithm.weight_decay", "below 1"),
        (lambda: AlgorithmConfig(sigma=-1.0), "algorithm.sigma", "≥ 0"),
        (lambda: AlgorithmConfig(max_time=0.0), "algorithm.max_time", "> 0"),
        (lambda: SolverConfig(tolerance=0.5), "solver.tolerance", "0.1"),
        (lambda: SolverConfig(macro_step=0.0), "solver.macro_step", "> 0"),
        (lambda: MeasureConfig(test_examples=0), "measure.test_examples", "at least 1"),
        (lambda: MeasureConfig(first=0.0), "measure.first", "> 0"),
        (lambda: NetworkConfig(width_v=0), "network.width_v", "at least 1"),
        (lambda: NetworkConfig(width_w=3, antithetic=True), "network.width_w", "multiple of 2"),
        (
            lambda: NetworkConfig("convolution", False, width_w=6, antithetic=True),
            "network.width_w",
            "multiple of 4",
        ),
        (lambda: NetworkConfig(tau0=0.0), "network.tau0", "> 0"),
        (lambda: AlgorithmConfig(weight_decay=-1.0), "algorithm.weight_decay", "λ ≥ 0"),
        (theory(solver=SolverConfig("finite")), "algorithm.eta2", "takes every step"),
        (theory(distribution=DistributionConfig(num_train=30_000)), "distribution.num_train", "20"),
        (theory(arm="large"), "arm", "L-S, S, S[+]noise"),
        (lambda: SolverConfig("Flow"), "solver.engine", "flow, recursion"),  # pyright: ignore
        (lambda: NetworkConfig("conv"), "network.kind", "convolution"),  # pyright: ignore
        (
            theory(
                distribution=DistributionConfig(gamma0=5.0, s=1.0),
                algorithm=AlgorithmConfig(eta1=40.0),
            ),
            "algorithm.eta1",
            "unstable",
        ),
        (theory(algorithm=AlgorithmConfig(eta1=1e-2)), "algorithm.eta1", "unstable for"),
        (theory(solver=SolverConfig(macro_step=1.0)), "solver.macro_step", "unstable"),
    ],
)
def test_bad_settings_name_field_value_and_bound(build, field, says):
    with pytest.raises(ConfigError, match=says) as caught:
        build()
    assert caught.value.field == field
    assert field in str(caught.value)
