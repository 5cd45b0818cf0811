"""The agreement of two orders: Kendall's τ with ties, and its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from learnorder.errors import DataError


@dataclass(frozen=True)
class Agreement:
    """Kendall's τ_b of two orders.

    Attributes:
        tau: From −1 (reversed) to 1 (the same); nan if all ranks of one order are tied.
        low: Lower end of the 95 % interval.
        high: Upper end.
        n: Number of examples.
    """

    tau: float
    low: float
    high: float
    n: int


def rank_agreement(a: ArrayLike, b: ArrayLike) -> Agreement:
    """Return τ_b of two rankings with ties, with its asymptotic 95 % interval over examples.

    With n_ij the number of examples of rank i in a and j in b, A_ij and D_ij the numbers of
    examples concordant and discordant with them, R_i and C_j the row and column sums,

        τ_b = (P − Q) / w,   P = Σ n_ij A_ij,   Q = Σ n_ij D_ij,   w = √(w_r w_c),
        w_r = n² − Σ R_i²,   w_c = n² − Σ C_j²,

    and the variance (Brown and Benedetti, *Sampling Behavior of Tests for Correlation in Two-Way
    Contingency Tables*, JASA 1977)

        [ Σ n_ij (2 w (A_ij − D_ij) + τ_b (R_i w_c + C_j w_r))² − n³ τ_b² (w_r + w_c)² ] / w⁴.

    The examples are treated as a sample, the two runs as fixed.

    Args:
        a: Ranks, integers [N]; equal ranks are ties.
        b: Ranks of the same examples, [N].

    Raises:
        DataError: The rankings are empty or differ in length.

    >>> agreement = rank_agreement([1, 2, 3, 4], [1, 2, 4, 3])
    >>> round(agreement.tau, 4)
    0.6667
    """
    a, b = np.asarray(a), np.asarray(b)
    if len(a) != len(b) or not len(a):
        raise DataError(f"Ranks of {len(a)} and {len(b)} examples: give equally many, and some.")
    n = len(a)
    (rows, row), (columns, column) = (np.unique(r, return_inverse=True) for r in (a, b))
    shape = (len(rows), len(columns))
    cells = np.bincount(row * shape[1] + column, minlength=shape[0] * shape[1])
    table = cells.reshape(shape).astype(float)
    concordant, discordant = _pairs(table)
    r, c = table.sum(axis=1), table.sum(axis=0)
    w_r, w_c = n**2 - float((r**2).sum()), n**2 - float((c**2).sum())
    w = math.sqrt(w_r * w_c)
    if w == 0:
        return Agreement(math.nan, math.nan, math.nan, n)
    difference = concordant - discordant
    tau = float((table * difference).sum()) / w
    v = r[:, None] * w_c + c[None, :] * w_r
    spread = float((table * (2 * w * difference + tau * v) ** 2).sum())
    variance = (spread - n**3 * tau**2 * (w_r + w_c) ** 2) / w**4
    margin = 1.959963984540054 * math.sqrt(max(variance, 0.0))
    return Agreement(tau, max(-1.0, tau - margin), min(1.0, tau + margin), n)


def _pairs(table: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return for each cell the numbers of examples concordant and discordant with it."""
    padded = np.zeros((table.shape[0] + 1, table.shape[1] + 1))
    padded[1:, 1:] = table.cumsum(axis=0).cumsum(axis=1)
    total, down, right = padded[-1, -1], padded[-1], padded[:, -1]
    i, j = slice(0, -1), slice(1, None)
    before = padded[i, i]  # rows above, columns to the left
    after = total - down[None, j] - right[j, None] + padded[j, j]
    above_right = right[i, None] - padded[i, j]
    below_left = down[None, i] - padded[j, i]
    return before + after, above_right + below_left
