"""Labels that are numbers or names, checked before anything of their size is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from learnorder.errors import DataError

if TYPE_CHECKING:
    import datasets

_STRINGS = ("string", "large_string", "string_view")


@dataclass(frozen=True)
class Labels:
    """The labels of two splits, numbered alike.

    Attributes:
        names: Of the classes.
        train: int64 [N].
        test: int64 [M].
        named: Whether the data name the classes, or they are counted from the labels.
    """

    names: tuple[str, ...]
    train: Tensor
    test: Tensor
    named: bool


def split_labels(
    train: datasets.Dataset, test: datasets.Dataset, column: str, where: str
) -> Labels:
    """Return the labels of a column, test labels numbered as the training split's classes are.

    Classes that have names are matched by them, whatever their numbers; where labels are names,
    the classes are those of the training split, sorted.

    Args:
        train: The training split.
        test: The test split.
        column: Of the labels.
        where: What they are of, for errors.

    Raises:
        DataError: No labels, or a class of the test split that the training split has not.
    """
    values, others = (label_values(split, column, where) for split in (train, test))
    ours, theirs = (getattr(split.features[column], "names", None) for split in (train, test))
    if values.dtype == object:
        return match_names(values, others, where)
    if ours is None:
        if others.dtype == object:
            raise _two_kinds(where, "numbers", "names")
        numbers = as_labels(values, where)
        return Labels(numbered_classes(numbers, where), numbers, as_labels(others, where), False)
    if theirs not in (None, ours):
        _check_known(theirs, ours, where)
        labels = torch.tensor([ours.index(name) for name in theirs])[as_labels(others, where)]
    elif others.dtype == object:
        _check_known(np.unique(others).tolist(), ours, where)
        labels = torch.tensor([ours.index(name) for name in others])
    else:
        labels = as_labels(others, where)
    return Labels(tuple(ours), as_labels(values, where), labels, True)


def match_names(train: np.ndarray, test: np.ndarray, where: str) -> Labels:
    """Return labels that are names as numbers: the classes are the training names, sorted.

    Raises:
        DataError: An empty name, numbers in the test split, or a name that the training split has
            not.
    """
    if test.dtype.kind not in "OU":
        raise _two_kinds(where, "names", "numbers")
    names, numbers = np.unique(train, return_inverse=True)
    known = names.tolist()
    _check_known(np.unique(test).tolist(), known, where)
    if "" in known:
        raise DataError(f"{where} has rows whose label is empty. Name their class or remove them.")
    others = torch.from_numpy(np.searchsorted(names, test).astype(np.int64))
    return Labels(tuple(map(str, known)), torch.from_numpy(numbers.astype(np.int64)), others, True)


def _check_known(theirs: list[str], ours: list[str], where: str) -> None:
    """Refuse a class of the test split that the training split has not."""
    for extra in (name for name in theirs if name not in ours):
        raise DataError(
            f"{where}: the test split has a class {extra}, and the training split has not. Give "
            "both the same classes."
        )


def _two_kinds(where: str, ours: str, theirs: str) -> DataError:
    return DataError(
        f"{where}: the training split's labels are {ours}, and the test split's {theirs}. Write "
        "both alike."
    )


def class_order(values: np.ndarray) -> Tensor:
    """Return the place of each label among the sorted distinct ones, int64 [N]."""
    return torch.from_numpy(np.unique(values, return_inverse=True)[1].astype(np.int64))


def label_values(split: datasets.Dataset, column: str, where: str) -> np.ndarray:
    """Return the labels of a split as they are: integers, or names as objects, [N].

    Raises:
        DataError: A column of another type, or rows without a label.
    """
    kind: Any = split.features.get(column)
    dtype = str(getattr(kind, "dtype", type(kind).__name__))
    if not dtype.startswith(("int", "uint")) and dtype not in _STRINGS:
        raise DataError(
            f"{where} holds {dtype}; labels must be whole numbers from 0, or names. Write them as "
            "integers or strings, or name another column with --data.label_column."
        )
    values: Any = split.with_format("arrow", columns=[column])[:][column]
    if values.null_count:
        raise DataError(f"{where} has rows without a label. Remove them.")
    return values.to_numpy()


def as_labels(values: np.ndarray, where: str) -> Tensor:
    """Return whole numbers as labels, int64 [N].

    Args:
        values: Of any integer type, [N].
        where: What they are of, for errors.

    Raises:
        DataError: A number beyond int64.
    """
    if len(values) and int(values.max()) > np.iinfo(np.int64).max:
        raise DataError(f"{where}: {values.max()} is no label. Number the classes from 0.")
    return torch.from_numpy(values.astype(np.int64))


def numbered_classes(labels: Tensor, where: str) -> tuple[str, ...]:
    """Return the names of classes that have numbers only: 0, 1, and so on.

    Args:
        labels: Of the training images, int64 [N].
        where: What they are of, for errors.

    Raises:
        DataError: A negative label, or a number below the largest that no image has.
    """
    found = labels.unique()  # at most as many as there are images, however large they are
    remedy = "Number the classes from 0 without gaps."
    if len(found) and (low := int(found[0])) < 0:
        raise DataError(f"{where}: there is a label {low}. {remedy}")
    if len(found) and (high := int(found[-1])) >= len(found):
        missing = int((found != torch.arange(len(found))).nonzero()[0])
        raise DataError(
            f"{where}: labels go up to {high}, but no training image has label {missing}. {remedy}"
        )
    return tuple(map(str, range(len(found))))
