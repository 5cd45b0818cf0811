"""Descriptions of the data and the score of runs of each kind, as kept in manifests."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ImagesDescription:
    """Description of the data of a run on images.

    Attributes:
        num_classes: Number of classes.
        image_size: (H, W).
        train_examples: Number of training images.
        evaluation_examples: Number of evaluation images.
        mean: Channel means in [0, 1], for normalisation.
        std: Channel standard deviations in [0, 1].
        classes: Numbers of training and evaluation images, by class.
        modes: Number of images by Pillow mode of the files.
        sizes: Number of images by width×height of the files: the most frequent, and all others.
        converted: Number of images by conversion, e.g. the EXIF rotation.
        skipped: Number of files, or images, that were left out, by reason.
        repeated: Number of evaluation images that are pixel for pixel training images; None in
            older runs.
        relabeled: Number of these that have another label in the training set.
        shown: Titles of the rows and columns of images.png; empty if there is none.
        attribute: Name of the attribute of the known groups; empty without groups.
        groups: Numbers of training and evaluation images, by known group.
        group_score: Score of each group: accuracy.
        spurious: Whether the attribute is spurious, so that the reliance on it is measured.
    """

    num_classes: int
    image_size: tuple[int, int]
    train_examples: int
    evaluation_examples: int
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    classes: dict[str, tuple[int, int]] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    converted: dict[str, int] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)
    repeated: int | None = None
    relabeled: int = 0
    shown: dict[str, tuple[str, ...]] = field(default_factory=dict)
    attribute: str = ""
    groups: dict[str, tuple[int, int]] = field(default_factory=dict)
    group_score: str = ""
    spurious: bool = False


@dataclass(frozen=True)
class KeepDescription:
    """Description of the old task of a run of a task, and of the scores before training.

    Attributes:
        name: Name of the old task.
        examples: Number of its examples.
        score: Name of its score.
        higher_is_better: Whether higher scores are better.
        before: Score of the run's initial network on its examples.
        loss_before: Mean loss of the initial network on its examples.
        validation_before: Score of the initial network on the validation data of the new task.
    """

    name: str
    examples: int
    score: str
    higher_is_better: bool
    before: float = field(compare=False)
    loss_before: float = field(compare=False)
    validation_before: float = field(compare=False)


@dataclass(frozen=True)
class TaskDescription:
    """Description of the data and the score of a run of a task.

    Attributes:
        train_examples: Number of training examples.
        evaluation_examples: Number of validation examples.
        score: Name of the score.
        higher_is_better: Whether higher scores are better.
        unseen_classes: Classes of training examples that no validation example has.
        unlearned: Score of a model that has learned nothing: the accuracy of guessing the commonest
            class, or the score of the run's initial network.
        num_classes: Number of classes, if outputs are logits and targets are classes.
        commonest: Share of the commonest class among the validation examples; None without classes
            and in older runs.
        attribute: Name of the attribute of the known groups; empty without groups.
        groups: Numbers of training and validation examples, by known group.
        group_score: Score of each group: accuracy for classes, otherwise the task's score.
        spurious: Whether the attribute is spurious, so that the reliance on it is measured.
        examples: One example with and without the pattern, as text.
        keep: The old task on which forgetting is measured, if any.
        own_loss: Whether the loss is a function of the task's own, which may be negative; false in
            older runs.
        optimizer: Class of the task's own optimiser; empty if the settings name it.
        sampler: Which examples an epoch shows, in words; empty if it shows each once.
        scheduler: Class of the task's own scheduler; empty if the settings have the schedule.
    """

    train_examples: int
    evaluation_examples: int
    score: str
    higher_is_better: bool
    unseen_classes: tuple[int, ...] = ()
    unlearned: float | None = field(default=None, compare=False)
    num_classes: int | None = None
    commonest: float | None = field(default=None, compare=False)
    attribute: str = ""
    groups: dict[str, tuple[int, int]] = field(default_factory=dict)
    group_score: str = ""
    spurious: bool = False
    examples: dict[str, str] = field(default_factory=dict, compare=False)
    keep: KeepDescription | None = None
    own_loss: bool = False
    optimizer: str = ""
    sampler: str = ""
    scheduler: str = ""


@dataclass(frozen=True)
class ScriptDescription:
    """Description of the score of a run of a script.

    Attributes:
        score: Name of the score.
        higher_is_better: Whether higher scores are better.
    """

    score: str
    higher_is_better: bool


@dataclass(frozen=True)
class TheoryDescription:
    """Description of the data of a run of the theory.

    Attributes:
        train_examples: Number N of training examples.
    """

    train_examples: int
