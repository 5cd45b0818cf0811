"""The file of a run's lock: its content, ``flock``, and whether its disk is local."""

from __future__ import annotations

import errno
import json
import os
import socket
import sys
from dataclasses import dataclass, fields
from pathlib import Path

import psutil

if sys.platform != "win32":
    import fcntl

_MOST_BYTES = 4096
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_UNSUPPORTED = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS})
_REFUSED = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.EACCES})
_LOCAL = frozenset({
    "apfs", "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "fuseblk", "hfs", "jfs",
    "msdos", "nilfs2", "ntfs", "ntfs3", "overlay", "ramfs", "reiserfs", "tmpfs", "ufs", "vfat",
    "xfs", "zfs",
})  # fmt: skip
"""Types of file systems that only one machine mounts."""


@dataclass(frozen=True)
class Owner:
    """The process that holds a lock, as written to the lock's file.

    Attributes:
        host: Name of its machine.
        boot: Boot id of its kernel; empty if unknown.
        device: Number of the file's device in that kernel.
        pid: Process id.
        token: A random name of this lock.
        beat: Heartbeat counter.
    """

    host: str
    boot: str
    device: int
    pid: int
    token: str
    beat: int = 0

    @classmethod
    def of_this_process(cls, token: str, device: int) -> Owner:
        """Return this process as an owner."""
        return cls(socket.gethostname(), _boot_id(), device, os.getpid(), token)

    @classmethod
    def from_bytes(cls, content: bytes) -> Owner | None:
        """Return the owner in a file's content, None if it has none."""
        try:
            values = json.loads(content)
            types = {"host": str, "boot": str, "device": int, "pid": int, "token": str, "beat": int}
            if {name: type(value) for name, value in values.items()} != types:
                return None
        except (ValueError, AttributeError, RecursionError):  # not JSON, or not an object
            return None
        return cls(**values) if values["host"].isprintable() else None

    def to_bytes(self) -> bytes:
        """Return the file's content, of the same length for every beat."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        beat = values.pop("beat")
        return f'{json.dumps(values)[:-1]}, "beat": {beat:12}}}\n'.encode()

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


def read_owner(path: Path) -> Owner | None:
    """Return the owner in a lock's file; None if it has none or does not exist."""
    try:
        with path.open("rb") as file:
            return Owner.from_bytes(file.read(_MOST_BYTES))
    except FileNotFoundError:
        return None


def write_owner(descriptor: int, owner: Owner) -> None:
    """Write a lock's file in place, and flush it to the disk.

    Raises:
        OSError: E.g. the disk is full.
    """
    content = owner.to_bytes()
    os.lseek(descriptor, 0, os.SEEK_SET)
    if os.write(descriptor, content) < len(content):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.ftruncate(descriptor, len(content))
    os.fsync(descriptor)


def try_flock(descriptor: int, *, shared: bool = False) -> bool | None:
    """Lock an open file with ``flock``, without waiting.

    Args:
        descriptor: Descriptor of the file.
        shared: Take a shared lock.

    Returns:
        Whether it is locked; None if the system or the disk does not support it.
    """
    if sys.platform == "win32":
        return None
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _REFUSED:
            return False
        if error.errno in _UNSUPPORTED:
            return None
        raise
    return True


def _boot_id() -> str:
    """Return the boot id of this kernel; empty if there is none."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def is_local(folder: Path) -> bool:
    """Whether only this machine mounts a folder's file system, as far as its type shows."""
    path = folder.resolve()
    try:
        mounted = [p for p in psutil.disk_partitions(all=True) if path.is_relative_to(p.mountpoint)]
    except OSError:
        return False
    # Of several mounts at one place, the last hides the others.
    nearest = max(reversed(mounted), key=lambda p: len(Path(p.mountpoint).parts), default=None)
    return nearest is not None and nearest.fstype.lower() in _LOCAL
