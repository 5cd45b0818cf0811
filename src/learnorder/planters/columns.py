"""Columns of a table: reading them from data, and choosing those that have a code."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from learnorder.errors import ConfigError, DataError
from learnorder.planters.parts import FIELD, part_of
from learnorder.seeding import random_state_kept


def matrix_of(data: Any, key: str | int | None) -> NDArray[np.float64]:
    """Return a table as an array [rows, columns].

    Args:
        data: Tensor, array, data frame or data set; see :meth:`TablePlanter.fit`.
        key: The row's place in an item of a data set.

    Raises:
        DataError: It is not a table of floating-point numbers, or a column has infinite values or
            no values.
    """
    values = _array(data, key)
    if values.ndim != 2 or not values.size:
        raise DataError(f"A table [rows, columns] is needed: the data have shape {values.shape}.")
    if values.dtype == object:
        values = _numbers(values)
    if values.dtype.kind != "f":
        raise DataError(
            f"The table has {values.dtype} values. Encode text as numbers, and convert all columns "
            "to float32."
        )
    values = values.astype(np.float64)
    bad = np.isinf(values).any(axis=0) | np.isnan(values).all(axis=0)
    if bad.any():
        at = _list(np.flatnonzero(bad))
        raise DataError(f"Columns {at} have infinite values, or no values but NaN.")
    return values


def pick_columns(
    values: NDArray[np.float64],
    spread: NDArray[np.float64],
    columns: Sequence[int] | None,
    count: int,
) -> tuple[int, ...]:
    """Return the columns for a code.

    Args:
        values: The table, [rows, columns].
        spread: Standard deviation of each column.
        columns: Columns to check; None chooses.
        count: Number of columns to choose.

    Raises:
        ConfigError: A column is out of range or constant, or too few vary.
    """
    width = values.shape[1]
    if columns is None:
        different = [len(np.unique(column[~np.isnan(column)])) for column in values.T]
        if (varying := sum(n > 1 for n in different)) < count or count < 1:
            remedy = f"give 1 to {varying}." if varying else "give data of several examples."
            raise ConfigError(
                f"{FIELD}.count", count, f"{varying} of {width} columns vary: {remedy}"
            )
        order = sorted(range(width), key=lambda c: (different[c], c))
        return tuple(sorted(order[-count:]))
    try:
        chosen = tuple(map(operator.index, columns))
    except TypeError:
        remedy = f"Give positions of columns, integers from 0 to {width - 1}."
        raise ConfigError(f"{FIELD}.columns", list(columns), remedy) from None
    if outside := [c for c in chosen if not 0 <= c < width]:
        raise ConfigError(f"{FIELD}.columns", outside, f"The table has columns 0 to {width - 1}.")
    if constant := [c for c in chosen if not spread[c] > 0]:
        raise ConfigError(f"{FIELD}.columns", constant, "These are constant: give others.")
    return chosen


def _array(data: Any, key: str | int | None) -> NDArray[Any]:
    if isinstance(data, Tensor):
        data = data.detach().cpu()
        return (data.double() if data.is_floating_point() else data).numpy()
    if isinstance(data, np.ndarray) or hasattr(data, "__array__"):
        return np.asarray(data)
    with random_state_kept():  # items may be drawn
        rows = [_row(data[index], key) for index in range(len(data))]
    if len({len(row) for row in rows}) > 1:
        raise DataError("Rows of the data set have different numbers of columns.")
    return np.array(rows)


def _row(item: Any, key: str | int | None) -> Any:
    """Return the row of an item of a data set."""
    if isinstance(item, tuple) and len(item) > 1:  # the last part is the label
        item = item[0] if len(item) == 2 else item[:-1]
    row = part_of(item, key)
    return row.tolist() if isinstance(row, Tensor) else row


def _numbers(values: NDArray[Any]) -> NDArray[np.float64]:
    converted = np.empty(values.shape)
    for c, column in enumerate(values.T):
        if any(isinstance(value, str) for value in column):
            raise DataError(f"Column {c} has text, such as {column[0]!r}. Encode it as numbers.")
        try:
            converted[:, c] = column
        except (TypeError, ValueError):
            raise DataError(f"Column {c} has values that are not numbers.") from None
    return converted


def _list(columns: NDArray[Any]) -> str:
    shown = ", ".join(map(str, columns[:5].tolist()))
    return shown + (" and others" if len(columns) > 5 else "")
