"""Execute one run in its folder: lock, work or continue, and leave it whole whatever happens.

``python -m learnorder.runs.execute FOLDER --threads 1`` does so in a process of its own. Started
several times as processes of one group (``torchrun … -m learnorder.runs.execute FOLDER``), these
train the run together, and the first writes.
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
    """Take the folder's run to its end, from its checkpoint where there is one.

    A run that has ended is left alone. SIGINT and SIGTERM write a checkpoint at the step under way.

    Args:
        folder: The run; a read-only one is made beside another process, which writes.
        threads: Threads of its arithmetic; results are reproducible for a fixed number.
        each_step: Called after each step.
        received: Gets the numbers of signals that come; the caller's, where it makes several runs.

    Returns:
        The status, one of those that end a run.

    Raises:
        Interrupted: A signal came; the run continues when executed again.
        RunInUse: Another process executes this run.
        RunLost: Another process has taken over this run; nothing was written since.
    """
    received = [] if received is None else received
    with on_signals(received.append), _locked(folder, received):
        if folder.status in ENDED:
            return folder.status
        try:
            with arithmetic(threads):
                return _work(folder, threads, received, each_step)
        except Interrupted:
            folder.update(status="interrupted", reason="")
            raise
        except (Exception, SystemExit) as error:
            with suppress(RunFolderError):  # a full disk takes no note, nor does a run that is lost
                folder.update(status="failed", reason=f"{type(error).__name__}: {error}")
            raise


@contextmanager
def _locked(folder: RunFolder, received: list[int]) -> Iterator[None]:
    """Hold the run's lock, through which the folder is then written to."""
    if folder.read_only:
        yield
        return
    lock = RunLock(folder.path, stop=lambda: bool(received))
    try:
        with lock as folder.lock:
            remove_leftovers(folder.path)
            yield
    except RunInUse as error:
        if folder.lock is None and received:  # while it waited for a sign of life
            raise Interrupted(received[0], f"{folder.path} was not begun.") from error
        raise
    finally:
        folder.lock = None


def _work(
    folder: RunFolder, threads: int, received: list[int], each_step: Callable[[], None]
) -> RunStatus:
    """Do the run's work, looking after each step at the signals received."""

    def stop() -> bool:
        each_step()
        return bool(received)

    backend = kind_named(folder.kind).load_backend()
    log = logging.getLogger(__name__)
    log.info("%s begins in process %d", visible(folder.name), os.getpid())
    folder.update(
        status="running",
        reason="",
        threads=threads,
        processes=int(os.environ.get("WORLD_SIZE", "1")),
        environment=environment(),
    )
    outcome = backend.run(folder, stop)
    if outcome is None:
        raise Interrupted(  # the signal may have come to another of the run's processes
            received[0] if received else signal.SIGTERM,
            f"{folder.path} is saved where it was. The same command continues it.",
        )
    status, reason = outcome
    if not folder.read_only:
        folder.update(status=status, reason=reason, files=folder.seal())
        log.info("%s ends: %s", visible(folder.name), status)
        remove_checkpoints(folder)
        folder.file("progress.json").unlink(missing_ok=True)
    return status


@contextmanager
def arithmetic(threads: int) -> Iterator[None]:
    """Compute with so many threads, numbers too small for full precision taken as 0."""
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
        first = os.environ.get("RANK", "0") == "0"  # of the processes that share the run
        execute(RunFolder(arguments.folder, read_only=not first), arguments.threads)
    except LearnOrderError as error:
        print(visible(error), file=sys.stderr)
        return error.exit_code
    finally:
        _leave_group()
    return 0


def _leave_group() -> None:
    """Say goodbye to the other processes, where there are any."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    sys.exit(main())
