"""Checks of data folders."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from learnorder.errors import DataError


def local_folder(source: str) -> Path | None:
    """Return the folder that a source of images names on this machine; None if it names none.

    Args:
        source: As configured, e.g. folder:~/images, or hub:images:CONFIG for a local copy.
    """
    kind, _, place = source.partition(":")
    places = {"folder": [place], "parquet": [place], "hub": [place, place.partition(":")[0]]}
    # Path.expanduser raises an error if there is no such user
    folders = (Path(os.path.expanduser(each)) for each in places.get(kind, ()) if each)  # noqa: PTH111
    return next((folder for folder in folders if folder.is_dir()), None)


def existing_folder(kind: str, place: str) -> Path:
    """Return the folder of a source.

    Raises:
        DataError: The folder does not exist.
    """
    if (folder := local_folder(f"{kind}:{place}")) is None:
        raise DataError(
            f"{kind}:{place}: there is no such folder. Give an absolute path, or one relative to "
            "the working directory."
        )
    return folder


def check_readable(kind: str, place: str, folder: Path, unfit: Sequence[str]) -> None:
    """Refuse a path with characters that have a special meaning in the datasets library.

    Args:
        kind: Kind of the source, e.g. hub.
        place: The source without its kind.
        folder: The folder.
        unfit: The special characters.

    Raises:
        DataError: The path contains one of these, or is not UTF-8.
    """
    path = str(folder.resolve())
    problems = [repr(characters) for characters in unfit if characters in path]
    try:
        os.fsencode(path).decode()
    except UnicodeDecodeError:
        problems.append("bytes that are not UTF-8")
    if problems:
        raise DataError(
            f"{kind}:{place}: its path contains {' and '.join(problems)} and cannot be read. "
            "Rename or move the folder."
        )
