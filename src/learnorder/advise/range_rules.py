"""What a learning-rate range test saw, and what the rules of finders pick from it.

``steepest``: where the smoothed loss falls most over log η. ``valley``: the middle of the longest
falling stretch. ``minimum``: a tenth of where the loss is lowest. What is at an end of the range is
no pick: there, the curve does not show what lies beyond.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

import numpy as np

Rule = Literal["steepest", "valley", "minimum"]
Find = Callable[[np.ndarray, np.ndarray], float | None]
"""Returns the log of the learning rate that it picks, of log η and smoothed losses."""
RULE: Rule = "steepest"
"""The rule whose picks are followed; ``studies/range_test_rules.py`` says why."""

SMOOTHING = 0.9
"""Share of the average that is kept from step to step."""
_SKIP_START, _SKIP_END = 10, 5
"""Steps at the ends in which nothing is picked: the average of few, and the explosion."""
_FEWEST = 10
"""Losses between these without which nothing is picked."""
_WINDOW = 5
"""Losses of which the median is taken, so that the spike of a single batch goes."""
_NOISE = 5.0
"""How many standard deviations of the smoothed loss's noise it must fall by."""


def smooth(losses: Sequence[float], share: float = SMOOTHING) -> np.ndarray:
    """Return running medians of five losses, exponentially averaged: mₜ = Σ βᵗ⁻ⁱ xᵢ / Σ βᵗ⁻ⁱ.

    Dividing by the sum of the weights takes the bias of the start away.

    >>> smooth([2.0, 2.0, 50.0, 2.0, 2.0]).tolist()
    [2.0, 2.0, 2.0, 2.0, 2.0]
    """
    values, reach = np.asarray(losses, dtype=float), _WINDOW // 2
    medians = [np.median(values[max(0, t - reach) : t + reach + 1]) for t in range(len(values))]
    smoothed, total, weight = list[float](), 0.0, 0.0
    for value in medians:
        total, weight = share * total + value, share * weight + 1
        smoothed.append(total / weight)
    return np.array(smoothed)


def pick(
    rates: Sequence[float], losses: Sequence[float], rule: Find, share: float = SMOOTHING
) -> float | None:
    """Return the learning rate that a rule picks; None where the losses show none.

    There is none where the loss does not fall by more than its noise, or the pick is at an end.

    Args:
        rates: Rising, geometric.
        losses: Of a batch at each, finite.
        rule: One of ``RULES``, or another.
        share: How much is smoothed.

    >>> rates = [10.0 ** (k / 12 - 7) for k in range(100)]
    >>> losses = [math.atan(-2 * math.log10(rate) - 6) + 2 + rate**2 for rate in rates]
    >>> [f"{pick(rates, losses, rule, 0):.1g}" for rule in RULES.values()]
    ['0.001', '0.0003', '0.01']
    """
    inner = slice(_SKIP_START, len(losses) - _SKIP_END)
    logs, smoothed = np.log(rates)[inner], smooth(losses, share)[inner]
    if len(smoothed) < _FEWEST or not _falls(losses, smoothed, share):
        return None
    place = rule(logs, smoothed)
    return None if place is None else float(math.exp(place))


def _falls(losses: Sequence[float], smoothed: np.ndarray, share: float) -> bool:
    """Return whether the smoothed loss falls by more than the noise of batches would make it.

    The noise is told by differences of successive losses, which the slow change of η hardly moves.
    """
    steps = np.diff(np.asarray(losses, dtype=float)[: _SKIP_START + len(smoothed) // 2])
    noise = float(np.median(np.abs(steps))) / (0.6745 * math.sqrt(2))
    noise *= math.sqrt((1 - share) / (1 + share))
    fall = float(smoothed[0] - smoothed.min())
    return fall > _NOISE * noise and fall > 1e-9 * abs(float(smoothed[0]))


def _steepest(logs: np.ndarray, losses: np.ndarray) -> float | None:
    slopes = np.gradient(losses, logs)
    return _inside(logs, int(slopes.argmin()))


def _valley(logs: np.ndarray, losses: np.ndarray) -> float | None:
    """Return the middle of the longest falling subsequence, counted in steps from its end."""
    lengths = np.ones(len(losses), dtype=int)
    for i in range(1, len(losses)):
        higher = lengths[:i][losses[:i] > losses[i]]
        lengths[i] = 1 + higher.max(initial=0)
    end = int(lengths.argmax())
    return _inside(logs, end - int(lengths[end]) // 2)


def _minimum(logs: np.ndarray, losses: np.ndarray) -> float | None:
    lowest = _inside(logs, int(losses.argmin()))
    return None if lowest is None else lowest - math.log(10)


def _inside(logs: np.ndarray, place: int) -> float | None:
    return float(logs[place]) if 0 < place < len(logs) - 1 else None


RULES: dict[Rule, Find] = {
    "steepest": _steepest,
    "valley": _valley,
    "minimum": _minimum,
}


@dataclass(frozen=True)
class Restart:
    """The loss while the learning rate rises once, from step to step.

    Attributes:
        seed: Of the weights, the data order and what layers draw.
        rates: Learning rates, geometric.
        losses: Training loss of each step's batch, before its update; None where it was not
            finite, and no update was made.
        ended: ``finished``, or ``exploded`` where the loss did before the largest learning rate.
    """

    seed: int
    rates: tuple[float, ...]
    losses: tuple[float | None, ...]
    ended: Literal["finished", "exploded"]

    def finite(self) -> tuple[list[float], list[float]]:
        """Return the learning rates whose loss is finite, and these losses."""
        kept = [
            (r, loss) for r, loss in zip(self.rates, self.losses, strict=True) if loss is not None
        ]
        return [rate for rate, _ in kept], [loss for _, loss in kept]

    def smoothed(self) -> tuple[list[float], list[float]]:
        """Return the learning rates whose loss is finite, and these losses smoothed."""
        rates, losses = self.finite()
        return rates, smooth(losses).tolist()

    def pick(self, rule: Rule = RULE) -> float | None:
        """Return what a rule picks; None where the losses show nothing."""
        return pick(*self.finite(), RULES[rule])


@dataclass(frozen=True)
class RangeTest:
    """Several restarts of a range test.

    Attributes:
        restarts: One for each seed.
    """

    restarts: tuple[Restart, ...]

    def picks(self, rule: Rule = RULE) -> list[float]:
        """Return the picks of the restarts that have one, rising."""
        found = [restart.pick(rule) for restart in self.restarts]
        return sorted(rate for rate in found if rate is not None)

    def median(self, rule: Rule = RULE) -> float | None:
        """Return the median pick, on the scale of log η; None where half have none."""
        return middle(self.picks(rule), len(self.restarts))

    @property
    def pick(self) -> float | None:
        """The median pick of the default rule."""
        return self.median()


def middle(picks: Sequence[float], restarts: int) -> float | None:
    """Return the median of rising picks, on the scale of log η; None where half have none.

    >>> middle([0.01, 0.1, 0.2], 3), f"{middle([0.01, 0.04], 3):g}", middle([0.1], 3)
    (0.1, '0.02', None)
    """
    if 2 * len(picks) <= restarts:
        return None
    halves = picks[(len(picks) - 1) // 2 : len(picks) // 2 + 1]
    return halves[0] if len(halves) == 1 else math.exp(fmean(map(math.log, halves)))
