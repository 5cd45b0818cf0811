"""JSON files under a seal: a digest of every byte, by which damage is seen.

The seal is the first entry, and is of the file with zeros in its place, so that the file stays
JSON for any other program. It shows damage, not malice: whoever changes a file on purpose can seal
it again, so what a file says is checked whether or not its seal is whole.
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
"""Far above what any of these files takes."""
_DIGITS = 32
_START = b'{\n "seal": "'
_BLANK = b"0" * _DIGITS
_MOVE = "Move its folder away and run again."


def write_sealed(path: Path, values: Mapping[str, Any]) -> None:
    """Write a mapping as JSON, with its seal.

    Raises:
        RunFolderError: It cannot be written.
    """
    blank = {SEAL: _BLANK.decode(), **values}
    text = json.dumps(blank, indent=1, allow_nan=False).encode() + b"\n"
    rest = text[len(_START) + _DIGITS :]
    with atomic_write(path) as temporary:
        temporary.write_bytes(_START + _digest(rest) + rest)


def read_json(path: Path, remedy: str) -> tuple[dict[str, Any], bool]:
    """Return what a JSON file says, and whether it is under a seal.

    Args:
        path: The file.
        remedy: What to do where it cannot be read.

    Raises:
        FileNotFoundError: There is none.
        RunFolderError: It cannot be read, or is not as it was written.
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
        raise _unusable(path, one_line(error), remedy) from None
    if not isinstance(values, dict):
        what = f"a {type(values).__name__} stands where names and values belong"
        raise _unusable(path, what, remedy)
    if sealed:
        del values[SEAL]
    return values, sealed


def read_sealed(path: Path, kind: type[Built], remedy: str = _MOVE) -> Built | None:
    """Return what a file that this program wrote says, None where there is none.

    Files of versions that sealed none are read too.

    Args:
        path: The file.
        kind: The dataclass that it holds.
        remedy: What to do where it cannot be read.

    Raises:
        RunFolderError: It cannot be read, or holds something else.
    """
    try:
        values, _ = read_json(path, remedy)
        return from_dict(kind, values)
    except FileNotFoundError:
        return None
    except ConfigError as error:
        raise _unusable(path, one_line(error), remedy) from None


def read_whole(path: Path, most: int) -> bytes:
    """Return the bytes of a file, which must be a plain file of a size that is meant.

    Raises:
        FileNotFoundError: There is none.
        RunFolderError: It cannot be read, is no file, or is too large.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _unusable(path, "it is no plain file")
            if status.st_size > most:
                raise _unusable(path, f"it has {status.st_size:,} bytes, where {most:,} are meant")
            return file.read(status.st_size)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise _unusable(path, getattr(error, "strerror", None) or one_line(error)) from None


def _digest(rest: bytes) -> bytes:
    return hashlib.blake2b(_START + _BLANK + rest, digest_size=_DIGITS // 2).hexdigest().encode()


def _unusable(path: Path, reason: str, remedy: str = _MOVE) -> RunFolderError:
    return RunFolderError(f"{path}: cannot be read ({reason}). {remedy}")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")
