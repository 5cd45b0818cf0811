"""Execute one run in its folder: lock it, start or continue it, and leave it valid in any case.

``python -m learnorder.runs.execute FOLDER --threads 1`` does so in a separate process. Several
processes of one group (``torchrun … -m learnorder.runs.execute FOLDER``) train the run together;
only the first of them writes.
"""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from learnorder.errors import Interrupted, LearnOrderError, RunFolderError, RunInUse
from learnorder.runs.checkpoint import remove_checkpoints
from learnorder.runs.environment import environment
from learnorder.runs.files import remove_leftovers
from learnorder.runs.folder import ENDED, RunFolder, RunStatus
from learnorder.runs.kinds import kind_named
from learnorder.runs.lock import RunLock
from learnorder.runs.plain_text import visible
from learnorder.runs.signals import on_signals


def execute(
    folder: RunFolder,
    threads: int = 1,
    each_step: Callable[[], None] = lambda: None,
    received: list[int] | None = None,
) -> RunStatus:
    """Execute the folder's run to its end, from its checkpoint if there is one.

    A run that has ended is not executed again. On SIGINT or SIGTERM a checkpoint is written at the
    current step.

    Args:
        folder: The run; read-only if another process of the same group writes.
        threads: Number of threads; results are reproducible for a fixed number.
        each_step: Called after each step.
        received: List to which signal numbers are appended; shared by a caller's runs.

    Returns:
        The status, one of :data:`~learnorder.runs.folder.ENDED`.

    Raises:
        Interrupted: A signal came; the run continues when executed again.
        RunInUse: Another process is working on this run.
        RunLost: Another process has taken over this run; nothing was written since.
    """
    received = [] if received is None else received
    with on_signals(received.append), _locked(folder, received):
        if folder.read_status() in ENDED:
            return folder.read_status()
        try:
            with arithmetic(threads):
                return _work(folder, threads, received, each_step)
        except Interrupted:
            folder.update(status="interrupted", reason="")
            raise
        except (Exception, SystemExit) as error:
            with suppress(RunFolderError):  # e.g. the disk is full, or the lock is lost
                folder.update(status="failed", reason=f"{type(error).__name__}: {error}")
            raise


@contextmanager
def _locked(folder: RunFolder, received: list[int]) -> Iterator[None]:
    """Hold the run's lock, which every write to the folder checks."""
    if folder.read_only:
        yield
        return
    lock = RunLock(folder.path, stop=lambda: bool(received))
    try:
        with lock as folder.lock:
            remove_leftovers(folder.path)
            yield
    except RunInUse as error:
        if folder.lock is None and received:  # a signal came while it waited for the lock
            raise Interrupted(received[0], f"{folder.path} was not started.") from error
        raise
    finally:
        folder.lock = None


def _work(
    folder: RunFolder, threads: int, received: list[int], each_step: Callable[[], None]
) -> RunStatus:
    """Execute the run, checking after each step for signals."""
    moved = _moved(folder)
    here = {} if moved else {"environment": environment()}

    def stop() -> bool:
        if moved:
            folder.update(**moved)
            moved.clear()
        each_step()
        return bool(received)

    backend = kind_named(folder.kind).load_backend()
    log = logging.getLogger(__name__)
    log.info("%s starts in process %d", visible(folder.name), os.getpid())
    folder.update(
        status="running",
        reason="",
        threads=threads,
        processes=int(os.environ.get("WORLD_SIZE", "1")),
        **here,
    )
    outcome = backend.run(folder, stop)
    if outcome is None:
        raise Interrupted(  # another of the run's processes may have received the signal
            received[0] if received else signal.SIGTERM,
            f"{folder.path} is saved at its current step. The same command continues it.",
        )
    status, reason = outcome
    if not folder.read_only:
        folder.update(status=status, reason=reason, files=folder.seal())
        log.info("%s ends: %s", visible(folder.name), status)
        remove_checkpoints(folder)
        folder.file("progress.json").unlink(missing_ok=True)
    return status


def _moved(folder: RunFolder) -> dict[str, Any]:
    """Return what the manifest is to say once a run that was begun elsewhere takes a step here.

    Empty if it begins here, or was begun with this machine and these versions.
    """
    manifest, now = folder.read_manifest(), environment()
    before, former = manifest["environment"], manifest["former_environments"] or []
    if before == now or not any(folder.path.glob("checkpoint*.pt")):
        return {}
    others = former if before in former else [*former, before]
    return {"environment": now, "former_environments": others}


@contextmanager
def arithmetic(threads: int) -> Iterator[None]:
    """Set the number of threads and flush denormal numbers to 0 within a ``with`` block."""
    import torch

    before = torch.get_num_threads()
    tiny = torch.full((1,), 1e-310, dtype=torch.float64)
    flushed = (tiny * 0.5).item() == 0.0
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_num_threads(before)
        torch.set_flush_denormal(flushed)


def main() -> int:
    """Execute the run named on the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m learnorder.runs.execute", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    try:
        first = os.environ.get("RANK", "0") == "0"
        execute(RunFolder(arguments.folder, read_only=not first), arguments.threads)
    except LearnOrderError as error:
        print(visible(error), file=sys.stderr)
        return error.exit_code
    finally:
        _leave_group()
    return 0


def _leave_group() -> None:
    """Leave torch's process group, if there is one."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main())
