"""Numbers of results as JSON, for the files beside pages."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, TypeVar

from learnorder.statistics.intervals import Estimate

Value = TypeVar("Value")


def json_text(values: Mapping[str, Any]) -> str:
    """Return the text of a file."""
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


def json_number(value: float, digits: int | None = None) -> float | str | None:
    """Return a number; None for nan, and "inf" or "-inf" for ∞, which JSON does not have.

    Args:
        value: The number.
        digits: Its significant digits; None for all.

    >>> json_number(1 / 3, digits=3), json_number(math.nan), json_number(-math.inf)
    (0.333, None, '-inf')
    """
    if not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value if digits is None else float(f"{value:.{digits}g}")


def json_estimate(e: Estimate) -> dict[str, Any]:
    """Return a mean with its interval and its n; None for ends that are not known.

    Neither one value nor several equal ones have an interval; an open end is infinite.

    >>> json_estimate(Estimate(0.5, math.nan, math.nan, 1))
    {'mean': 0.5, 'low': None, 'high': None, 'n': 1}
    """
    return {**{name: json_number(getattr(e, name)) for name in ("mean", "low", "high")}, "n": e.n}


def json_by_seed(by_seed: Mapping[int, Value]) -> dict[str, Value]:
    """Return values by seed, whose keys are texts in JSON."""
    return {str(seed): value for seed, value in by_seed.items()}
