"""Settings of the probe, ``learnorder probe``: a planted pattern shows what a network learns first.

The arms are every learning rate × {constant, annealed} × {without, with decaying activation noise}.
Within a seed they share weights, pattern, eligible images and data order, as in the paper's patch
experiment (section 6.2).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from learnorder.config.arm_titles import PROBE_ARM_TITLES
from learnorder.config.settings import (
    DataConfig,
    ModelConfig,
    PatchConfig,
    PatternConfig,
    RunConfig,
    TaskConfig,
    TaskRunConfig,
)
from learnorder.config.training import NoiseConfig, TrainingConfig
from learnorder.errors import ConfigError
from learnorder.schedules import Schedule
from learnorder.seeding import check_seeds
from learnorder.values import check_fields

_RATES = {"SGD": (0.02, 0.1, 0.5)}
_OTHER_RATES = (0.0002, 0.001, 0.005)
CONTRASTS = (0.1, 0.2, 0.4, 0.8, 1.6)
"""Default contrasts of the pattern in images."""
NOISE_LEFT = 0.4
"""Share of the noise left at the end; the published code's 0.995 per epoch leaves about as much
after 200 epochs."""


def falling_noise(level: float, epochs: int) -> NoiseConfig:
    """Return noise that decays by a constant factor per epoch, to NOISE_LEFT of its level."""
    return NoiseConfig(Schedule(level, decay=NOISE_LEFT ** (1 / epochs) if level else 1.0))


def noise_words(level: float) -> str:
    """Return the noise of :func:`falling_noise` in words.

    >>> noise_words(0.5), noise_words(0.0)
    ('0.5, falling to 0.2', 'none')
    """
    return f"{level:g}, falling to {NOISE_LEFT * level:g}" if level else "none"


FEWEST_EPOCHS = 6
"""Shortest run with a plateau and an anneal worth comparing."""


@dataclass(frozen=True)
class Probe:
    """Arms × seeds on your own images and network, or your own task, with a planted pattern.

    Raises:
        ConfigError: A setting is out of range, or the data are evaluated on test images.
    """

    data: DataConfig = DataConfig(  # noqa: RUF009 - frozen
        train_examples=600, evaluate_on="validation", validation_share=0.4
    )
    """The images, unless ``task`` is given. Accuracies are measured on a validation split, as
    settings may be chosen by the result; the test images are not used."""
    model: ModelConfig = field(
        default_factory=lambda: ModelConfig("WideResNet", {"depth": 10, "widen_factor": 1})
    )
    """The network, unless ``task`` is given."""
    training: TrainingConfig = TrainingConfig(epochs=40, batch_size=32)
    """The optimiser, and the length of the runs (the longest, if the time is limited)."""
    learning_rates: tuple[float, ...] | None = None
    """In increasing order. The first is the small one, to which the others are annealed. null takes
    0.02, 0.1 and 0.5 for SGD, 0.0002, 0.001 and 0.005 for other optimisers."""
    anneal_at: float = 0.4
    """Share of the epochs before the anneal."""
    noise: float = 0.8
    """Initial standard deviation of the activation noise; it decays to 0.4 times that. 0 omits the
    arms with noise."""
    pattern_size: int | None = None
    """Side of the pattern in images in pixels; null takes a quarter of the image's, at least 3. The
    size of other patterns is a setting of the planter."""
    eligible_share: float = 0.8
    """Share of the training examples that can carry the pattern."""
    patch_only_share: float = 0.2
    """Share of the accesses to such an example that show the pattern alone."""
    contrasts: tuple[float, ...] | None = None
    """Strengths of the pattern, in increasing order. The calibration chooses the faintest that the
    small LR memorises before the anneal. A single one is not calibrated. null takes 0.1, 0.2, 0.4,
    0.8 and 1.6 for images, in units of their standard deviation, and the planter's for tasks."""
    seeds: int = 3
    """Number of seeds."""
    first_seed: int = 0
    """The first seed. The calibration uses the seed after the last."""
    task: TaskConfig = field(default_factory=TaskConfig)
    """Any other model, data and loss, in place of ``data`` and ``model``, with a planter; see
    :mod:`learnorder.planters`."""
    faint: float = 0.0
    """Strength of a second pattern of the class, faint and present in every example; 0 plants none.
    For tasks whose planter has one."""

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("learning_rates", "contrasts"):
            values = getattr(self, name)
            if values is None:
                continue
            if list(values) != sorted(set(values)) or not values or values[0] <= 0:
                raise ConfigError(name, list(values), "Give increasing numbers above 0.")
        if len(self.rates) < 2:
            raise ConfigError(
                "learning_rates", list(self.rates), "Give at least two: a small and a large one."
            )
        if not 0 < self.anneal_at < 1:
            raise ConfigError("anneal_at", self.anneal_at, "Give a share in (0, 1).")
        if not self.noise >= 0:
            raise ConfigError("noise", self.noise, "Give a standard deviation ≥ 0; 0 is none.")
        for name in ("eligible_share", "patch_only_share"):
            if not 0 < getattr(self, name) <= 1:
                raise ConfigError(name, getattr(self, name), "Give a share in (0, 1].")
        check_seeds(self.seeds, self.first_seed)
        if self.pattern_size is not None and self.pattern_size < 1:
            raise ConfigError("pattern_size", self.pattern_size, "Give at least 1 pixel, or null.")
        if not self.faint >= 0:
            raise ConfigError("faint", self.faint, "Give a strength ≥ 0; 0 plants none.")
        if not self.is_task and self.data.evaluate_on == "test":
            raise ConfigError(
                "data.evaluate_on",
                "test",
                "Settings may be chosen by the result, so test images would no longer give an "
                "unbiased estimate. Give validation, and a data.validation_share such as 0.2.",
            )
        if self.training.epochs < FEWEST_EPOCHS:
            raise ConfigError(
                "training.epochs", self.training.epochs, f"Give at least {FEWEST_EPOCHS}."
            )

    @property
    def is_task(self) -> bool:
        """Whether a task is probed rather than images."""
        return self.task.path is not None or self.task.given is not None

    def tried(self) -> tuple[float, ...]:
        """Return the strengths of the pattern that are tried.

        Raises:
            ConfigError: The task has no planter, or cannot be loaded.
        """
        if self.contrasts is not None:
            return self.contrasts
        if not self.is_task:
            return CONTRASTS
        from learnorder.training.planted import planter_of
        from learnorder.training.task import load_task

        return tuple(map(float, planter_of(load_task(self.task)).strengths))

    @property
    def rates(self) -> tuple[float, ...]:
        """The learning rates, in increasing order."""
        if self.learning_rates is not None:
            return self.learning_rates
        return _RATES.get(self.training.optimizer, _OTHER_RATES)

    @property
    def anneal_epoch(self) -> int:
        """The first epoch after the anneal."""
        return min(self.training.epochs, 1 + max(1, round(self.anneal_at * self.training.epochs)))

    def with_epochs(self, epochs: int) -> Probe:
        """Return the probe with another number of ``training.epochs``."""
        return replace(self, training=replace(self.training, epochs=epochs))

    def patch(self, contrast: float, image_size: tuple[int, int]) -> PatchConfig:
        """Return the pattern at a contrast, for images of size (H, W) in pixels."""
        size = self.pattern_size
        if size is None:
            size = max(3, round(min(image_size) / 4))
        return PatchConfig(self.eligible_share, self.patch_only_share, size, contrast=contrast)

    def arms(self) -> list[tuple[str, float]]:
        """Return every arm with its learning rate.

        The small learning rate has no annealed arm, because the others are annealed to it.
        """
        arms = [arm for arm in PROBE_ARM_TITLES if self.noise > 0 or "noise" not in arm]
        return [
            (arm, rate)
            for arm in arms
            for rate in self.rates
            if not (arm.startswith("annealed") and rate == self.rates[0])
        ]

    def pattern(self, strength: float) -> PatternConfig:
        """Return the pattern of a task at a strength."""
        return PatternConfig(self.eligible_share, self.patch_only_share, strength, self.faint)

    def run(
        self, arm: str, rate: float, seed: int, contrast: float, image_size: tuple[int, int] | None
    ) -> RunConfig | TaskRunConfig:
        """Return the configuration of one run.

        Args:
            arm: constant, annealed, constant_noise or annealed_noise.
            rate: Initial learning rate.
            seed: The seed.
            contrast: Strength of the pattern.
            image_size: Size of the images, (H, W); None for tasks.
        """
        learning_rate = Schedule(rate)
        if arm.startswith("annealed"):
            learning_rate = Schedule(rate, (self.anneal_epoch,), self.rates[0] / rate)
        noise = NoiseConfig()
        if arm.endswith("noise"):
            noise = falling_noise(self.noise, self.training.epochs)
        if image_size is None:
            pattern = self.pattern(contrast)
            return TaskRunConfig(
                self.task, self.training, learning_rate, noise, seed, pattern=pattern
            )
        if self.faint:
            raise ConfigError(
                "faint",
                self.faint,
                "Only planters of tasks plant a faint pattern. Give a task, with a "
                "learnorder.planters.ImagePlanter for images.",
            )
        patch = self.patch(contrast, image_size)
        return RunConfig(
            self.data, self.model, patch, self.training, learning_rate, noise, seed=seed
        )

    def calibration(
        self, contrast: float, image_size: tuple[int, int] | None
    ) -> RunConfig | TaskRunConfig:
        """Return the run of the small LR up to the anneal, at a contrast."""
        seed = self.first_seed + self.seeds
        full = self.run("constant", self.rates[0], seed, contrast, image_size)
        return replace(full, training=replace(self.training, epochs=self.anneal_epoch - 1))

    def seed_range(self) -> range:
        """Return the seeds."""
        return range(self.first_seed, self.first_seed + self.seeds)
