"""The reduced network at finite width: equal to the dense one, seed by seed, and to its limit."""

import dataclasses
import math

import pytest
import torch

from learnorder.seeding import generator
from learnorder.theory import (
    AlgorithmConfig,
    DistributionConfig,
    MeasureConfig,
    NetworkConfig,
    Phase,
    SolverConfig,
    TheoryConfig,
    finite,
)
from learnorder.theory.distribution import draw_examples
from learnorder.theory.finite import FiniteNetwork, Weights
from learnorder.theory.kernel import Kernel, OutputsOn
from learnorder.theory.recursion import Recursion
from learnorder.theory.simulation import FiniteBatch, FiniteSimulation, training_set
from tests.theory_reference import DenseNetwork

DATA = DistributionConfig(d=8, num_train=40, p0=0.2, q0=0.2, r=0.3, s=3.0, w_star=(0.5, 0.3, 1))
ALGORITHM = AlgorithmConfig(eta1=0.5, eta2=0.5, weight_decay=0.02)
KINDS = [("separate", True), ("convolution", True), ("convolution", False)]


def config_of(kind, shared, **network) -> TheoryConfig:
    defaults = {"width_w": 12, "width_v": 16, "tau0": 0.3, "precision": "float64"}
    return TheoryConfig(
        DATA,
        NetworkConfig(kind, shared, **{**defaults, **network}),
        ALGORITHM,
        solver=SolverConfig("finite"),
    )


def dense_of(config, network, examples):
    v = network.weights.v[0]
    if config.network.kind == "separate":  # give the rows back the coordinates that were left out
        rest = torch.randn(len(v), DATA.d - 2, dtype=torch.float64)
        v = torch.cat([v, rest], dim=1)
    return DenseNetwork(config, examples, network.weights.w[0], v, network.u_w[0], network.u_v[0])


@pytest.mark.parametrize("sigma", [0.0, 1.5])
@pytest.mark.parametrize(("kind", "shared"), KINDS)
def test_same_noise_same_trajectory_as_the_dense_network(kind, shared, sigma):
    config = config_of(kind, shared)
    examples = training_set(config, 0)
    network = FiniteNetwork(config, [0], [examples], split=True)
    dense = dense_of(config, network, examples)
    order = torch.argsort(~examples.has_p, stable=True)
    draws = torch.Generator().manual_seed(1)
    before = {}

    def fresh(place, n, m):
        before[place] = torch.randn(n, m, generator=draws, dtype=torch.float64)
        return before[place][None]

    network.draw_noise = fresh
    phase, tau_xi = Phase(0.5, sigma, 0.0), 0.05
    network.begin([phase])
    for _ in range(200):
        xi = tau_xi * torch.randn(dense.U.shape, generator=draws, dtype=torch.float64)
        levels = (None, None)
        if sigma:  # in the order in which the reduced network keeps its rows
            noise1 = torch.zeros(len(examples), network.weights.w.shape[1], dtype=torch.float64)
            with_p = int(examples.has_p.sum())  # fewer than a block
            noise1[order[:with_p]] = before["p0"][:with_p]
            noise2 = torch.empty_like(before["q"])
            noise2[order] = before["q"]
            level = sigma * config.network.tau0
            levels = (
                level * examples.x1.norm(dim=1)[:, None] * noise1,
                level * examples.x2().norm(dim=1)[:, None] * noise2,
            )
        loss = dense.step(0.5, xi, *levels)
        assert float(network.loss[0]) == pytest.approx(loss, rel=1e-9)
        m = network.weights.w.shape[1]
        part = Weights(xi[None, :, : DATA.d], xi[None, :, :2])
        if kind == "separate":
            part = Weights(xi[None, :m, : DATA.d], xi[None, m:, DATA.d : DATA.d + 2])
        before.clear()
        network.update([0.5], part)
        network.evaluate()
    new = draw_examples(DATA, 50, generator(0, "new"), "all")
    with torch.no_grad():
        expected = dense.forward(torch.cat([new.x1, new.x2()], dim=1))
    found = network.on_p(new.x1) + new.amplitude * network.on_q()[new.b.long() + 1]
    assert float((found - expected).norm() / expected.norm()) < 1e-9
    rows = dense.U[: len(network.weights.w[0])][:, : DATA.d].detach()
    noise = dense.noise[: len(rows)][:, : DATA.d]
    assert torch.allclose(network.weights.w[0], rows, rtol=1e-9)
    assert network.noise is not None
    assert torch.allclose(network.noise.w[0], noise, rtol=1e-9)
    if kind == "separate":
        v = dense.U[len(rows) :, DATA.d : DATA.d + 2].detach()
        assert torch.allclose(network.weights.v[0], v, rtol=1e-9)


def test_signal_and_noise_make_the_weights():
    """Ũ's pattern with Ū's output, plus Ũ's own output there, is the network where signs agree."""
    config = config_of("separate", True, tau0=3.0)
    network = FiniteNetwork(config, [0], [training_set(config, 0)], split=True)
    network.begin([Phase(0.01, 0, 0)])
    for _ in range(5):
        network.advance([Phase(0.01, 0, 0)])
    x1 = draw_examples(DATA, 20, generator(0, "new"), "p_only").x1
    assert network.noise is not None
    noise = network.noise.w[0]
    own = (x1 @ noise.T).relu() @ network.u_w[0]
    assert torch.allclose(network.signal_on_p(x1) + own, network.on_p(x1), atol=1e-6)
    norms = network.norms()
    assert 0 < norms["signal_norm_w"] < 0.1 * norms["norm_w"]


@pytest.mark.parametrize("arm", ["L-S", "S+noise"])
@pytest.mark.parametrize(("kind", "shared"), KINDS)
def test_seeds_side_by_side_are_the_seeds_alone(kind, shared, arm, monkeypatch):
    monkeypatch.setattr(finite, "_BLOCK_ELEMENTS", 12 * 16)  # several blocks of examples
    config = dataclasses.replace(
        config_of(kind, shared),
        arm=arm,
        algorithm=AlgorithmConfig(
            sigma=1.0,
            eta1=0.5,
            eta2=0.05 if arm == "L-S" else 0.5,
            weight_decay=0.02,
            epsilon1=0.35,
            epsilon2=0.33,
            max_time=60,
        ),
        measure=MeasureConfig(test_examples=100),
    )
    together = FiniteBatch(config, [0, 1, 2])
    outcomes = together.run()
    assert len({outcome.reason for outcome in outcomes}) > 1
    for place, seed in enumerate([0, 1, 2]):
        alone = FiniteBatch(config, [seed])
        assert alone.run() == [outcomes[place]]
        one, other = alone.records[0].columns, together.records[place].columns
        assert one["quantity"] == other["quantity"]
        assert one["value"] == pytest.approx(other["value"], rel=1e-6, abs=1e-9)


def test_continued_from_a_snapshot_it_is_the_same_run():
    config = dataclasses.replace(
        config_of("convolution", True),
        arm="S+noise",
        algorithm=AlgorithmConfig(eta1=0.5, eta2=0.2, weight_decay=0.02, sigma=1.0, max_time=20),
    )
    whole = FiniteSimulation(config)
    outcome = whole.run()
    calls = iter(range(10**9))
    part = FiniteSimulation(config)
    assert part.run(lambda: next(calls) >= 37) is None
    continued = FiniteSimulation(config, snapshot=part.snapshot())
    assert continued.run() == outcome
    assert continued.records.columns == whole.records.columns


@pytest.mark.parametrize(("kind", "shared"), KINDS)
@pytest.mark.parametrize("sigma", [0.0, 1.5])
def test_the_limit_is_approached_like_one_over_root_m(kind, shared, sigma):
    """Relative difference of f along the whole trajectory, at widths a factor 4 apart."""
    found = {m: limit_difference(m, kind, shared, sigma) for m in (1000, 4000, 16_000)}
    slope = math.log(found[16_000] / found[1000]) / math.log(16)
    assert -0.7 < slope < -0.3, found
    assert found[16_000] < 0.05


def limit_difference(m, kind, shared, sigma, seeds=(0, 1), steps=60) -> float:
    data = DistributionConfig(
        d=10, num_train=30, p0=0.2, q0=0.2, r=0.5, s=2.0, w_star=(0.5, 0.3, 1)
    )
    network = NetworkConfig(kind, shared, m, m, tau0=0.1, antithetic=True, precision="float64")
    algorithm = AlgorithmConfig(eta1=2.0, eta2=2.0, weight_decay=0.02)
    config = TheoryConfig(data, network, algorithm, solver=SolverConfig("recursion"))
    examples = [training_set(config, seed) for seed in seeds]
    networks = FiniteNetwork(config, seeds, examples)
    kernels = [Kernel(e, network) for e in examples]
    limits = [Recursion(kernel, config) for kernel in kernels]
    x1 = draw_examples(data, 20, generator(9, "test"), "p_only").x1
    probes = [OutputsOn(kernel, x1) for kernel in kernels]
    phase = Phase(2.0, sigma, 0.0)
    networks.begin([phase] * len(seeds))
    for limit in limits:
        limit.begin(phase)
    difference = size = 0.0
    for _ in range(steps):
        networks.advance([phase] * len(seeds))
        for place, (limit, probe) in enumerate(zip(limits, probes, strict=True)):
            limit.advance(phase, math.inf)
            a = torch.cat([networks.on_p(x1, place), networks.on_q(place)])
            b = torch.cat([probe.outputs(limit.state), limit.kernel.on_q(limit.state)])
            difference += float((a - b).square().sum())
            size += float(b.square().sum())
    return math.sqrt(difference / size)
