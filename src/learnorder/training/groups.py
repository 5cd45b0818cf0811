"""Known groups of a task's examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from learnorder.seeding import random_state_kept
from learnorder.training.targets import class_targets, known_targets

if TYPE_CHECKING:
    from learnorder.training.task import Task

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

    train: Sequence[Any] | Callable[[Any], Any]
    """The attribute of each training example, in their order: strings or integers; or a function
    from an item of the data set to its value."""
    validation: Sequence[Any] | Callable[[Any], Any] | None = None
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
        for field in ("train", "validation"):
            value = getattr(self, field)
            text = isinstance(value, str | bytes)
            if text or (value is None and field == "train"):
                raise ConfigError(f"groups.{field}", value, _FORMS)
            if value is not None and not callable(value) and not hasattr(value, "__len__"):
                raise ConfigError(f"groups.{field}", type(value).__name__, _FORMS)
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


def strata(task: Task) -> Tensor | None:
    """Return what a held-out validation set is stratified by, int64 [N]; None if it is unknown.

    It is the group of each example of ``task.train``, else its class if that is known.
    """
    if task.groups is None:
        return known_targets(task.train)
    values = _attribute(task.groups.train, task.train, "task.groups.train")
    codes = {value: code for code, value in enumerate(dict.fromkeys(values))}
    attribute = torch.tensor([codes[value] for value in values])
    if not task.groups.spurious:
        return attribute
    return attribute * (1 << 32) + class_targets(task.train, "task.train", _ALONE)


def resolve_groups(task: Task, train: Dataset[Any], validation: Dataset[Any]) -> Grouping | None:
    """Return the group of each training and validation example; None without groups.

    Args:
        task: The task.
        train: Its training split.
        validation: Its validation split.

    Raises:
        ConfigError: See :func:`~learnorder.data.groups.group_examples`.
    """
    groups = task.groups
    if groups is None:
        return None
    field = "task.groups.train"
    values = _attribute(groups.train, task.train, field)
    if task.validation is None:
        if groups.validation is not None:
            raise ConfigError(
                "task.groups.validation",
                f"{type(groups.validation).__name__}",
                "The validation examples are held out of task.train, so task.groups.train has "
                "their values: leave this out, or give task.validation.",
            )
        assert isinstance(train, Subset)
        assert isinstance(validation, Subset)
        parts = [[values[i] for i in split.indices] for split in (train, validation)]
        fields = (field, field)
    else:
        given = groups.validation
        if given is None and callable(groups.train):
            given = groups.train
        if given is None:
            raise ConfigError(
                "task.groups.validation", None, f"task.validation needs its own. {_FORMS}"
            )
        fields = (field, "task.groups.validation")
        parts = [values, _attribute(given, task.validation, fields[1])]
    classes = None
    if groups.spurious:
        classes = (
            class_targets(train, "task.train", _ALONE),
            class_targets(validation, "task.validation", _ALONE),
        )
    found = GroupValues(parts[0], parts[1], fields, classes, groups.class_names)
    return group_examples(found, groups.name, allow_unseen=groups.allow_unseen)


def _attribute(values: Any, dataset: Any, field: str) -> Sequence[Any]:
    """Return the attribute of each example of a data set."""
    if not callable(values):
        check_length(field, values, len(dataset))
        return plain_values(values, field)
    with random_state_kept():
        found = []
        for index in range(len(dataset)):
            try:
                found.append(values(dataset[index]))
            except Exception as error:
                name = getattr(values, "__name__", repr(values))
                raise ConfigError(
                    field,
                    name,
                    f"It failed on item {index:,}: {type(error).__name__}: {one_line(error)}. It "
                    "gets an item of the data set and returns its value.",
                ) from error
    return plain_values(found, field)
