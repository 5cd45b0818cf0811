"""Settings of the two-layer theory, in the paper's symbols, validated on construction.

This module does not import torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from learnorder.errors import ConfigError
from learnorder.values import check_fields, from_dict, to_dict

_LARGEST = 10**12
"""More never fits in memory. Whether a run fits on this machine is checked before it starts."""
MOST_FLOW = 20_000
"""Most training examples for the flow. Its matrices then take 11 GB, or 16 GB with the quadratic
part."""

TheoryArm = Literal["L-S", "S", "S+noise"]
Engine = Literal["flow", "recursion", "finite"]


@dataclass(frozen=True)
class DistributionConfig:
    """The data: two kinds of pattern in the two halves of x = (x1, x2) ∈ R^2d (paper, section 3).

    With probability p0 an example has only a P pattern (x2 = 0), with probability q0 only a Q
    pattern (x1 = 0), otherwise both. The label is y = ±1.

    P, hard to generalise and easy to fit: x1 = y·γ0·w* + z′, z′ ~ N(0, I/d) given
    y·⟨w*, z′⟩ ≥ 0. Q, easy to generalise and hard to fit: x2 = s·α·z for y = +1 and
    s·α·(z ± ζ) for y = −1, α ~ U[0, 1], ‖z‖ = 1, ζ ⊥ z, ‖ζ‖ = r.
    """

    d: int = 300
    """Dimension of each half."""
    num_train: int | None = None
    """N, the number of training examples; null means d/κ²."""
    kappa: float | None = None
    """κ = √(d/N); null derives it from num_train, or means 1 if that is null too."""
    p0: float | None = 0.06
    """Probability of only a P pattern; null means κ²/2, as in the paper."""
    q0: float = 0.1
    """Probability of only a Q pattern."""
    gamma0: float | None = None
    """Margin γ0 of the P patterns; null means 1/√d, as in the paper."""
    r: float = 1e-4
    """Length of ζ. Neighbouring directions of Q are at an angle of about r."""
    s: float = 1000.0
    """Scale of x2 (1 in the paper)."""
    w_star: tuple[float, float, float] = (0.0, 0.0, 1.0)
    """Direction of w*: its components along z, along ζ and along a third direction orthogonal to
    both. It matters only if the halves share filters, and is normalised before use."""

    def __post_init__(self) -> None:
        check_fields(self, "distribution")
        if not 3 <= self.d <= _LARGEST:
            raise ConfigError(
                "distribution.d", self.d, "z, ζ and w* need d ≥ 3; give at most 1e12."
            )
        if self.kappa is not None and not 1e-6 <= self.kappa <= 1e6:
            raise ConfigError("distribution.kappa", self.kappa, "Give κ > 0, from 1e-6 to 1e6.")
        if not 2 <= self.N <= _LARGEST:
            raise ConfigError(
                "distribution.num_train", self.N, "Give N ≥ 2, at most 1e12 (or another κ)."
            )
        if None not in (self.num_train, self.kappa) and round(self.d / self.kappa**2) != self.N:  # pyright: ignore
            raise ConfigError(
                "distribution.kappa",
                self.kappa,
                f"num_train is {self.N}, which means κ = {self.kappa_value:.4g}. Set only one.",
            )
        for name in ("p0", "q0"):
            value = getattr(self, f"{name}_value" if name == "p0" else name)
            if not 0 <= value <= 1:
                raise ConfigError(f"distribution.{name}", value, "A probability lies in [0, 1].")
        if not self.p0_value + self.q0 <= 1:
            raise ConfigError(
                "distribution.p0",
                self.p0_value,
                f"p0 + q0 must not exceed 1, and q0 is {self.q0:g}"
                + (" (p0 is κ²/2 by default)." if self.p0 is None else "."),
            )
        for name in ("r", "s"):
            if not 1e-100 <= getattr(self, name) <= 1e100:
                remedy = "Give a value > 0, from 1e-100 to 1e100."
                raise ConfigError(f"distribution.{name}", getattr(self, name), remedy)
        if self.r > 1:
            raise ConfigError("distribution.r", self.r, "The paper assumes r ≪ 1; give r ≤ 1.")
        if self.gamma0 is not None and not 0 <= self.gamma0 <= 1e100:
            raise ConfigError("distribution.gamma0", self.gamma0, "Give a margin ≥ 0.")
        if not 0 < math.hypot(*self.w_star) < math.inf:
            raise ConfigError("distribution.w_star", self.w_star, "Give three numbers, not all 0.")

    @property
    def N(self) -> int:  # noqa: N802 - the paper's symbol
        """Number of training examples."""
        if self.num_train is not None:
            return self.num_train
        return round(self.d / (1.0 if self.kappa is None else self.kappa) ** 2)

    @property
    def kappa_value(self) -> float:
        """κ = √(d/N)."""
        return math.sqrt(self.d / self.N)

    @property
    def p0_value(self) -> float:
        """p0; κ²/2 by default."""
        kappa = self.kappa_value if self.kappa is None else self.kappa
        return kappa**2 / 2 if self.p0 is None else self.p0

    @property
    def gamma0_value(self) -> float:
        """γ0; 1/√d by default."""
        return 1 / math.sqrt(self.d) if self.gamma0 is None else self.gamma0


@dataclass(frozen=True)
class NetworkConfig:
    """The network: two layers, f = uᵀ relu(U x), u random and fixed, U trained.

    separate: U = [W; V]; W sees only x1 and V only x2, f = N_W(x1) + N_V(x2). u_j is ±1/√m with m
    the width of its block, so each block has the kernel of a separate network.
    convolution: the halves share one set of filters,
    f = Σ_j u_j·relu⟨U_j, x1⟩ + u′_j·relu⟨U_j, x2⟩.
    """

    kind: Literal["separate", "convolution"] = "separate"
    """separate blocks for the two halves (the paper's main text), or shared filters (its
    appendix)."""
    shared_output: bool = True
    """For the convolution: whether the halves share output weights, u′ = u."""
    width_w: int = 1000
    """Neurons that see x1, or filters of the convolution. Finite width only."""
    width_v: int = 1000
    """Neurons that see x2, in separate blocks. Finite width only."""
    tau0: float = 0.02
    """Standard deviation τ0 of the initial weights. Finite width only: the infinite-width limit
    depends only on its ratio to the other noise."""
    antithetic: bool = False
    """Pair neurons with equal weights and noise and opposite output weights, so that the output of
    the noise cancels (groups of four if a filter has independent output weights). Finite width
    only."""
    precision: Literal["float32", "float64"] = "float32"
    """Floating-point precision at finite width. The limit is computed in float64."""

    def __post_init__(self) -> None:
        check_fields(self, "network")
        for name in ("width_w", "width_v"):
            width = getattr(self, name)
            if not 1 <= width <= _LARGEST:
                raise ConfigError(f"network.{name}", width, "Give at least 1, at most 1e12.")
            copies = len(self.output_signs)
            if width % copies:
                raise ConfigError(
                    f"network.{name}", width, f"antithetic needs a multiple of {copies}."
                )
        if not 1e-100 <= self.tau0 <= 1e100:
            raise ConfigError("network.tau0", self.tau0, "Give a standard deviation > 0.")

    @property
    def output_signs(self) -> list[tuple[float, float]]:
        """Signs of (u, u′) within a group of copies of a neuron; one pair if not antithetic."""
        if not self.antithetic:
            return [(1.0, 1.0)]
        if self.kind == "convolution" and not self.shared_output:
            return [(1.0, 1.0), (1.0, -1.0), (-1.0, 1.0), (-1.0, -1.0)]
        return [(1.0, 1.0), (-1.0, -1.0)]


@dataclass(frozen=True)
class AlgorithmConfig:
    """Gradient descent with spherical Gaussian noise (paper, section 3).

    U ← (1 − ηλ)U − η(∇L̂(U) + ξ), ξ ~ N(0, τξ² I), with L̂ the logistic loss on the training
    examples. τξ makes the noise stationary at η1: (1 − η1λ)²τ0² + η1²τξ² = τ0².

    L-S uses η1 until the training loss is at most ε1 + q·log 2, with q the fraction of training
    examples without x1, then η2 until it is at most ε2. S uses η2 throughout. S+noise is S with
    noise before the activations until the loss is at most ε1 + q·log 2.
    """

    eta1: float | None = None
    """The large learning rate η1; null means 5/6 of the stability limit 48/(s²(1 − p0))."""
    eta2: float | None = None
    """The small learning rate η2; null means η1·10⁻¹²."""
    weight_decay: float = 1e-5
    """λ, the L2 coefficient: the loss has (λ/2)‖U‖²."""
    epsilon1: float = 0.12
    """ε1: the learning rate, or the noise, is annealed at a training loss of ε1 + q·log 2."""
    epsilon2: float = 0.05
    """ε2: training loss at which the run ends."""
    sigma: float = 30.0
    """Level σ of the noise before the activations in S+noise. Its standard deviation on a half x is
    σ·τ0·‖x‖. It is redrawn at each step and used only in training."""
    max_time: float | None = None
    """Longest run, in units of η·t (the sum of the learning rates of all steps); null means
    100·d."""

    def __post_init__(self) -> None:
        check_fields(self, "algorithm")
        for name in ("eta1", "eta2", "epsilon1", "epsilon2"):
            value = getattr(self, name)
            if value is not None and not 1e-100 <= value <= 1e100:
                raise ConfigError(f"algorithm.{name}", value, "Give a value > 0.")
        if self.epsilon2 >= math.log(2):
            raise ConfigError(
                "algorithm.epsilon2", self.epsilon2, "The loss starts at log 2 ≈ 0.693; give less."
            )
        if not 0 <= self.weight_decay < 1e100:
            raise ConfigError("algorithm.weight_decay", self.weight_decay, "Give λ ≥ 0.")
        if not 0 <= self.sigma < 1e100:
            raise ConfigError("algorithm.sigma", self.sigma, "Give a level ≥ 0.")
        if self.max_time is not None and not self.max_time > 0:
            raise ConfigError("algorithm.max_time", self.max_time, "Give a time > 0, or null.")


@dataclass(frozen=True)
class SolverConfig:
    """How the training is computed."""

    engine: Engine = "flow"
    """flow (the infinite-width limit, integrated implicitly: seconds), recursion (the same limit,
    step by step) or finite (the network itself)."""
    tolerance: float = 2e-3
    """flow: largest error of the outputs f in one step."""
    macro_step: float | None = None
    """recursion: length in η·t of a macro-step, which replaces many steps at η2; null means η1. It
    must be below the stability limit."""
    quadratic: bool | None = None
    """Keep the kernel's quadratic part between different P patterns, which costs N² per step; null
    keeps it up to 8,000 examples."""

    def __post_init__(self) -> None:
        check_fields(self, "solver")
        if not 0 < self.tolerance <= 0.1:
            raise ConfigError("solver.tolerance", self.tolerance, "Give a tolerance in (0, 0.1].")
        if self.macro_step is not None and not self.macro_step > 0:
            raise ConfigError("solver.macro_step", self.macro_step, "Give a length > 0, or null.")


@dataclass(frozen=True)
class MeasureConfig:
    """What is measured, and when."""

    test_examples: int = 10_000
    """Test examples of each kind with x1. Q-only values are exact."""
    per_decade: int = 6
    """Measurements per factor of ten in η·t."""
    first: float | None = None
    """η·t of the first measurement; null means d/1000."""

    def __post_init__(self) -> None:
        check_fields(self, "measure")
        for name in ("test_examples", "per_decade"):
            if getattr(self, name) < 1:
                raise ConfigError(f"measure.{name}", getattr(self, name), "Give at least 1.")
        if self.first is not None and not self.first > 0:
            raise ConfigError("measure.first", self.first, "Give a time > 0, or null.")


@dataclass(frozen=True)
class TheoryConfig:
    """Everything that determines the numbers of one run of the theory, including the seed."""

    distribution: DistributionConfig = DistributionConfig()
    """The data."""
    network: NetworkConfig = NetworkConfig()
    """The network."""
    algorithm: AlgorithmConfig = AlgorithmConfig()
    """The parameters of the three algorithms."""
    arm: TheoryArm = "L-S"
    """The algorithm: L-S, S or S+noise."""
    solver: SolverConfig = SolverConfig()
    """How training is computed."""
    measure: MeasureConfig = MeasureConfig()
    """What is measured."""
    seed: int = 0
    """Determines the examples and, at finite width, the weights and noise."""

    def __post_init__(self) -> None:
        check_fields(self)
        bound = stability_limit(self.distribution)
        if self.eta1 >= bound:
            raise ConfigError(
                "algorithm.eta1",
                self.eta1,
                f"Gradient descent is unstable for η ≥ {bound:.4g} (48/(s²(1 − p0)) if Q is the "
                "stiffer pattern). Give less, or null.",
            )
        if self.eta2 > self.eta1:
            raise ConfigError(
                "algorithm.eta2", self.eta2, f"η2 must not exceed η1, which is {self.eta1:g}."
            )
        if self.algorithm.weight_decay * self.eta1 >= 1:
            raise ConfigError(
                "algorithm.weight_decay",
                self.algorithm.weight_decay,
                f"η1·λ must be below 1: with η1 = {self.eta1:g}, λ < {1 / self.eta1:g}.",
            )
        if self.solver.engine == "finite" and self.algorithm.eta2 is None:
            raise ConfigError(
                "algorithm.eta2", None, "Finite width takes every step: give η2, e.g. η1/30."
            )
        if self.solver.engine == "flow" and self.distribution.N > MOST_FLOW:
            raise ConfigError(
                "distribution.num_train",
                self.distribution.N,
                f"The flow factors N × N matrices; give at most {MOST_FLOW:,}, or set "
                "solver.engine to recursion.",
            )
        step = self.solver.macro_step
        if step is not None and step >= bound:
            raise ConfigError(
                "solver.macro_step",
                step,
                f"A step of {bound:.4g} or more is unstable; give less, or null.",
            )

    @property
    def eta1(self) -> float:
        """η1; 5/6 of the stability limit by default."""
        eta1 = self.algorithm.eta1
        return stability_limit(self.distribution) * 5 / 6 if eta1 is None else eta1

    @property
    def eta2(self) -> float:
        """η2; η1·10⁻¹² by default."""
        return 1e-12 * self.eta1 if self.algorithm.eta2 is None else self.algorithm.eta2

    @property
    def first_time(self) -> float:
        """η·t of the first measurement."""
        return self.distribution.d / 1000 if self.measure.first is None else self.measure.first

    @property
    def max_time(self) -> float:
        """η·t at which a run stops if it has not finished."""
        limit = self.algorithm.max_time
        return 100.0 * self.distribution.d if limit is None else limit

    def to_dict(self) -> dict[str, Any]:
        """Return the configuration as nested dicts, lists and scalars, as in a run's manifest."""
        return to_dict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> TheoryConfig:
        """Build a configuration from the output of :meth:`to_dict`; absent fields use defaults.

        Raises:
            ConfigError: An unknown field, a value of the wrong type, or one out of range.
        """
        return from_dict(TheoryConfig, values)


def stability_limit(distribution: DistributionConfig) -> float:
    """Return the learning rate at and above which gradient descent is unstable at the start.

    η times the curvature must stay below 2. With all residuals at their initial 1/2 and perfectly
    correlated noise, the curvature along Q's stiff direction z is
    E[α²]·s²·(1 − p0)/8 = s²(1 − p0)/24. P's is at most (1 − q0)/8 times the larger of E⟨w*, x1⟩²
    and (1 + κ)²/d; it matters if there is little Q, or if the margin is large.

    >>> stability_limit(DistributionConfig(d=100, p0=0.04, s=10.0))
    0.5
    """
    data = distribution
    gamma0 = data.gamma0_value
    along = gamma0**2 + 2 * gamma0 * math.sqrt(2 / (math.pi * data.d)) + 1 / data.d
    of_p = (1 - data.q0) / 8 * max(along, (1 + data.kappa_value) ** 2 / data.d)
    return 2 / max(data.s**2 * (1 - data.p0_value) / 24, of_p)


def paper_scaling(d: int, kappa: float, q0: float = 0.1) -> TheoryConfig:
    """Return the scaling of the paper's theorems (section 3).

    N = d/κ², p0 = κ²/2, γ0 = 1/√d, r = d^(−3/4), s = 1 and λ = d^(−5/4).

    Args:
        d: Dimension of each half.
        kappa: κ.
        q0: Probability of only a Q pattern; a constant in the paper.

    Raises:
        ConfigError: A value that is out of range.
    """
    return TheoryConfig(
        DistributionConfig(d=d, kappa=kappa, p0=None, q0=q0, r=d**-0.75, s=1.0),
        algorithm=AlgorithmConfig(weight_decay=d**-1.25),
    )
