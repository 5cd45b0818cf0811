"""Sealed JSON files: a digest of every byte detects damage.

The seal is the first entry of the JSON object, computed with zeros in its place. It detects damage,
not malice: anyone can write a file with a valid seal, so the content is always checked too.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from learnorder.errors import ConfigError, RunFolderError, one_line
from learnorder.runs.files import atomic_write
from learnorder.values import from_dict

Built = TypeVar("Built")

SEAL = "seal"
MOST_BYTES = 16_000_000
"""Maximum size of these files."""
_DIGITS = 32
_START = b'{\n "seal": "'
_BLANK = b"0" * _DIGITS
_MOVE = "Move its folder away and run again."


def write_sealed(path: Path, values: Mapping[str, Any]) -> None:
    """Write a mapping as JSON with a seal.

    Raises:
        RunFolderError: It cannot be written.
    """
    content = sealed(values)
    with atomic_write(path) as temporary:
        temporary.write_bytes(content)


def sealed(values: Mapping[str, Any]) -> bytes:
    """Return a mapping as JSON with a seal."""
    blank = {SEAL: _BLANK.decode(), **values}
    return seal(json.dumps(blank, indent=1, allow_nan=False).encode() + b"\n")


def seal(text: bytes) -> bytes:
    """Return JSON whose first entry is a blank seal, with the seal of the text in its place."""
    rest = text[len(_START) + _DIGITS :]
    return _START + _digest(rest) + rest


def read_json(path: Path, remedy: str) -> tuple[dict[str, Any], bool]:
    """Return the content of a JSON file, and whether it has a seal.

    Args:
        path: The file.
        remedy: Remedy if it cannot be read, for the error.

    Raises:
        FileNotFoundError: It does not exist.
        RunFolderError: It cannot be read, or does not match its seal.
    """
    content = read_whole(path, MOST_BYTES)
    sealed = content.startswith(_START)
    if sealed:
        rest = content[len(_START) + _DIGITS :]
        if content[len(_START) : len(_START) + _DIGITS] != _digest(rest):
            raise RunFolderError(
                f"{path}: not as it was written: it is damaged, or was changed by hand. {remedy}"
            )
    try:
        values = json.loads(content, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise unreadable(path, one_line(error), remedy) from None
    if not isinstance(values, dict):
        raise unreadable(path, f"it is a {type(values).__name__}, not an object", remedy)
    if sealed:
        del values[SEAL]
    return values, sealed


def is_sealed(path: Path) -> bool:
    """Whether a file begins like one with a seal, which is not checked."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(_START)) == _START
    except OSError:
        return False


def read_sealed(path: Path, kind: type[Built], remedy: str = _MOVE) -> Built | None:
    """Return the content of a file that learnorder wrote, None if it does not exist.

    Files of older versions, without a seal, are read too.

    Args:
        path: The file.
        kind: The dataclass of its content.
        remedy: Remedy if it cannot be read, for the error.

    Raises:
        RunFolderError: It cannot be read, or has other content.
    """
    try:
        values, _ = read_json(path, remedy)
        return from_dict(kind, values)
    except FileNotFoundError:
        return None
    except ConfigError as error:
        raise unreadable(path, one_line(error), remedy) from None


def read_whole(path: Path, most: int) -> bytes:
    """Return the bytes of a regular file of limited size.

    Raises:
        FileNotFoundError: It does not exist.
        RunFolderError: It cannot be read, is not a regular file, or is too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise unreadable(path, "it is not a regular file")
            if status.st_size > most:
                raise unreadable(path, f"it has {status.st_size:,} bytes, more than {most:,}")
            return file.read(status.st_size)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise unreadable(path, getattr(error, "strerror", None) or one_line(error)) from None


def _digest(rest: bytes) -> bytes:
    return hashlib.blake2b(_START + _BLANK + rest, digest_size=_DIGITS // 2).hexdigest().encode()


def unreadable(path: Path, reason: object, remedy: str = _MOVE) -> RunFolderError:
    """Return the error for a file that cannot be used."""
    return RunFolderError(f"{path}: cannot be read ({reason}). {remedy}")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not valid in JSON")
