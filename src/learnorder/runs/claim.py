"""A claim on a run's folder: one process works on a run, on whatever machine.

Locks of the operating system do not reach across every shared disk. A claim is a file that is
created where there is none, which every file system does for one process alone. It says who holds
it, and is touched while it is held. One whose process is gone, or that nobody has touched for a
while, is taken over.
"""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from learnorder.errors import RunFolderError, RunInUse

NAME = ".claim"
_TOUCHED_EVERY = 20.0
"""Seconds between signs of life."""
STALE_AFTER = 300.0
"""Seconds without a sign of life after which a claim of another machine is taken over."""


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold a folder within a ``with`` block.

    Raises:
        RunInUse: Another process holds it.
        RunFolderError: The folder cannot be written to.
    """
    path = folder / NAME
    token = uuid.uuid4().hex
    try:
        if not _create(path, token) and not (_take_over(path) and _create(path, token)):
            raise RunInUse(f"{folder}: another process is working on this run{_who(path)}. Wait "
                           "for it, or stop it.")  # fmt: skip
    except OSError as error:
        raise RunFolderError(
            f"{folder} cannot be written to: {error.strerror}. Choose a folder you can write to "
            "with --out."
        ) from error
    held = threading.Event()
    alive = threading.Thread(target=_touch, args=(path, held), daemon=True)
    alive.start()
    try:
        yield
    finally:
        held.set()
        alive.join()
        if _read(path).get("token") == token:  # one that was taken over is another's
            path.unlink(missing_ok=True)


def is_claimed(folder: Path) -> bool:
    """Whether a process holds a folder, as far as can be told from here."""
    path = folder / NAME
    return path.exists() and not _abandoned(path)


def _create(path: Path, token: str) -> bool:
    """Create the file; return whether it was not there."""
    host = socket.gethostname()
    started = psutil.Process().create_time()
    text = json.dumps({"host": host, "pid": os.getpid(), "started": started, "token": token})
    try:
        with path.open("x") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _take_over(path: Path) -> bool:
    """Remove a claim that nobody holds; return whether this process did.

    Only who has created the guard may remove another's claim, and looks again before it does: so a
    claim that was taken over in between is not removed in place of the one that was seen.
    """
    if not _abandoned(path):
        return False
    guard = path.with_name(f"{NAME}.guard")
    if not _create(guard, ""):
        if _silent(guard) > STALE_AFTER:  # its process died within these lines
            guard.unlink(missing_ok=True)
        return False
    try:
        if not _abandoned(path):
            return False
        path.unlink(missing_ok=True)
        return True
    finally:
        guard.unlink(missing_ok=True)


def _silent(path: Path) -> float:
    """Return the seconds since a file was touched; 0 where it is gone."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _abandoned(path: Path) -> bool:
    """Whether a claim's process is gone, as far as can be told from here."""
    claim = _read(path)
    if _silent(path) > STALE_AFTER:
        return True
    if claim.get("host") != socket.gethostname():
        return False
    try:
        process = psutil.Process(int(str(claim["pid"])))
        return abs(process.create_time() - float(str(claim["started"]))) > 1.0
    except (psutil.NoSuchProcess, KeyError, ValueError):
        return True


def _read(path: Path) -> dict[str, object]:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def _touch(path: Path, held: threading.Event) -> None:
    while not held.wait(_TOUCHED_EVERY):
        with suppress(OSError):
            path.touch()


def _who(path: Path) -> str:
    claim = _read(path)
    return f" (process {claim['pid']} on {claim['host']})" if claim else ""
