"""Labels as numbers or names, checked before anything of their size is allocated."""

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
    """The labels of two splits, with the same numbers.

    Attributes:
        names: Names of the classes.
        train: int64 [N].
        test: int64 [M].
        named: Whether the data name the classes; otherwise they are derived from the labels.
    """

    names: tuple[str, ...]
    train: Tensor
    test: Tensor
    named: bool


def split_labels(
    train: datasets.Dataset, test: datasets.Dataset, column: str, where: str
) -> Labels:
    """Return the labels of a column, with the numbers of the training split's classes.

    Classes with names are matched by name, whatever their numbers. If labels are names, the
    classes are those of the training split, sorted.

    Args:
        train: The training split.
        test: The test split.
        column: Name of the column.
        where: Source and column, for errors.

    Raises:
        DataError: Labels are missing, or the test split has a class that the training split does
            not have.
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
    """Return numbers for labels that are names; the classes are the training names, sorted.

    Raises:
        DataError: A name is empty, the test split has numbers, or it has a name that the training
            split does not have.
    """
    if test.dtype.kind not in "OU":
        raise _two_kinds(where, "names", "numbers")
    names, numbers = np.unique(train, return_inverse=True)
    known = names.tolist()
    _check_known(np.unique(test).tolist(), known, where)
    if "" in known:
        raise DataError(f"{where} has rows with an empty label. Add the label or remove them.")
    others = torch.from_numpy(np.searchsorted(names, test).astype(np.int64))
    return Labels(tuple(map(str, known)), torch.from_numpy(numbers.astype(np.int64)), others, True)


def _check_known(theirs: list[str], ours: list[str], where: str) -> None:
    """Refuse classes of the test split that the training split does not have."""
    for extra in (name for name in theirs if name not in ours):
        raise DataError(
            f"{where}: the test split has a class {extra}, but the training split does not. Use "
            "the same classes in both."
        )


def _two_kinds(where: str, ours: str, theirs: str) -> DataError:
    return DataError(
        f"{where}: the training split's labels are {ours}, and the test split's {theirs}. Use the "
        "same kind in both."
    )


def class_order(values: np.ndarray) -> Tensor:
    """Return the index of each label among the sorted distinct labels, int64 [N]."""
    return torch.from_numpy(np.unique(values, return_inverse=True)[1].astype(np.int64))


def label_values(split: datasets.Dataset, column: str, where: str) -> np.ndarray:
    """Return the labels of a split unchanged: integers, or names as objects, [N].

    Raises:
        DataError: The column has another type, or rows without a label.
    """
    kind: Any = split.features.get(column)
    dtype = str(getattr(kind, "dtype", type(kind).__name__))
    if not dtype.startswith(("int", "uint")) and dtype not in _STRINGS:
        raise DataError(
            f"{where} contains {dtype}; labels must be integers from 0, or names. Convert them, or "
            "choose another column with --data.label_column."
        )
    values: Any = split.with_format("arrow", columns=[column])[:][column]
    if values.null_count:
        raise DataError(f"{where} has rows without a label. Remove them.")
    return values.to_numpy()


def as_labels(values: np.ndarray, where: str) -> Tensor:
    """Return integers as labels, int64 [N].

    Args:
        values: Any integer type, [N].
        where: Source and column, for errors.

    Raises:
        DataError: A value exceeds int64.
    """
    if len(values) and int(values.max()) > np.iinfo(np.int64).max:
        raise DataError(f"{where}: {values.max()} is too large. Number the classes from 0.")
    return torch.from_numpy(values.astype(np.int64))


def numbered_classes(labels: Tensor, where: str) -> tuple[str, ...]:
    """Return names for classes that only have numbers: 0, 1, and so on.

    Args:
        labels: Labels of the training images, int64 [N].
        where: Source and column, for errors.

    Raises:
        DataError: A label is negative, or a number below the largest label does not occur.
    """
    distinct = labels.unique()  # at most N values, whatever the largest label
    remedy = "Number the classes from 0 without gaps."
    if len(distinct) and (low := int(distinct[0])) < 0:
        raise DataError(f"{where}: there is a label {low}. {remedy}")
    if len(distinct) and (high := int(distinct[-1])) >= len(distinct):
        missing = int((distinct != torch.arange(len(distinct))).nonzero()[0])
        raise DataError(
            f"{where}: labels go up to {high}, but no training image has label {missing}. {remedy}"
        )
    return tuple(map(str, range(len(distinct))))
