"""Writing files so that a reader, or a crash, never sees half of one."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from learnorder.errors import RunFolderError


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
