"""A budget in minutes as a number of epochs, measured on this machine once and then kept."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnorder.errors import ConfigError
from learnorder.runs.files import atomic_write

if TYPE_CHECKING:
    from learnorder.sweep.driver import Plan

_FIXED_SECONDS = 10.0
"""What starting and reporting take."""


def epochs_within(
    minutes: float,
    plans: Mapping[str, Plan],
    epochs: int,
    fewest: int,
    out: Path,
    *,
    share: float,
    remedy: str,
    **how: Any,
) -> int:
    """Return how many epochs a budget buys.

    Args:
        minutes: The budget.
        plans: All runs, at ``epochs``.
        epochs: The most.
        fewest: The fewest that make sense.
        out: Where it is kept, in budget.json, so that what is continued has the same length.
        share: Of the time, that training takes.
        remedy: What else to give, where the budget is too small.
        how: The workers and threads.

    Raises:
        ConfigError: A time that is not above 0, or too short for ``fewest``.
    """
    if not minutes > 0:
        raise ConfigError("minutes", minutes, "Give a time above 0, or null.")
    path, of = out / "budget.json", _digest(plans)
    if path.exists():
        kept = json.loads(path.read_text())
        if (kept["minutes"], kept.get("of")) == (minutes, of):
            return kept["epochs"]
    from learnorder.sweep.estimate import estimate_cost

    cost = estimate_cost(plans, out / "none", **how)
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
    bought = min(bought, epochs)
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps({"minutes": minutes, "epochs": bought, "of": of}) + "\n")
    return bought


def _digest(plans: Mapping[str, Plan]) -> str:
    """Return what tells planned runs from others."""
    configs = {name: plan.config.to_dict() for name, plan in plans.items()}
    return hashlib.blake2b(json.dumps(configs, sort_keys=True).encode(), digest_size=8).hexdigest()
