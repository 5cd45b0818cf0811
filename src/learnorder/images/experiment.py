"""Settings of an experiment on images: arms × seeds on the same images."""

from __future__ import annotations

from dataclasses import dataclass

from learnorder.config.arm_titles import ARM_TITLES
from learnorder.config.settings import (
    DataConfig,
    ModelConfig,
    PatchConfig,
    RunConfig,
)
from learnorder.config.training import NoiseConfig, TrainingConfig
from learnorder.errors import ConfigError
from learnorder.schedules import Schedule
from learnorder.seeding import check_seeds
from learnorder.values import check_fields


@dataclass(frozen=True)
class Arm:
    """An arm: a learning-rate schedule and noise before the activations."""

    learning_rate: Schedule
    """Learning rate over the epochs."""
    noise: NoiseConfig = NoiseConfig()
    """Noise before the activations."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class Arms:
    """The three arms of the paper, and a control."""

    large: Arm
    """Large initial learning rate, annealed."""
    small: Arm
    """Small, constant learning rate."""
    small_noise: Arm | None = None
    """Small learning rate with annealed noise before the activations. null leaves it out."""
    small_annealed: Arm | None = None
    """Small learning rate, annealed like the large one: a control that separates the effect of a
    large learning rate from that of annealing. null leaves it out."""


@dataclass(frozen=True)
class ImageExperiment:
    """Arms × seeds on images. Within a seed, arms differ only in learning rate and noise.

    Raises:
        ConfigError: A setting is out of range or contradicts another.
    """

    data: DataConfig
    """Images."""
    model: ModelConfig
    """Network."""
    patch: PatchConfig
    """Planted patch."""
    training: TrainingConfig
    """Optimiser, and number of epochs."""
    arms: Arms
    """Learning rate and noise of each arm."""
    seeds: int = 5
    """Number of seeds."""
    first_seed: int = 0
    """First seed; the others follow it."""

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
        """Return the names of the arms that are not left out."""
        return [name for name in ARM_TITLES if getattr(self.arms, name) is not None]

    def run(self, arm: str, seed: int) -> RunConfig:
        """Return the configuration of one run.

        Raises:
            ConfigError: The experiment leaves this arm out.
        """
        settings: Arm | None = getattr(self.arms, arm)
        if settings is None:
            remedy = f"Choose one of {', '.join(self.arm_names())}, or set arms.{arm}."
            raise ConfigError("arm", arm, remedy)
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
