"""Which pairs of a learning rate and a value are trained next: a ridge, followed outwards.

All learning rates are trained at the baseline. The other values follow from there outwards, those
at the same distance on both sides together. At each, the optimum is predicted and three learning
rates around it are trained; as long as the best is at an end of those, the next one beyond it is
trained too, up to the end of the grid.

The prediction from the optimum at the baseline follows a published rule, if there is one about the
setting (:mod:`learnorder.advise.along.references`): a constant product for weight decay, linear or
square-root scaling for the batch size. If rules disagree, that with the smallest move is taken;
without any, none. As soon as two optima are known, their power law
(:func:`learnorder.advise.along.drift.predict`) takes the place of the rule.

With m learning rates and k values this is about m + 3·(k − 1) pairs instead of m·k. A rule or a law
that is wrong costs runs, at most those of the full grid, and no optimum: with a single peak over
the learning rate, the search ends at it.

Every decision is a function of the scores so far, so that a stopped search continues with the same
ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from learnorder.advise.along.drift import predict
from learnorder.advise.along.references import references_for
from learnorder.advise.along.result import AlongResult, Pair
from learnorder.advise.jointly.settings import JointSettings

WINDOW = 3
"""Number of learning rates around a prediction."""


def next_pairs(settings: JointSettings, result: AlongResult) -> list[Pair]:
    """Return the pairs to train next; none if the search is complete.

    Args:
        settings: The settings.
        result: The scores so far; of each pair, all seeds have ended.
    """
    rates, values = settings.along.search.rates(), settings.along.values
    if settings.baseline not in result.scored:
        return [(settings.baseline, rate) for rate in rates]
    beyond = [(v, rate) for v in result.values for rate in _next_beyond(result, v, rates)]
    if beyond:
        return beyond
    start = values.index(settings.baseline)
    distances = {v: abs(values.index(v) - start) for v in values if v not in result.scored}
    return [
        (value, rate)
        for value, distance in distances.items()
        if distance == min(distances.values())
        for rate in window(rates, predicted_optimum(settings, result, value))
    ]


def usual_pairs(settings: JointSettings) -> int:
    """Return how many pairs are trained if no optimum is at the end of its learning rates."""
    return len(settings.along.search.rates()) + WINDOW * (len(settings.along.values) - 1)


def window(rates: Sequence[float], optimum: float) -> list[float]:
    """Return three neighbouring learning rates, the middle one as near to an optimum as possible.

    >>> window((0.01, 0.03, 0.1, 0.3, 1.0), 0.04), window((0.01, 0.03, 0.1, 0.3, 1.0), 7.0)
    ([0.01, 0.03, 0.1], [0.1, 0.3, 1.0])
    """
    inner = range(1, len(rates) - 1)
    middle = min(inner, key=lambda i: abs(math.log(rates[i] / optimum)))
    return list(rates[middle - 1 : middle + 2])


def predicted_optimum(settings: JointSettings, result: AlongResult, value: float) -> float:
    """Return the optimum to expect at a value, as a learning rate within the grid."""
    rates = settings.along.search.rates()
    law = predict(result.optima, value) if value > 0 else None
    if law is not None:
        return min(max(law.mean, rates[0]), rates[-1])
    values = list[float](settings.along.values)
    at = values.index(value)
    nearest = min(result.optima, key=lambda v: abs(values.index(v) - at))
    optimum = result.optima[nearest]
    known = optimum.best if math.isnan(optimum.at.mean) else optimum.at.mean
    if value > 0 and nearest > 0:
        known *= (value / nearest) ** first_slope(settings)
    return min(max(known, rates[0]), rates[-1])


def first_slope(settings: JointSettings) -> float:
    """Return the slope d log(optimum) / d log(value) of the rule that moves it least; 0 if none."""
    rules = references_for(settings.along.search, settings.setting)
    return min((math.log2(rule.factor) for rule in rules), key=abs, default=0.0)


def _next_beyond(result: AlongResult, value: float, rates: Sequence[float]) -> list[float]:
    """Return the next learning rate beyond those at a value, if the best of them is at an end.

    If no run has a score, the next smaller one.
    """
    trained = sorted(result.scored[value])
    first, last = rates.index(trained[0]), rates.index(trained[-1])
    best = result.best(value) if any(result.scored[value].values()) else trained[0]
    if best == trained[0] and first > 0:
        return [rates[first - 1]]
    if best == trained[-1] and last < len(rates) - 1:
        return [rates[last + 1]]
    return []
