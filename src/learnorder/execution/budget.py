"""A budget in minutes as a number of epochs, measured on this machine once and then kept."""

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
"""What starting and reporting take."""


@dataclass(frozen=True)
class Budget:
    """What budget.json keeps.

    Attributes:
        minutes: The budget.
        epochs: What it buys.
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
    """Return how many epochs a budget buys; nothing is written.

    Args:
        minutes: The budget.
        plans: All runs, at ``epochs``.
        epochs: The most.
        fewest: The fewest that make sense.
        out: Where :meth:`Budget.keep` has kept it, so that what is continued has the same length.
        share: Of the time, that training takes.
        remedy: What else to give, where the budget is too small.
        execution: How the runs are executed.

    Raises:
        ConfigError: A time that is not above 0, or too short for ``fewest``.
    """
    check_minutes(minutes)
    path, of = out / "budget.json", _digest(plans)
    kept = read_sealed(path, Budget, "Remove it, and the budget is measured anew.")
    if kept is not None and (kept.minutes, kept.of) == (minutes, of):
        return kept
    from learnorder.execution.estimate import estimate_cost

    cost = estimate_cost(plans, out / "none", execution)
    each = cost.seconds / epochs / share
    bought = int((60 * minutes - _FIXED_SECONDS) / each)
    if bought < fewest:
        needed = (_FIXED_SECONDS + fewest * each) / 60
        raise ConfigError(
            "minutes",
            minutes,
            f"{cost.runs} runs of up to {fewest} epochs, the fewest that make sense, take about "
            f"{math.ceil(10 * needed) / 10:g} minutes on this machine. Give that, or {remedy}.",
        )
    return Budget(minutes, min(bought, epochs), of)


def check_minutes(minutes: float | None) -> None:
    """Refuse a budget that is no time; None is no budget."""
    if minutes is not None and not 0 < minutes < math.inf:
        raise ConfigError("minutes", minutes, "Give a time above 0, or null.")


def _digest(plans: Mapping[str, Plan]) -> str:
    """Return what tells planned runs from others."""
    configs = {name: plan.config.to_dict() for name, plan in plans.items()}
    return hashlib.blake2b(json.dumps(configs, sort_keys=True).encode(), digest_size=8).hexdigest()
