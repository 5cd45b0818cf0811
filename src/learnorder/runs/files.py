"""Writing files so that a reader, or a crash, never sees half of one; names they can have."""

from __future__ import annotations

import os
import re
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from learnorder.errors import ConfigError, RunFolderError

_LONGEST_NAME = 255
"""Bytes of a file's name that file systems take."""
_MADE_WITH = len(".") + len(".1234abcd.tmp")
"""Bytes that a run folder's name has besides, while the folder is being made."""
_LONGEST_PATH = 4096 - 256
"""Bytes of a run folder's path: systems take 4,096, with the name of a file in the folder."""
_LEFTOVER = re.compile(r"\..+\.([0-9a-f]{8}|\d+)\.tmp|\.progress\.json\.tmp", re.DOTALL)
"""Names of files that were being written: :func:`atomic_write`'s, of the version before too, and
a run's progress."""


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to, then rename it over ``path``.

    On any error the temporary file is removed and ``path`` is as it was.

    Raises:
        RunFolderError: The disk is full or the folder cannot be written to.
    """
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise RunFolderError(
            f"{path} could not be written: {error.strerror or error}. Free some space, or choose "
            "a folder you can write to with --out; the same command then continues."
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove what processes that were killed had begun to write to a folder.

    Call it under the folder's lock only: a process that is alive may be writing such a file.

    Args:
        folder: A run's folder.

    Returns:
        The files removed. One that cannot be removed stays, and does no harm.
    """
    removed = []
    for path in sorted(folder.iterdir()):
        with suppress(OSError):
            if _LEFTOVER.fullmatch(path.name) and stat.S_ISREG(path.lstat().st_mode):
                path.unlink()
                removed.append(path)
    return removed


def check_path(folder: Path) -> None:
    """Refuse the path of a run folder that cannot be made.

    Raises:
        ConfigError: It, or a name in it, is too long, or has characters that names cannot have.
    """
    for name in folder.parts:
        most = _LONGEST_NAME - _MADE_WITH * (name == folder.name)
        if (size := _size(name)) > most:
            raise ConfigError(
                "out",
                name,
                f"A name of {size} bytes, where {most} fit. Give a shorter --out, or shorter "
                "values in the grid.",
            )
    if (size := _size(str(folder.absolute()))) > _LONGEST_PATH:
        raise ConfigError(
            "out",
            str(folder),
            f"A path of {size} bytes, where {_LONGEST_PATH} fit. Give a shorter --out.",
        )


def _size(name: str) -> int:
    """Return the bytes of a name on disk."""
    try:
        encoded = os.fsencode(name)
    except UnicodeEncodeError:
        encoded = b"\0"
    if b"\0" in encoded:
        raise ConfigError("out", name, "Names of files cannot have these characters here.")
    return len(encoded)
