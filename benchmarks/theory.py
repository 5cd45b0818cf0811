"""How fast the two-layer theory is computed: finite width, recursion, flow.

``python benchmarks/theory.py`` times the reduced network against a dense one trained by autograd,
a step of the recursion on one core for several dimensions, and whole runs of the flow on one core.
``--large`` adds the flow at d = 1,000 to 4,000 with both of its linear solvers, which takes a
quarter of an hour. The last line is JSON:

- finite_vs_dense: time of a dense step over that of ours (float32, all threads);
- finite_vs_matmul: time of our step over that of its two matrix products at the machine's rate;
- limit_step_ms_d500: a step of the recursion at d = 500, N = 1,000, float64, one core;
- flow_run_s: the slower of L-S and S at d = 500, κ = 1, one core;
- flow_vs_limit: steps of the recursion times its time a step, over the flow's time, in that run.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch.nn.functional import softplus

from common import as_in_runs, finish, matmul_rate, paired
from learnorder.theory import (
    AlgorithmConfig,
    DistributionConfig,
    MeasureConfig,
    NetworkConfig,
    Phase,
    SolverConfig,
    TheoryArm,
    TheoryConfig,
    newton,
)
from learnorder.theory.finite import FiniteNetwork
from learnorder.theory.flow import Flow
from learnorder.theory.kernel import Kernel
from learnorder.theory.recursion import Recursion
from learnorder.theory.simulation import LimitSimulation, training_set

WIDE = TheoryConfig(
    DistributionConfig(d=200, num_train=2000, r=0.1, s=12.0),
    NetworkConfig(width_w=1000, width_v=1000, tau0=0.02),
    AlgorithmConfig(eta1=0.1, eta2=0.1, weight_decay=1e-4),
    solver=SolverConfig("finite"),
)
RUN = TheoryConfig(
    DistributionConfig(d=500, kappa=1.0, p0=0.06, q0=0.1, r=7e-4, s=60.0),
    algorithm=AlgorithmConfig(eta1=0.012, eta2=1e-10, weight_decay=5e-5),
    measure=MeasureConfig(test_examples=4000),
)
"""The setting in which the recursion was first run to its end."""


class Dense:
    """The same step as a user would write it: one masked matrix, autograd, float32."""

    def __init__(self, config: TheoryConfig) -> None:
        network, examples = config.network, training_set(config, 0)
        d, m_w, m_v = config.distribution.d, network.width_w, network.width_v
        self.x = torch.cat([examples.x1, examples.x2()], dim=1).float()
        self.y = examples.y.float()
        self.mask = torch.zeros(m_w + m_v, 2 * d)
        self.mask[:m_w, :d] = self.mask[m_w:, d:] = 1
        self.u = torch.where(torch.rand(m_w + m_v) < 0.5, -1.0, 1.0) / m_w**0.5
        self.weights = (torch.randn_like(self.mask) * network.tau0).requires_grad_()
        self.config = config

    def step(self) -> None:
        eta, decay = self.config.eta1, self.config.algorithm.weight_decay
        f = (self.x @ (self.weights * self.mask).T).relu() @ self.u
        (gradient,) = torch.autograd.grad(softplus(-self.y * f).mean(), self.weights)
        with torch.no_grad():
            self.weights.mul_(1 - eta * decay).sub_(
                eta * (gradient + 1e-3 * torch.randn_like(self.weights))
            )


def finite(rows: list[tuple[str, str]]) -> dict[str, float]:
    """Compare steps at finite width."""
    dense, phase = Dense(WIDE), Phase(WIDE.eta1, 0.0, 0.0)
    network = FiniteNetwork(WIDE, [0], [training_set(WIDE, 0)])
    network.begin([phase])
    ours, theirs = paired(lambda: network.advance([phase]), dense.step, rounds=30)
    with_p = int(training_set(WIDE, 0).has_p.sum())
    flops = 2 * 2 * with_p * WIDE.distribution.d * WIDE.network.width_w
    floor = flops / matmul_rate()
    threads = torch.get_num_threads()
    rows += [
        (f"finite width, d = 200, N = 2,000, m = 1,000 + 1,000, float32, {threads} threads", ""),
        ("  dense autograd step", f"{1e3 * theirs:.1f} ms"),
        ("  reduced step, noise included", f"{1e3 * ours:.1f} ms"),
        ("  its two matrix products at the machine's rate", f"{1e3 * floor:.1f} ms"),
    ]
    return {"finite_vs_dense": theirs / ours, "finite_vs_matmul": ours / floor}


def recursion_step(config: TheoryConfig, rounds: int) -> tuple[float, int]:
    """Return the median seconds of a step, and the bytes of the state."""
    engine = Recursion(Kernel(training_set(config, 0), config.network, quadratic=True), config)
    phase = Phase(config.eta1, 0.0, 0.0)
    times = []
    for _ in range(rounds + 3):
        started = time.perf_counter()
        engine.advance(phase, math.inf)
        times.append(time.perf_counter() - started)
    size = sum(tensor.numel() * tensor.element_size() for tensor in engine.state.tensors())
    return statistics.median(times[3:]), size


def recursion(rows: list[tuple[str, str]]) -> dict[str, float]:
    """Time the recursion's step at several dimensions, with N = 2d."""
    rows.append(("recursion, N = 2d, quadratic part included, float64, 1 thread", ""))
    found = {}
    for d in (250, 500, 1000, 2000, 4000):
        config = replace(RUN, distribution=replace(RUN.distribution, d=d, kappa=0.5**0.5))
        found[d], size = recursion_step(config, rounds=max(10, 200_000 // d))
        rows.append((f"  step at d = {d:,}", f"{1e3 * found[d]:.2f} ms, state {size / 1e6:.1f} MB"))
    return {"limit_step_ms_d500": 1e3 * found[500]}


def flow(rows: list[tuple[str, str]]) -> dict[str, float]:
    """Time whole runs of the flow, and say what the recursion would take to the same end."""
    rows.append(("flow, d = 500, κ = 1, whole runs with their measurements, 1 thread", ""))
    each, _ = recursion_step(RUN, rounds=200)
    slowest, gain = 0.0, math.inf
    arms: tuple[TheoryArm, ...] = ("L-S", "S")
    for arm in arms:
        seconds, steps, accepted = flow_run(replace(RUN, arm=arm))
        rows.append(
            (
                f"  {arm}: {accepted} steps",
                f"{seconds:.2f} s (recursion: {steps:,.0f} steps of {1e3 * each:.2f} ms, "
                f"{steps * each:.0f} s)",
            )
        )
        slowest, gain = max(slowest, seconds), min(gain, steps * each / seconds)
    return {"flow_run_s": slowest, "flow_vs_limit": gain}


def solvers(rows: list[tuple[str, str]], dimensions: tuple[int, ...]) -> None:
    """Time whole runs of the flow with a factorisation and with conjugate gradients."""
    rows.append(("flow, L-S, κ = 1, N = d, whole runs, 1 thread", ""))
    for d in dimensions:
        for name, most in (("factorisation", d), ("conjugate gradients", 0)):
            with factored_up_to(most):
                taken, _, accepted = flow_run(large_run(d))
            rows.append((f"  d = {d:,}, {name}: {accepted} steps", f"{taken:.1f} s"))


@contextmanager
def factored_up_to(most: int) -> Iterator[None]:
    """Factor Newton's matrix up to another number of examples."""
    usual, newton.MOST_FACTORED = newton.MOST_FACTORED, most
    try:
        yield
    finally:
        newton.MOST_FACTORED = usual


def large_run(d: int) -> TheoryConfig:
    """Return a run with N = d."""
    data = DistributionConfig(d=d, kappa=1.0, r=2e-5)
    return TheoryConfig(data, algorithm=AlgorithmConfig(weight_decay=4e-7), measure=RUN.measure)


def flow_run(config: TheoryConfig) -> tuple[float, float, int]:
    """Return seconds of a run, the recursion's steps to the same end, and the flow's steps."""
    started = time.perf_counter()
    run = LimitSimulation(config)
    outcome = run.run()
    seconds = time.perf_counter() - started
    assert outcome is not None
    assert outcome.status == "finished", outcome
    engine = run.engine
    assert isinstance(engine, Flow)
    return seconds, engine.time / config.eta1, engine.accepted


def main() -> None:
    as_in_runs()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help="Add the flow up to d = 4,000.")
    large = parser.parse_args().large
    rows: list[tuple[str, str]] = []
    figures = finite(rows)
    torch.set_num_threads(1)
    figures |= recursion(rows) | flow(rows)
    if large:
        solvers(rows, (1000, 2000, 3000, 4000))
    finish("two-layer theory", rows, figures)


if __name__ == "__main__":
    main()
