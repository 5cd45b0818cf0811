"""A run's folder: its settings, its status and its measurements.

::

    manifest.json      configuration, labels, status, environment
    records.parquet    what was measured, reproducible to the byte
    timings.parquet    seconds per epoch
    checkpoint.pt      where to continue, and checkpoint.previous.pt; gone when it has ended
    dynamics.parquet   when each training example was learned, and so on, if the run keeps it
    snapshots.parquet  predictions and filters after each epoch, if the run keeps them
    snapshot_images.parquet  the images that are predicted in them
    weights.safetensors  the final weights
    last_layer.json    the effect of retraining the last layer, after learnorder retrain
    images.png         some images of each class as they were decoded, for the report
    examples.png       planted images, for the report
    progress.json      how far the run is, for watchers
    stdout.txt, stderr.txt, output/  what a script printed, and its own files
    log.txt            what the worker printed
    .lock              which process works on the run; gone when none does
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from learnorder.errors import ConfigError, RunFolderError, RunLost
from learnorder.runs.environment import environment
from learnorder.runs.files import atomic_write
from learnorder.runs.kinds import Settings, kind_named, kind_of
from learnorder.runs.lock import RunLock
from learnorder.runs.manifest import (
    FORMAT,
    FileSeal,
    RunStatus,
    aside,
    read_manifest,
    write_manifest,
)
from learnorder.runs.parquet import read_table
from learnorder.runs.sealed import read_whole, unreadable
from learnorder.runs.settings import difference_words, differing, identity_words
from learnorder.values import from_dict

if TYPE_CHECKING:
    import pyarrow as pa

_RECORDS = "records.parquet"
WEIGHTS = "weights.safetensors"
DYNAMICS = "dynamics.parquet"
SNAPSHOTS = "snapshots.parquet"
SNAPSHOT_IMAGES = "snapshot_images.parquet"
_SEALED = (
    _RECORDS, "timings.parquet", DYNAMICS, SNAPSHOTS, SNAPSHOT_IMAGES, WEIGHTS, "examples.png",
    "images.png",
)  # fmt: skip
"""Results whose digests the manifest keeps, once a run has ended."""
_MOST_BYTES = 2**36
"""The largest of these files that is read."""

ENDED: frozenset[RunStatus] = frozenset({"finished", "diverged", "out_of_steps", "no_score"})
"""Statuses of a run that is not run again."""

ConfigT = TypeVar("ConfigT", bound=Settings)


@dataclass(frozen=True)
class Progress:
    """How far a run is: its share from 0 to 1, and a note such as "epoch 3 of 60"."""

    share: float
    note: str


class RunFolder(Generic[ConfigT]):
    """One run on disk. Open one that exists, or :meth:`create` it.

    Args:
        path: The folder, which must hold a manifest.
        read_only: Ignore all writes; set in every process of a run but the first.

    Attributes:
        path: The folder.
        read_only: Whether nothing is written to it.
        kind: Name of the kind of run, a key of :data:`~learnorder.runs.kinds.KINDS`.
        config: The run's configuration.
        labels: What the run is within its experiment, e.g. {"arm": "large"}.
        opened: The manifest at the time the folder was opened.
        lock: The run's lock, while this process executes the run; nothing is written once it is
            lost.

    Raises:
        RunFolderError: No manifest, one that cannot be read, or a run that has ended and whose
            results are not all there.
    """

    def __init__(self, path: Path | str, *, read_only: bool = False) -> None:
        self.path, self.read_only = Path(path), read_only
        self.lock: RunLock | None = None
        self._stamped = self._stamp()
        self.opened = manifest = read_manifest(self.path)
        self.kind: str = manifest["kind"]
        self.labels: dict[str, str] = manifest["labels"]
        try:
            kind = kind_named(self.kind)
            self.config: ConfigT = kind.read(manifest["config"])
            kind.describe(manifest["data"])
        except ConfigError as error:
            raise RunFolderError(
                f"{self.file('manifest.json')}: not a manifest of this version of learnorder "
                f"({error}). Move the folder away and run again."
            ) from None
        self._check_results(manifest["status"], manifest["files"])

    def _check_results(self, status: str, files: Mapping[str, FileSeal]) -> None:
        """Refuse a run that has ended without the results that its manifest lists."""
        if status not in ENDED:
            return
        names = dict.fromkeys((_RECORDS, *files))
        absent = [name for name in names if not self._is_whole(name, files.get(name))]
        if any(name != WEIGHTS for name in absent):
            raise RunFolderError(
                f"{self.path}: a partial copy: {' and '.join(absent)} "
                f"{'is' if len(absent) == 1 else 'are'} missing or cut short. Copy the whole "
                "folder, or move it away and run again."
            )

    def _is_whole(self, name: str, seal: FileSeal | None) -> bool:
        """Whether one of the run's files is there with its size; its bytes are read later."""
        try:
            size = self.file(name).stat().st_size
        except OSError:
            return False
        return name in _SEALED and (seal is None or seal.size in (None, size))

    @property
    def lacks_weights(self) -> bool:
        """Whether the run has left weights that are not here, as in a copy without them."""
        seal = self.opened["files"].get(WEIGHTS)
        return seal is not None and not self._is_whole(WEIGHTS, seal)

    @classmethod
    def find(
        cls, path: Path | str, config: ConfigT, identity: Mapping[str, str] | None = None
    ) -> RunFolder[ConfigT] | None:
        """Return the folder of this run; None if it does not exist or is empty.

        Args:
            path: Its path.
            config: Of the run.
            identity: Digests of the user's code and data; None skips the comparison.

        Raises:
            RunFolderError: The folder holds a run of another configuration, or of other code or
                data, or no run.
        """
        path = Path(path)
        # In this order: a folder that another process is making appears with its manifest.
        if not path.exists() or (path.is_dir() and not any(path.iterdir())):
            return None
        if (path / "manifest.json").exists():
            found: RunFolder[ConfigT] = cls(path)
            found.check_config(config)
            if identity is not None:
                found.check_identity(identity)
            return found
        if any((path / name).exists() for name in (*_SEALED, "log.txt")):
            raise RunFolderError(
                f"{path}: a run's folder whose manifest.json is gone. Remove it, and the same "
                "command makes the run anew."
            )
        raise RunFolderError(
            f"{path}: already there, and not a run folder. Choose another folder with --out."
        )

    @classmethod
    def create(
        cls,
        path: Path | str,
        config: ConfigT,
        labels: Mapping[str, str] | None = None,
        identity: Mapping[str, str] | None = None,
    ) -> RunFolder[ConfigT]:
        """Return the folder of this run, and create it if it does not exist.

        Raises:
            RunFolderError: As :meth:`find`, or the folder cannot be written.
        """
        path = Path(path)
        if (found := cls.find(path, config, identity)) is not None:
            return found
        manifest = {
            "format": FORMAT,
            "status": "pending",
            "reason": "",
            "created": _now(),
            "kind": kind_of(config).name,
            "labels": dict(labels or {}),
            "config": config.to_dict(),
            "identity": dict(identity) if identity else None,
            "environment": environment(),
        }
        # Beside its place first, so that whoever looks there never finds half a folder.
        made = aside(path)
        try:
            made.mkdir(parents=True)
            write_manifest(made, manifest)
            made.rename(path)
        except OSError as error:
            if (found := cls.find(path, config, identity)) is not None:
                return found  # another process was quicker
            raise RunFolderError(
                f"{path} could not be made: {error.strerror}. Choose another folder with --out."
            ) from error
        except ValueError as error:  # a NUL in the name
            raise RunFolderError(f"{path} could not be made: {error}.") from error
        finally:
            shutil.rmtree(made, ignore_errors=True)
        return cls(path)

    def check_config(self, config: Settings) -> None:
        """Refuse another configuration than the run's.

        Raises:
            RunFolderError: They differ.
        """
        there, here = self.config.to_dict(), config.to_dict()
        if there == here:
            return
        hint = ""
        if differing(there, here) == ["data.source"]:
            hint = " If only the data have moved, link them at their former place."
        raise RunFolderError(
            f"{self.path}: holds a run of another configuration ({difference_words(there, here)}). "
            f"Choose another folder with --out, or move this one away.{hint}"
        )

    def check_identity(self, identity: Mapping[str, str]) -> None:
        """Refuse code or data that differ from those that the run was begun with.

        A run that has left no checkpoint or records may begin with others, and folders of older
        versions do not record theirs.

        Raises:
            RunFolderError: They differ.
        """
        there = self.opened["identity"]
        begun = any(self.file(name).exists() for name in ("checkpoint.pt", _RECORDS))
        if there and begun and (words := identity_words(there, identity)):
            raise RunFolderError(
                f"{self.path}: made with other code or data than there are now ({words}). Choose "
                "another folder with --out, move this one away, or undo the change."
            )

    def accept_identity(self, identity: Mapping[str, str]) -> None:
        """Record the present code and data, if they differ, so that the run can be continued.

        Raises:
            RunInUse: A process is working on the run.
        """
        there = self.opened["identity"]
        if there and identity_words(there, identity):
            former = self.opened["former_identity"] or there
            with RunLock(self.path):
                self.update(identity=dict(identity), former_identity=former)

    def begin(self, identity: Mapping[str, str]) -> None:
        """Record the code and data that the run uses; see :meth:`check_identity`."""
        self.check_identity(identity)
        if identity != (self.opened["identity"] or {}):
            self.update(identity=dict(identity))

    def file(self, name: str) -> Path:
        """Return the path of one of the run's files."""
        return self.path / name

    @property
    def name(self) -> str:
        """The folder's own name."""
        return self.path.name

    def read_manifest(self) -> dict[str, Any]:
        """Return the manifest on disk; that of a run that has ended is read again if it changes."""
        ended = self.opened["status"] in ENDED
        return self.opened if ended and self._stamp() == self._stamped else read_manifest(self.path)

    def _stamp(self) -> tuple[int, ...] | None:
        """Return what differs once the manifest has been replaced; None if there is none."""
        try:
            found = self.file("manifest.json").stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def read_status(self) -> RunStatus:
        """Return the run's status on disk."""
        return self.read_manifest()["status"]

    def read_outcome(self) -> tuple[RunStatus, str]:
        """Return the status on disk and its reason; a run that cannot be read counts as failed."""
        try:
            manifest = self.read_manifest()
        except RunFolderError as error:
            return "failed", str(error)
        return manifest["status"], manifest["reason"]

    def has_ended(self) -> bool:
        """Whether the run is not run again, as far as its folder can be read."""
        return self.read_outcome()[0] in ENDED

    def check_lock(self) -> None:
        """Check that the run's lock, if this process holds it, has not been lost.

        Raises:
            RunLost: Another process has taken over the run.
        """
        if self.lock is not None:
            self.lock.check()

    def update(self, **changes: Any) -> None:
        """Change fields of the manifest on disk."""
        if self.read_only:
            return
        self.check_lock()
        write_manifest(self.path, {**self.read_manifest(), **changes, "updated": _now()})

    def data(self) -> Any:
        """Return the description of the run's data; None before the run has begun.

        Its class depends on the kind of run; see :mod:`learnorder.runs.descriptions`.
        """
        return kind_named(self.kind).describe(self.read_manifest()["data"])

    def records(self) -> pa.Table:
        """Return what was measured so far, as an Arrow table (empty before the first).

        Raises:
            RunFolderError: They cannot be read, or are not as the run left them.
        """
        empty = kind_named(self.kind).no_records()
        found = self._table(_RECORDS, empty=empty)
        if found.schema.names != empty.schema.names:
            found = found.select([n for n in found.schema.names if n in empty.schema.names])
        if not found.schema.equals(empty.schema):
            columns = ", ".join(f"{f.name} ({f.type})" for f in empty.schema)
            raise unreadable(self.file(_RECORDS), f"its columns are not {columns}")
        return found

    def timings(self) -> pa.Table | None:
        """Return seconds per epoch, or None before the first epoch."""
        return self._table("timings.parquet", empty=None)

    def dynamics(self) -> pa.Table | None:
        """Return the training dynamics of each example; None if the run has kept none.

        Raises:
            RunFolderError: They cannot be read, or are not as the run left them.
        """
        return self._table(DYNAMICS, empty=None)

    def snapshots(self) -> tuple[pa.Table, pa.Table] | None:
        """Return the snapshots of each epoch, and their images; None if the run has kept none.

        Raises:
            RunFolderError: They cannot be read, or are not as the run left them.
        """
        epochs, images = (self._table(name, empty=None) for name in (SNAPSHOTS, SNAPSHOT_IMAGES))
        return None if epochs is None or images is None else (epochs, images)

    def progress(self) -> Progress | None:
        """Return how far the run is; None if it has not begun."""
        try:
            found = from_dict(Progress, json.loads(read_whole(self.file("progress.json"), 4096)))
        except (OSError, ValueError, RecursionError, RunFolderError):
            return None
        return found if 0 <= found.share <= 1 else None

    def write_progress(self, progress: Progress) -> None:
        """Write how far the run is, for the display."""
        if self.read_only:
            return
        try:
            self.check_lock()
        except RunLost:
            raise
        except RunFolderError:  # a run does not end because nobody can watch it
            return
        temporary = self.file(".progress.json.tmp")
        with suppress(OSError):
            temporary.write_text(json.dumps(vars(progress)))
            temporary.replace(self.file("progress.json"))

    def write_tables(self, **tables: pa.Table) -> None:
        """Write Parquet files, e.g. ``write_tables(records=…)`` for records.parquet."""
        import pyarrow.parquet as pq

        for name, table in () if self.read_only else tables.items():
            self.check_lock()
            # A path that is not UTF-8 is none to pyarrow, an open file is.
            with (
                atomic_write(self.file(f"{name}.parquet")) as temporary,
                temporary.open("wb") as file,
            ):
                pq.write_table(table, file)

    def delete(self) -> None:
        """Remove the folder and its content; of a link, only the link.

        The folder is renamed first, so that a part of it is never taken for a run.

        Raises:
            RunInUse: A process is working on the run.
            RunFolderError: It cannot be removed.
        """
        try:
            if self.path.is_symlink():
                self.path.unlink()
                return
            with RunLock(self.path):
                moved = self.path.rename(aside(self.path))
            shutil.rmtree(moved)
        except OSError as error:
            raise RunFolderError(
                f"{self.path} could not be removed ({error.filename}: {error.strerror}). Change "
                "the permissions of its folder, or remove it by hand."
            ) from error

    def seal(self) -> dict[str, FileSeal]:
        """Return the seals of the existing results, for the manifest of a run that has ended."""
        return {
            name: FileSeal(_digest(content := self.file(name).read_bytes()), len(content))
            for name in _SEALED
            if self.file(name).exists()
        }

    def read(self, name: str) -> bytes:
        """Return the bytes of one of the run's files.

        Raises:
            RunFolderError: It cannot be read, or is not as the run left it.
        """
        path = self.file(name)
        try:
            content = read_whole(path, _MOST_BYTES)
        except FileNotFoundError:
            raise RunFolderError(
                f"{path}: it is missing. Copy the whole folder, or move it away and run again."
            ) from None
        seals = self.opened["files"] or self.read_manifest()["files"]  # it may have ended since
        seal = seals.get(name)
        if seal is not None and seal.digest != _digest(content):
            raise unreadable(path, "it is not as the run left it")
        return content

    def _table(self, name: str, empty: Any) -> Any:
        path = self.file(name)
        return read_table(path, self.read(name)) if path.exists() else empty


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=8).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
