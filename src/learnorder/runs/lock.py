"""The lock of a run's folder: only one process on all machines works on a run.

The file ``.lock`` is locked with ``flock`` while a process works on the run. The kernel releases it
when the process dies, also in containers. Some shared disks do not pass such locks on to other
machines, so the file also names its owner and has a counter that increases every 20 seconds (the
heartbeat). A lock of another machine is taken over if its heartbeat has stopped for minutes; the
former owner notices before it writes again (:meth:`RunLock.check`).
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Literal

from learnorder.errors import RunFolderError, RunInUse, RunLost
from learnorder.runs.lock_file import Owner, is_local, read_owner, try_flock, write_owner

NAME = ".lock"
BEAT_SECONDS = 20.0
"""Time between two heartbeats."""
STALE_AFTER = 300.0
"""Seconds without a heartbeat after which a lock of another machine may be taken over."""
WATCH_SECONDS = 30.0
"""How long such a lock is watched before it is taken over; longer than one heartbeat."""
SETTLE_SECONDS = 1.5
"""Wait after writing the lock, in case another machine writes it at the same time."""
_RETRY_SECONDS = 0.2
"""How long a refused lock is tried again: :func:`is_locked` holds it for a moment."""
_POLL_SECONDS = 0.5
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
"""Do not follow a symbolic link, which could make another file be overwritten."""

_held = set["RunLock"]()


class RunLock:
    """Lock a run's folder within a ``with`` block.

    Args:
        folder: The run's folder.
        stop: Ends the wait for another machine's heartbeat when it returns True.

    Raises:
        RunInUse: Another process holds the lock.
        RunFolderError: The folder cannot be written to.
    """

    def __init__(self, folder: Path, stop: Callable[[], bool] = lambda: False) -> None:
        self._folder, self._path = folder, folder / NAME
        self._stop = stop
        self._descriptor: int | None = None
        self._owner: Owner | None = None
        self._released = threading.Event()
        self._beating = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> RunLock:
        try:
            try:
                self._acquire()
                self._beating.start()
            except BaseException:
                self._close()
                raise
        except OSError as error:
            raise RunFolderError(
                f"{self._folder} cannot be written to: {error.strerror}. Choose a writable folder "
                "with --out."
            ) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._released.set()
        self._beating.join()
        self._close()

    def check(self) -> None:
        """Check that this process still holds the lock.

        Raises:
            RunLost: Another process has taken it over.
            RunFolderError: The lock cannot be read.
        """
        try:
            owner = read_owner(self._path)
        except OSError as error:
            raise RunFolderError(f"{self._path} cannot be read: {error.strerror}.") from error
        if not self._is_mine(owner):
            raise RunLost(
                f"{self._folder}: this process no longer holds the run's lock"
                f"{f', {owner} does' if owner else ''}. It stops without saving."
            )

    def _acquire(self) -> None:
        self._descriptor, flocked = self._open()
        _held.add(self)
        local = is_local(self._folder)
        alone = flocked and local
        here = Owner.of_this_process(uuid.uuid4().hex, os.fstat(self._descriptor).st_dev)
        former = read_owner(self._path)
        if former is not None and not (flocked and _is_dead(former, here, local)):
            self._watch(former)
            alone = False
        self._owner = here
        try:
            write_owner(self._descriptor, here)
        except OSError:
            self._path.unlink(missing_ok=True)
            raise
        if not alone:
            time.sleep(SETTLE_SECONDS)
            if not self._is_mine(owner := read_owner(self._path)):
                raise _in_use(self._folder, owner)

    def _open(self) -> tuple[int, bool]:
        """Open the file and lock it; return its descriptor and whether ``flock`` is reliable.

        It is not if the system or the disk does not support it, or the disk has no inode numbers.
        """
        until = time.monotonic() + _RETRY_SECONDS
        while True:
            late = time.monotonic() > until
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | _NO_LINK, 0o666)
            try:
                flocked = try_flock(descriptor)
                in_place = _is_file(descriptor, self._path)
                if flocked is not False and (in_place or late):
                    return descriptor, flocked is True and in_place
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)  # another holds it, or has just removed it
            if late:
                raise _in_use(self._folder, read_owner(self._path))
            time.sleep(0.01)

    def _watch(self, former: Owner) -> None:
        """Wait until another machine's process has had no heartbeat for long enough."""
        assert self._descriptor is not None
        age = _server_time(self._path) - os.fstat(self._descriptor).st_mtime
        if 0 <= age < STALE_AFTER:
            raise _in_use(self._folder, former)
        seconds = STALE_AFTER if age < 0 else WATCH_SECONDS
        logging.getLogger(__name__).warning(
            "%s: waiting %.0f seconds for a sign of life of %s, which was working on this run. "
            "Without one, the run continues here.", self._folder, seconds, former
        )  # fmt: skip
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(_POLL_SECONDS, left))
            if self._stop() or read_owner(self._path) != former:
                raise _in_use(self._folder, former)

    def _beat(self) -> None:
        beat = 0
        while not self._released.wait(BEAT_SECONDS):
            with suppress(OSError):
                if self._is_mine(read_owner(self._path)):
                    beat += 1
                    assert self._owner is not None
                    assert self._descriptor is not None
                    write_owner(self._descriptor, replace(self._owner, beat=beat))

    def _is_mine(self, owner: Owner | None) -> bool:
        return owner is not None and self._owner is not None and owner.token == self._owner.token

    def _close(self) -> None:
        """Remove the file if it is still this lock's, and release the lock."""
        if self._descriptor is None:
            return
        with suppress(OSError):
            if self._is_mine(read_owner(self._path)):
                try:
                    self._path.unlink()
                except OSError:  # Windows does not remove open files
                    os.ftruncate(self._descriptor, 0)
        _held.discard(self)
        os.close(self._descriptor)
        self._descriptor = None

    def _leave(self) -> None:
        """Release in a forked process, which would keep the lock after its parent's death."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class LockWatch:
    """Watch the lock of a run that another process is working on.

    Args:
        folder: The run's folder.

    Attributes:
        owner: Owner of the lock; None if it is unknown.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._since = time.monotonic()
        self.owner = _look(folder)[1]

    def is_free(self) -> bool:
        """Return whether the lock is free, or so stale that acquiring it should be tried."""
        state, owner = _look(self._folder)
        if owner != self.owner:
            self.owner, self._since = owner, time.monotonic()
        if state != "unknown":
            return state == "free"
        stale = _age(self._folder / NAME) >= STALE_AFTER
        return time.monotonic() - self._since >= (WATCH_SECONDS if stale else STALE_AFTER)


def is_locked(folder: Path) -> bool:
    """Return whether a process holds a run's lock, as far as is known without waiting."""
    state, _ = _look(folder)
    return state == "held" or (state == "unknown" and _age(folder / NAME) < STALE_AFTER)


def _look(folder: Path) -> tuple[Literal["free", "held", "unknown"], Owner | None]:
    """Return the state of a run's lock and its owner, or its last owner.

    The state is unknown if only heartbeats can show whether another machine's process is alive.
    """
    path = folder / NAME
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return "free", None
    try:
        flocked = try_flock(descriptor, shared=True)
        here = Owner.of_this_process("", os.fstat(descriptor).st_dev)
    finally:
        os.close(descriptor)
    owner = read_owner(path)
    if flocked is False:
        return "held", owner
    if owner is None or (flocked and _is_dead(owner, here, is_local(folder))):
        return "free", owner
    return "unknown", owner


def _is_dead(former: Owner, here: Owner, local: bool) -> bool:
    """Whether the owner of a lock is certainly dead, given that ``flock`` was not refused.

    A live owner in the same kernel and on the same mount would make it refused, and a restarted
    machine has no earlier processes. A local disk alone is no proof: other machines may use it over
    the network, and their locks are not visible here.
    """
    if former.boot == here.boot != "":
        return former.device == here.device
    return local and former.host == here.host


def _age(path: Path) -> float:
    """Return the seconds since a file was written, by this machine's clock; 0 if it is missing."""
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0


def _server_time(path: Path) -> float:
    """Return the time by the clock of the file server, from a file written beside a path."""
    probe = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with probe.open("wb", buffering=0) as file:
            file.write(b"\n")
            os.fsync(file.fileno())
        return probe.stat().st_mtime
    finally:
        probe.unlink(missing_ok=True)


def _is_file(descriptor: int, path: Path) -> bool:
    """Whether a path refers to the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _in_use(folder: Path, owner: Owner | None) -> RunInUse:
    by = f" ({owner})" if owner else ""
    return RunInUse(
        f"{folder}: another process is working on this run{by}. Wait for it, or stop it."
    )


def _leave_all() -> None:
    for lock in _held:
        lock._leave()
    _held.clear()


if sys.platform != "win32":
    os.register_at_fork(after_in_child=_leave_all)
