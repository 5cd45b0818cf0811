"""Execute one run in its folder: lock, train or continue, and leave it whole whatever happens.

``python -m learnorder.runs.execute FOLDER --threads 1`` is a worker's process.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from learnorder.errors import Interrupted, LearnOrderError, RunFolderError, RunInUse
from learnorder.runs.checkpoint import load_checkpoint, save_checkpoint, save_weights
from learnorder.runs.environment import environment
from learnorder.runs.files import atomic_write
from learnorder.runs.folder import ENDED, Progress, RunFolder, RunStatus
from learnorder.runs.signals import on_signals

if TYPE_CHECKING:
    from learnorder.data import ImageData
    from learnorder.patterns import Patch
    from learnorder.training import Trainer

_PROGRESS_EVERY = 0.5
"""Seconds between reports of progress."""


def execute(folder: RunFolder, threads: int = 1) -> RunStatus:
    """Train the folder's run to its end, from its checkpoint where there is one.

    A run that has ended is left alone. SIGINT and SIGTERM write a checkpoint at the step under way.

    Args:
        folder: The run.
        threads: Threads of its arithmetic; results are reproducible for a fixed number.

    Returns:
        The status, finished or diverged.

    Raises:
        Interrupted: A signal came; the run continues when executed again.
        RunInUse: Another process executes this run.
    """
    received: list[int] = []
    with on_signals(received.append), _locked(folder):
        if folder.status in ENDED:
            return folder.status
        try:
            return _train(folder, threads, received)
        except Interrupted:
            folder.update(status="interrupted", reason="")
            raise
        except Exception as error:
            with suppress(RunFolderError):  # a full disk takes no note either
                folder.update(status="failed", reason=f"{type(error).__name__}: {error}")
            raise


def _train(folder: RunFolder, threads: int, received: list[int]) -> RunStatus:
    """Train, looking after each step at the signals received."""
    import pyarrow as pa
    import torch

    from learnorder.data import load_images
    from learnorder.training import Trainer

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    state = load_checkpoint(folder.file("checkpoint.pt"))
    data = load_images(folder.config.data)
    trainer = Trainer(folder.config, data, state)
    folder.update(
        status="running",
        reason="",
        threads=threads,
        data=_describe(data),
        environment=environment(),
    )
    if trainer.batches.patch is not None:
        _save_examples(folder, data, trainer.batches.patch)
    reporter = _Reporter(folder)

    def save_epoch(trainer: Trainer) -> None:
        save_checkpoint(folder.file("checkpoint.pt"), trainer.state())
        columns = zip(*(vars(t).values() for t in trainer.timings), strict=True)
        names = ("epoch", "train_seconds", "evaluation_seconds")
        timings = pa.table(dict(zip(names, columns, strict=True)))
        folder.write_tables(records=trainer.records.table(), timings=timings)

    def stop(trainer: Trainer) -> bool:
        reporter.report(trainer)
        return bool(received)

    outcome = trainer.run(stop, save_epoch)
    if outcome.status == "interrupted":
        save_checkpoint(folder.file("checkpoint.pt"), trainer.state())
        raise Interrupted(
            received[0],
            f"{folder.path} is saved {outcome.reason}. The same command continues it.",
        )
    folder.write_tables(records=trainer.records.table())
    save_weights(folder.file("weights.safetensors"), trainer.network.state_dict())
    folder.update(status=outcome.status, reason=outcome.reason)
    folder.file("checkpoint.pt").unlink(missing_ok=True)
    folder.file("progress.json").unlink(missing_ok=True)
    return outcome.status


def _describe(data: ImageData) -> dict[str, object]:
    """What the manifest says of the images."""
    return {
        "num_classes": data.num_classes,
        "image_size": list(data.image_size),
        "train_examples": len(data.train),
        "evaluation_examples": len(data.evaluation),
        "mean": list(data.mean),
        "std": list(data.std),
    }


def _save_examples(folder: RunFolder, data: ImageData, patch: Patch) -> None:
    """Write a sheet of planted images, and what its rows and columns are."""
    from PIL import Image

    from learnorder.patterns import draw_gallery

    gallery = draw_gallery(
        data.train.pixels,
        data.train.labels,
        patch.to(data.train.pixels.device),
        class_names=data.class_names,
        mean=data.mean,
        std=data.std,
    )
    rows, columns, height, width, _ = gallery.pixels.shape
    sheet = gallery.pixels.permute(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3)
    with atomic_write(folder.file("examples.png")) as temporary:
        Image.fromarray(sheet.numpy()).save(temporary, format="PNG")
    folder.update(examples={"rows": gallery.rows, "columns": gallery.columns})


class _Reporter:
    """Writes a trainer's progress now and then."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._next = 0.0

    def report(self, trainer: Trainer) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _PROGRESS_EVERY
        steps = trainer.batches.steps
        done = (trainer.epoch - 1) * steps + trainer.step
        total = trainer.config.training.epochs * steps
        self._folder.write_progress(Progress(trainer.epoch, done, total))


@contextmanager
def _locked(folder: RunFolder) -> Iterator[None]:
    lock = FileLock(folder.file(".lock"), timeout=0)
    try:
        with lock:
            yield
    except Timeout as error:
        raise RunInUse(
            f"{folder.path}: another process is working on this run. Wait for it, or stop it."
        ) from error


def main() -> int:
    """Execute the run named on the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m learnorder.runs.execute", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    try:
        execute(RunFolder(arguments.folder), arguments.threads)
    except LearnOrderError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
