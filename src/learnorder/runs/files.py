"""Atomic writes of files, and checks of their names."""

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
"""Maximum bytes of a file's name."""
_MADE_WITH = len(".") + len(".1234abcd.tmp")
"""Bytes added to a run folder's name while the folder is created."""
_LONGEST_PATH = 4096 - 256
"""Maximum bytes of a run folder's path: 4,096, less the name of a file in the folder."""
_LEFTOVER = re.compile(r"\..+\.([0-9a-f]{8}|\d+)\.tmp|\.progress\.json\.tmp", re.DOTALL)
"""Names of temporary files: of :func:`atomic_write`, also in the previous version, and of a run's
progress."""


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` to write to, then rename it to ``path``.

    On any error the temporary file is removed and ``path`` is unchanged.

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
            "a writable folder with --out; the same command then continues."
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def remove_leftovers(folder: Path) -> list[Path]:
    """Remove temporary files that killed processes left in a folder.

    Call it only while holding the folder's lock: a live process may be writing such a file.

    Args:
        folder: A run's folder.

    Returns:
        The files removed. One that cannot be removed is harmless.
    """
    removed = []
    for path in sorted(folder.iterdir()):
        with suppress(OSError):
            if _LEFTOVER.fullmatch(path.name) and stat.S_ISREG(path.lstat().st_mode):
                path.unlink()
                removed.append(path)
    return removed


def check_path(folder: Path) -> None:
    """Check that a run folder can be created at a path.

    Raises:
        ConfigError: The path or a name in it is too long, or has invalid characters.
    """
    for name in folder.parts:
        most = _LONGEST_NAME - _MADE_WITH * (name == folder.name)
        if (size := _size(name)) > most:
            raise ConfigError(
                "out",
                name,
                f"This name has {size} bytes, and {most} are allowed. Give a shorter --out, or "
                "shorter values in the grid.",
            )
    if (size := _size(str(folder.absolute()))) > _LONGEST_PATH:
        raise ConfigError(
            "out",
            str(folder),
            f"This path has {size} bytes, and {_LONGEST_PATH} are allowed. Give a shorter --out.",
        )


def _size(name: str) -> int:
    """Return the bytes of a name on disk."""
    try:
        encoded = os.fsencode(name)
    except UnicodeEncodeError:
        encoded = b"\0"
    if b"\0" in encoded:
        raise ConfigError("out", name, "File names cannot have these characters here.")
    return len(encoded)
