"""Arms, the sets of runs that differ only in the seed, and their names."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from learnorder.runs.folder import ENDED, RunFolder
from learnorder.runs.plain_text import storable
from learnorder.runs.settings import flatten

FolderT = TypeVar("FolderT", bound=RunFolder[Any])

AXES = "axes"
"""The label with the two settings of a phase diagram."""
BETWEEN_AXES = " × "
"""Separator of the two settings in this label."""
_OF_THE_EXPERIMENT = ("experiment", "scale", AXES)
"""Labels that are the same for all runs of an experiment."""


def label_of(folder: RunFolder[Any]) -> str:
    """Return a run's name within its experiment: its arm and the settings varied."""
    labels = own_labels(folder)
    arm = labels.pop("arm", "")
    settings = ", ".join(f"{key} {value}" for key, value in labels.items())
    return ", ".join(part for part in (arm, settings) if part) or folder.name


def own_labels(folder: RunFolder[Any]) -> dict[str, str]:
    """Return the labels that distinguish a run from others of its experiment."""
    return {k: v for k, v in folder.labels.items() if k not in _OF_THE_EXPERIMENT}


def arm_key(folder: RunFolder[Any]) -> str:
    """Return a key that all runs of an arm share."""
    return repr((own_labels(folder), {**folder.config.to_dict(), "seed": None}))


def without_duplicates(
    folders: list[FolderT], status: Mapping[FolderT, str], keys: Mapping[FolderT, str]
) -> list[FolderT]:
    """Return the first run of each arm and seed, preferring runs that have ended."""
    kept: dict[tuple[str, int], FolderT] = {}
    for folder in sorted(folders, key=lambda f: status[f] not in ENDED):
        kept.setdefault((keys[folder], folder.config.seed), folder)
    unique = set(kept.values())
    if duplicates := [folder for folder in folders if folder not in unique]:
        first = kept[keys[duplicates[0]], duplicates[0].config.seed]
        logging.getLogger(__name__).warning(
            "%d of %d runs are duplicates and count once, e.g. %s and %s.",
            len(duplicates), len(folders), duplicates[0].path, first.path,
        )  # fmt: skip
    return [folder for folder in folders if folder in unique]


def name_arms(folders: list[FolderT], keys: Mapping[FolderT, str]) -> dict[FolderT, str]:
    """Return the name of each run's arm; runs share a name only if they differ only in the seed."""
    first = {keys[f]: f for f in reversed(folders)}
    names: dict[str, str] = {}
    for key, folder in first.items():
        namesakes = [f for f in first.values() if label_of(f) == label_of(folder)]
        names[key] = ", ".join([label_of(folder), *_differences(folder, namesakes)])
    for key, folder in first.items():
        if list(names.values()).count(names[key]) > 1:
            names[key] = f"{folder.path.parent.name}: {names[key]}"
    return {folder: storable(names[keys[folder]]) for folder in folders}


def _differences(folder: RunFolder[Any], namesakes: Sequence[RunFolder[Any]]) -> list[str]:
    """Return a run's values of at most three settings in which runs of the same label differ."""
    flat = [flatten({**f.config.to_dict(), "seed": None}) for f in namesakes]
    settings = flatten(folder.config.to_dict())
    names = dict.fromkeys(name for other in flat for name in other)
    differing = [n for n in names if any(other.get(n) != flat[0].get(n) for other in flat)]
    return [f"{name} {settings.get(name)}" for name in differing[:3]]
