"""Manifests: the metadata of each run, sealed so that damage is detected."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from learnorder.errors import ConfigError, RunFolderError
from learnorder.runs.sealed import is_sealed, read_json, write_sealed
from learnorder.values import from_dict

ReadT = TypeVar("ReadT")

_REMEDY = "Move the folder away and run again; to change settings, give them to the command."

FORMAT = 2
"""Version of the folder's layout."""
_FORMER = 1
"""The previous version, which is still read; it has a digest of its values instead of a seal."""

_NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)")
"""A number in a path."""
_ASIDE = re.compile(r"\..*\.[0-9a-f]{8}\.tmp", re.DOTALL)
"""Name of a folder that is being created or deleted."""

RunStatus = Literal[
    "pending",
    "running",
    "interrupted",
    "finished",
    "diverged",
    "out_of_steps",
    "no_score",
    "failed",
]


@dataclass(frozen=True)
class FileSeal:
    """Digest and size of a file when the run ended.

    Attributes:
        digest: BLAKE2b of its bytes, in hexadecimal.
        size: In bytes; None in manifests of the previous version.
    """

    digest: str
    size: int | None = None


@dataclass(frozen=True)
class Manifest:
    """The entries of a manifest and their types.

    Attributes:
        format: Version of the folder's layout.
        status: The run's status.
        reason: Reason for the status; may be empty.
        created: Time of the folder's creation, in ISO 8601.
        kind: Kind of run.
        labels: The run's place in its experiment, e.g. its arm.
        config: Its configuration.
        environment: Versions, processor and system.
        former_environments: Those in which the run was begun before it was continued in others.
        updated: Time of the last update, in ISO 8601.
        threads: Number of threads.
        processes: Number of processes that trained the run together.
        identity: Digests of the user's code and data, by name.
        former_identity: That of the code and data that the run was made with, if later runs of its
            experiment were made with others on the user's word.
        data: Description of the data.
        examples: Titles of the rows and columns of examples.png.
        seconds: Computing time, if no table has it.
        files: Seals of the result files of a run that has ended, by name.
    """

    format: int
    status: RunStatus
    reason: str
    created: str
    kind: str
    labels: dict[str, str]
    config: dict  # pyright: ignore[reportMissingTypeArgs] - the kind of run checks it
    environment: dict[str, str | int]
    former_environments: list[dict[str, str | int]] | None = None
    updated: str | None = None
    threads: int | None = None
    processes: int | None = None
    identity: dict[str, str] | None = None
    former_identity: dict[str, str] | None = None
    data: dict[str, Any] | None = None
    examples: dict[str, list[str]] | None = None
    seconds: float | None = None
    files: dict[str, FileSeal] = field(default_factory=dict)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read a run's manifest from disk and return the entries of :class:`Manifest`.

    Raises:
        RunFolderError: It is missing, damaged, changed or of another version.
    """
    path = folder / "manifest.json"
    try:
        values, sealed = read_json(path, _REMEDY)
    except FileNotFoundError:
        raise RunFolderError(
            f"{folder}: not a run folder (it has no manifest.json). `learnorder runs` lists "
            "existing runs."
        ) from None
    if not sealed:
        values = _of_former_version(path, values)
    if values.get("format") != FORMAT:
        raise _other_version(path)
    try:
        return vars(from_dict(Manifest, values))
    except ConfigError as error:
        raise RunFolderError(
            f"{path}: not a manifest of this version of learnorder ({error}). Move the folder "
            "away and run again."
        ) from None


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write a run's manifest with its seal.

    Raises:
        RunFolderError: It cannot be written.
    """
    files = {name: vars(seal) for name, seal in manifest.get("files", {}).items()}
    known = {name: value for name, value in manifest.items() if value is not None}
    write_sealed(folder / "manifest.json", {**known, "format": FORMAT, "files": files})


def _of_former_version(path: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Check the digest of a manifest of the previous version, and convert it."""
    if values.get("format") != _FORMER:
        raise _other_version(path)
    digest = values.pop("digest", None)
    if digest is None:
        raise RunFolderError(
            f"{path}: it has no digest, so changes cannot be detected. Move the folder away and "
            "run again; if you trust it, studies/upgrade_folders.py of the repository seals it."
        )
    if digest != former_digest(values):
        raise RunFolderError(
            f"{path}: not as it was written: it is damaged, or was changed by hand. {_REMEDY}"
        )
    return present_form(values)


def present_form(values: Mapping[str, Any]) -> dict[str, Any]:
    """Convert the entries of a manifest of the previous version to this one."""
    files = values.get("files", {})
    if isinstance(files, Mapping):
        files = {name: {"digest": digest} for name, digest in files.items()}
    return {"kind": "images", **values, "format": FORMAT, "files": files}


def former_digest(values: Mapping[str, Any]) -> str:
    """Return the digest of a manifest of the previous version."""
    text = json.dumps(values, sort_keys=True)
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def _other_version(path: Path) -> RunFolderError:
    return RunFolderError(
        f"{path}: not a manifest of format {FORMAT}. Use the version of learnorder that wrote it, "
        "or move the folder away and run again."
    )


def read_each(paths: Sequence[Path], read: Callable[[Path], ReadT]) -> list[ReadT]:
    """Read each run, skipping damaged ones with a warning.

    Args:
        paths: A path for each run.
        read: Reads a path, or raises RunFolderError.

    Raises:
        RunFolderError: There are runs, and none can be read.
    """
    values, damaged = list[ReadT](), list[RunFolderError]()
    for path in paths:
        try:
            values.append(read(path))
        except RunFolderError as error:
            damaged.append(error)
    if damaged and not values:
        raise damaged[0]
    for error in damaged:
        logging.getLogger(__name__).warning("Left out: %s", error)
    return values


def find_manifests(path: Path | str) -> list[Path]:
    """Return the manifests in a folder and its subfolders, in natural order (seed2, seed10).

    Run folders are not searched: the files that a run leaves may have any names.

    Raises:
        RunFolderError: The path does not exist.
    """
    root = Path(path)
    if not root.is_dir():
        raise RunFolderError(
            f"{root}: there is no such folder. Give a folder of runs; the default is runs/ in the "
            "folder where the command was run."
        )
    return sorted(_manifests(root), key=_by_number)


def _manifests(root: Path) -> Iterator[Path]:
    for name, below, files in os.walk(root):
        folder, path = Path(name), Path(name, "manifest.json")
        if _ASIDE.fullmatch(folder.name):
            below.clear()
        elif path.name in (*below, *files):
            yield path
            if is_sealed(path):  # others may be of a program that has nothing to do with runs
                below.clear()


def _by_number(path: Path) -> list[tuple[bool, str, float]]:
    """Return a sort key for the natural order."""
    parts = _NUMBER.split(str(path))
    return [(i % 2 == 1, "" if i % 2 else part, float(part) if i % 2 else 0.0)
            for i, part in enumerate(parts)]  # fmt: skip


def aside(folder: Path) -> Path:
    """Return a path beside a folder for its creation or deletion; searches for runs skip it."""
    return folder.with_name(f".{folder.name[:200]}.{uuid.uuid4().hex[:8]}.tmp")
