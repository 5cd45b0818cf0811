"""Search for runs in a folder."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from learnorder.errors import RunFolderError
from learnorder.runs.folder import ENDED, WEIGHTS, RunFolder
from learnorder.runs.manifest import find_manifests, read_each


def find_runs(path: Path | str) -> list[RunFolder]:
    """Return the run folders in a folder and its subfolders, sorted by path.

    Raises:
        RunFolderError: The path does not exist, or as for :func:`read_each`.
    """
    folders = read_each(find_manifests(path), lambda manifest: RunFolder[Any](manifest.parent))
    if lacking := [folder for folder in folders if folder.lacks_weights]:
        logging.getLogger(__name__).warning(
            "%d of %d runs lack their %s, e.g. %s.",
            len(lacking), len(folders), WEIGHTS, lacking[0].path,
        )  # fmt: skip
    return folders


def existing_runs(folder: Path, names: Iterable[str]) -> list[RunFolder[Any]]:
    """Return runs of an experiment by name.

    Raises:
        RunFolderError: A run is missing or has not ended.
    """
    runs = list[RunFolder[Any]]()
    for name in names:
        if not (folder / name / "manifest.json").is_file():
            raise RunFolderError(
                f"{folder / name}: this run does not exist yet. The same command continues with it."
            )
        runs.append(RunFolder(folder / name))
    require_ended(runs, "so the experiment has no result yet")
    return runs


def require_ended(folders: Sequence[RunFolder[Any]], so: str) -> None:
    """Check that all runs have ended.

    Args:
        folders: The runs.
        so: The consequence if one has not, for the error.

    Raises:
        RunFolderError: A run has not ended.
    """
    for folder in folders:
        if folder.read_status() not in ENDED:
            reason = folder.read_manifest()["reason"]
            raise RunFolderError(f"{folder.path}: {folder.read_status()}, {so}. {reason}".rstrip())
