"""Measurements for the pages on the theory that no command makes.

``python -m studies.theory.measure width finite scaling`` writes results/theory/NAME.csv; these take
about 2, 15 and 10 minutes on one core. ``… collect NAME=FOLDER`` does so from a phase diagram, one
row per run. The commands that made the runs are in results/README.md.
"""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch

import learnorder
from learnorder.seeding import generator
from learnorder.theory import (
    AlgorithmConfig,
    DistributionConfig,
    MeasureConfig,
    NetworkConfig,
    Phase,
    SolverConfig,
    TheoryArm,
    TheoryConfig,
    paper_scaling,
)
from learnorder.theory.distribution import draw_examples
from learnorder.theory.finite import FiniteNetwork
from learnorder.theory.kernel import Kernel, OutputsOn
from learnorder.theory.order import learned_for_good, level_time
from learnorder.theory.population import population_margins
from learnorder.theory.recursion import Recursion
from learnorder.theory.results import TheoryResults
from learnorder.theory.simulation import FiniteBatch, LimitSimulation, training_set
from studies.common import RESULTS

Row = dict[str, object]


def width() -> Iterator[Row]:
    """Yield the relative difference of f between the finite network and its limit."""
    data = DistributionConfig(
        d=10, num_train=30, p0=0.2, q0=0.2, r=0.5, s=2.0, w_star=(0.5, 0.3, 1.0)
    )
    algorithm = AlgorithmConfig(eta1=2.0, eta2=2.0, weight_decay=0.02)
    x1 = draw_examples(data, 20, generator(9, "test"), "p_only").x1
    for kind in ("separate", "convolution"):
        for sigma in (0.0, 1.5):
            for m in (1000, 4000, 16_000, 64_000):
                network = NetworkConfig(
                    kind, True, m, m, tau0=0.1, antithetic=True, precision="float64"
                )
                config = TheoryConfig(data, network, algorithm, solver=SolverConfig("recursion"))
                for seed in range(4):
                    difference = _difference(config, x1, Phase(2.0, sigma, 0.0), seed)
                    yield {
                        "kind": kind, "sigma": sigma, "m": m, "seed": seed,
                        "relative_difference": f"{difference:.5f}",
                    }  # fmt: skip


def _difference(config: TheoryConfig, x1: torch.Tensor, phase: Phase, seed: int) -> float:
    """Return the difference of f on test points over 60 steps, relative to the limit's f."""
    examples = training_set(config, seed)
    network = FiniteNetwork(config, [seed], [examples])
    kernel = Kernel(examples, config.network)
    limit, probe = Recursion(kernel, config), OutputsOn(kernel, x1)
    network.begin([phase])
    limit.begin(phase)
    squares = torch.zeros(2, dtype=torch.float64)
    for _ in range(60):
        network.advance([phase])
        limit.advance(phase, math.inf)
        actual = torch.cat([network.on_p(x1), network.on_q()])
        expected = torch.cat([probe.outputs(limit.state), kernel.on_q(limit.state)])
        squares += torch.stack([(actual - expected).square().sum(), expected.square().sum()])
    return float((squares[0] / squares[1]).sqrt())


FINITE = TheoryConfig(
    DistributionConfig(d=100, kappa=0.3, p0=0.012, q0=0.2, r=0.1, s=12.0),
    NetworkConfig(width_w=64, width_v=200, tau0=0.02),
    AlgorithmConfig(eta1=0.3, eta2=0.01, weight_decay=1e-4, epsilon1=0.1, epsilon2=0.05),
    measure=MeasureConfig(test_examples=2000, per_decade=24, first=1.0),
)
"""An affordable width. r is large, as at small r no affordable width is near the lazy regime."""


def finite() -> Iterator[Row]:
    """Yield when Q is learned at two learning rates, at several widths of V and in the limit."""
    seeds = list(range(5))
    for eta, until in ((0.3, 1700.0), (0.01, 200.0)):
        algorithm = replace(FINITE.algorithm, eta2=eta, max_time=until)
        config = replace(FINITE, arm="S", algorithm=algorithm)
        for m in (200, 2000, 20_000):
            wide = replace(config, network=replace(config.network, width_v=m))
            batch = FiniteBatch(wide, seeds, split=False)
            batch.run()
            for seed, records in zip(seeds, batch.records, strict=True):
                yield _order(eta, m, seed, records.columns)
        for seed in seeds:
            run = LimitSimulation(replace(config, seed=seed))
            run.run()
            yield _order(eta, None, seed, run.records.columns)


def _order(eta: float, m: int | None, seed: int, columns: dict[str, list]) -> Row:
    rows = list(zip(*(columns[n] for n in ("time", "set", "quantity", "value")), strict=True))

    def series(set_: str, quantity: str) -> tuple[list[float], list[float]]:
        chosen = [r for r in rows if r[1:3] == (set_, quantity)]
        return [r[0] for r in chosen], [r[3] for r in chosen]

    times, errors = series("q_only", "error")
    return {
        "eta": eta, "m_V": "limit" if m is None else m, "seed": seed,
        "q_learned": learned_for_good(times, [1 - e for e in errors]),
        "p_margin_half": level_time(*series("p_only", "margin"), level=0.5),
        "end": times[-1], "p_only_error": series("p_only", "error")[1][-1],
    }  # fmt: skip


def scaling() -> Iterator[Row]:
    """Yield the learning times in the paper's own scaling, s = 1: margins of 1/2."""
    for kappa in (1.0, 0.5):
        for exponent in range(4, 25):
            d = round(10 ** (exponent / 2))
            for arm in ("S", "L-S"):
                config = _paper(d, kappa, arm)
                data = replace(config.distribution, kappa=None, num_train=1000, p0=kappa**2 / 2)
                reduced = replace(config, distribution=data)
                yield _times("population", d, kappa, arm, None, population_margins(reduced))
        for d in (100, 300, 1000):
            for arm in ("S", "L-S"):
                for seed in range(3):
                    run = LimitSimulation(replace(_paper(d, kappa, arm), seed=seed))
                    run.run()
                    yield _times("full", d, kappa, arm, seed, _margins(run.records.columns))


def _paper(d: int, kappa: float, arm: TheoryArm) -> TheoryConfig:
    config = paper_scaling(d, kappa)
    # so small that the noise of S does not become stationary within the run
    algorithm = replace(config.algorithm, eta2=1e-60 * config.eta1, max_time=100.0 * d)
    measure = MeasureConfig(test_examples=2000, per_decade=8, first=d / 1e6)
    return replace(config, arm=arm, algorithm=algorithm, measure=measure)


def _margins(columns: dict[str, list]) -> tuple[list[float], list[float], list[float]]:
    rows = zip(*(columns[n] for n in ("time", "set", "quantity", "value")), strict=True)
    p, q = {}, {}
    for time, set_, quantity, value in rows:
        if quantity == "margin":
            (p if set_ == "p_only" else q)[time] = value
    return list(p), list(p.values()), list(q.values())


def _times(
    how: str,
    d: int,
    kappa: float,
    arm: str,
    seed: int | None,
    margins: tuple[list[float], list[float], list[float]],
) -> Row:
    times, p, q = margins
    return {
        "dynamics": how, "d": d, "kappa": kappa, "arm": arm, "seed": seed,
        "t_p": level_time(times, p, 0.5), "t_q": level_time(times, q, 0.5),
        "p_rate": p[0] / times[0], "q_rate": q[0] / times[0], "end": times[-1],
    }  # fmt: skip


def collect(folder: Path) -> Iterator[Row]:
    """Yield the final results of the runs of a phase diagram."""
    results = learnorder.open_runs(folder, of=TheoryResults)
    for run in results.folders:
        config, arm = run.config, results.arm_of(run)
        data, seed = config.distribution, config.seed

        def final(quantity: str, arm: str = arm, seed: int = seed) -> object:
            return results.final(arm, "p_only", quantity).get(seed)

        yield {
            "arm": config.arm, "seed": seed, "status": run.read_status(),
            "d": data.d, "kappa": f"{data.kappa_value:.4g}", "p0": f"{data.p0_value:.4g}",
            "s": data.s, "r": data.r, "weight_decay": config.algorithm.weight_decay,
            "error": final("error"), "error_gaussian": final("error_gaussian"),
            "test_examples": config.measure.test_examples,
            "p_half": results.half_learned(arm, "P").get(seed),
            "q_half": results.half_learned(arm, "Q").get(seed),
            "annealed": results.annealed(arm).get(seed),
        }  # fmt: skip


MEASUREMENTS: dict[str, Callable[[], Iterator[Row]]] = {
    "width": width,
    "finite": finite,
    "scaling": scaling,
}


def write(name: str, rows: Iterator[Row]) -> None:
    """Write each row to results/theory/NAME.csv as soon as it is measured."""
    with (RESULTS / "theory" / f"{name}.csv").open("w", newline="") as file:
        writer = None
        for row in rows:
            if writer is None:
                writer = csv.DictWriter(file, list(row), lineterminator="\n")
                writer.writeheader()
            writer.writerow(row)
            file.flush()
            print(name, *(f"{k}={v}" for k, v in row.items()), flush=True)


def main() -> int:
    """Make the measurements named on the command line."""
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["collect"]:
        for name, _, folder in (argument.partition("=") for argument in sys.argv[2:]):
            write(name, collect(Path(folder)))
        return 0
    for name in sys.argv[1:] or MEASUREMENTS:
        write(name, MEASUREMENTS[name]())
    return 0


if __name__ == "__main__":
    sys.exit(main())
