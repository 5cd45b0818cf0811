"""The choosers in words, and by what they look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["complete", "stops", "range", "none"]


@dataclass(frozen=True)
class Described:
    """A chooser.

    Attributes:
        title: Its name on the page.
        kind: Whether it sees complete runs only, stops runs, is a range test, or does not search.
    """

    title: str
    kind: Kind


CHOOSERS = {
    "advise": Described("advise", "complete"),
    "grid": Described("grid, equal seeds", "complete"),
    "random": Described("random search", "complete"),
    "tpe": Described("Optuna TPE", "complete"),
    "tpe_median": Described("Optuna TPE, median pruner", "stops"),
    "tpe_hyperband": Described("Optuna TPE, Hyperband", "stops"),
    "asha": Described("Ray Tune ASHA", "stops"),
    "learnorder_range": Described("range test of advise", "range"),
    "torch_lr_finder": Described("torch-lr-finder", "range"),
    "lightning": Described("Lightning lr_find", "range"),
    "default": Described("default rate", "none"),
    "schedule_free": Described("schedule-free AdamW", "none"),
    "prodigy": Described("Prodigy", "none"),
}
"""By name, in the order of the page."""
STOPPING = tuple(name for name, described in CHOOSERS.items() if described.kind == "stops")
SEARCHING = tuple(
    name for name, described in CHOOSERS.items() if described.kind in ("complete", "stops")
)
"""Those that get the epochs of the advice."""
