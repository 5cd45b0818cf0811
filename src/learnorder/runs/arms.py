"""Arms: which runs differ in nothing but the seed, and what these sets of runs are called."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from learnorder.runs.folder import ENDED, RunFolder
from learnorder.runs.plain_text import storable
from learnorder.runs.settings import flatten

FolderT = TypeVar("FolderT", bound=RunFolder[Any])

AXES = "axes"
"""The label that names the two settings of a phase diagram."""
BETWEEN_AXES = " × "
"""What stands between them there."""
_OF_THE_EXPERIMENT = ("experiment", "scale", AXES)
"""Labels that say of what experiment a run is, rather than which of its runs."""


def label_of(folder: RunFolder[Any]) -> str:
    """Return what a run is called within its experiment: its arm and the settings varied."""
    labels = own_labels(folder)
    arm = labels.pop("arm", "")
    settings = ", ".join(f"{key} {value}" for key, value in labels.items())
    return ", ".join(part for part in (arm, settings) if part) or folder.name


def own_labels(folder: RunFolder[Any]) -> dict[str, str]:
    """Return labels that say which run of its experiment a run is."""
    return {k: v for k, v in folder.labels.items() if k not in _OF_THE_EXPERIMENT}


def arm_key(folder: RunFolder[Any]) -> str:
    """Return what the runs of an arm have in common."""
    return repr((own_labels(folder), {**folder.config.to_dict(), "seed": None}))


def once(
    folders: list[FolderT], status: Mapping[FolderT, str], keys: Mapping[FolderT, str]
) -> list[FolderT]:
    """Leave out runs of an arm and seed that are there before, ended ones first."""
    kept: dict[tuple[str, int], FolderT] = {}
    for folder in sorted(folders, key=lambda f: status[f] not in ENDED):
        kept.setdefault((keys[folder], folder.config.seed), folder)
    chosen = set(kept.values())
    if repeated := [folder for folder in folders if folder not in chosen]:
        first = kept[keys[repeated[0]], repeated[0].config.seed]
        logging.getLogger(__name__).warning(
            "%d of %d runs were made twice, and count once: %s is as %s.",
            len(repeated), len(folders), repeated[0].path, first.path,
        )  # fmt: skip
    return [folder for folder in folders if folder in chosen]


def name_arms(folders: list[FolderT], keys: Mapping[FolderT, str]) -> dict[FolderT, str]:
    """Name each run's arm, so that runs share a name only if they differ in the seed alone."""
    first = {keys[f]: f for f in reversed(folders)}
    names: dict[str, str] = {}
    for key, folder in first.items():
        alike = [f for f in first.values() if label_of(f) == label_of(folder)]
        names[key] = ", ".join([label_of(folder), *_peculiar(folder, alike)])
    for key, folder in first.items():
        if list(names.values()).count(names[key]) > 1:
            names[key] = f"{folder.path.parent.name}: {names[key]}"
    return {folder: storable(names[keys[folder]]) for folder in folders}


def _peculiar(folder: RunFolder[Any], alike: Sequence[RunFolder[Any]]) -> list[str]:
    """Return the settings, at most three, in which a run differs from others of its name."""
    flat = [flatten({**f.config.to_dict(), "seed": None}) for f in alike]
    own = flatten(folder.config.to_dict())
    names = dict.fromkeys(name for one in flat for name in one)
    differing = [n for n in names if any(one.get(n) != flat[0].get(n) for one in flat)]
    return [f"{name} {own.get(name)}" for name in differing[:3]]
