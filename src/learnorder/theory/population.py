"""The limit of infinitely many examples (κ → 0), for dimensions too large for a sample.

With N ≫ d, components of P patterns orthogonal to w* average out, and W moves only along w*. An
example reduces to its kind, α, b and its component along w*, and a few hundred examples represent
the distribution. Their dynamics is that of :mod:`learnorder.theory.kernel`.
"""

from __future__ import annotations

import math

import torch

from learnorder.theory.algorithm import Course, Grid, Moment, phases, train
from learnorder.theory.config import TheoryConfig
from learnorder.theory.distribution import Examples
from learnorder.theory.flow import Flow
from learnorder.theory.kernel import Kernel
from learnorder.theory.measure import second_difference

_GOLDEN = (math.sqrt(5) - 1) / 2


def population(config: TheoryConfig, n: int = 600) -> Examples:
    """Return n representative examples, all of the same weight.

    Kinds and directions have the proportions of the distribution. Within each, α and the component
    of a P pattern beyond its margin, half-normal of scale 1/√d, lie on a golden-ratio lattice.

    Args:
        config: The run; its N is ignored.
        n: Number of examples, up to rounding.

    Returns:
        Examples whose x1 has three coordinates, the third along w*.
    """
    data = config.distribution
    shares = {"p_only": data.p0_value, "q_only": data.q0}
    shares["both"] = 1 - sum(shares.values())
    parts = []
    for kind, share in shares.items():
        for y, b, part in ((1.0, 0.0, 0.5), (-1.0, -1.0, 0.25), (-1.0, 1.0, 0.25)):
            count = round(n * share * part)
            place = torch.arange(count, dtype=torch.float64)
            alpha = (place + 0.5) / max(count, 1)
            level = (place * _GOLDEN + 0.5) % 1.0
            g = torch.special.ndtri(0.5 + 0.5 * level.clamp(max=1 - 1e-9))
            along = y * (data.gamma0_value + g / math.sqrt(data.d))
            x1 = torch.zeros(count, 3, dtype=torch.float64)
            x1[:, 2] = 0.0 if kind == "q_only" else along
            amplitude = torch.zeros_like(alpha) if kind == "p_only" else data.s * alpha
            parts.append((x1, amplitude, torch.full_like(alpha, b), torch.full_like(alpha, y)))
    x1, amplitude, b, y = (torch.cat(column) for column in zip(*parts, strict=True))
    return Examples(x1, amplitude, b, y, data.r)


def population_margins(
    config: TheoryConfig, n: int = 600
) -> tuple[list[float], list[float], list[float]]:
    """Run an algorithm in this limit, for separate blocks.

    Args:
        config: The run.
        n: Number of representative examples.

    Returns:
        Times η·t, and at each time the mean margins y·f on P-only and on Q-only examples.
    """
    examples = population(config, n)
    kernel = Kernel(examples, config.network, quadratic=False)
    engine = Flow(kernel, config)
    has_p = examples.has_p
    times, p, q = [], [], []

    def observe(moment: Moment) -> None:
        on_p = (examples.y * kernel.on_p(engine.state))[has_p]
        times.append(moment.time)
        p.append(float(on_p.mean()))
        q.append(-second_difference(kernel.on_q(engine.state), config.distribution.s) / 8)

    course = Course(
        phases(config, float((~has_p).double().mean())),
        Grid(config.first_time, config.measure.per_decade),
        config.max_time,
        observe,
    )
    train(engine, course)
    return times, p, q
