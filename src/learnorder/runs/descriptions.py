"""What runs of each kind say of their data and their score, in their manifests."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ImagesDescription:
    """What a run on images says of its data.

    Attributes:
        num_classes: Number of classes.
        image_size: (H, W).
        train_examples: Images trained on.
        evaluation_examples: Images evaluated on.
        mean: Channel means in [0, 1], for normalisation.
        std: Channel standard deviations in [0, 1].
        classes: Images of each class: trained on, and evaluated on.
        modes: Images by Pillow's mode, as the files have it.
        sizes: Images by width×height, as the files have them: the most frequent, and the others.
        converted: Number of images by conversion applied, e.g. the EXIF rotation.
        skipped: Files that were left out, by reason.
        repeated: Images evaluated on that are also trained on, pixel for pixel; None in older runs.
        relabeled: How many of these have other labels where they are trained on.
        shown: The rows and columns of images.png; empty where there is none.
        attribute: What the known groups are groups of; empty where there are none.
        groups: Images of each known group: trained on, and evaluated on.
        group_score: What each group is judged by: accuracy.
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
    """What a run of a task says of its old task, and of the scores before training.

    Attributes:
        name: Name of the old task.
        examples: Examples of it.
        score: Name of the score on them.
        higher_is_better: Whether a higher one is better.
        before: That score of the run's initial network.
        loss_before: Its mean loss on them.
        validation_before: Its score on the validation data of the new task.
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
    """What a run of a task says of its data, and of what models are judged by.

    Attributes:
        train_examples: Examples trained on.
        evaluation_examples: Examples judged on.
        score: Name of the score.
        higher_is_better: Whether a higher one is better.
        unseen_classes: Classes trained on that no validation example has.
        unlearned: Score of a model that has learned nothing: the accuracy of the commonest class,
            else the score of the run's initial network.
        num_classes: Number of classes, where outputs are logits and targets are classes.
        commonest: Share of the commonest class among the examples judged on; None without classes
            and in older runs.
        attribute: What the known groups are groups of; empty where there are none.
        groups: Examples of each known group: trained on, and judged on.
        group_score: What each group is judged by: accuracy for classes, else the score.
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
    """What a run of a script says of what it is judged by.

    Attributes:
        score: Name of the score.
        higher_is_better: Whether a higher one is better.
    """

    score: str
    higher_is_better: bool


@dataclass(frozen=True)
class TheoryDescription:
    """What a run of the theory says of its data.

    Attributes:
        train_examples: N.
    """

    train_examples: int
