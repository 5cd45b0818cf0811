"""Code shared by all runs that train a network: checkpoints, records, progress, and timing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from learnorder.errors import refusing
from learnorder.runs.checkpoint import encode_weights, save_checkpoint, save_weights
from learnorder.runs.folder import Progress, RunFolder
from learnorder.runs.kinds import CostEstimate, EndStatus
from learnorder.runs.pace import Pace
from learnorder.runs.process import release_memory
from learnorder.training.problem import RunSettings
from learnorder.training.records import Records
from learnorder.training.trainer import Trainer
from learnorder.training.trial import try_training

_MEASURE_SECONDS = 1.0
_SAVE_SECONDS = 1.0
"""Seconds between checkpoints, at least: epochs may be shorter than it takes to save one."""
_RECORD_BYTES_PER_EPOCH = 400


def train(
    folder: RunFolder[Any], trainer: Trainer[Any], stop: Callable[[], bool]
) -> tuple[EndStatus, str] | None:
    """Train a folder's run to its end; as :meth:`~learnorder.runs.kinds.Backend.run`."""
    epochs, steps = folder.config.training.epochs, trainer.problem.steps
    shown, saved = Pace(), Pace(_SAVE_SECONDS)

    def save(trainer: Trainer[Any]) -> None:
        save_checkpoint(folder, trainer.state())
        _write_tables(folder, trainer)

    def end_epoch(trainer: Trainer[Any]) -> None:
        folder.check_lock()
        if trainer.group.any(saved.due()):
            save(trainer)

    def stop_here(trainer: Trainer[Any]) -> bool:
        if shown.due():
            share = ((trainer.epoch - 1) * steps + trainer.step) / (epochs * steps)
            folder.write_progress(Progress(share, f"epoch {trainer.epoch} of {epochs}"))
        return stop()

    outcome = trainer.run(stop_here, end_epoch)
    if outcome.status == "interrupted":
        save(trainer)
        trainer.group.wait()  # a launcher ends all processes when one ends
        return None
    _write_tables(folder, trainer)
    save_weights(folder, trainer.network.state_dict())
    return outcome.status, outcome.reason


def _write_tables(folder: RunFolder[Any], trainer: Trainer[Any]) -> None:
    """Write what was measured so far, and what each epoch took."""
    import pyarrow as pa

    tables = {"records": trainer.records.table()}
    if trainer.timings:
        columns = zip(*(vars(t).values() for t in trainer.timings), strict=True)
        names = ("epoch", "train_seconds", "evaluation_seconds")
        tables["timings"] = pa.table(dict(zip(names, columns, strict=True)))
    folder.write_tables(**tables)


def distinct_training(config: RunSettings) -> str:
    """Return a key of the settings on which it depends whether a network can be trained."""
    noisy, measured = config.noise.level.initial > 0, config.sharpness.examples
    training = config.training
    names = (
        "precision", "batch_size", "accumulate", "clip_norm", "optimizer", "optimizer_arguments",
        "dynamics", "snapshots",
    )  # fmt: skip
    return repr((noisy, measured, config.diagnostics, *(getattr(training, name) for name in names)))


def check_run(trainer: Trainer[Any], processes: int) -> None:
    """Check that a run can be trained, evaluated and saved; the trainer cannot be used afterwards.

    Args:
        trainer: A new trainer.
        processes: Number of processes that will train the run together.

    Raises:
        ConfigError: As for :func:`~learnorder.training.trial.try_training`, or the weights cannot
            be written.
        DataError: As for :func:`~learnorder.training.trial.try_training`.
    """
    try_training(trainer)
    trainer.check_processes(processes)
    refusal = trainer.problem.refusal
    with refusing(lambda why: refusal("model", f"Its weights cannot be written: {why}.")):
        encode_weights(trainer.network.state_dict())


def endless_steps(trainer: Trainer[Any]) -> Iterator[None]:
    """Take training steps without end, those of the first epoch over and over.

    Yields after each step, for which it does not wait on a GPU.

    Args:
        trainer: A new trainer; it cannot be used afterwards.
    """
    while True:
        for step, batch in enumerate(trainer.problem.epoch(1)):
            trainer.step = step
            trainer.train_step(batch)
            yield


def time_steps(
    trainer: Trainer[Any], seconds: float, most: int = 100, fewest: int = 1
) -> list[float]:
    """Return the seconds of each of some steps of training, including the assembly of batches.

    Args:
        trainer: A new trainer; it cannot be used afterwards.
        seconds: Time after which no further step is begun.
        most: Number of steps, at most.
        fewest: Number of steps, at least.
    """
    timed, started = list[float](), time.perf_counter()
    for _ in endless_steps(trainer):
        trainer.synchronize()
        now = time.perf_counter()
        timed.append(now - started)
        started = now
        if len(timed) >= most or (len(timed) >= fewest and sum(timed) > seconds):
            break
    return timed


def time_each(
    trainers: Iterable[AbstractContextManager[Trainer[Any]]], seconds: float, fewest: int
) -> list[list[float]]:
    """Return :func:`time_steps` of new trainers, which are made one after another."""
    timed = list[list[float]]()
    for made in trainers:
        with made as trainer:
            timed.append(time_steps(trainer, seconds, fewest=fewest))
    release_memory()
    return timed


def measure_steps(trainer: Trainer[Any], evaluated_share: float) -> CostEstimate:
    """Time a few steps of training, and each of the run's measures once.

    Args:
        trainer: A new trainer; it cannot be used afterwards.
        evaluated_share: Number of examples evaluated after an epoch, over those trained on in it.
    """
    epochs, steps = trainer.config.training.epochs, trainer.problem.steps
    timed = time_steps(trainer, _MEASURE_SECONDS, most=min(steps, 100))
    warm = timed[1:] or timed  # the first step also warms up
    training = sum(warm) / len(warm) * steps
    # The forward pass of evaluation takes about a third of a training step.
    evaluation = training * evaluated_share / 3
    parameters = sum(p.numel() for p in trainer.network.parameters())
    return CostEstimate(
        seconds=epochs * (training + evaluation) + _seconds_of_measures(trainer, evaluation),
        what=f"{epochs * steps:,} steps of {parameters:,} parameters",
        disk_bytes=4 * parameters + _RECORD_BYTES_PER_EPOCH * epochs,
        peak_bytes=3 * 8 * parameters,
    )


def _seconds_of_measures(trainer: Trainer[Any], evaluation: float) -> float:
    """Return the seconds that sharpness and diagnostics add to a run; ``evaluation`` is of one."""
    config, network, seconds = trainer.config, trainer.network, 0.0
    if (curvature := trainer.curvature) is not None:
        every = config.sharpness.every
        once = _seconds(trainer, lambda: curvature.measure(network, every))
        seconds += config.training.epochs // every * once
    if (diagnostics := trainer.diagnostics) is not None:
        every = config.diagnostics.every
        once = _seconds(trainer, lambda: diagnostics.measure(network, Records(), every, None))
        seconds += config.training.epochs // every * once
        seconds += len(config.diagnostics.pruned) * evaluation
    return seconds


def _seconds(trainer: Trainer[Any], work: Callable[[], object]) -> float:
    """Return the seconds that some work on a trainer's device takes."""
    trainer.synchronize()
    started = time.perf_counter()
    work()
    trainer.synchronize()
    return time.perf_counter() - started
