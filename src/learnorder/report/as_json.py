"""Numbers of results as JSON, for the files beside pages."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, TypeVar

from learnorder.statistics import Estimate

Value = TypeVar("Value")


def json_text(values: Mapping[str, Any]) -> str:
    """Return the text of a file."""
    return json.dumps(values, indent=1, allow_nan=False) + "\n"


def json_number(value: float) -> float | None:
    """Return a number; None for nan and ∞, which JSON does not have.

    >>> json_number(0.5), json_number(math.nan)
    (0.5, None)
    """
    return value if math.isfinite(value) else None


def json_estimate(e: Estimate) -> dict[str, Any]:
    """Return a mean with its interval and its n; None for ends that are not known.

    Neither one value nor several equal ones have an interval.

    >>> json_estimate(Estimate(0.5, math.nan, math.nan, 1))
    {'mean': 0.5, 'low': None, 'high': None, 'n': 1}
    """
    return {**{name: json_number(getattr(e, name)) for name in ("mean", "low", "high")}, "n": e.n}


def json_by_seed(by_seed: Mapping[int, Value]) -> dict[str, Value]:
    """Return values by seed, whose keys are texts in JSON."""
    return {str(seed): value for seed, value in by_seed.items()}
