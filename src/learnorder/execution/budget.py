"""Conversion of a budget in minutes to a number of epochs, measured once per experiment."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from learnorder.errors import ConfigError
from learnorder.execution.settings import Execution
from learnorder.runs.sealed import read_sealed, write_sealed

if TYPE_CHECKING:
    from learnorder.execution.driver import Plan

_FIXED_SECONDS = 10.0
"""Time for start and report."""


@dataclass(frozen=True)
class Budget:
    """The content of budget.json.

    Attributes:
        minutes: The budget.
        epochs: Epochs per run that fit into it.
        of: Digest of the runs; empty in files of old versions.
    """

    minutes: float
    epochs: int
    of: str = ""

    def keep(self, out: Path) -> None:
        """Write budget.json to a folder."""
        write_sealed(out / "budget.json", asdict(self))


def epochs_within(
    minutes: float,
    plans: Mapping[str, Plan],
    epochs: int,
    fewest: int,
    out: Path,
    *,
    share: float,
    remedy: str,
    execution: Execution,
) -> Budget:
    """Return the number of epochs that fit into a budget; nothing is written.

    Args:
        minutes: The budget.
        plans: All runs, with ``epochs`` epochs.
        epochs: The maximum number of epochs.
        fewest: The minimum number of epochs.
        out: Folder of budget.json; if it was written for the same runs, its epochs are used.
        share: Share of the time that training takes, in (0, 1].
        remedy: An alternative to suggest if the budget is too small.
        execution: How the runs are executed.

    Raises:
        ConfigError: The time is not positive, or too short for ``fewest`` epochs.
    """
    check_minutes(minutes)
    path, of = out / "budget.json", _digest(plans)
    kept = read_sealed(path, Budget, "Remove it to measure the budget again.")
    if kept is not None and (kept.minutes, kept.of) == (minutes, of):
        return kept
    from learnorder.execution.estimate import estimate_cost

    cost = estimate_cost(plans, out / "none", execution)
    epoch_seconds = cost.seconds / epochs / share
    affordable = int((60 * minutes - _FIXED_SECONDS) / epoch_seconds)
    if affordable < fewest:
        needed = (_FIXED_SECONDS + fewest * epoch_seconds) / 60
        raise ConfigError(
            "minutes",
            minutes,
            f"{cost.runs} runs of up to {fewest} epochs, the minimum, take about "
            f"{math.ceil(10 * needed) / 10:g} minutes on this machine. Give that, or {remedy}.",
        )
    return Budget(minutes, min(affordable, epochs), of)


def check_minutes(minutes: float | None) -> None:
    """Refuse a budget that is not positive and finite; None means no budget."""
    if minutes is not None and not 0 < minutes < math.inf:
        raise ConfigError("minutes", minutes, "Give a time above 0, or null.")


def _digest(plans: Mapping[str, Plan]) -> str:
    """Return a digest of the planned runs' configurations."""
    configs = {name: plan.config.to_dict() for name, plan in plans.items()}
    return hashlib.blake2b(json.dumps(configs, sort_keys=True).encode(), digest_size=8).hexdigest()
