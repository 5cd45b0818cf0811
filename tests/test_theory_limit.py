"""The limit of infinite width: recursion against the sum over all steps, flow against recursion."""

import dataclasses
import itertools
import math

import pytest
import torch

from learnorder.seeding import generator
from learnorder.theory import (
    AlgorithmConfig,
    Course,
    DistributionConfig,
    Grid,
    MeasureConfig,
    NetworkConfig,
    Phase,
    SolverConfig,
    TheoryConfig,
    newton,
    phases,
    train,
)
from learnorder.theory.arcsine import arcsine
from learnorder.theory.distribution import draw_examples
from learnorder.theory.flow import Flow
from learnorder.theory.kernel import Kernel, OutputsOn
from learnorder.theory.measure import gaussian_error
from learnorder.theory.noise_law import NoiseLaw
from learnorder.theory.population import population_margins
from learnorder.theory.recursion import Recursion
from learnorder.theory.simulation import LimitSimulation, training_set
from tests.theory_reference import direct_limit

SMALL = TheoryConfig(
    DistributionConfig(d=30, num_train=60, p0=0.1, q0=0.1, r=0.05, s=8.0, w_star=(0.5, 0.3, 1)),
    algorithm=AlgorithmConfig(
        eta1=0.2, eta2=2e-5, weight_decay=5e-4, epsilon1=0.25, epsilon2=0.2, sigma=10.0
    ),
    solver=SolverConfig("recursion"),
    measure=MeasureConfig(test_examples=500, per_decade=2),
)
"""Small enough for the recursion to be run whole."""


def changed(config: TheoryConfig, **sections) -> TheoryConfig:
    parts = {
        name: dataclasses.replace(getattr(config, name), **fields)
        if isinstance(fields, dict)
        else fields
        for name, fields in sections.items()
    }
    return dataclasses.replace(config, **parts)


@pytest.mark.parametrize("smallest", [0.3, 1e-2, 1e-4, 1e-6])
def test_the_short_series_is_arcsine(smallest):
    series = arcsine(smallest)
    assert len(series.powers) < 160
    assert float(series.coefficients.sum()) == pytest.approx(math.pi / 2, rel=1e-12)
    for angle in torch.logspace(math.log10(smallest), 0.19, 100, dtype=torch.float64).tolist():
        log_cos = 0.5 * math.log1p(-(math.sin(angle) ** 2))
        value = float((series.coefficients * torch.exp(series.powers * log_cos)).sum())
        assert abs(value - (math.pi / 2 - angle)) < 2e-5 * angle


@pytest.mark.parametrize("sigma", [0.0, 2.0])
def test_many_steps_at_once_are_the_steps_one_by_one(sigma):
    law = NoiseLaw(0.1, 0.05)
    powers = torch.tensor([1.0, 3.0, 31.0, 1001.0], dtype=torch.float64)
    for eta, tolerance in ((0.1, 1e-12), (0.01, 5e-3)):  # stationary, and relaxing from η1's noise
        variance, state = 1.0, torch.zeros_like(powers)
        decay = torch.ones_like(powers)
        for _ in range(700):
            step = law.transition(powers, variance, eta, 1.0, sigma)
            state = step.decay * state + step.weight
            decay *= step.decay
            variance = step.variance
        whole = law.transition(powers, 1.0, eta, 700.0, sigma)
        assert whole.variance == pytest.approx(variance, rel=1e-10)
        torch.testing.assert_close(whole.decay, decay, rtol=1e-8, atol=0)
        torch.testing.assert_close(whole.weight, state, rtol=tolerance, atol=1e-12)


def test_noise_is_stationary_at_the_large_learning_rate():
    law = NoiseLaw(0.1, 0.05)
    shrunk = (1 - 0.1 * 0.05) ** 2
    assert shrunk + 0.1**2 * law.xi_variance == pytest.approx(1, rel=1e-12)
    assert law.stationary(0.1) == pytest.approx(1, rel=1e-12)
    assert law.stationary(1e-3) == pytest.approx(1e-2, rel=5e-3)
    assert law.variance(1.0, 1e-3, 1e12) == pytest.approx(law.stationary(1e-3))


@pytest.mark.parametrize("quadratic", [True, False])
@pytest.mark.parametrize(("kind", "shared"), [("separate", True), ("convolution", True)])
def test_the_recursion_is_the_sum_over_all_steps(kind, shared, quadratic):
    config = changed(
        SMALL, network={"kind": kind, "shared_output": shared}, solver={"quadratic": quadratic}
    )
    examples = training_set(config, 0)
    schedule = [(0.2, 0.0)] * 25 + [(0.05, 0.0)] * 25 + [(0.2, 1.5)] * 25 + [(0.05, 0.0)] * 5
    kernel = Kernel(examples, config.network, quadratic)
    engine = Recursion(kernel, changed(config, solver={"macro_step": 1e-9}))
    expected = direct_limit(config, examples, schedule, kept=quadratic)
    for (eta, sigma), (f, g) in zip(schedule, expected, strict=True):
        phase = Phase(eta, sigma, 0.0)
        engine.begin(phase)
        engine.advance(phase, math.inf)
        torch.testing.assert_close(kernel.outputs(engine.state), f, rtol=1e-4, atol=2e-5)
        torch.testing.assert_close(kernel.on_q(engine.state), g, rtol=1e-4, atol=2e-5)


def test_outputs_on_new_patterns_follow_the_same_kernel():
    """A training pattern's own copy differs by its self-terms alone."""
    for network in (NetworkConfig(), NetworkConfig("convolution")):
        examples = training_set(SMALL, 0)
        kernel = Kernel(examples, network)
        engine = Recursion(kernel, SMALL)
        for _ in range(20):
            engine.advance(Phase(0.2, 0.0, 0.0), math.inf)
        copy = OutputsOn(kernel, examples.x1[examples.has_p]).outputs(engine.state).double()
        itself = (engine.state.self_ @ kernel.coefficients[1:]) * examples.x1.square().sum(dim=1)
        whole = kernel.on_p(engine.state)
        torch.testing.assert_close(copy, (whole - itself)[examples.has_p], rtol=1e-4, atol=1e-5)
        w, form = kernel.linear_and_form(engine.state)
        x = draw_examples(SMALL.distribution, 9, generator(1, "new"), "p_only").x1
        f = x @ w / 4 + ((x @ form) * x).sum(dim=1) / x.norm(dim=1)
        found = OutputsOn(kernel, x).outputs(engine.state).double()
        cubic = 0.01 if kernel.shared else 0.0  # what the two forms leave out across the halves
        torch.testing.assert_close(found, f, rtol=1e-4, atol=1e-5 + cubic * float(f.abs().max()))


def test_what_is_dropped_is_said():
    examples = training_set(SMALL, 0)
    found = []
    for quadratic in (True, False):
        kernel = Kernel(examples, SMALL.network, quadratic)
        engine = Recursion(kernel, SMALL)
        for _ in range(50):
            engine.advance(Phase(0.2, 0.0, 0.0), math.inf)
        found.append((kernel.dropped(engine.state), kernel.outputs(engine.state)))
    (third, f_kept), (first, f_dropped) = found
    assert 0 < third < 0.2 * first
    assert first == pytest.approx(float((f_kept - f_dropped).square().mean().sqrt()), rel=0.5)


def whole_run(config: TheoryConfig, kind, seed=0):
    """Return outputs on test points and Q's values at the grid's times, and the outcome."""
    examples = training_set(config, seed)
    kernel = Kernel(examples, config.network)
    engine = kind(kernel, config)
    test = draw_examples(config.distribution, 200, generator(5, "test"), "p_only", torch.float32)
    probe, seen = OutputsOn(kernel, test.x1), {}

    def observe(moment):
        key = ("end", moment.phase) if moment.grid is None else moment.grid
        on_q = config.distribution.s * kernel.on_q(engine.state)
        seen[key] = (torch.cat([probe.outputs(engine.state).double(), on_q]), moment.time)

    plan = phases(config, float((~examples.has_p).double().mean()))
    course = Course(plan, Grid(1.0, 3), config.max_time, observe)
    assert train(engine, course)
    return seen, course.outcome, engine


@pytest.mark.parametrize("kind", ["separate", "convolution"])
@pytest.mark.parametrize("name", ["L-S", "S", "S+noise"])
def test_the_flow_is_the_recursion(name, kind):
    """Outputs on test points and s·g agree along the whole run, across the anneal."""
    config = changed(SMALL, arm=name, network={"kind": kind})
    fine = changed(config, solver={"macro_step": 0.02 if name != "L-S" else 0.1})
    by_steps, outcome, _ = whole_run(fine, Recursion)
    by_flow, other, engine = whole_run(changed(config, solver={"tolerance": 1e-3}), Flow)
    assert outcome.status == other.status == "finished"
    assert engine.accepted < 200
    ends = [key for key in by_steps if isinstance(key, tuple)]
    assert len(ends) == (1 if name == "S" else 2)
    for key in ends:  # the recursion passes a threshold by up to a step
        assert by_flow[key][1] == pytest.approx(by_steps[key][1], rel=0.01)
    shared = [key for key in by_flow if key in by_steps and key not in ends]
    assert len(shared) >= 6
    for key in [*shared, *ends]:
        assert float((by_flow[key][0] - by_steps[key][0]).abs().max()) < 0.03, key


@pytest.mark.parametrize("name", ["L-S", "S"])
def test_the_error_falls_with_the_tolerance(name):
    config = changed(SMALL, arm=name)
    exact, _, _ = whole_run(changed(config, solver={"tolerance": 1e-5}), Flow)
    errors = []
    for tolerance in (8e-3, 4e-3, 2e-3, 1e-3):
        found, _, _ = whole_run(changed(config, solver={"tolerance": tolerance}), Flow)
        error = max(float((found[key][0] - exact[key][0]).abs().max()) for key in found)
        assert error < 2.5 * tolerance
        errors.append(error)
    assert errors == sorted(errors, reverse=True), errors


@pytest.mark.parametrize("quadratic", [True, False])
@pytest.mark.parametrize("kind", ["separate", "convolution"])
@pytest.mark.parametrize("most", [0, 10**6])
def test_a_newton_step_solves_its_system(kind, quadratic, most, monkeypatch):
    """By conjugate gradients and by a factorisation, against a dense solution in float64."""
    monkeypatch.setattr(newton, "MOST_FACTORED", most)
    config = changed(SMALL, network={"kind": kind})
    kernel = Kernel(training_set(config, 0), config.network, quadratic)
    law = NoiseLaw(config.eta1, config.algorithm.weight_decay)
    step = kernel.one_step(law.transition(kernel.powers, 1.0, 0.2, 500.0, sigma=0.0))
    y = kernel.examples.y
    f0 = torch.linspace(-1, 1, len(y), dtype=torch.float64)
    f = newton.Newton(1e-3).solve(f0, step, y, f0)
    assert f is not None
    residual = f0 - f + step.apply(y * torch.sigmoid(-y * f) / len(y))
    dense = torch.stack([step.apply(row) for row in torch.eye(len(y), dtype=torch.float64)], 1)
    share = torch.sigmoid(-y * f)
    matrix = torch.eye(len(y), dtype=torch.float64) + dense * (share * (1 - share) / len(y))
    assert float(torch.linalg.solve(matrix, residual).abs().max()) < 1e-6
    assert float((f - f0).abs().max()) > 0.1


@pytest.mark.parametrize("kind", ["separate", "convolution"])
@pytest.mark.parametrize("name", ["L-S", "S+noise"])
def test_runs_without_a_factorisation_are_the_same(name, kind, monkeypatch):
    config = changed(SMALL, arm=name, network={"kind": kind})
    factored, outcome, _ = whole_run(config, Flow)
    monkeypatch.setattr(newton, "MOST_FACTORED", 0)
    applied, other, _ = whole_run(config, Flow)
    assert outcome.status == other.status == "finished"
    assert factored.keys() == applied.keys()
    for key in factored:
        assert float((factored[key][0] - applied[key][0]).abs().max()) < 1e-3, key


def test_systems_that_are_not_solved_end_the_run(monkeypatch):
    monkeypatch.setattr(newton, "MOST_FACTORED", 0)
    monkeypatch.setattr(newton, "_MOST_GRADIENTS", 0)
    with pytest.raises(ArithmeticError, match="found no accurate step"):
        whole_run(SMALL, Flow)


def test_the_flow_meets_the_thresholds():
    config = changed(SMALL, solver={"engine": "flow"})
    simulation = LimitSimulation(config)
    outcome = simulation.run()
    assert outcome is not None
    assert "learning rate annealed at" in outcome.reason
    assert "reached ε2" in outcome.reason
    columns = simulation.records.columns
    rows = zip(*(columns[name] for name in ("grid", "set", "quantity", "value")), strict=True)
    ends = [
        v for grid, set_, quantity, v in rows if (grid, set_, quantity) == (-1, "train", "loss")
    ]
    plan = phases(config, float((~simulation.kernel.examples.has_p).double().mean()))
    for loss, phase in zip(ends, plan, strict=True):
        assert loss == pytest.approx(phase.threshold, rel=3e-4)


def test_macro_steps_are_checked_by_halving():
    config = changed(SMALL, arm="S")
    values = []
    for length in (0.2, 0.1, 0.05):
        seen, _, _ = whole_run(changed(config, solver={"macro_step": length}), Recursion)
        values.append(seen[4][0])
    first, second = ((a - b).abs().max() for a, b in itertools.pairwise(values))
    assert float(second) < 0.6 * float(first) < 0.05


def test_a_macro_step_of_one_step_is_a_step():
    config = changed(SMALL, arm="S", algorithm={"eta2": 0.05})
    one, _, a = whole_run(changed(config, solver={"macro_step": 0.05}), Recursion)
    other, _, b = whole_run(changed(config, solver={"macro_step": 1e-6}), Recursion)
    assert a.steps == b.steps
    assert all(torch.equal(one[key][0], other[key][0]) for key in one)


@pytest.mark.parametrize("engine", ["flow", "recursion"])
def test_continued_from_a_snapshot_it_is_the_same_run(engine):
    config = changed(SMALL, solver={"engine": engine}, arm="S+noise")
    whole = LimitSimulation(config)
    outcome = whole.run()
    part, calls = LimitSimulation(config), iter(range(10**9))
    assert part.run(lambda: next(calls) >= 40) is None
    continued = LimitSimulation(config, part.snapshot())
    assert continued.run() == outcome
    assert continued.records.columns == whole.records.columns


def test_a_run_ends_with_a_status_and_a_reason():
    short = LimitSimulation(changed(SMALL, algorithm={"max_time": 5.0})).run()
    assert short is not None
    assert short.status == "out_of_steps"
    assert "above" in short.reason
    assert "η·t = 5" in short.reason


def test_divergence_is_a_status_with_step_and_rate():
    course = Course([Phase(0.5, 0.0, 0.1)], Grid(1.0, 2), 100.0)
    for step, loss in enumerate((0.7, 0.9, 2.0)):
        course.update(0.5 * step, step, loss)
        assert course.outcome is None
    course.update(1.5, 3, math.nan)
    assert course.outcome is not None
    assert course.outcome.status == "diverged"
    assert "step 3" in course.outcome.reason
    assert "learning rate 0.5" in course.outcome.reason


def test_a_threshold_met_at_once_leaves_no_moment():
    """ε1 + q·log 2 above log 2: the anneal comes before the first step."""
    simulation = LimitSimulation(
        changed(SMALL, algorithm={"epsilon1": 0.9}, solver={"engine": "flow"})
    )
    outcome = simulation.run()
    assert outcome is not None
    assert outcome.reason.startswith("learning rate annealed at η·t = 0")
    assert min(simulation.records.columns["time"]) > 0


@pytest.mark.parametrize(
    "sections",
    [
        {"distribution": {"r": 1.0}},
        {"distribution": {"p0": 1.0, "q0": 0.0}},
        {"distribution": {"p0": 0.0, "q0": 1.0}},
        {"algorithm": {"weight_decay": 0.2, "eta2": None}},
        {"algorithm": {"eta2": 0.2}},
        {"algorithm": {"sigma": 0.0}, "arm": "S+noise"},
        {"network": {"kind": "convolution"}, "distribution": {"w_star": (1.0, 0.0, 0.0)}},
        {"distribution": {"s": 1e5}, "algorithm": {"eta1": None, "eta2": None}},
    ],
)
def test_the_edges_end_with_a_status(sections):
    config = changed(SMALL, solver={"engine": "flow"}, **sections)
    outcome = LimitSimulation(config).run()
    assert outcome is not None
    assert outcome.status in ("finished", "out_of_steps")
    if sections.get("arm") == "S+noise":
        assert "noise annealed" in outcome.reason


def test_the_gaussian_error_is_the_samples():
    config = changed(
        SMALL,
        distribution={"d": 60, "p0": 0.3},
        measure={"test_examples": 200_000},
        solver={"engine": "flow"},
    )
    for network in (NetworkConfig(), NetworkConfig("convolution")):
        simulation = LimitSimulation(dataclasses.replace(config, network=network))
        simulation.run()
        last = dict(
            zip(
                zip(simulation.records.columns["set"], simulation.records.columns["quantity"],
                    strict=True),
                simulation.records.columns["value"],
                strict=True,
            )
        )  # fmt: skip
        error = last["p_only", "error"]
        spread = math.sqrt(error * (1 - error) / 200_000)
        gaussian = gaussian_error(simulation.kernel, simulation.engine.state, config.distribution)
        assert gaussian == last["p_only", "error_gaussian"]
        assert abs(gaussian - error) < 5 * spread + 0.03 * error
        assert 0.001 < error < 0.3


def test_order_without_noise_or_weight_decay():
    """λ = 0 means no noise: the fixed kernel of the initial weights."""
    config = changed(SMALL, arm="S", algorithm={"weight_decay": 0.0}, solver={"engine": "flow"})
    simulation = LimitSimulation(config)
    outcome = simulation.run()
    assert outcome is not None
    assert outcome.status == "finished"
    assert simulation.engine.variance == 1.0


def test_time_scales():
    """Initial rates of the mean margins, and where the large rate's noise holds Q's, in theory.

    With residuals of 1/2: P's (1 − q0)·(1 + √(2/π))²/(8d); Q's s²·r·(1 − p0)/(64π) while the noise
    stands still. Under noise with correlation e^(−λt) it saturates at s²·r³·(1 − p0)/(96π·λ).
    """
    d, r, s, p0, q0, decay = 10**6, 1e-3, 2.0, 0.3, 0.1, 1e-2
    data = DistributionConfig(d=d, num_train=600, p0=p0, q0=q0, r=r, s=s)
    algorithm = AlgorithmConfig(eta2=1e-30, weight_decay=decay, max_time=400.0)
    config = TheoryConfig(
        data, algorithm=algorithm, arm="S", measure=MeasureConfig(per_decade=4, first=1e-3)
    )
    times, p, q = population_margins(config, n=2000)
    assert p[0] / times[0] == pytest.approx(
        (1 - q0) * (1 + math.sqrt(2 / math.pi)) ** 2 / 8 / d, rel=0.03
    )
    assert q[0] / times[0] == pytest.approx(s**2 * r * (1 - p0) / (64 * math.pi), rel=0.03)
    small = changed(config, arm="L-S", algorithm={"eta1": 1e-7})  # √(λη1) ≪ r
    _, _, held = population_margins(small, n=2000)
    assert held[-1] == pytest.approx(s**2 * r**3 * (1 - p0) / (96 * math.pi * decay), rel=0.1)
