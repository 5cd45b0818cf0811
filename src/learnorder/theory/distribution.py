"""The P/Q distribution: training examples, and test examples of a single kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from learnorder.theory.config import DistributionConfig

Kind = Literal["p_only", "q_only", "both", "all"]


@dataclass(frozen=True)
class Examples:
    """n examples, in coordinates where z = e1 and ζ = r·e2.

    Attributes:
        x1: (n, d), zero for examples without a P pattern.
        amplitude: (n,), s·α, so that x2 = amplitude·(z + b·ζ); zero without a Q pattern.
        b: (n,), −1, 0 or 1: index of Q's direction.
        y: (n,), the labels −1 and 1.
        r: ‖ζ‖.
    """

    x1: Tensor
    amplitude: Tensor
    b: Tensor
    y: Tensor
    r: float

    def __len__(self) -> int:
        return len(self.y)

    @property
    def has_p(self) -> Tensor:
        """(n,), whether an example has a P pattern."""
        return self.x1.abs().amax(dim=1) > 0

    @property
    def has_q(self) -> Tensor:
        """(n,), whether an example has a Q pattern."""
        return self.amplitude > 0

    def x2(self) -> Tensor:
        """Return the second halves in full, (n, d)."""
        full = torch.zeros_like(self.x1)
        full[:, 0] = self.amplitude
        full[:, 1] = self.amplitude * self.b * self.r
        return full


def draw_examples(
    config: DistributionConfig,
    n: int,
    generator: torch.Generator,
    kind: Kind = "all",
    dtype: torch.dtype = torch.float64,
) -> Examples:
    """Draw examples of one kind, or of the whole distribution.

    Args:
        config: The distribution.
        n: Number of examples.
        generator: Random generator.
        kind: p_only, q_only, both, or all for the mixture of the distribution.
        dtype: Dtype of the examples.

    Returns:
        The examples; each label is −1 or 1 with probability 1/2.
    """

    def uniform() -> Tensor:
        return torch.rand(n, generator=generator, dtype=dtype)

    y = torch.where(uniform() < 0.5, -1.0, 1.0).to(dtype)
    p0, q0 = {"p_only": (1, 0), "q_only": (0, 1), "both": (0, 0)}.get(
        kind, (config.p0_value, config.q0)
    )
    share = uniform()
    p_only, q_only = share < p0, share >= 1 - q0
    x1 = draw_p(config, y, generator)
    x1[q_only] = 0
    sign = torch.where(uniform() < 0.5, -1.0, 1.0).to(dtype)
    b = torch.where(y > 0, torch.zeros_like(y), sign)
    amplitude = config.s * (1 - uniform())  # α in (0, 1], never 0
    amplitude[p_only] = 0
    return Examples(x1, amplitude, b, y, config.r)


def draw_p(config: DistributionConfig, y: Tensor, generator: torch.Generator) -> Tensor:
    """Draw P patterns with given labels: y·γ0·w* + z′, z′ ~ N(0, I/d) given y·⟨w*, z′⟩ ≥ 0.

    Conditioning on the side reflects the component of z′ along w*.

    Args:
        config: The distribution.
        y: (n,), the labels.
        generator: Random generator.

    Returns:
        (n, d), in y's dtype.
    """
    d = config.d
    x1 = torch.randn(len(y), d, generator=generator, dtype=y.dtype) / d**0.5
    w_star = w_star_vector(config).to(y.dtype)
    along = x1 @ w_star
    return x1.addr_(y * (along.abs() + config.gamma0_value) - along, w_star)


def w_star_vector(config: DistributionConfig) -> Tensor:
    """Return w*, (d,), with norm 1."""
    w_star = torch.zeros(config.d, dtype=torch.float64)
    w_star[:3] = torch.tensor(config.w_star, dtype=torch.float64)
    return w_star / w_star.norm()


def directions(r: float, d: int = 2) -> Tensor:
    """Return the first d coordinates of Q's directions z + b·ζ, b = −1, 0, 1: (3, d)."""
    v = torch.zeros(3, d, dtype=torch.float64)
    v[:, 0] = 1
    v[:, 1] = r * torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    return v
