"""Means with confidence intervals, and paired differences.

Intervals are clipped to the range of their quantity: [0, 1] for a share, [0, ∞) for most losses
(:mod:`learnorder.statistics.ranges`). Clipping does not change the coverage, because the true mean
lies in the range. If a value lies outside the range, the interval is not clipped.

Equal values have no t interval: their standard deviation of 0 says nothing about how much further
seeds would differ, and an interval of zero width would claim certainty.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from learnorder.statistics.ranges import REAL, SHARE, Range


@dataclass(frozen=True)
class Estimate:
    """A mean over seeds with a two-sided t interval.

    Attributes:
        mean: Mean of the n values.
        low: Lower end of the interval; nan for n < 2, and if the values are identical.
        high: Upper end of the interval; nan in the same cases.
        n: Number of values.
        identical: Whether there are n ≥ 2 equal values, so that their spread is unknown.
    """

    mean: float
    low: float
    high: float
    n: int
    identical: bool = False

    def __neg__(self) -> Estimate:
        return Estimate(-self.mean, -self.high, -self.low, self.n, self.identical)

    @property
    def has_interval(self) -> bool:
        """Whether the interval is known; its ends may be infinite."""
        return not math.isnan(self.low)

    @property
    def lowest(self) -> float:
        """Lower end of the interval; the mean of identical values, for the sign test."""
        return self.mean if self.identical else self.low

    @property
    def highest(self) -> float:
        """Upper end of the interval; the mean of identical values, for the sign test."""
        return self.mean if self.identical else self.high

    def format(self, scale: float = 1.0, digits: int = 1) -> str:
        """Return "mean [low, high]", each times ``scale``; "–" if there are no values.

        Identical values have no interval, and their number is shown instead.

        >>> Estimate(-0.0001, -0.5, 0.4, 3).format()
        '0.0 [−0.5, 0.4]'
        >>> estimate([1.0, 1.0, 1.0]).format(100)
        '100.0 (3 equal values)'
        """
        if self.n == 0 or math.isnan(self.mean):
            return "–"
        mean, low, high = (
            f"{round(value * scale, digits) + 0.0:.{digits}f}"  # + 0.0 makes −0.0 a plain zero
            for value in (self.mean, self.low, self.high)
        )
        text = f"{mean} [{low}, {high}]" if self.has_interval else mean
        if self.identical:
            text += f" ({self.n} equal values)"
        return text.replace("-", "−")


def estimate(
    values: Sequence[float], confidence: float = 0.95, *, within: Range = REAL
) -> Estimate:
    """Return the mean and its t interval, x̄ ± t_{n−1} · s / √n, clipped to a range.

    If all values are equal there is no interval, see :class:`Estimate`.

    Args:
        values: One for each seed.
        confidence: Level of the two-sided interval.
        within: Range of the values.

    >>> estimate([1.0, 2.0, 3.0]).format(digits=2)
    '2.00 [−0.48, 4.48]'
    >>> from learnorder.statistics import SHARE
    >>> estimate([1.0, 0.9, 0.8], within=SHARE).format(digits=2)
    '0.90 [0.65, 1.00]'
    """
    n = len(values)
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    mean = math.fsum(values) / n
    if n < 2:
        return Estimate(mean, math.nan, math.nan, n)
    if not (s := spread(values)):
        return _identical(mean, n)
    from scipy.stats import t

    margin = float(t.ppf((1 + confidence) / 2, n - 1)) * s / math.sqrt(n)
    return _clip(Estimate(mean, mean - margin, mean + margin, n), within, values)


def _identical(mean: float, n: int) -> Estimate:
    """Return the estimate of n identical values."""
    return Estimate(mean, math.nan, math.nan, n, identical=True)


_ROUNDING = 1e-12
"""Differences and standard deviations up to this, relative to the values, are rounding errors."""


def equals(mean: float, bound: float) -> bool:
    """Return whether the mean of identical values is a bound, up to rounding errors."""
    return math.isclose(mean, bound, rel_tol=1e-9, abs_tol=_ROUNDING)


def differences(a: Mapping[int, float], b: Mapping[int, float]) -> dict[int, float]:
    """Return a − b over shared seeds; rounding errors are 0.

    >>> differences({0: 0.1 + 0.2, 1: 0.5}, {0: 0.3, 2: 0.5})
    {0: 0.0}
    """
    return {
        s: 0.0 if math.isclose(a[s], b[s], rel_tol=_ROUNDING) else a[s] - b[s]
        for s in sorted(a.keys() & b.keys())
    }


def spread(values: Sequence[float]) -> float:
    """Return the standard deviation, s² = Σ (x − x̄)² / (n − 1); 0 if it is a rounding error.

    >>> spread([0.9 - 0.8, 0.8 - 0.7, 0.7 - 0.6])
    0.0
    """
    n = len(values)
    mean = math.fsum(values) / n
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    return 0.0 if deviation <= _ROUNDING * max(abs(value) for value in values) else deviation


def _clip(e: Estimate, within: Range, values: Iterable[float]) -> Estimate:
    """Return the interval clipped to a range, if all values are in it."""
    if not within.contains(values):
        return e
    return Estimate(e.mean, max(e.low, within.low), min(e.high, within.high), e.n)


def paired_difference(
    a: Mapping[int, float],
    b: Mapping[int, float],
    confidence: float = 0.95,
    *,
    within: Range = REAL,
) -> Estimate:
    """Return the mean of a − b over shared seeds, with the paired t interval.

    For the n differences d it is d̄ ± t_{n−1} · s_d / √n.

    Args:
        a: Values by seed.
        b: Values by seed.
        confidence: Level of the two-sided interval.
        within: Range of a and b: the difference of two shares is in [−1, 1].

    >>> paired_difference({0: 3.0, 1: 4.0, 2: 9.0}, {0: 1.0, 1: 2.0}).mean
    2.0
    """
    return estimate(list(differences(a, b).values()), confidence, within=within.difference())


def independent_difference(
    a: Sequence[float], b: Sequence[float], confidence: float = 0.95, *, within: Range = REAL
) -> Estimate:
    """Return mean(a) − mean(b) of independent samples, with Welch's t interval.

    It is ā − b̄ ± t_ν · √(s_a²/n_a + s_b²/n_b), with the degrees of freedom ν of
    :func:`welch_freedom` (Welch, *The generalization of "Student's" problem when several different
    population variances are involved*, Biometrika 1947).

    Args:
        a: One value for each run.
        b: One value for each run; the numbers of runs may differ.
        confidence: Level of the two-sided interval.
        within: Range of a and b.

    Returns:
        The estimate; its n is the smaller number of runs. If the values of each sample are equal it
        has no interval.

    >>> independent_difference([3.0, 4.0, 5.0], [1.0, 2.0, 3.0]).format(digits=2)
    '2.00 [−0.27, 4.27]'
    """
    n = min(len(a), len(b))
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    mean = math.fsum(a) / len(a) - math.fsum(b) / len(b)
    if n < 2:
        return Estimate(mean, math.nan, math.nan, n)
    parts = spread(a) ** 2 / len(a), spread(b) ** 2 / len(b)
    if not sum(parts):
        return _identical(mean, n)
    from scipy.stats import t

    freedom = welch_freedom(parts, (len(a), len(b)))
    margin = float(t.ppf((1 + confidence) / 2, freedom)) * math.sqrt(sum(parts))
    e = Estimate(mean, mean - margin, mean + margin, n)
    return _clip(e, within.difference(), [mean]) if within.contains([*a, *b]) else e


def welch_freedom(parts: tuple[float, float], n: tuple[int, int]) -> float:
    """Return Welch's degrees of freedom, (p_a + p_b)² / (p_a² / (n_a − 1) + p_b² / (n_b − 1)).

    Args:
        parts: Variance of each sample, divided by its number of values; not both 0.
        n: Number of values of each sample.

    >>> welch_freedom((1.0, 1.0), (5, 5)), welch_freedom((1.0, 0.0), (5, 9))
    (8.0, 4.0)
    """
    return sum(parts) ** 2 / sum(p**2 / (size - 1) for p, size in zip(parts, n, strict=True))


def ratio_of_means(
    a: Mapping[int, float],
    b: Mapping[int, float],
    confidence: float = 0.95,
    *,
    within: Range = REAL,
) -> Estimate:
    """Return mean(a) / mean(b) over shared seeds, with Fieller's interval.

    The interval is the set of ρ for which |ā − ρ·b̄| is at most t_{n−1} standard errors of that
    difference, from the variances and the covariance of a and b over seeds. If mean(b) is not
    significantly different from 0, the set also contains ratios of the other sign: if the ratio
    cannot be negative they are left out, and the upper end is infinite; otherwise both ends are. If
    a = ρ·b on every seed, or b = 0 and a has equal values, there is no interval, as for equal
    values.

    Args:
        a: Values by seed.
        b: Values by seed.
        confidence: Level of the two-sided interval.
        within: Range of the ratio: a ratio of two errors or losses is not negative.

    >>> ratio_of_means({0: 4.0, 1: 6.0, 2: 5.0}, {0: 1.0, 1: 1.0, 2: 1.0}).format()
    '5.0 [2.5, 7.5]'
    """
    seeds = sorted(a.keys() & b.keys())
    n = len(seeds)
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    mean_a, mean_b = math.fsum(a[s] for s in seeds) / n, math.fsum(b[s] for s in seeds) / n
    positive = within.low >= 0
    ratio = mean_a / mean_b if mean_b else (math.inf if mean_a and positive else math.nan)
    if n < 2:
        return Estimate(ratio, math.nan, math.nan, n)
    from scipy.stats import t

    def covariance(x: Mapping[int, float], mx: float, y: Mapping[int, float], my: float) -> float:
        return math.fsum((x[s] - mx) * (y[s] - my) for s in seeds) / (n - 1)

    square = float(t.ppf((1 + confidence) / 2, n - 1)) ** 2 / n
    aa, bb = covariance(a, mean_a, a, mean_a), covariance(b, mean_b, b, mean_b)
    ab = covariance(a, mean_a, b, mean_b)
    # ρ²·(b̄² − g·s_bb) − 2ρ·(ā·b̄ − g·s_ab) + ā² − g·s_aa ≤ 0, g = t²/n
    leading = mean_b**2 - square * bb
    middle = mean_a * mean_b - square * ab
    constant = mean_a**2 - square * aa
    # middle² − leading·constant, written without the difference of two nearly equal numbers
    rest = differences(a, {s: ratio * b[s] for s in seeds}) if mean_b else a
    deviation = spread(list(rest.values()))
    if not deviation and (leading > 0 or leading == 0 == middle):
        return _identical(ratio, n)
    residual = (mean_b * deviation) ** 2 if mean_b else mean_a**2 * bb
    root = square * residual - square**2 * (aa * bb - ab**2)
    if leading > 0:
        margin = math.sqrt(max(root, 0.0))
        e = Estimate(ratio, (middle - margin) / leading, (middle + margin) / leading, n)
        return _clip(e, within, [ratio])
    if not positive:
        return Estimate(ratio, -math.inf, math.inf, n)
    if leading == 0 == middle and constant > 0:  # b is 0 on every seed, and a is not
        return Estimate(ratio, math.inf, math.inf, n)
    upper = (middle - math.sqrt(root)) / leading if leading < 0 < root else math.inf
    e = Estimate(ratio, upper if upper <= ratio < math.inf else -math.inf, math.inf, n)
    return _clip(e, within, [ratio])


def proportion(successes: int, n: int, confidence: float = 0.95) -> Estimate:
    """Return a share with the exact binomial (Clopper–Pearson) interval.

    It excludes 1/2 exactly if the two-sided sign test rejects at level 1 − ``confidence``.

    Args:
        successes: Number of successes in ``n`` trials.
        n: Number of trials.
        confidence: Level of the two-sided interval.

    >>> proportion(6, 6).format(digits=2), proportion(5, 5).format(digits=2)
    ('1.00 [0.54, 1.00]', '1.00 [0.48, 1.00]')
    """
    if n == 0:
        return Estimate(math.nan, math.nan, math.nan, 0)
    return Estimate(successes / n, *_binomial(successes, n, confidence), n)


def share_of_examples(values: Sequence[float], examples: int, confidence: float = 0.95) -> Estimate:
    """Return a mean share over seeds, with an interval that also covers the sampled examples.

    The values of all seeds are measured on the same examples, so the interval over seeds says
    nothing about other examples, of which a small group has too few. The distances from the mean to
    the ends of the t interval over seeds and of the exact binomial interval over the examples are
    added in quadrature (Zou, Donner, *Construction of confidence limits about effect measures: a
    general approach*, Statistics in Medicine 2008). The binomial variance bounds that of the
    examples' difficulty, so the interval is conservative. If the values are equal, it is the
    binomial interval alone.

    Args:
        values: A share for each seed, in [0, 1].
        examples: Number of examples that each was measured on.
        confidence: Level of the two-sided interval.

    >>> share_of_examples([0.9, 0.9, 0.9], 10).format(100)
    '90.0 [55.5, 99.7]'
    >>> share_of_examples([0.8, 0.9, 1.0], 10**6).format(100)
    '90.0 [65.2, 100.0]'
    """
    seeds = estimate(values, confidence, within=SHARE)
    if seeds.n < 2 or examples < 1:
        return seeds
    sampled = _binomial(seeds.mean * examples, examples, confidence)
    low = math.hypot(seeds.mean - seeds.lowest, seeds.mean - sampled[0])
    high = math.hypot(seeds.highest - seeds.mean, sampled[1] - seeds.mean)
    ends = max(0.0, seeds.mean - low), min(1.0, seeds.mean + high)
    return Estimate(seeds.mean, *ends, seeds.n)


def _binomial(successes: float, n: int, confidence: float) -> tuple[float, float]:
    """Return the ends of the exact binomial interval; ``successes`` may be a mean of counts."""
    from scipy.stats import beta

    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, successes, n - successes + 1)) if successes > 0 else 0.0
    high = float(beta.ppf(1 - tail, successes + 1, n - successes)) if successes < n else 1.0
    return low, high


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the least-squares line through points (x, y).

    >>> slope([(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)])
    2.0
    """
    n = len(points)
    x_mean, y_mean = (math.fsum(p[axis] for p in points) / n for axis in (0, 1))
    spread = math.fsum((x - x_mean) ** 2 for x, _ in points)
    return math.fsum((x - x_mean) * (y - y_mean) for x, y in points) / spread
