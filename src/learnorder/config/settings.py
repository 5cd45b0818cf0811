"""The configuration of one run: frozen dataclasses, checked when built.

Nothing here imports torch, so that the command line shows help and checks settings quickly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from learnorder.config.training import (
    DiagnosticsConfig,
    NoiseConfig,
    SharpnessConfig,
    TrainingConfig,
)
from learnorder.errors import ConfigError
from learnorder.schedules import Schedule
from learnorder.values import check_fields, from_dict, to_dict


@dataclass(frozen=True)
class DataConfig:
    """The images, their resolution and their splits.

    Raises:
        ConfigError: A value that is out of range, or that contradicts another.
    """

    source: str = "digits"
    """digits (ships with scikit-learn, 8×8), hub:NAME or hub:NAME:CONFIG (an image-classification
    data set of the Hugging Face hub, or a local folder in the same format), parquet:DIR
    (train*.parquet and test*.parquet in the hub's schema), folder:DIR (one folder of images per
    class, below train/ and test/ if both exist), function:PATH (import path of a function that
    returns images and labels)."""
    train_examples: int | None = None
    """Size of a stratified subset of the training images; null takes all."""
    evaluation_examples: int | None = None
    """Size of a stratified subset of the evaluation images; null takes all."""
    resolution: int | None = None
    """Side in pixels to which images are resized by area averaging; null does not resize."""
    evaluate_on: Literal["test", "validation"] = "test"
    """The split that accuracies are measured on. Settings are chosen on validation only."""
    validation_share: float = 0.0
    """Share of the training images held out, stratified, as the validation split."""
    white: float | None = None
    """Value of white in images with 16 or 32 bits per pixel; null takes 65535, or 1 for floats,
    and refuses images that would all be nearly black."""
    normalization: Literal["auto", "train", "cifar"] = "auto"
    """Channel mean and standard deviation: those of the training images (train) or the published
    ones of CIFAR (cifar); auto takes cifar if the classes are CIFAR's, else train."""
    subset_seed: int = 0
    """Seed of the subsets and splits, the same for all seeds of an experiment."""
    augmentation: str | None = None
    """Import path of a function that maps training images, uint8 [B, C, H, W], to augmented ones;
    it runs before a pattern is planted. null means none."""
    image_column: str | None = None
    """Column with the images; null takes the only image column."""
    label_column: str | None = None
    """Column with the labels; null takes the only class-label column."""
    group_column: str | None = None
    """Column with an attribute of each image, e.g. its hospital or camera, whose known groups are
    measured; splits are then stratified by class and attribute. For class folders it is a column of
    metadata.csv or metadata.parquet, beside file_name; for a function, the name of the third part
    that it returns. null measures no groups."""
    spurious: bool = True
    """true: groups are the attribute's values within each class, and the reliance on the attribute
    is measured; false: groups are the values alone."""
    allow_unseen: bool = False
    """Whether groups of test images may have no training images, e.g. for a shortcut that is always
    right in the training data."""

    def __post_init__(self) -> None:
        check_fields(self, "data")
        if self.group_column == "":
            raise ConfigError("data.group_column", "", "Give the name of a column, or null.")
        if self.group_column is None and self.allow_unseen:
            raise ConfigError(
                "data.allow_unseen", True, "It is about groups: give their data.group_column too."
            )
        if self.group_column is None and not self.spurious:
            raise ConfigError(
                "data.spurious", False, "It is about groups: give their data.group_column too."
            )
        for name in ("train_examples", "evaluation_examples", "resolution"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"data.{name}", value, "Give at least 1, or null for all.")
        if self.white is not None and self.white <= 0:
            raise ConfigError("data.white", self.white, "Give a value > 0, e.g. 4095, or null.")
        if not 0 <= self.validation_share < 1:
            raise ConfigError("data.validation_share", self.validation_share, "Give [0, 1).")
        if self.evaluate_on == "validation" and self.validation_share == 0:
            raise ConfigError(
                "data.validation_share",
                self.validation_share,
                "evaluate_on is validation, so a share must be held out, e.g. 0.2.",
            )


@dataclass(frozen=True)
class ModelConfig:
    """The network.

    Raises:
        ConfigError: A value that is out of range, or that contradicts another.
    """

    name: str = "WideResNet"
    """WideResNet, ConvNet, MLP or ViT of learnorder.models, or the dotted import path of an
    nn.Module class or of a function that returns one, e.g. my_package.nets.Net."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """Its arguments, e.g. {depth: 16, widen_factor: 1}. num_classes, in_channels and image_size
    are added if its signature has them."""

    def __post_init__(self) -> None:
        check_fields(self, "model")


@dataclass(frozen=True)
class PatchConfig:
    """The memorisable patch planted in the images (paper, section 6.2).

    In an eligible image of class c the pattern z ± ζ_c replaces the pixels of the patch, in
    normalised units. z ~ z_scale · N(0, 1) is shared by all classes; each class has its own
    ζ_c ~ U[−contrast, contrast]. The sign is drawn at each access, so no linear function of the
    patch separates the classes. With probability patch_only_share the rest of the image is zero
    and the pattern is z ± a·ζ_c with a = patch_only_amplitude · U[0, 1].

    Raises:
        ConfigError: A value that is out of range.
    """

    eligible_share: float = 0.0
    """Share of the images that can carry the patch, fixed per image; 0 plants none."""
    patch_only_share: float = 0.2
    """Share of an eligible image's accesses that show the pattern alone, on zeros."""
    size: int = 7
    """Side of the square patch in pixels."""
    top: int | None = None
    """First row of the patch, from 0; null centres it."""
    left: int | None = None
    """First column of the patch, from 0; null centres it."""
    z_scale: float = 1.25
    """Standard deviation of the shared pattern z, in normalised units."""
    contrast: float = 0.1
    """Half-width of the uniform class pattern ζ_c, in normalised units."""
    patch_only_amplitude: float = 1.75
    """Upper end of the uniform amplitude of ζ_c in images of the pattern alone."""

    def __post_init__(self) -> None:
        check_fields(self, "patch")
        for name in ("eligible_share", "patch_only_share"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ConfigError(f"patch.{name}", value, "A share lies in [0, 1].")
        for name in ("z_scale", "contrast", "patch_only_amplitude"):
            value = getattr(self, name)
            if value < 0:
                raise ConfigError(f"patch.{name}", value, "Give a value ≥ 0.")
        if self.size < 1:
            raise ConfigError("patch.size", self.size, "A patch has at least 1 pixel a side.")
        for name in ("top", "left"):
            if (value := getattr(self, name)) is not None and value < 0:
                raise ConfigError(
                    f"patch.{name}", value, "Give a row or column from 0 on, or null."
                )

    @property
    def planted(self) -> bool:
        """Whether any image can carry the patch."""
        return self.eligible_share > 0


@dataclass(frozen=True)
class RunConfig:
    """All settings of one run on images, including the seed.

    Raises:
        ConfigError: A value that is out of range, or that contradicts another.
    """

    data: DataConfig = DataConfig()
    """The images."""
    model: ModelConfig = field(default_factory=ModelConfig)
    """The network."""
    patch: PatchConfig = PatchConfig()
    """The planted patch."""
    training: TrainingConfig = TrainingConfig()
    """The optimiser."""
    learning_rate: Schedule = Schedule(0.1)  # noqa: RUF009 - frozen
    """The learning rate over the epochs."""
    noise: NoiseConfig = NoiseConfig()
    """Noise before the activations."""
    seed: int = 0
    """Seed of the initial weights, pattern, eligible images, data order and noise."""
    sharpness: SharpnessConfig = SharpnessConfig()
    """Measurement of the loss's curvature."""
    diagnostics: DiagnosticsConfig = DiagnosticsConfig()
    """Other measures: batch sharpness, features, pruning, loss spikes, catapults."""

    def __post_init__(self) -> None:
        check_fields(self)
        _check_run(self)

    def to_dict(self) -> dict[str, Any]:
        """Return nested dicts, lists and scalars, as written to a run's manifest."""
        return to_dict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> RunConfig:
        """Build a configuration from the output of :meth:`to_dict`; absent fields take defaults.

        Raises:
            ConfigError: A field is unknown, or its value has the wrong type or range.
        """
        return from_dict(RunConfig, values)


@dataclass(frozen=True)
class PatternConfig:
    """The memorisable pattern that a task's planter plants in its training examples.

    Raises:
        ConfigError: A value that is out of range.
    """

    eligible_share: float = 0.0
    """Share of the training examples that can carry the pattern, fixed per example; 0 plants
    none."""
    pattern_only_share: float = 0.2
    """Share of an eligible example's accesses that show the pattern alone, without content."""
    strength: float = 1.0
    """Strength of the pattern, in units of the planter."""
    faint: float = 0.0
    """Strength of a second pattern, faint and present in every example; 0 plants none."""

    def __post_init__(self) -> None:
        check_fields(self, "pattern")
        for name in ("eligible_share", "pattern_only_share"):
            if not 0 <= (value := getattr(self, name)) <= 1:
                raise ConfigError(f"pattern.{name}", value, "A share lies in [0, 1].")
        if not self.strength > 0:
            raise ConfigError("pattern.strength", self.strength, "Give a value > 0.")
        if not self.faint >= 0:
            raise ConfigError("pattern.faint", self.faint, "Give a value ≥ 0; 0 plants none.")

    @property
    def planted(self) -> bool:
        """Whether any example can carry a pattern."""
        return self.eligible_share > 0 or self.faint > 0


@dataclass(frozen=True)
class TaskConfig:
    """A learnorder.Task, defined in Python."""

    path: str | None = None
    """Import path of a learnorder.Task, or of a function that returns one, e.g. my_tasks.make."""
    arguments: dict[str, Any] = field(default_factory=dict)
    """Arguments of that function, e.g. {size: 300}."""
    given: str | None = None
    """Fingerprint of a Task object passed in Python instead of a path; set automatically."""

    def __post_init__(self) -> None:
        check_fields(self, "task")
        if self.path is not None and self.given is not None:
            raise ConfigError("task.path", self.path, "Give either a path or a Task, not both.")


@dataclass(frozen=True)
class TaskRunConfig:
    """All settings of one run of a task, including the seed."""

    task: TaskConfig = field(default_factory=TaskConfig)
    """The model, its data and its loss."""
    training: TrainingConfig = TrainingConfig()
    """The optimiser."""
    learning_rate: Schedule = Schedule(0.1)  # noqa: RUF009 - frozen
    """The learning rate over the epochs."""
    noise: NoiseConfig = NoiseConfig()
    """Noise before the activations."""
    seed: int = 0
    """Seed of the initial weights (if the task's model is a function), the data order, the random
    draws of the data set, and the noise."""
    sharpness: SharpnessConfig = SharpnessConfig()
    """Measurement of the loss's curvature."""
    diagnostics: DiagnosticsConfig = DiagnosticsConfig()
    """Other measures: batch sharpness, features, pruning, loss spikes, catapults."""
    pattern: PatternConfig = PatternConfig()
    """The pattern that the task's planter plants."""

    def __post_init__(self) -> None:
        check_fields(self)
        _check_run(self)
        if self.training.snapshots:
            raise ConfigError(
                "training.snapshots",
                self.training.snapshots,
                "Snapshots show images, with and without the patch, and are for runs on images; "
                "this is a run of a task. Give 0.",
            )

    def to_dict(self) -> dict[str, Any]:
        """Return nested dicts, lists and scalars, as written to a run's manifest."""
        return to_dict(self)

    @staticmethod
    def from_dict(values: Mapping[str, Any]) -> TaskRunConfig:
        """Build a configuration as :meth:`RunConfig.from_dict` does."""
        return from_dict(TaskRunConfig, values)


def _check_run(config: RunConfig | TaskRunConfig) -> None:
    """Check the seed, and the schedules against the number of epochs."""
    if config.seed < 0:
        raise ConfigError("seed", config.seed, "Give 0 or more.")
    config.learning_rate.check("learning_rate", config.training.epochs)
    config.noise.level.check("noise.level", config.training.epochs)
    if config.learning_rate.initial == 0:
        raise ConfigError("learning_rate.initial", 0, "Give a value > 0, e.g. 0.1.")
