"""Known groups of a task's examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset

from learnorder.data.groups import (
    Grouping,
    GroupValues,
    check_length,
    group_examples,
    plain_values,
    read_column,
)
from learnorder.errors import ConfigError, one_line
from learnorder.training.items import map_items
from learnorder.training.targets import class_targets

Given = tuple[Dataset[Any], Dataset[Any] | None]
"""The training and the validation data of a task."""
_FORMS = (
    "Give one value for each example (a list, an array, a tensor, or a column of a data frame or "
    "data set), or a function from an item of the data set to its value."
)

_ALONE = "Groups within classes need them; for other targets give Groups(..., spurious=False)."


@dataclass(frozen=True)
class Groups:
    """Known groups of a task's examples, by an attribute such as a hospital, a domain or a colour.

    All that is measured is also measured for each group. If the attribute is *spurious*, i.e. the
    model should not use it, the groups are its values within each class, as in Waterbirds (Sagawa
    et al., *Distributionally Robust Neural Networks*, ICLR 2020), and the model's reliance on it is
    measured.

    Raises:
        ConfigError: A field has an invalid value or type.

    >>> Groups(["tweet", "tweet", "review"], name="domain").name
    'domain'
    """

    train: Sequence[Any] | Callable[[Any], Any] = field(repr=False)
    """The attribute of each training example, in their order: strings or integers; or a function
    from an item of the data set to its value."""
    validation: Sequence[Any] | Callable[[Any], Any] | None = field(default=None, repr=False)
    """The attribute of each validation example. None if they are held out of the training data, or
    if ``train`` is a function."""
    name: str = "group"
    """Name of the attribute in reports."""
    spurious: bool = True
    """True: groups are the attribute's values within each class, and the reliance on the attribute
    is measured; this needs integer classes. False: groups are the attribute's values alone."""
    class_names: tuple[str, ...] = ()
    """Names of the classes in reports; empty takes their numbers."""
    allow_unseen: bool = False
    """Whether validation groups may have no training examples."""

    def __post_init__(self) -> None:
        for side in ("train", "validation"):
            value = getattr(self, side)
            text = isinstance(value, str | bytes)
            if text or (value is None and side == "train"):
                raise ConfigError(f"groups.{side}", value, _FORMS)
            if value is not None and not callable(value) and not hasattr(value, "__len__"):
                raise ConfigError(f"groups.{side}", type(value).__name__, _FORMS)
        if not self.name:
            raise ConfigError("groups.name", self.name, "Give a name, e.g. 'domain'.")
        object.__setattr__(self, "class_names", tuple(self.class_names))

    @staticmethod
    def read(
        train: Path | str,
        column: str,
        validation: Path | str | None = None,
        *,
        name: str | None = None,
        spurious: bool = True,
        class_names: Sequence[str] = (),
        allow_unseen: bool = False,
    ) -> Groups:
        """Return groups from metadata files in Parquet, CSV or TSV, one row for each example.

        Args:
            train: File of the training examples, in their order.
            column: The column with the attribute.
            validation: File of the validation examples, if they are a data set of their own.
            name: Name of the attribute; None takes ``column``.
            spurious: As for the class.
            class_names: As for the class.
            allow_unseen: As for the class.

        Raises:
            ConfigError: A file cannot be read, or has no such column.
        """
        files = {"groups.train": train, "groups.validation": validation}
        values = [
            None if path is None else read_column(path, column, field)
            for field, path in files.items()
        ]
        return Groups(
            values[0] or (),
            values[1],
            name or column,
            spurious,
            tuple(class_names),
            allow_unseen,
        )


def strata(groups: Groups, train: Dataset[Any]) -> Tensor:
    """Return what a held-out validation set is stratified by: the group of each example.

    Args:
        groups: The groups.
        train: The data set that it is held out of.

    Returns:
        int64 [N].
    """
    values = _attribute(groups.train, train, "task.groups.train")
    codes = {value: code for code, value in enumerate(dict.fromkeys(values))}
    attribute = torch.tensor([codes[value] for value in values])
    if not groups.spurious:
        return attribute
    return attribute * (1 << 32) + class_targets(train, "task.train", _ALONE)


def resolve_groups(
    groups: Groups, given: Given, train: Dataset[Any], held: Dataset[Any]
) -> Grouping:
    """Return the group of each training and validation example.

    Args:
        groups: The groups.
        given: The training and the validation data of the task; the second may be None.
        train: The training split.
        held: The validation split.

    Raises:
        ConfigError: See :func:`~learnorder.data.groups.group_examples`.
    """
    whole, validation = given
    field = "task.groups.train"
    values = _attribute(groups.train, whole, field)
    if validation is None:
        if groups.validation is not None:
            raise ConfigError(
                "task.groups.validation",
                f"{type(groups.validation).__name__}",
                "The validation examples are held out of task.train, so task.groups.train has "
                "their values: leave this out, or give task.validation.",
            )
        assert isinstance(train, Subset)
        assert isinstance(held, Subset)
        parts = [[values[i] for i in split.indices] for split in (train, held)]
        fields = (field, field)
    else:
        own = groups.validation
        if own is None and callable(groups.train):
            own = groups.train
        if own is None:
            raise ConfigError(
                "task.groups.validation", None, f"task.validation needs its own. {_FORMS}"
            )
        fields = (field, "task.groups.validation")
        parts = [values, _attribute(own, validation, fields[1])]
    classes = None
    if groups.spurious:
        classes = (
            class_targets(train, "task.train", _ALONE),
            class_targets(held, "task.validation", _ALONE),
        )
    found = GroupValues(parts[0], parts[1], fields, classes, groups.class_names)
    return group_examples(found, groups.name, allow_unseen=groups.allow_unseen)


def _attribute(values: Any, dataset: Any, field: str) -> Sequence[Any]:
    """Return the attribute of each example of a data set."""
    if not callable(values):
        check_length(field, len(values), len(dataset))
        return plain_values(values, field)

    def failed(index: int, error: Exception) -> ConfigError:
        return ConfigError(
            field,
            getattr(values, "__name__", repr(values)),
            f"It failed on item {index:,}: {type(error).__name__}: {one_line(error)}. It gets an "
            "item of the data set and returns its value.",
        )

    return plain_values(map_items(dataset, values, failed), field)
