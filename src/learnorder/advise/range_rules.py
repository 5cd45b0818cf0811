"""The result of a learning-rate range test, and the rules that pick a learning rate from it.

``steepest``: where the smoothed loss falls fastest over log η. ``valley``: the middle of the
longest decrease. ``minimum``: a tenth of the learning rate with the lowest loss. A learning rate at
an end of the range is not picked, because the curve does not show what lies beyond.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

import numpy as np

Rule = Literal["steepest", "valley", "minimum"]
PickFunction = Callable[[np.ndarray, np.ndarray], float | None]
"""Maps log η [N] and smoothed losses [N] to the log of the learning rate picked, or None."""
RULE: Rule = "steepest"
"""The rule that is used; chosen by ``studies/range_test/rules.py``."""

SMOOTHING = 0.9
"""Decay factor of the exponential average, β."""
_SKIP_START, _SKIP_END = 10, 5
"""Steps ignored at the start, where few losses are averaged, and at the end, near an explosion."""
_FEWEST = 10
"""Fewest remaining losses for a pick."""
_WINDOW = 5
"""Width of the running median, which removes the spike of a single batch."""
_NOISE = 5.0
"""Smallest fall of the smoothed loss, in standard deviations of its noise."""


def smooth(losses: Sequence[float], share: float = SMOOTHING) -> np.ndarray:
    """Return running medians of five losses, exponentially averaged: mₜ = Σ βᵗ⁻ⁱ xᵢ / Σ βᵗ⁻ⁱ.

    Dividing by the sum of the weights removes the bias at the start. β is ``share``.

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
    rates: Sequence[float], losses: Sequence[float], rule: PickFunction, share: float = SMOOTHING
) -> float | None:
    """Return the learning rate that a rule picks, or None.

    There is no pick if the loss does not fall by more than its noise, or if it is at an end.

    Args:
        rates: Learning rates, increasing and geometric.
        losses: Finite loss of one batch at each learning rate.
        rule: One of ``RULES``, or another such function.
        share: Decay factor of the smoothing, β.

    >>> rates = [10.0 ** (k / 12 - 7) for k in range(100)]
    >>> losses = [math.atan(-2 * math.log10(rate) - 6) + 2 + rate**2 for rate in rates]
    >>> [f"{pick(rates, losses, rule, 0):.1g}" for rule in RULES.values()]
    ['0.001', '0.0003', '0.01']
    """
    inner = slice(_SKIP_START, len(losses) - _SKIP_END)
    logs, smoothed = np.log(rates)[inner], smooth(losses, share)[inner]
    if len(smoothed) < _FEWEST or not _falls(losses, smoothed, share):
        return None
    log_rate = rule(logs, smoothed)
    return None if log_rate is None else float(math.exp(log_rate))


def _falls(losses: Sequence[float], smoothed: np.ndarray, share: float) -> bool:
    """Return whether the smoothed loss falls by more than the noise between batches.

    The noise is estimated from differences of successive losses, which depend little on η.
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
    """Return the middle of the longest decreasing subsequence, counted in steps from its end."""
    lengths = np.ones(len(losses), dtype=int)
    for i in range(1, len(losses)):
        higher = lengths[:i][losses[:i] > losses[i]]
        lengths[i] = 1 + higher.max(initial=0)
    end = int(lengths.argmax())
    return _inside(logs, end - int(lengths[end]) // 2)


def _minimum(logs: np.ndarray, losses: np.ndarray) -> float | None:
    lowest = _inside(logs, int(losses.argmin()))
    return None if lowest is None else lowest - math.log(10)


def _inside(logs: np.ndarray, index: int) -> float | None:
    return float(logs[index]) if 0 < index < len(logs) - 1 else None


RULES: dict[Rule, PickFunction] = {
    "steepest": _steepest,
    "valley": _valley,
    "minimum": _minimum,
}


@dataclass(frozen=True)
class Restart:
    """The losses of one pass of a range test over the learning rates.

    Attributes:
        seed: Seed of the weights, the data order and random layers.
        rates: Learning rate of each step; a geometric sequence.
        losses: Training loss of each step's batch before the update; None if it was not finite and
            the update was skipped.
        ended: ``finished``, or ``exploded`` if the loss exploded before the largest learning rate.
    """

    seed: int
    rates: tuple[float, ...]
    losses: tuple[float | None, ...]
    ended: Literal["finished", "exploded"]

    def finite(self) -> tuple[list[float], list[float]]:
        """Return the learning rates with a finite loss, and their losses."""
        pairs = [
            (r, loss) for r, loss in zip(self.rates, self.losses, strict=True) if loss is not None
        ]
        return [rate for rate, _ in pairs], [loss for _, loss in pairs]

    def smoothed(self) -> tuple[list[float], list[float]]:
        """Return the learning rates with a finite loss, and their smoothed losses."""
        rates, losses = self.finite()
        return rates, smooth(losses).tolist()

    def pick(self, rule: Rule = RULE) -> float | None:
        """Return the learning rate that a rule picks, or None; see :func:`pick`."""
        return pick(*self.finite(), RULES[rule])


@dataclass(frozen=True)
class RangeTest:
    """A range test with several restarts.

    Attributes:
        restarts: The restarts, one per seed.
    """

    restarts: tuple[Restart, ...]

    def picks(self, rule: Rule = RULE) -> list[float]:
        """Return the picks of the restarts that have one, in increasing order."""
        picks = [restart.pick(rule) for restart in self.restarts]
        return sorted(rate for rate in picks if rate is not None)

    def median(self, rule: Rule = RULE) -> float | None:
        """Return the median pick on the scale of log η; None if half or more have no pick."""
        return middle(self.picks(rule), len(self.restarts))

    @property
    def pick(self) -> float | None:
        """The median pick of the default rule."""
        return self.median()


def middle(picks: Sequence[float], restarts: int) -> float | None:
    """Return the median of sorted picks on the scale of log η; None if half or more are missing.

    >>> middle([0.01, 0.1, 0.2], 3), f"{middle([0.01, 0.04], 3):g}", middle([0.1], 3)
    (0.1, '0.02', None)
    """
    if 2 * len(picks) <= restarts:
        return None
    halves = picks[(len(picks) - 1) // 2 : len(picks) // 2 + 1]
    return halves[0] if len(halves) == 1 else math.exp(fmean(map(math.log, halves)))
