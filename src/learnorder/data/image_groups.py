"""The known groups of the images that a run uses."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from learnorder.config.settings import DataConfig
from learnorder.data.attributes import FIELD
from learnorder.data.groups import Grouping, GroupValues, form_groups
from learnorder.data.raw import RawImages
from learnorder.errors import ConfigError

RESERVED = ("all", "clean", "patch_only", "both")
"""The names of all images, and of those that show different patterns, in records."""


@dataclass(frozen=True)
class Chosen:
    """The images of a run, as indices into the splits of its source.

    Attributes:
        train: Training images, int64 [N].
        evaluation: Evaluation images, int64 [M].
        train_pool: The images that ``train`` was taken from.
        evaluation_pool: The images that ``evaluation`` was taken from.
        split: The split that they are in: test, or train for a validation split.
    """

    train: Tensor
    evaluation: Tensor
    train_pool: Tensor
    evaluation_pool: Tensor
    split: str


def group_images(config: DataConfig, raw: RawImages, chosen: Chosen) -> Grouping | None:
    """Return the group of each training and evaluation image; None without ``group_column``.

    Raises:
        ConfigError: As for :func:`~learnorder.data.groups.form_groups`; a group of the data has no
            image among those chosen; or no class shows the reliance.
    """
    if raw.attributes is None or config.group_column is None:
        return None
    whole = _form(config, raw, chosen.split)
    _check_all_chosen(config, whole, chosen)
    grouping = _form(config, raw, chosen.split, (chosen.train, chosen.evaluation))
    _check_reliance(grouping)
    return grouping


def train_groups(config: DataConfig, raw: RawImages, split: str, index: Tensor) -> Tensor | None:
    """Return the group of other training images, int64 [N]; None without ``group_column``.

    Their numbers are those of :func:`group_images`, which has checked that every group is among the
    images that it was given.

    Args:
        config: Settings of the data.
        raw: All images.
        split: The split that the evaluation images are in.
        index: Images of the training split, int64 [N].
    """
    if raw.attributes is None or config.group_column is None:
        return None
    return _form(config, raw, split).train[index]


def _form(
    config: DataConfig, raw: RawImages, split: str, indices: tuple[Tensor, Tensor] | None = None
) -> Grouping:
    """Return the groups of the images of some indices, or of all."""
    assert raw.attributes is not None
    assert config.group_column is not None
    train, evaluation = raw.attributes["train"], raw.attributes[split]
    labels = (raw.labels("train"), raw.labels(split))
    if indices is not None:
        train, evaluation = (
            [values[i] for i in index.tolist()]
            for values, index in zip((train, evaluation), indices, strict=True)
        )
        labels = (labels[0][indices[0]], labels[1][indices[1]])
    classes = labels if config.spurious else None
    given = GroupValues(train, evaluation, (FIELD, FIELD), classes, raw.class_names, RESERVED)
    return form_groups(given, config.group_column)


def _check_all_chosen(config: DataConfig, whole: Grouping, chosen: Chosen) -> None:
    """Refuse subsets and splits without images of a group, naming the setting to change."""
    groups = len(whole.names)
    train, train_pool = (
        whole.train[index].bincount(minlength=groups).tolist()
        for index in (chosen.train, chosen.train_pool)
    )
    evaluated, evaluation_pool = (
        whole.evaluation[index].bincount(minlength=groups).tolist()
        for index in (chosen.evaluation, chosen.evaluation_pool)
    )
    in_train_split = whole.train.bincount(minlength=groups).tolist()
    for group, name in enumerate(whole.names):
        unseen = not in_train_split[group]
        if not train[group] and not (unseen and config.allow_unseen):
            raise _untrained(config, name, train_pool[group], in_train_split[group])
        if not evaluated[group]:
            raise _unmeasured(config, name, len(chosen.evaluation), evaluation_pool[group])


def _untrained(config: DataConfig, name: str, in_pool: int, in_split: int) -> ConfigError:
    if in_pool:
        return ConfigError(
            "data.train_examples",
            config.train_examples,
            f"The subset contains no image of the group {name}, of which there are {in_pool:,}. "
            "Increase data.train_examples.",
        )
    if in_split:
        return ConfigError(
            "data.validation_share",
            config.validation_share,
            f"It leaves no training image of the group {name}, of which there are {in_split:,}. "
            "Decrease data.validation_share.",
        )
    return ConfigError(
        FIELD,
        name,
        "No training image is in this group, but test images are. Check the values' spelling, or "
        "give data.allow_unseen true, e.g. for a shortcut that is always right in the training "
        "data.",
    )


def _unmeasured(config: DataConfig, name: str, size: int, in_pool: int) -> ConfigError:
    if in_pool:
        return ConfigError(
            "data.evaluation_examples",
            size,
            f"The subset contains no image of the group {name}, of which there are {in_pool:,}. "
            "Increase data.evaluation_examples.",
        )
    if config.evaluate_on == "validation":
        return ConfigError(
            "data.validation_share",
            config.validation_share,
            f"The validation split contains no image of the group {name}, so it could not be "
            "measured. Increase data.validation_share, or merge groups.",
        )
    return ConfigError(
        FIELD,
        name,
        "No test image is in this group, but training images are, so it could not be measured. "
        "Give test images of every group, or merge groups.",
    )


def _check_reliance(grouping: Grouping) -> None:
    """Refuse a spurious attribute if no class has images with and without its suggestion."""
    if grouping.aligned is None or grouping.classes is None:
        return
    both = set(grouping.classes[grouping.aligned].tolist()) & set(
        grouping.classes[~grouping.aligned].tolist()
    )
    if not both:
        raise ConfigError(
            "data.spurious",
            True,
            f"The reliance on the {grouping.attribute} could not be measured: no class has both "
            "evaluation images whose attribute suggests the class and others. Give images of both, "
            "or data.spurious false.",
        )
