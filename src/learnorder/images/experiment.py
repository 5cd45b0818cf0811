"""What the paper's experiments on images have in common: arms × seeds on the same images."""

from __future__ import annotations

from dataclasses import dataclass

from learnorder.config.arm_titles import ARM_TITLES
from learnorder.config.settings import (
    DataConfig,
    ModelConfig,
    NoiseConfig,
    PatchConfig,
    RunConfig,
    TrainingConfig,
)
from learnorder.errors import ConfigError
from learnorder.schedules import Schedule
from learnorder.seeding import check_seeds
from learnorder.values import check_fields


@dataclass(frozen=True)
class Arm:
    """An arm: a learning rate and noise before the activations."""

    learning_rate: Schedule
    """The learning rate over the epochs."""
    noise: NoiseConfig = NoiseConfig()  # noqa: RUF009 - frozen
    """Noise before the activations."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class Arms:
    """The three arms that the paper compares, and a control that it does not have."""

    large: Arm
    """Large initial learning rate, annealed."""
    small: Arm
    """Small learning rate throughout."""
    small_noise: Arm
    """Small learning rate with activation noise that is annealed."""
    small_annealed: Arm | None = None
    """Small learning rate, annealed as the large one is: a control, which tells the effect of a
    large learning rate from that of annealing. null leaves it out."""


@dataclass(frozen=True)
class ImageExperiment:
    """Arms × seeds on images. Within a seed, arms share everything else.

    Raises:
        ConfigError: A setting that is out of range, or that contradicts another.
    """

    data: DataConfig
    """The images."""
    model: ModelConfig
    """The network."""
    patch: PatchConfig
    """The planted patch."""
    training: TrainingConfig
    """The optimiser."""
    arms: Arms
    """The arms: learning rate and noise of each."""
    seeds: int = 5
    """How many seeds."""
    first_seed: int = 0
    """The first of them; the others follow it."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_seeds(self.seeds, self.first_seed)
        for arm in self.arm_names():
            try:
                self.run(arm, self.first_seed)
            except ConfigError as error:
                if error.field.startswith(("learning_rate", "noise")):
                    field = f"arms.{arm}.{error.field}"
                    raise ConfigError(field, error.value, error.remedy) from None
                raise

    def arm_names(self) -> list[str]:
        """Return the names of the arms that are run."""
        return [name for name in ARM_TITLES if getattr(self.arms, name) is not None]

    def run(self, arm: str, seed: int) -> RunConfig:
        """Return the configuration of one run.

        Raises:
            ConfigError: The experiment leaves this arm out.
        """
        settings: Arm | None = getattr(self.arms, arm)
        if settings is None:
            there = f"This experiment has {', '.join(self.arm_names())}; give arms.{arm} settings."
            raise ConfigError("arm", arm, there)
        return RunConfig(
            data=self.data,
            model=self.model,
            patch=self.patch,
            training=self.training,
            learning_rate=settings.learning_rate,
            noise=settings.noise,
            seed=seed,
        )

    def seed_range(self) -> range:
        """Return the seeds."""
        return range(self.first_seed, self.first_seed + self.seeds)
