"""Measurements of a run: errors and losses by kind of example, outputs on Q, margins."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import softplus

from learnorder.theory.config import DistributionConfig
from learnorder.theory.distribution import Examples, draw_examples, w_star_vector
from learnorder.theory.kernel import Kernel, LimitState

Measured = dict[tuple[str, str], tuple[float, int]]
"""{(set, quantity): (value, number of examples)}; 0 examples if the value is exact."""


class Evaluation:
    """Test examples of each kind.

    The kinds "P-only" and "both" share P patterns and labels. Q-only values need no examples: f on
    a Q-only example is s·α·g_b, so the error follows from the signs of g_b, and the loss is an
    integral over α.

    Args:
        config: The distribution.
        n: Examples of each kind with x1.
        generator: Random generator.

    Attributes:
        x1: (n, d), the P patterns, float32.
    """

    def __init__(self, config: DistributionConfig, n: int, generator: torch.Generator) -> None:
        self._config = config
        self._both = draw_examples(config, n, generator, "both", torch.float32)
        self.x1 = self._both.x1

    def measure(self, on_p: Tensor, on_q: Tensor) -> Measured:
        """Return errors, losses and margins. An output of 0 counts as half a mistake.

        Args:
            on_p: (n,), f on P-only examples.
            on_q: (3,), g_b = f on z + bζ, b = −1, 0, 1.
        """
        both, n = self._both, len(self.x1)
        on_p = on_p.to(both.y)
        q_part = both.amplitude * on_q.to(both.y)[both.b.long() + 1]
        p_error, p_loss = _error_and_loss(on_p, both.y)
        both_error, both_loss = _error_and_loss(on_p + q_part, both.y)
        q_error, q_loss = self._q_only(on_q)
        shares = (self._config.p0_value, self._config.q0)
        shares = (*shares, 1 - sum(shares))

        def mixed(*parts: float) -> float:
            return math.fsum(share * part for share, part in zip(shares, parts, strict=True))

        minus, zero, plus = (self._config.s * float(value) for value in on_q)
        second = second_difference(on_q, self._config.s)
        return {
            ("p_only", "error"): (p_error, n),
            ("p_only", "loss"): (p_loss, n),
            ("p_only", "margin"): (float((both.y * on_p).double().mean()), n),
            ("q_only", "error"): (q_error, 0),
            ("q_only", "loss"): (q_loss, 0),
            ("q_only", "margin"): (-second / 8, 0),
            ("both", "error"): (both_error, n),
            ("both", "loss"): (both_loss, n),
            ("all", "error"): (mixed(p_error, q_error, both_error), n),
            ("all", "loss"): (mixed(p_loss, q_loss, both_loss), n),
            ("q", "g_minus"): (minus, 0),
            ("q", "g_zero"): (zero, 0),
            ("q", "g_plus"): (plus, 0),
            ("q", "second_difference"): (second, 0),
        }

    def _q_only(self, on_q: Tensor) -> tuple[float, float]:
        """Return error and loss on Q-only examples: b = 0 with label 1, b = ±1 with label −1."""
        share = torch.tensor([0.25, 0.5, 0.25], dtype=torch.float64)
        margin = torch.tensor([-1.0, 1.0, -1.0], dtype=torch.float64) * on_q
        error = float((share * ((margin < 0) + 0.5 * (margin == 0))).sum())
        nodes, weights = _gauss_legendre(64)
        alpha = (nodes + 1) / 2  # softplus over α in [0, 1], for each direction
        loss = (softplus(-self._config.s * margin[:, None] * alpha) * weights / 2).sum(dim=1)
        return error, float((share * loss).sum())


def _error_and_loss(f: Tensor, y: Tensor) -> tuple[float, float]:
    margin = y * f
    mistakes = (margin < 0).double().mean() + 0.5 * (margin == 0).double().mean()
    return float(mistakes), float(softplus(-margin).double().mean())


def second_difference(on_q: Tensor, s: float) -> float:
    """Return s·(g₊ + g₋ − 2g₀): −8 times Q's mean margin, and 0 if the network is linear on Q.

    Args:
        on_q: (3,), g_b for b = −1, 0, 1.
        s: Scale of x2.
    """
    minus, zero, plus = (float(value) for value in on_q)
    return s * (minus + plus - 2 * zero)


def train_measures(f: Tensor, examples: Examples) -> Measured:
    """Return error and loss on a training set, from the outputs f without noise, (N,)."""
    error, loss = _error_and_loss(f, examples.y)
    n = len(examples)
    return {("train", "error"): (error, n), ("train", "loss"): (loss, n)}


def gaussian_error(kernel: Kernel, state: LimitState, config: DistributionConfig) -> float:
    """Return the limit's test error on P-only examples, assuming a Gaussian output.

    With x1 = y·t·w* + z⊥, t = γ0 + abs(g)/√d, g ~ N(0, 1), the output ⟨w, x1⟩/4 + x1ᵀA x1/‖x1‖
    given t and y has mean y·t·w∥/4 + (t²·A∥∥ + tr A⊥/d)/ν and variance
    ‖w⊥/4 + 2·y·t·A⊥∥/ν‖²/d + 2·‖A⊥‖²_F/(d²ν²), with ν² = t² + (d − 1)/d in place of ‖x1‖². The
    quadratic form is a sum over many directions, so the output is nearly Gaussian. The error
    probability is integrated over g, which resolves errors too rare for a sample.

    Args:
        kernel: The kernel of the training set.
        state: The state of training.
        config: The distribution.
    """
    d, w_star = config.d, w_star_vector(config)
    linear, form = kernel.linear_and_form(state)
    along = float(linear @ w_star) / 4
    across = linear / 4 - along * w_star
    form_star = form @ w_star
    form_along = float(form_star @ w_star)
    form_mixed = form_star - form_along * w_star
    trace = float(form.trace()) - form_along
    squares = form.square().sum() - 2 * form_star.square().sum() + form_along**2
    nodes, weights = _gauss_legendre(200)
    g = 4.5 * (nodes + 1)  # |g| in [0, 9]
    density = weights * 4.5 * math.sqrt(2 / math.pi) * torch.exp(-g.square() / 2)
    t = config.gamma0_value + g / math.sqrt(d)
    nu = (t.square() + (d - 1) / d).sqrt()
    total = 0.0
    for y in (-1.0, 1.0):
        mean = y * t * along + (t.square() * form_along + trace / d) / nu
        sloped = across + (2 * y * t / nu)[:, None] * form_mixed
        variance = sloped.square().sum(dim=1) / d + 2 * squares / (d * nu).square()
        mistakes = torch.special.ndtr(-y * mean / variance.clamp(min=1e-300).sqrt())
        total += 0.5 * float((density * mistakes).sum())
    return total


def _gauss_legendre(n: int) -> tuple[Tensor, Tensor]:
    from numpy.polynomial.legendre import leggauss

    nodes, weights = leggauss(n)
    return torch.from_numpy(nodes), torch.from_numpy(weights)
