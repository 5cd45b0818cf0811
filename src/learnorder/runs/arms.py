"""Arms, the sets of runs that differ only in the seed, and their names."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
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
    by_label = dict[str, dict[str, FolderT]]()
    for key, folder in first.items():
        by_label.setdefault(label_of(folder), {})[key] = folder
    names = {
        key: ", ".join([label, *words])
        for label, namesakes in by_label.items()
        for key, words in _differences(namesakes).items()
    }
    shared = Counter(names.values())
    for key, folder in first.items():
        if shared[names[key]] > 1:
            shared[names[key]] -= 1
            names[key] = f"{folder.path.parent.name}: {names[key]}"
            shared[names[key]] += 1
    return {folder: storable(names[keys[folder]]) for folder in folders}


def _differences(namesakes: Mapping[str, RunFolder[Any]]) -> dict[str, list[str]]:
    """Return the values of at most three settings in which arms of the same label differ, by key.

    Args:
        namesakes: A run of each arm, by the arm's key.
    """
    if len(namesakes) == 1:
        return {key: [] for key in namesakes}
    flat = {key: flatten({**f.config.to_dict(), "seed": None}) for key, f in namesakes.items()}
    reference, *others = flat.values()
    names = dict.fromkeys(name for settings in flat.values() for name in settings)
    differing = [n for n in names if any(o.get(n) != reference.get(n) for o in others)][:3]
    return {
        key: [f"{name} {settings.get(name)}" for name in differing]
        for key, settings in flat.items()
    }
