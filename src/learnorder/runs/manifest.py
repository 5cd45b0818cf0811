"""Manifests: what each run's folder says of the run, under a seal by which damage is seen."""

from __future__ import annotations

import hashlib
import json
import logging
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from learnorder.errors import ConfigError, RunFolderError
from learnorder.runs.sealed import read_json, write_sealed
from learnorder.values import from_dict

ReadT = TypeVar("ReadT")

_REMEDY = "Move the folder away and run again, with other settings where you want these."

FORMAT = 2
"""Version of the folder's layout."""
_FORMER = 1
"""The version before, which is still read: a digest of its values stands where a seal does now."""

_NUMBER = re.compile(r"(\d+(?:\.\d+)?(?:e[+-]?\d+)?)")
"""A number in a path."""
_ASIDE = re.compile(r"\..*\.[0-9a-f]{8}\.tmp", re.DOTALL)
"""The name of a folder that is not yet, or no more, at its place."""

RunStatus = Literal[
    "pending", "running", "interrupted", "finished", "diverged", "out_of_steps", "failed"
]


@dataclass(frozen=True)
class FileSeal:
    """A file as a run left it.

    Attributes:
        digest: BLAKE2b of its bytes, in hexadecimal.
        size: In bytes; None in manifests of the version before.
    """

    digest: str
    size: int | None = None


@dataclass(frozen=True)
class Manifest:
    """The entries of a manifest and their types.

    Attributes:
        format: Version of the folder's layout.
        status: How the run stands.
        reason: In words, where there is one.
        created: When the folder was made, in ISO 8601.
        kind: Of run.
        labels: What the run is within its experiment.
        config: Its configuration.
        environment: Versions, processor and system.
        updated: When the manifest was last written.
        threads: Of the run's arithmetic.
        processes: That made the run together.
        identity: The user's own code and data, as digests by name.
        data: What the run says of its data.
        examples: What the rows and columns of examples.png are.
        seconds: The run has computed, where no table says so.
        files: The results of a run that has ended, by name.
    """

    format: int
    status: RunStatus
    reason: str
    created: str
    kind: str
    labels: dict[str, str]
    config: dict  # pyright: ignore[reportMissingTypeArgs] - the kind of run checks it
    environment: dict[str, str | int]
    updated: str | None = None
    threads: int | None = None
    processes: int | None = None
    identity: dict[str, str] | None = None
    data: dict[str, Any] | None = None
    examples: dict[str, list[str]] | None = None
    seconds: float | None = None
    files: dict[str, FileSeal] = field(default_factory=dict)


def unreadable(path: Path, reason: object) -> RunFolderError:
    """Return what is said of a run's file that cannot be used."""
    return RunFolderError(
        f"{path}: cannot be read ({reason}). Move the run's folder away and run it again."
    )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return a run's manifest as it stands on disk: the entries of :class:`Manifest`.

    Raises:
        RunFolderError: There is none, or it is damaged, changed or of another version.
    """
    path = folder / "manifest.json"
    try:
        values, sealed = read_json(path, _REMEDY)
    except FileNotFoundError:
        raise RunFolderError(
            f"{folder}: not a run folder (it has no manifest.json). `learnorder runs` "
            "lists those there are."
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
    """Write a run's manifest, under its seal.

    Raises:
        RunFolderError: It cannot be written.
    """
    files = {name: vars(each) for name, each in manifest.get("files", {}).items()}
    known = {name: value for name, value in manifest.items() if value is not None}
    write_sealed(folder / "manifest.json", {**known, "format": FORMAT, "files": files})


def _of_former_version(path: Path, values: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest of the version before in the present form."""
    if values.get("format") != _FORMER:
        raise _other_version(path)
    digest = values.pop("digest", None)
    if digest is None:
        raise RunFolderError(
            f"{path}: it has no digest, so nobody can see whether it was changed. Move the folder "
            "away and run again; where you trust it, studies/upgrade_folders.py of the repository "
            "seals it as it is."
        )
    if digest != former_digest(values):
        raise RunFolderError(
            f"{path}: not as it was written: it is damaged, or was changed by hand. {_REMEDY}"
        )
    return present_form(values)


def present_form(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a manifest of the version before as this one has them."""
    files = values.get("files", {})
    if isinstance(files, Mapping):
        files = {name: {"digest": digest} for name, digest in files.items()}
    return {"kind": "images", **values, "format": FORMAT, "files": files}


def former_digest(values: Mapping[str, Any]) -> str:
    """Return the digest that manifests had before they were sealed."""
    text = json.dumps(values, sort_keys=True)
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def _other_version(path: Path) -> RunFolderError:
    return RunFolderError(
        f"{path}: not a manifest of format {FORMAT}. Use the version of learnorder that made it, "
        "or move the folder away and run again."
    )


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
    """Return the manifests at or below a path, sorted by path, numbers in it by their size.

    Raises:
        RunFolderError: The path does not exist.
    """
    root = Path(path)
    if not root.is_dir():
        raise RunFolderError(
            f"{root}: there is no such folder. Give a folder of runs; by default they are below "
            "runs/ where the command was run."
        )
    found = sorted(root.glob("**/manifest.json"), key=_by_number)
    return [m for m in found if not _ASIDE.fullmatch(m.parent.name)]


def _by_number(path: Path) -> list[tuple[bool, str, float]]:
    """Return a key that sorts paths with their numbers by size: seed2 before seed10."""
    parts = _NUMBER.split(str(path))
    return [(i % 2 == 1, "" if i % 2 else part, float(part) if i % 2 else 0.0)
            for i, part in enumerate(parts)]  # fmt: skip


def aside(folder: Path) -> Path:
    """Return a place beside a folder for what is being made of it or removed, seen by no reader."""
    return folder.with_name(f".{folder.name[:200]}.{uuid.uuid4().hex[:8]}.tmp")
