"""Folders that data are read from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from learnorder.errors import DataError


def existing_folder(kind: str, place: str) -> Path:
    """Return the folder that a source names.

    Raises:
        DataError: There is none.
    """
    folder = Path(place).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"{kind}:{place}: there is no such folder. Give a folder that exists, absolute or "
            "from where the command is run."
        )
    return folder


def check_readable(kind: str, place: str, folder: Path, unfit: Sequence[str]) -> None:
    """Refuse a path that the library datasets would take for another.

    Args:
        kind: Of the source.
        place: As it was given.
        folder: The folder there.
        unfit: What the library takes for something else in a path.

    Raises:
        DataError: One of these, or a name that is not UTF-8, is in the path.
    """
    path = str(folder.resolve())
    found = [repr(characters) for characters in unfit if characters in path]
    try:
        os.fsencode(path).decode()
    except UnicodeDecodeError:
        found.append("bytes that are not UTF-8")
    if found:
        raise DataError(
            f"{kind}:{place}: its path has {' and '.join(found)}, with which it cannot be read. "
            "Rename the folder, or move it elsewhere."
        )
