"""A code in some columns of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from learnorder.errors import ConfigError
from learnorder.planters.columns import matrix_of, pick_columns
from learnorder.planters.drawing import (
    Seeded,
    check_at_least,
    check_label,
    check_strengths,
    random_sign,
)
from learnorder.planters.parts import FIELD, check_floats, copy_of, filled, like, on_part, unfit
from learnorder.values import check_fields


@dataclass(frozen=True)
class TablePlanter:
    """A class's code replaces some columns: x = mean + spread · (z ± strength · ζ_c).

    z ~ z_scale · N(0, 1) is shared by all classes, and each class has its own ζ_c ~ U[−1, 1], one
    number for each of the columns. The sign is drawn at each access. So these columns have the same
    mean in every class, and no linear function separates the classes, but one example of each sign
    is enough to memorise a class. ``mean`` and ``spread`` are those of the columns: by default 0
    and 1, for standardised tables; :meth:`fit` takes them from data.

    ``faint`` adds strength · spread · v_c to all other columns, with v_c ~ N(0, 1): a linear
    function finds it, but it is as noisy as the columns are. ``blank`` is each column's mean.

    Rows are floating-point tensors or arrays [columns], or lists of numbers.

    Raises:
        ConfigError: A value is out of range, or, when planting, a row has no such columns.

    >>> planter = TablePlanter.fit(torch.randn(100, 8, generator=torch.Generator().manual_seed(0)))
    >>> planter.columns
    (4, 5, 6, 7)
    """

    columns: tuple[int, ...]
    """Columns that have the code, from 0."""
    mean: tuple[float, ...] | None = None
    """Mean of each of the table's columns; None is 0."""
    spread: tuple[float, ...] | None = None
    """Standard deviation of each of the table's columns, the unit of all strengths; None is 1."""
    z_scale: float = 1.25
    """Standard deviation of z, in units of ``spread``."""
    strengths: tuple[float, ...] = (0.1, 0.2, 0.4, 0.8, 1.6)
    """Half-widths of the uniform code in units of ``spread``, in increasing order."""
    key: str | int | None = None
    """The row's name in a mapping or position in a tuple; None is the only part."""

    def __post_init__(self) -> None:
        check_fields(self, FIELD)
        check_at_least(self, z_scale=0)
        check_strengths(self.strengths)
        columns = self.columns
        if not columns or len(set(columns)) < len(columns) or min(columns) < 0:
            raise ConfigError(f"{FIELD}.columns", columns, "Give different columns, from 0.")
        for name in ("mean", "spread"):
            values = getattr(self, name)
            if values is not None and len(values) <= max(columns):
                raise ConfigError(
                    f"{FIELD}.{name}",
                    f"{len(values)} values",
                    f"Give one for each column of the table; there is a column {max(columns)}.",
                )
        if self.mean and self.spread and len(self.mean) != len(self.spread):
            raise ConfigError(
                f"{FIELD}.spread", f"{len(self.spread)} values", "Give as many as in mean."
            )
        if self.spread and (min(self.spread) < 0 or min(self.spread[c] for c in columns) == 0):
            raise ConfigError(
                f"{FIELD}.spread",
                min(self.spread),
                "Give standard deviations; those of the code's columns are above 0.",
            )

    @classmethod
    def fit(
        cls,
        data: Any,
        columns: Sequence[int] | None = None,
        count: int = 4,
        key: str | int | None = None,
    ) -> TablePlanter:
        """Return a planter with the means and standard deviations of data; NaN are left out.

        Args:
            data: Floating-point numbers [rows, columns], in a tensor, array or data frame, or a
                data set: its items are (row, label), rows, or mappings.
            columns: Columns that have the code; None takes those with the most different values,
                the last ones if several have as many.
            count: Number of columns if ``columns`` is None.
            key: As in the planter; in an item (row, label) it is None.

        Raises:
            ConfigError: A column of the code is constant, or too few columns vary.
            DataError: Columns are not floating-point numbers, or have infinite values or NaN only.
        """
        values = matrix_of(data, key)
        varies = np.nanmax(values, axis=0) > np.nanmin(values, axis=0)
        mean, spread = np.nanmean(values, axis=0), np.where(varies, np.nanstd(values, axis=0), 0)
        chosen = pick_columns(values, spread, columns, count)
        return cls(chosen, tuple(mean.tolist()), tuple(spread.tolist()), key=key)

    def draw(self, num_classes: int, generator: torch.Generator) -> Seeded:
        """Return the patterns of all classes."""
        return Seeded.draw(num_classes, generator)

    def plant(
        self,
        inputs: Any,
        patterns: Seeded,
        label: int,
        strength: float,
        generator: torch.Generator,
    ) -> Any:
        """Return a copy of the inputs with the code of a class."""
        c, columns = check_label(label, patterns.num_classes), list(self.columns)

        def planted(row: Any) -> Any:
            mean, spread = self._units(len(row))
            z, zeta = _code(patterns, len(columns))
            code = self.z_scale * z + random_sign(generator) * strength * zeta[c]
            new = copy_of(row)
            new[columns] = like(mean[columns] + spread[columns] * code, row)
            return new

        return on_part(inputs, self.key, lambda part: _on_row(part, planted))

    def faint(
        self,
        inputs: Any,
        patterns: Seeded,
        label: int,
        strength: float,
        generator: torch.Generator,
    ) -> Any:
        """Return a copy of the inputs with the vector of a class added to the other columns."""
        c = check_label(label, patterns.num_classes)

        def planted(row: Any) -> Any:
            _, spread = self._units(len(row))
            added = strength * spread * _vectors(patterns, len(row))[c]
            added[list(self.columns)] = 0
            new = copy_of(row)
            new += like(added, row)
            return new

        return on_part(inputs, self.key, lambda part: _on_row(part, planted))

    def blank(self, inputs: Any) -> Any:
        """Return inputs with each column's mean."""

        def means(row: Any) -> Any:
            new = filled(row, 0)
            new[:] = like(self._units(len(row))[0], row)
            return new

        return on_part(inputs, self.key, lambda part: _on_row(part, means))

    def _units(self, width: int) -> tuple[Tensor, Tensor]:
        """Return mean and spread of each column of a row; refuse one of another width."""
        known = self.mean or self.spread
        if max(self.columns) >= width or (known is not None and len(known) != width):
            needed = f"{len(known)} columns" if known else f"a column {max(self.columns)}"
            raise unfit(f"a row of {width} columns", f"The planter is for rows with {needed}.")
        return _tensor(self.mean or (0.0,) * width), _tensor(self.spread or (1.0,) * width)


@lru_cache(maxsize=8)
def _tensor(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


@lru_cache(maxsize=8)
def _code(patterns: Seeded, width: int) -> tuple[Tensor, Tensor]:
    """Return z / z_scale and ζ of all classes."""
    return patterns.normal("z", width), patterns.uniform("zeta", patterns.num_classes, width)


@lru_cache(maxsize=8)
def _vectors(patterns: Seeded, width: int) -> Tensor:
    return patterns.normal("vectors", patterns.num_classes, width)


def _on_row(row: Any, function: Any) -> Any:
    """Return a row with a function of arrays applied, also for a list."""
    if isinstance(row, list):
        try:
            values = np.array(row, dtype=np.float64)
        except (TypeError, ValueError):
            raise unfit("a list", "Its values are not all numbers: encode them.") from None
        return function(values).tolist()
    check_floats(row, (1,), "[columns]")
    return function(row)
