"""The measures of a user's task: functions from the network to a number."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from learnorder.errors import ConfigError, refusing
from learnorder.models.modes import evaluation_mode
from learnorder.training.records import Records

Measures = Mapping[str, Callable[[nn.Module], float]]
"""Functions from a network to a number, by name."""

_RECORDED = frozenset({
    "learning_rate", "noise_level", "sharpness", "edge", "sharpness_error", "sharpness_products",
    "batch_sharpness", "batch_edge", "feature_rank", "active_share", "distinct_units",
    "distinct_active_share", "spikes", "catapults",
})  # fmt: skip
"""Quantities of the set run that runs record by themselves."""


def check_measures(measures: Measures) -> None:
    """Check the names and types of a task's measures.

    Raises:
        ConfigError: One is no function, or has the name of another quantity.
    """
    for name, function in measures.items():
        if not callable(function):
            raise ConfigError(f"task.measures[{name!r}]", function, "Give a function.")
        if name in _RECORDED:
            raise ConfigError("task.measures", name, "Runs record this themselves: rename it.")


def measured(measures: Measures, network: nn.Module) -> dict[str, float]:
    """Return what functions return for a network, by name; only finite numbers.

    Args:
        measures: The functions.
        network: The network; it is in evaluation mode meanwhile.

    Raises:
        ConfigError: A function fails, or returns something other than a number.
    """
    values: dict[str, float] = {}
    for name, function in measures.items():
        value = _number(name, function, network)
        if math.isfinite(value):
            values[name] = value
        else:
            logging.getLogger(__name__).warning("No %s: it is %s.", name, value)
    return values


def _number(name: str, function: Callable[[nn.Module], Any], network: nn.Module) -> float:
    def refusal(reason: str) -> ConfigError:
        return ConfigError(
            f"task.measures[{name!r}]", getattr(function, "__qualname__", function), reason
        )

    with refusing(lambda why: refusal(f"It failed: {why}.")), evaluation_mode(network):
        value = function(network)
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        kind = type(value).__name__
        raise refusal(f"It returned a {kind}. Return a number, e.g. with float().") from None


def record_measures(measures: Measures, network: nn.Module, records: Records, epoch: int) -> None:
    """Add what functions return for a network after an epoch to records, in the set run."""
    for name, value in measured(measures, network).items():
        records.add(epoch, "run", name, value)
