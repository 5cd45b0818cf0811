"""A setting of the page, its training set, and its runs by the flow: the reference of the page."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from learnorder.theory.algorithm import Grid, Phase, phases
from learnorder.theory.config import (
    AlgorithmConfig,
    DistributionConfig,
    TheoryArm,
    TheoryConfig,
)
from learnorder.theory.distribution import Examples
from learnorder.theory.flow import Flow
from learnorder.theory.kernel import Kernel
from learnorder.theory.measure import gaussian_error, second_difference

N = 100
"""Training examples of the page; d is κ²·N."""
_COLUMNS = 256


@dataclass(frozen=True)
class Setting:
    """The position of the page's sliders.

    Attributes:
        s: Scale of x2.
        r: Length of ζ.
        kappa: κ; d is κ²·N, rounded.
        weight_decay: λ.
        p0: Probability of only a P pattern.
        eta: Learning rate of L-S's first phase, as a fraction of η*, 5/6 of the stability limit, at
            which the noise in the weights is stationary.
        sigma: Noise before the activations in S + noise, in units of τ0.
        anneal: η·t of the anneal; None anneals at a training loss of ε1 + q·log 2.
        seed: Determines the training set.
    """

    s: float = 1000.0
    r: float = 1e-4
    kappa: float = 1.0
    weight_decay: float = 1e-5
    p0: float = 0.06
    eta: float = 1.0
    sigma: float = 30.0
    anneal: float | None = None
    seed: int = 0

    def config(self, arm: TheoryArm) -> TheoryConfig:
        """Return the run's configuration; its η1 is η*."""
        d = round(self.kappa**2 * N)
        distribution = DistributionConfig(d=d, num_train=N, p0=self.p0, r=self.r, s=self.s)
        algorithm = AlgorithmConfig(weight_decay=self.weight_decay, sigma=self.sigma)
        return TheoryConfig(distribution, algorithm=algorithm, arm=arm)


@dataclass(frozen=True)
class Curve:
    """A run of one algorithm.

    Attributes:
        times: (T,), η·t.
        p: (T,), mean margin on P-only test examples.
        q: (T,), mean margin on Q-only test examples.
        error: (T,), error on P-only test examples.
        annealed: η·t of the anneal; None if there is none.
    """

    times: np.ndarray
    p: np.ndarray
    q: np.ndarray
    error: np.ndarray
    annealed: float | None


def draw(setting: Setting) -> Examples:
    """Return the training set, equal to that of the page (``assets/examples.js``)."""
    data = setting.config("S").distribution
    d, seed = data.d, setting.seed
    rows = np.arange(N)
    y = np.where(_uniform(seed, 0, rows) < 0.5, -1.0, 1.0)
    share = _uniform(seed, 1, rows)
    sign = np.where(_uniform(seed, 2, rows) < 0.5, -1.0, 1.0)
    amplitude = data.s * (1 - _uniform(seed, 3, rows))
    place = rows[:, None] * _COLUMNS + np.arange(d)
    radius = np.sqrt(-2 * np.log(1 - _uniform(seed, 4, 2 * place)))
    x1 = radius * np.cos(2 * np.pi * _uniform(seed, 4, 2 * place + 1)) / math.sqrt(d)
    x1[:, 2] = y * (np.abs(x1[:, 2]) + data.gamma0_value)
    x1[share >= 1 - data.q0] = 0
    amplitude[share < data.p0_value] = 0
    b = np.where(y > 0, 0.0, sign)
    of = torch.from_numpy
    return Examples(of(x1), of(amplitude), of(b), of(y), data.r)


def _uniform(seed: int, stream: int, place: np.ndarray) -> np.ndarray:
    """Return the generator mulberry32 at given places of a stream, in [0, 1)."""
    start = ((seed + 1) * 0x9E3779B1 + stream * 0x85EBCA6B) % 2**32
    a = np.uint32(start) + (place + 1).astype(np.uint32) * np.uint32(0x6D2B79F5)
    t = (a ^ (a >> np.uint32(15))) * (a | np.uint32(1))
    t = (t + (t ^ (t >> np.uint32(7))) * (t | np.uint32(61))) ^ t
    return (t ^ (t >> np.uint32(14))) / 2.0**32


def run(setting: Setting, arm: TheoryArm) -> Curve:
    """Run an algorithm by the flow, measured on a logarithmic grid and at the end of each phase.

    Args:
        setting: The setting.
        arm: The algorithm.
    """
    config, examples = setting.config(arm), draw(setting)
    kernel = Kernel(examples, config.network)
    engine = Flow(kernel, config)
    plan = phases(config, float((~examples.has_p).double().mean()))
    if arm == "L-S":
        large = max(setting.eta * config.eta1, config.eta2)
        plan[0] = Phase(large, 0.0, plan[0].threshold)
    end = config.max_time
    ends = [end] * len(plan)
    if setting.anneal is not None and len(plan) > 1:
        plan[0] = Phase(plan[0].learning_rate, plan[0].sigma, 0.0, plan[0].annealed)
        ends[0] = min(setting.anneal, end)
    grid, due, annealed = Grid(config.first_time, config.measure.per_decade), 0, None
    rows: list[tuple[float, float, float, float]] = []
    data = config.distribution
    mean_length = data.gamma0_value + math.sqrt(2 / (math.pi * data.d))
    for index, phase in enumerate(plan):
        engine.begin(phase)
        while engine.loss > phase.threshold and engine.time < ends[index]:
            while grid.time(due) <= engine.time:
                due += 1
            until = min(grid.time(due), ends[index])
            engine.advance(phase, until)
            if engine.time == until or engine.loss <= phase.threshold:
                p = mean_length * float(engine.state.linear[2]) / 4
                q = -second_difference(kernel.on_q(engine.state), data.s) / 8
                error = gaussian_error(kernel, engine.state, data)
                rows.append((engine.time, p, q, error))
        if index + 1 < len(plan) and engine.time < end:
            annealed = engine.time
    times, margins_p, margins_q, errors = np.array(rows).T
    return Curve(times, margins_p, margins_q, errors, annealed)
