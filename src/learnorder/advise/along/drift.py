"""How the optimum moves with the setting: a power law, its checks, and what it predicts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from learnorder.advise.along.optimum import Optimum, fit
from learnorder.statistics import Estimate, slope


@dataclass(frozen=True)
class Drift:
    """The power law of the optimum: log10(optimum) = α + β·log2(value).

    Attributes:
        values: The values whose optimum is in it.
        factor: 10^β, by which the optimum changes with each doubling, with its 95 % interval over
            seeds; an end is 0 or ∞ if the data do not bound it.
        bend: Coefficient of log2(value)² if it is added, with its interval: a power law has 0.
            None with fewer than three values.
    """

    values: tuple[float, ...]
    factor: Estimate
    bend: Estimate | None

    @property
    def bounded(self) -> bool:
        """Whether the interval of the factor has two ends."""
        return self.factor.low > 0 and self.factor.high < math.inf


def find_drift(optima: Mapping[float, Optimum]) -> Drift | None:
    """Return how the optima inside the grid move; None if there are fewer than two."""
    inside = _inside(optima)
    if len(inside) < 2:
        return None
    slopes, design = [each.slopes for each in inside.values() if each.slopes], _design(inside, 1)
    bend = None
    if len(inside) > 2:
        bend = fit(slopes, _design(inside, 2), 2)
    return Drift(tuple(inside), _power(fit(slopes, design, 1)), bend)


def predict(optima: Mapping[float, Optimum], value: float) -> Estimate | None:
    """Return the optimum at a value by the power law; None if fewer than two optima are inside.

    Its interval is over seeds, and holds if the power law does.
    """
    inside = _inside(optima)
    if len(inside) < 2:
        return None
    slopes = [each.slopes for each in inside.values() if each.slopes]
    return _power(fit(slopes, _design(inside, 1, value), 0))


def factor_bounds(optima: Mapping[float, Optimum]) -> tuple[float, float]:
    """Return bounds of the factor with each doubling, from the band of every value above 0.

    Under a power law the least-squares slope of the optima is its slope. Each optimum lies between
    the learning rates beside its band, if the score has a single peak. The bounds are the slopes
    with the optima at the ends that make it smallest and largest; 0 or ∞ if an end is open.
    """
    optima = {value: each for value, each in optima.items() if value > 0}
    z = [math.log2(value) for value in optima]
    weights = [slope([(x, float(i == j)) for j, x in enumerate(z)]) for i in range(len(z))]
    ends = [0.0, 0.0]
    for weight, each in zip(weights, optima.values(), strict=True):
        if weight == 0:
            continue
        low = math.log10(each.above) if each.above > 0 else -math.inf
        high = math.log10(each.below) if each.below < math.inf else math.inf
        if weight < 0:
            low, high = high, low
        ends[0] += weight * low
        ends[1] += weight * high
    return _power_of(ends[0]), _power_of(ends[1])


def shape_bounds(optima: Mapping[float, Optimum]) -> tuple[float, float] | None:
    """Return between which factors the drift lies if the tops of lopsided curves may be anywhere.

    They are moved to the neighbours of the best that make the least-squares slope of the optima
    smallest and largest; the others stay where they are. None if no curve is lopsided.
    """
    inside = _inside(optima)
    if len(inside) < 2 or not any(each.lopsided for each in inside.values()):
        return None
    moved = {
        value: replace(each, above=each.neighbours[0], below=each.neighbours[1])
        if each.lopsided
        else replace(each, above=each.at.mean, below=each.at.mean)
        for value, each in inside.items()
    }
    return factor_bounds(moved)


def _inside(optima: Mapping[float, Optimum]) -> dict[float, Optimum]:
    """Return the optima with a parabola; a value of 0 has no logarithm."""
    return {value: each for value, each in optima.items() if each.slopes is not None and value > 0}


def _design(
    values: Mapping[float, Optimum], degree: int, origin: float | None = None
) -> NDArray[np.float64]:
    """Return the powers of log2(value), relative to a value or to the mean of their logs."""
    z = np.log2(np.array(list(values), dtype=float))
    z = z - (z.mean() if origin is None else math.log2(origin))
    return np.stack([z**power for power in range(degree + 1)], axis=1)


def _power(e: Estimate) -> Estimate:
    return Estimate(_power_of(e.mean), _power_of(e.low), _power_of(e.high), e.n)


def _power_of(x: float) -> float:
    """Return 10^x, 0 or ∞ beyond the range of floats.

    >>> _power_of(-1), _power_of(-math.inf), _power_of(1e6)
    (0.1, 0.0, inf)
    """
    return math.inf if x > 300 else 0.0 if x < -300 else 10.0**x
