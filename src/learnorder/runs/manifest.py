"""Manifests: what each run's folder says of the run, with a digest by which damage is seen."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from learnorder.errors import RunFolderError
from learnorder.runs.files import atomic_write

ReadT = TypeVar("ReadT")

FORMAT = 1
"""Version of the folder's layout."""

DIGEST = "digest"
"""The manifest's entry that a changed bit is seen by."""

BEING_MADE = ".tmp"
"""How the name of a folder ends that is not yet at its place."""


def unreadable(path: Path, reason: object) -> RunFolderError:
    """Return what is said of a run's file that cannot be used."""
    return RunFolderError(
        f"{path}: cannot be read ({reason}). Move the run's folder away and run it again."
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return a run's manifest as it stands on disk.

    Raises:
        RunFolderError: There is none, or it is damaged, changed or of another version.
    """
    path = folder / "manifest.json"
    try:
        manifest = json.loads(path.read_text())
    except FileNotFoundError:
        raise RunFolderError(
            f"{folder}: not a run folder (it has no manifest.json). `learnorder runs` "
            "lists those there are."
        ) from None
    except (OSError, ValueError) as error:
        raise RunFolderError(
            f"{path}: cannot be read ({error}). Move the folder away and run again."
        ) from error
    digest = manifest.get(DIGEST) if isinstance(manifest, dict) else None
    if digest is not None and digest != _digest(manifest):
        raise RunFolderError(
            f"{path}: not as it was written: it is damaged, or was changed by hand. Move the "
            "folder away and run again, with other settings where you want these."
        )
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise RunFolderError(
            f"{path}: not a manifest of format {FORMAT}. Use the version of learnorder that "
            "made it, or move the folder away and run again."
        )
    return manifest


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write a run's manifest, with its digest.

    Raises:
        RunFolderError: It cannot be written.
    """
    written = {**manifest, DIGEST: _digest(manifest)}
    with atomic_write(folder / "manifest.json") as temporary:
        temporary.write_text(json.dumps(written, indent=1) + "\n")


def _digest(manifest: Mapping[str, Any]) -> str:
    """Return a digest of all but the digest."""
    rest = {name: value for name, value in manifest.items() if name != DIGEST}
    text = json.dumps(rest, sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def read_each(paths: Sequence[Path], read: Callable[[Path], ReadT]) -> list[ReadT]:
    """Return what is read of each of some runs; one that is damaged is named in the log, and left.

    Args:
        paths: One for each run.
        read: Reads it, or raises RunFolderError.

    Raises:
        RunFolderError: There are runs, and none can be read.
    """
    found, damaged = list[ReadT](), list[RunFolderError]()
    for path in paths:
        try:
            found.append(read(path))
        except RunFolderError as error:
            damaged.append(error)
    if damaged and not found:
        raise damaged[0]
    for error in damaged:
        logging.getLogger(__name__).warning("Left out: %s", error)
    return found


def find_manifests(path: Path | str) -> list[Path]:
    """Return the manifests at or below a path, sorted.

    Raises:
        RunFolderError: The path does not exist.
    """
    root = Path(path)
    if not root.is_dir():
        raise RunFolderError(
            f"{root}: there is no such folder. Give a folder of runs; by default they are below "
            "runs/ where the command was run."
        )
    found = sorted(root.glob("**/manifest.json"))
    return [m for m in found if not m.parent.name.endswith(BEING_MADE)]
