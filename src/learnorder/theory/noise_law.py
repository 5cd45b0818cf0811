"""The law of the noise in the weights, and the effect of one or many steps on the limit's state."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

_RELAXATION_PER_PIECE = 0.01
_MOST_PIECES = 256


@dataclass(frozen=True)
class Transition:
    """The effect of n gradient steps with a constant residual, for each power e of the kernel.

    Attributes:
        gain: G = (1 − ηλ)^n, the decay factor of the linear state.
        decay: (K,), G·ρ^e, with ρ the correlation of the weights' noise across the steps.
        linear_weight: Weight with which the residual enters the linear state.
        weight: (K,), weight with which it enters the state of each power.
        variance: τ² after the steps.
    """

    gain: float
    decay: Tensor
    linear_weight: float
    weight: Tensor
    variance: float


class NoiseLaw:
    """The noise in the weights, Ũ ← (1 − ηλ)Ũ − ηξ, in units of τ0 (paper, section 3).

    τξ is fixed by stationarity at η1: η1²τξ² = (1 − (1 − η1λ)²)τ0².

    Args:
        eta1: The learning rate at which the noise is stationary.
        weight_decay: λ.

    Attributes:
        xi_variance: τξ²/τ0².
    """

    def __init__(self, eta1: float, weight_decay: float) -> None:
        self._weight_decay = weight_decay
        shrink = eta1 * weight_decay
        self.xi_variance = shrink * (2 - shrink) / eta1**2

    def stationary(self, eta: float) -> float:
        """Return the stationary variance of the noise at learning rate η, about η/η1."""
        shrink = eta * self._weight_decay
        return eta**2 * self.xi_variance / (shrink * (2 - shrink)) if shrink else 1.0

    def variance(self, start: float, eta: float, n: float) -> float:
        """Return τ² after n steps: τ∞² + (1 − ηλ)^2n·(τ² − τ∞²)."""
        limit = self.stationary(eta)
        return limit + math.exp(2 * n * math.log1p(-eta * self._weight_decay)) * (start - limit)

    def transition(
        self, powers: Tensor, variance: float, eta: float, n: float, sigma: float = 0.0
    ) -> Transition:
        """Return the effect of n steps at η with a constant residual.

        With h the correlation of the noise across one step, one step maps the state R of power e
        to h^e·[(1 − ηλ)R + η·a]. For n steps this is a geometric sum,
        q^n·R + η·h^e·(1 − q^n)/(1 − q)·a with q = (1 − ηλ)·h^e, which also defines it for
        fractional n. It is exact if h is constant, as at stationarity. While the variance relaxes,
        n is split into pieces of nearly constant h.

        Args:
            powers: (K,), the powers e.
            variance: τ² before the steps, in units of τ0².
            eta: The learning rate.
            n: Number of steps.
            sigma: Level σ/τ0 of the noise before the activations during these steps.
        """
        log_gain = math.log1p(-eta * self._weight_decay)
        relaxing = abs(self.stationary(eta) / variance - 1) > 1e-12
        pieces = 1
        if relaxing and n > 1:
            needed = math.ceil(-log_gain * n / _RELAXATION_PER_PIECE)
            pieces = max(1, min(needed, _MOST_PIECES))
        log_decay, weight, linear_weight = torch.zeros_like(powers), torch.zeros_like(powers), 0.0
        steps = n / pieces
        for _ in range(pieces):
            after = self.variance(variance, eta, steps)
            log_h = self._log_correlation(variance, eta, steps) / steps
            log_q = log_gain + powers * log_h
            decay = torch.exp(steps * log_q)
            # the geometric mean over a piece; for a single step, the gate at its start
            log_gate = math.log(gate(variance, sigma))
            if steps > 1:
                log_gate = (log_gate + math.log(gate(after, sigma))) / 2
            seen = powers * (log_h + log_gate)
            added = eta * torch.exp(seen) * _ratio(log_q, steps)
            weight = decay * weight + added
            log_decay = log_decay + steps * log_q
            linear_weight = math.exp(steps * log_gain) * linear_weight + eta * float(
                _ratio(torch.tensor(log_gain, dtype=torch.float64), steps)
            )
            variance = after
        return Transition(
            gain=math.exp(n * log_gain),
            decay=log_decay.exp(),
            linear_weight=linear_weight,
            weight=weight,
            variance=variance,
        )

    def _log_correlation(self, variance: float, eta: float, n: float) -> float:
        """Return ln ρ across n steps, −½·log1p(new variance / remaining variance)."""
        log_kept = 2 * n * math.log1p(-eta * self._weight_decay)
        fresh = self.stationary(eta) * -math.expm1(log_kept)
        if log_kept < -100:  # avoids dividing by an underflowed variance
            return 0.5 * (log_kept + math.log(variance / fresh))
        return -0.5 * math.log1p(fresh / (math.exp(log_kept) * variance))


def gate(variance: float, sigma: float) -> float:
    """Return τ/√(τ² + σ²), the correlation of a pre-activation with and without its noise.

    Args:
        variance: τ², in units of τ0².
        sigma: Level σ/τ0 of the noise before the activations.
    """
    return 1 / math.sqrt(1 + sigma**2 / variance)


def _ratio(log_q: Tensor, n: float) -> Tensor:
    """Return (1 − q^n)/(1 − q), and n if q is 1."""
    q_minus_1 = torch.expm1(log_q)
    ratio = torch.expm1(n * log_q) / torch.where(q_minus_1 == 0, 1.0, q_minus_1)
    return torch.where(q_minus_1 == 0, n, ratio)
