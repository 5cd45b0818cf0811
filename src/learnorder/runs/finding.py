"""The runs there are at or below a folder."""

from __future__ import annotations

import logging
from collections.abc import Sequence
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
