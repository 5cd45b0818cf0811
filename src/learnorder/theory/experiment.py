"""The paper's two-layer theory (sections 3 to 5): its algorithms on the same data.

In the default setting, d = 300, κ = 1, s = 1000 and r = 10⁻⁴, the order of the theorems appears. It
was chosen on seeds 1000 to 1002. ``docs/explanation/theory.md`` explains how, and what other
settings show. ``learnorder theory run`` takes about two seconds per run.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from learnorder.config.arm_titles import THEORY_ARMS
from learnorder.errors import ConfigError
from learnorder.seeding import check_seeds
from learnorder.theory.config import (
    AlgorithmConfig,
    DistributionConfig,
    MeasureConfig,
    NetworkConfig,
    SolverConfig,
    TheoryArm,
    TheoryConfig,
)
from learnorder.values import check_fields


@dataclass(frozen=True)
class TheoryExperiment:
    """Algorithms × seeds on P/Q data. For each seed, all algorithms share examples and weights.

    Raises:
        ConfigError: A setting is out of range, or contradicts another.
    """

    distribution: DistributionConfig = DistributionConfig()  # noqa: RUF009 - frozen
    """The data."""
    network: NetworkConfig = NetworkConfig()  # noqa: RUF009 - frozen
    """The network."""
    algorithm: AlgorithmConfig = AlgorithmConfig()  # noqa: RUF009 - frozen
    """The parameters of the algorithms."""
    solver: SolverConfig = SolverConfig()  # noqa: RUF009 - frozen
    """How training is computed."""
    measure: MeasureConfig = MeasureConfig()  # noqa: RUF009 - frozen
    """What is measured."""
    arms: tuple[TheoryArm, ...] = ("L-S", "S", "S+noise")
    """The algorithms to run: any of L-S, S and S+noise."""
    seeds: int = 5
    """Number of seeds."""
    first_seed: int = 0
    """The first seed; the others are the integers after it."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_seeds(self.seeds, self.first_seed)
        if not self.arms or len(set(self.arms)) < len(self.arms):
            raise ConfigError("arms", self.arms, f"Name any of {', '.join(THEORY_ARMS)}, once.")
        self.run(self.arms[0], self.first_seed)

    def run(self, arm: TheoryArm, seed: int) -> TheoryConfig:
        """Return the configuration of one run."""
        return TheoryConfig(
            distribution=self.distribution,
            network=self.network,
            algorithm=self.algorithm,
            arm=arm,
            solver=self.solver,
            measure=self.measure,
            seed=seed,
        )

    def seed_range(self) -> range:
        """Return the seeds."""
        return range(self.first_seed, self.first_seed + self.seeds)


def phase_defaults() -> TheoryExperiment:
    """Return the defaults of phase diagrams: two algorithms, three seeds, fewer measurements.

    More time and less weight decay let runs finish where a pattern is learned slowly.
    """
    return replace(
        TheoryExperiment(),
        arms=("L-S", "S"),
        seeds=3,
        algorithm=AlgorithmConfig(weight_decay=1e-6, max_time=1e6),
        measure=MeasureConfig(per_decade=4),
    )


PHASE_GRID: dict[str, list[float]] = {
    "distribution.s": [10, 30, 100, 300, 1000],
    "distribution.r": [1e-5, 1e-4, 1e-3, 1e-2],
}
"""The default grid of ``learnorder theory phase``."""
