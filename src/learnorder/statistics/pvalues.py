"""p-values that agree with the intervals, and their adjustment for multiple comparisons.

All are two-sided, and below 0.05 exactly if the 95 % interval excludes the bound: a t test for a
mean or a paired difference, Welch's t test for a difference of independent samples, a t test of
a − ρ·b for a ratio (Fieller; an infinite interval may contain bounds that the test rejects), an
exact binomial test for a share of seeds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from learnorder.statistics.intervals import differences, equals, spread, welch_freedom


def mean_p(values: Sequence[float], bound: float = 0.0) -> float:
    """Return the p-value of the two-sided t test of the hypothesis that the mean is ``bound``.

    t = (x̄ − bound) · √n / s, with n − 1 degrees of freedom. If all values are equal it is the
    p-value of the sign test, 2 · (1/2)ⁿ.

    Args:
        values: One for each seed.
        bound: Mean under the null hypothesis.

    Returns:
        The p-value; nan for fewer than two values.

    >>> round(mean_p([1.0, 2.0, 3.0]), 4), mean_p([1.0] * 6)
    (0.0742, 0.03125)
    """
    n = len(values)
    if n < 2 or math.isnan(bound):
        return math.nan
    from scipy.stats import t

    mean, s = math.fsum(values) / n, spread(values)
    if s == 0:
        return 1.0 if equals(mean, bound) else min(1.0, 2.0 ** (1 - n))
    return float(2 * t.sf(abs(mean - bound) * math.sqrt(n) / s, n - 1))


def independent_p(a: Sequence[float], b: Sequence[float]) -> float:
    """Return the p-value of Welch's t test that two independent samples have the same mean.

    If all values of each sample are equal it is that of the permutation test, 2 / C(n_a + n_b,
    n_a).

    Args:
        a: One value for each run.
        b: One value for each run.

    Returns:
        The p-value; nan if a sample has fewer than two values.

    >>> round(independent_p([3.0, 4.0, 5.0], [1.0, 2.0, 3.0]), 4)
    0.0705
    >>> independent_p([1.0] * 3, [2.0] * 3)
    0.1
    """
    if min(len(a), len(b)) < 2:
        return math.nan
    from scipy.stats import t

    difference = math.fsum(a) / len(a) - math.fsum(b) / len(b)
    parts = spread(a) ** 2 / len(a), spread(b) ** 2 / len(b)
    if not sum(parts):
        if equals(difference, 0):
            return 1.0
        return 2 / math.comb(len(a) + len(b), len(a))
    freedom = welch_freedom(parts, (len(a), len(b)))
    return float(2 * t.sf(abs(difference) / math.sqrt(sum(parts)), freedom))


def ratio_p(a: Mapping[int, float], b: Mapping[int, float], bound: float) -> float:
    """Return the p-value of Fieller's test that mean(a) / mean(b) is ``bound``.

    It is the t test that the mean of a − bound · b is 0, over shared seeds.
    """
    scaled = {seed: bound * value for seed, value in b.items()}
    return mean_p(list(differences(a, scaled).values()))


def sign_p(larger: int, n: int) -> float:
    """Return the p-value of the two-sided exact sign test, 2 · min(P(X ≤ k), P(X ≥ k)).

    X has the binomial distribution of n trials at 1/2.

    Args:
        larger: Number of pairs in which the first is larger, k.
        n: Number of pairs without ties.

    >>> sign_p(6, 6), sign_p(5, 5)
    (0.03125, 0.0625)
    """
    if n == 0:
        return math.nan
    tail = sum(math.comb(n, k) for k in range(min(larger, n - larger) + 1)) / 2**n
    return min(1.0, 2 * tail)


def holm(p: Sequence[float]) -> list[float]:
    """Return p-values adjusted for multiple comparisons (Holm, Scand. J. Statist. 6, 1979).

    The i-th smallest of m p-values becomes max over j ≤ i of (m − j + 1) · p₍ⱼ₎, at most 1. The
    probability that any of those below 0.05 is a false positive is at most 5 %, also for dependent
    tests. nan stays nan and is not counted.

    >>> holm([0.01, 0.04, 0.03, 0.005])
    [0.03, 0.06, 0.06, 0.02]
    """
    order = sorted((i for i, value in enumerate(p) if not math.isnan(value)), key=lambda i: p[i])
    adjusted, largest = [math.nan] * len(p), 0.0
    for rank, index in enumerate(order):
        largest = max(largest, min(1.0, (len(order) - rank) * p[index]))
        adjusted[index] = largest
    return adjusted


def p_words(p: float) -> str:
    """Return a p-value as shown in tables; "–" for nan.

    >>> p_words(0.0312), p_words(0.00004), p_words(0.5), p_words(1.0), p_words(math.nan)
    ('0.031', '< 0.001', '0.50', '1', '–')
    """
    if math.isnan(p):
        return "–"
    if p < 0.001:
        return "< 0.001"
    if p >= 0.995:
        return "1"
    return f"{p:.3f}" if p < 0.1 else f"{p:.2f}"
