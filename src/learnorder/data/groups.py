"""Known groups of examples: an attribute's values, or its values within each class."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from learnorder.errors import ConfigError, did_you_mean, one_line

if TYPE_CHECKING:
    import pandas as pd

MOST_GROUPS = 100
"""Most groups that a table and a figure can show."""
_INTEGER = re.compile(r"-?[1-9]\d*|0", re.ASCII)
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d*)?(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
_NOT_BINNED = "Give a value for a set of examples, e.g. bins of a number."


@dataclass(frozen=True)
class Grouping:
    """The group of each example.

    Attributes:
        attribute: Name of the attribute.
        names: Name of each group.
        train: Group of each training example, int64 [N].
        evaluation: Group of each evaluation example, int64 [M].
        aligned: Whether the attribute of each evaluation example suggests its class, bool [M]; see
            :func:`suggested_classes`. None if the attribute is not spurious.
        classes: Class of each evaluation example, int64 [M]; None if the attribute is not spurious.
    """

    attribute: str
    names: tuple[str, ...]
    train: Tensor
    evaluation: Tensor
    aligned: Tensor | None = None
    classes: Tensor | None = None

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return the number of training and of evaluation examples of each group, by name."""
        parts = (self.train, self.evaluation)
        counts = [codes.bincount(minlength=len(self.names)) for codes in parts]
        return {n: (int(a), int(b)) for n, a, b in zip(self.names, *counts, strict=True)}


@dataclass(frozen=True)
class GroupValues:
    """What groups are made of, with the names of the settings for errors.

    Attributes:
        train: The attribute of each training example.
        evaluation: The attribute of each evaluation example.
        fields: Names of the settings that hold the two.
        classes: Classes of the training and of the evaluation examples, int64; None makes the
            attribute's values the groups.
        class_names: Names of the classes; empty takes their numbers.
        reserved: Names that no group can have, because records use them otherwise.
    """

    train: Sequence[Any]
    evaluation: Sequence[Any]
    fields: tuple[str, str]
    classes: tuple[Tensor, Tensor] | None = None
    class_names: tuple[str, ...] = ()
    reserved: tuple[str, ...] = ("all",)


def group_examples(values: GroupValues, attribute: str, *, allow_unseen: bool = False) -> Grouping:
    """Return the group of each example.

    Args:
        values: The attribute of all examples, and their classes.
        attribute: Name of the attribute.
        allow_unseen: Whether groups may have no training examples.

    Raises:
        ConfigError: As for :func:`form_groups`, or a group has no training or no evaluation
            example.
    """
    grouping = form_groups(values, attribute)
    _check_sizes(grouping, values.fields, allow_unseen)
    return grouping


def form_groups(values: GroupValues, attribute: str) -> Grouping:
    """Return the group of each example; groups may have no training or no evaluation examples.

    Args:
        values: The attribute of all examples, and their classes.
        attribute: Name of the attribute.

    Raises:
        ConfigError: A value is missing, there is only one or too many, or names of groups are equal
            or reserved.
    """
    train, evaluation = (
        plain_values(v, field)
        for v, field in zip((values.train, values.evaluation), values.fields, strict=True)
    )
    kinds = _sorted({*train, *evaluation})
    if len(kinds) < 2:
        raise ConfigError(
            values.fields[0], kinds[0] if kinds else None, "All examples have this one value."
        )
    if len(kinds) > MOST_GROUPS:
        remedy = f"There are {len(kinds):,} different values. {_NOT_BINNED}"
        raise ConfigError(values.fields[0], f"{kinds[0]}, {kinds[1]}, …", remedy)
    place = {kind: code for code, kind in enumerate(kinds)}
    codes = [torch.tensor([place[v] for v in part]) for part in (train, evaluation)]
    names = [str(kind) for kind in kinds]
    if values.classes is None:
        grouping = Grouping(attribute, tuple(names), *codes)
    else:
        grouping = _within_classes(values, attribute, names, codes)
    _check_names(grouping.names, values)
    return grouping


def _check_names(names: Sequence[str], values: GroupValues) -> None:
    """Refuse names that do not tell a group from another one, or from all examples."""
    for name in names:
        if name in values.reserved:
            raise ConfigError(
                values.fields[0], name, f"Records use this name otherwise: write e.g. '{name}_'."
            )
        if names.count(name) > 1:
            raise ConfigError(
                values.fields[0], name, "Two groups have this name. Write their values differently."
            )


def _within_classes(
    values: GroupValues, attribute: str, names: Sequence[str], codes: Sequence[Tensor]
) -> Grouping:
    """Return the groups of each value within each class, without those that no example is in."""
    assert values.classes is not None
    for field, code, labels in zip(values.fields, codes, values.classes, strict=True):
        check_length(field, len(code), len(labels))
    count = 1 + max(int(labels.max()) for labels in values.classes)
    if values.class_names and len(values.class_names) < count:
        raise ConfigError(
            "task.groups.class_names", list(values.class_names), f"There are {count} classes."
        )
    classes = values.class_names or tuple(f"class {label}" for label in range(count))
    cells = [code * count + labels for code, labels in zip(codes, values.classes, strict=True)]
    taken = torch.cat(cells).unique()
    if len(taken) > MOST_GROUPS:
        remedy = (
            f"There are {len(taken):,} groups of a value and a class; at most {MOST_GROUPS} can be "
            "shown. Give fewer values, or spurious=False for groups of the values alone."
        )
        raise ConfigError(values.fields[0], attribute, remedy)
    cell_names = tuple(
        f"{names[cell // count]}, {classes[cell % count]}" for cell in taken.tolist()
    )
    train, evaluation = (torch.searchsorted(taken, cell) for cell in cells)
    suggested = suggested_classes(codes[0], values.classes[0], len(names), count)
    aligned = suggested[codes[1]] == values.classes[1]
    return Grouping(attribute, cell_names, train, evaluation, aligned, values.classes[1])


def suggested_classes(attribute: Tensor, labels: Tensor, values: int, classes: int) -> Tensor:
    """Return the class that each value of an attribute suggests, int64 [values].

    It is the class c with the largest P(c | value) / P(c) in the training data: the one that the
    value makes most likelier than it is anyway. Unlike the most frequent class, it differs between
    values if one class is frequent with all of them.

    Args:
        attribute: Values of the training examples, int64 [N].
        labels: Their classes, int64 [N].
        values: Number of values.
        classes: Number of classes.

    >>> attribute = torch.tensor([0] * 100 + [1] * 20)
    >>> labels = torch.tensor([0] * 98 + [1] * 2 + [0] * 11 + [1] * 9)
    >>> suggested_classes(attribute, labels, 2, 2).tolist()
    [0, 1]
    """
    table = (attribute * classes + labels).bincount(minlength=values * classes).double()
    table = table.view(values, classes)
    prior = table.sum(0).clamp(min=1) / table.sum()
    return (table / table.sum(1, keepdim=True).clamp(min=1) / prior).argmax(1)


def _check_sizes(grouping: Grouping, fields: tuple[str, str], allow_unseen: bool) -> None:
    """Refuse groups without training or evaluation examples, by name."""
    for name, (trained, evaluated) in grouping.sizes().items():
        if not evaluated:
            raise ConfigError(
                fields[1],
                name,
                f"No validation example is in this group, but {trained:,} training examples are, "
                "so it could not be measured. Give validation examples of every group, or merge "
                "groups.",
            )
        if not trained and not allow_unseen:
            raise ConfigError(
                fields[0],
                name,
                f"No training example is in this group, but {evaluated:,} validation examples are. "
                "Check the values' spelling, or give allow_unseen=True, e.g. for a shortcut that "
                "is always right in the training data.",
            )


def check_length(field: str, values: int, examples: int) -> None:
    """Check that there is one value for each example.

    Args:
        field: Name of the setting, for errors.
        values: Number of values.
        examples: Number of examples.

    Raises:
        ConfigError: There are more or fewer.
    """
    if values != examples:
        remedy = f"There are {examples:,} examples. Give one value for each, in their order."
        raise ConfigError(field, f"{values:,} values", remedy)


def plain_values(
    values: Sequence[Any] | Iterable[Any],
    field: str,
    describe: Callable[[int], str] = "example {:,}".format,
) -> list[Any]:
    """Return values as strings, integers or bools.

    Args:
        values: One for each example.
        field: Name of the setting, for errors.
        describe: Returns a name for the example of an index, for errors.

    Raises:
        ConfigError: One is missing or of another type, or they have no order.
    """
    if isinstance(values, Mapping | Set):
        remedy = "Give a list or an array, in the order of the examples."
        raise ConfigError(field, type(values).__name__, remedy)
    if isinstance(values, Tensor):
        values = values.cpu().numpy()
    array = np.asarray(values) if isinstance(values, np.ndarray) else None
    if array is not None and array.ndim != 1:
        raise ConfigError(field, f"shape {list(array.shape)}", "Give one value for each example.")
    listed = list(values) if array is None else array.tolist()
    return [_value(item, position, field, describe) for position, item in enumerate(listed)]


def _value(item: Any, position: int, field: str, describe: Callable[[int], str]) -> Any:
    if isinstance(item, np.generic | Tensor) and getattr(item, "ndim", 0) == 0:
        item = item.item()
    if item is None or item == "" or (isinstance(item, float) and math.isnan(item)):
        remedy = (
            f"It is missing for {describe(position)}. Give every example a value, e.g. 'unknown'."
        )
        raise ConfigError(field, item, remedy)
    if isinstance(item, float) and item.is_integer():
        return int(item)
    if isinstance(item, str | int | bool):
        return item
    kind = "fractions" if isinstance(item, float) else type(item).__name__
    raise ConfigError(field, item, f"Values are strings or integers, not {kind}. {_NOT_BINNED}")


def strata_of(labels: Tensor, attribute: Sequence[Any] | None) -> Tensor:
    """Return what splits of images are stratified by, int64 [N].

    Args:
        labels: Classes, int64 [N].
        attribute: Plain values; None: the strata are the classes.

    >>> strata_of(torch.tensor([0, 0, 1]), ["red", "blue", "red"]).tolist()
    [1, 0, 3]
    """
    if attribute is None:
        return labels
    place = {value: code for code, value in enumerate(_sorted(set(attribute)))}
    return labels * len(place) + torch.tensor(
        [place[value] for value in attribute], dtype=torch.int64
    )


def _sorted(values: set[Any]) -> list[Any]:
    """Return numbers in their order, then strings."""
    return sorted(values, key=lambda v: (isinstance(v, str), v))


def read_column(path: Path | str, column: str, field: str) -> list[Any]:
    """Return a column of a metadata file, a row for each example.

    Of text files, a column has integers if all of its values are written as integers, such as 7 but
    not 007, floats if some have a decimal point or an exponent, and else strings. Only an empty
    cell is a missing value.

    Args:
        path: A file in Parquet, CSV (.csv) or tab-separated form (.tsv).
        column: Name of the column.
        field: Name of the setting, for errors.

    Raises:
        ConfigError: The file cannot be read, or has no such column.
    """
    import pandas as pd

    path = Path(path)
    readers = {
        ".parquet": pd.read_parquet,
        ".csv": _read_text,
        ".tsv": partial(_read_text, sep="\t"),
    }
    if path.suffix not in readers:
        raise ConfigError(field, str(path), f"Give a file ending in {', '.join(readers)}.")
    try:
        frame = readers[path.suffix](path)
    except Exception as error:
        raise ConfigError(field, str(path), f"It cannot be read: {one_line(error)}.") from error
    if column not in frame.columns:
        names = [str(name) for name in frame.columns]
        parts = (did_you_mean(column, names), f"{path} has {', '.join(names[:20])}.")
        raise ConfigError(field, column, " ".join(filter(None, parts)))
    values = frame[column].tolist()
    return values if path.suffix == ".parquet" else _as_numbers(values)


def _read_text(path: Path, sep: str = ",") -> pd.DataFrame:
    """Read a text file without conversions: pandas takes 007 for 7, and NA for a missing value."""
    import pandas as pd

    return pd.read_csv(path, sep=sep, dtype=str, keep_default_na=False, na_values=[""])


def _as_numbers(texts: list[Any]) -> list[Any]:
    """Return numbers if all texts are written as numbers; nan is a missing value.

    >>> _as_numbers(["7", "-1"]), _as_numbers(["7", "0.5"]), _as_numbers(["7", "007"])
    ([7, -1], [7.0, 0.5], ['7', '007'])
    """
    given = [text for text in texts if isinstance(text, str)]
    if not all(_NUMBER.fullmatch(text) for text in given):
        return texts
    number = int if all(_INTEGER.fullmatch(text) for text in given) else float
    return [number(text) if isinstance(text, str) else text for text in texts]
