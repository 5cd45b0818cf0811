"""The runs there are at or below a folder."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from learnorder.errors import RunFolderError
from learnorder.runs.folder import ENDED, WEIGHTS, RunFolder
from learnorder.runs.manifest import find_manifests, read_each


def find_runs(path: Path | str) -> list[RunFolder]:
    """Return the run folders at or below a path, sorted by path.

    Raises:
        RunFolderError: The path does not exist, or as :func:`read_each`.
    """
    found = read_each(find_manifests(path), lambda manifest: RunFolder[Any](manifest.parent))
    if lacking := [folder for folder in found if folder.lacks_weights]:
        logging.getLogger(__name__).warning(
            "%d of %d runs are here without their %s, %s for instance.",
            len(lacking), len(found), WEIGHTS, lacking[0].path,
        )  # fmt: skip
    return found


def existing_runs(folder: Path, names: Iterable[str]) -> list[RunFolder[Any]]:
    """Return runs of an experiment by name; a run that is missing or has not ended is refused.

    Raises:
        RunFolderError: As said.
    """
    found = list[RunFolder[Any]]()
    for name in names:
        if not (folder / name / "manifest.json").is_file():
            raise RunFolderError(
                f"{folder / name}: not made yet. The command that made the others goes on with it."
            )
        found.append(RunFolder(folder / name))
    require_ended(found, "so the experiment has no result yet")
    return found


def require_ended(folders: Sequence[RunFolder[Any]], so: str) -> None:
    """Refuse to go on without a run that failed or was stopped.

    Args:
        folders: The runs.
        so: What cannot be known without it, for the error.

    Raises:
        RunFolderError: A run that has not ended.
    """
    for folder in folders:
        if folder.status not in ENDED:
            reason = folder.manifest["reason"]
            raise RunFolderError(f"{folder.path}: {folder.status}, {so}. {reason}".rstrip())
