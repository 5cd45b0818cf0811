"""Begin a search, or go on with the one in a folder: its settings, budget, code and data."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from learnorder.advise.plans import (
    check_search,
    initial_rates,
    rung_plans,
    search_plans,
    why_no_noise,
)
from learnorder.advise.settings import FEWEST_EPOCHS, Candidate, LRSearch
from learnorder.errors import RunFolderError
from learnorder.execution.budget import Budget, epochs_within
from learnorder.execution.settings import Execution
from learnorder.runs import RunFolder, difference_words
from learnorder.runs.experiment import Experiment, read_experiment, settings_as
from learnorder.runs.kinds import kind_of
from learnorder.runs.manifest import find_manifests
from learnorder.runs.sealed import read_json
from learnorder.values import to_dict

_SPENT_ON_EPOCHS = 0.9
"""Share of the time that training takes."""
_FORMER_FILE = "search.json"
"""The file of the former version in place of experiment.json."""
_FORMER_NAMES = {"hold": "plateau", "shorter_holds": "shorter_plateaus"}
_FORMER_DEFAULTS = {"race": False, "keep": 0.5, "rungs": 3, "screening_seeds": 2}
"""The defaults of versions that did not race; their folders lack the first two."""


@dataclass(frozen=True)
class StartedSearch:
    """The settings of a search in experiment.json.

    Attributes:
        search: Its settings, with the epochs that fit in its budget.
        learning_rates: The initial grid.
        no_noise: Why noise is not tried; empty if it is.
    """

    search: LRSearch
    learning_rates: tuple[float, ...]
    no_noise: str

    @classmethod
    def of(cls, search: LRSearch) -> StartedSearch:
        """Return a search that is about to start; the model and the data are tried."""
        check_search(search)
        return cls(search, initial_rates(search), why_no_noise(search))


def recorded_search(settings: dict[str, Any], folder: Path) -> StartedSearch:
    """Return a search from its settings, also from those of versions that did not race."""
    if isinstance(search := settings.get("search"), dict):
        settings = {**settings, "search": {**_without_race(), **search}}
    return settings_as(StartedSearch, settings, folder)


def _without_race() -> dict[str, Any]:
    return {name: _FORMER_DEFAULTS[name] for name in ("race", "keep")}


def _as_it_was(search: LRSearch, existing: LRSearch) -> LRSearch:
    """Return a search with the former defaults, where it and the search of a folder have a default.

    A search that began without a race continues without one.
    """
    if any(getattr(existing, name) != former for name, former in _without_race().items()):
        return search
    defaults = {each.name: each.default for each in fields(LRSearch)}
    return replace(search, **{
        name: former
        for name, former in _FORMER_DEFAULTS.items()
        if getattr(existing, name) == former and getattr(search, name) == defaults[name]
    })  # fmt: skip


def start_search(
    search: LRSearch,
    out: Path,
    minutes: float | None,
    execution: Execution,
    *,
    force: bool = False,
) -> StartedSearch:
    """Return the search with the epochs that fit in its budget, and write its experiment.json.

    Nothing is written if the folder contains another search or the first runs are not valid. With
    ``force``, the runs of this search are continued with other code or data.
    """
    from learnorder.execution.driver import find_folders

    Experiment("advise").check(out)
    existing = _read_search(out)
    if existing is not None:
        search = _as_it_was(search, existing.search)
        if not force:
            _check_identity(search, out)
        bought = existing.search.training.epochs
        epochs = bought if minutes is not None else search.training.epochs
        _check_same(existing.search, search.with_epochs(epochs), out)
        if force:
            _accept_changes(search, out)
    budget = None if minutes is None else _budget(search, out, minutes, execution)
    if budget is not None:
        search = search.with_epochs(budget.epochs)
    if existing is not None:
        _check_same(existing.search, search, out)
        return existing
    started = StartedSearch.of(search)
    rates, epochs = started.learning_rates, search.rung_epochs(0)
    arms = [Candidate(rate, search.plateau) for rate in rates]
    find_folders(rung_plans(search, arms, rates[0], 0), out / f"epochs-{epochs}")
    if budget is not None:
        budget.keep(out)
    Experiment("advise", to_dict(started)).write(out)
    return started


def _read_search(out: Path) -> StartedSearch | None:
    """Return the search of a folder, or None."""
    existing = read_experiment(out)
    if existing is not None and existing.settings is not None:
        return recorded_search(existing.settings, out)
    if not (out / _FORMER_FILE).exists():
        return None
    values, _ = read_json(out / _FORMER_FILE, "Move its folder away and run again.")
    renamed = {_FORMER_NAMES.get(name, name): value for name, value in values.items()}
    return StartedSearch.of(settings_as(LRSearch, {**_without_race(), **renamed}, out))


def _check_identity(search: LRSearch, out: Path) -> None:
    """Raise if the runs of a folder used other code or data."""
    for manifest in find_manifests(out)[:1]:
        try:
            RunFolder(manifest.parent).check_identity(_identity(search))
        except RunFolderError as error:
            raise RunFolderError(
                f"{error} To compare runs of both versions in this folder, give --force."
            ) from None


def _accept_changes(search: LRSearch, out: Path) -> None:
    """Let the runs of a search be continued with the present code and data."""
    identity = _identity(search)
    for manifest in find_manifests(out):
        RunFolder(manifest.parent).accept_identity(identity)


def _identity(search: LRSearch) -> dict[str, str]:
    """Return digests of the code and data of a search's runs."""
    config = search.run(Candidate(1.0, search.plateau), 1.0, search.training.epochs, seed=0)
    (identity,) = kind_of(config).load_backend().identify([config])
    return identity


def _check_same(existing: LRSearch, search: LRSearch, out: Path) -> None:
    """Raise if a folder contains another search."""
    if words := difference_words(to_dict(existing), to_dict(search)):
        raise RunFolderError(
            f"{out}: contains another search ({words}). Choose another folder with --out, or move "
            "this one away."
        )


def _budget(search: LRSearch, out: Path, minutes: float, execution: Execution) -> Budget:
    """Return the epochs that fit in the minutes, measured once for a search."""
    return epochs_within(
        minutes,
        search_plans(search),
        search.training.epochs,
        FEWEST_EPOCHS * 2 ** (search.rungs - 1),
        out,
        share=_SPENT_ON_EPOCHS,
        remedy="fewer learning_rates, seeds or shorter_plateaus, --noise 0, less data or a smaller "
        "model",
        execution=execution,
    )
