"""Runs that have finished, as a sweep leaves them: made in no time, without training."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from learnorder.config.settings import (
    DataConfig,
    ModelConfig,
    PatchConfig,
    RunConfig,
)
from learnorder.config.training import TrainingConfig
from learnorder.execution.driver import Plan
from learnorder.runs import RunFolder
from learnorder.runs.sealed import sealed
from learnorder.schedules import Schedule

RECORDS, SEEDS, FILES = 1_000, 5, 100
"""Records of a run, seeds of a point of the grid, and files of records that differ."""
DIGITS = {
    "num_classes": 10, "image_size": [8, 8], "train_examples": 450, "evaluation_examples": 150,
    "classes": {str(digit): [45, 15] for digit in range(10)},
}  # fmt: skip
"""What a run says of its data."""
QUESTION = (
    'SELECT "learning_rate.initial" AS rate, avg(value), count(*) FROM records '
    "JOIN runs USING (run) WHERE quantity = 'accuracy' AND epoch > 90 GROUP BY rate ORDER BY rate"
)


def short_run(seed: int, epochs: int) -> RunConfig:
    """Return a run on digits of some seconds."""
    return RunConfig(
        data=DataConfig(train_examples=600, evaluate_on="validation", validation_share=0.25),
        model=ModelConfig("WideResNet", {"depth": 10, "widen_factor": 1}),
        patch=PatchConfig(eligible_share=0.8, size=3, contrast=0.6),
        training=TrainingConfig(epochs=epochs, batch_size=32),
        learning_rate=Schedule(0.1),
        seed=seed,
    )


@contextmanager
def finished_runs(count: int) -> Iterator[Path]:
    """Make the folders of a sweep whose runs have finished, without training; remove them."""
    with tempfile.TemporaryDirectory() as folder:
        files, place = Path(folder) / "files", Path(folder) / "runs"
        files.mkdir()
        first = RunFolder.create(place / "run0", short_run(0, RECORDS // 10), {})
        seals = [write_records(first, number, files / str(number)) for number in range(FILES)]
        manifest = {**first.read_manifest(), "status": "finished", "data": DIGITS}
        points = -(-count // SEEDS)
        side = math.isqrt(points - 1) + 1
        for number in range(count):
            point, seed = divmod(number, SEEDS)
            rate, decay = 0.01 * (1 + point % side), 1e-5 * (1 + point // side)
            config = replace(
                first.config,
                learning_rate=Schedule(rate),
                training=replace(first.config.training, weight_decay=decay),
                seed=seed,
            )
            labels = {
                "experiment": "sweep", "learning_rate.initial": f"{rate:g}",
                "training.weight_decay": f"{decay:g}",
            }  # fmt: skip
            path = place / f"run{number}"
            path.mkdir(exist_ok=True)
            own = {"labels": labels, "config": config.to_dict(), "files": seals[number % FILES]}
            write_quickly(path, {**manifest, **own})
            path.joinpath("records.parquet").unlink(missing_ok=True)
            os.link(files / str(number % FILES), path / "records.parquet")
        yield place


def write_records(run: RunFolder[RunConfig], number: int, target: Path) -> dict[str, dict]:
    """Write random records of the usual form to a file; return the seals of a run with them."""
    sets = ["clean", "clean", "mixed", "mixed", "patch_only", "patch_only", "conflict",
            "conflict", "train", "run"]  # fmt: skip
    table = pa.table({
        "epoch": pa.array(np.repeat(np.arange(1, RECORDS // 10 + 1), 10), pa.int32()),
        "set": sets * (RECORDS // 10),
        "group": ["all"] * RECORDS,
        "quantity": [*["accuracy", "loss"] * 3, "reliance", "loss", "loss", "learning_rate"]
        * (RECORDS // 10),
        "value": np.random.default_rng(number).random(RECORDS),
        "examples": pa.array(np.full(RECORDS, 600), pa.int64()),
    })  # fmt: skip
    pq.write_table(table, run.file("records.parquet"))
    seals = {name: vars(seal) for name, seal in run.seal().items()}
    run.file("records.parquet").rename(target)
    return seals


def write_quickly(path: Path, manifest: Mapping[str, object]) -> None:
    """Write a manifest without waiting for the disk."""
    known = {name: value for name, value in manifest.items() if value is not None}
    path.joinpath("manifest.json").write_bytes(sealed(known))


def plans_of(place: Path) -> dict[str, Plan[RunConfig]]:
    """Return the plans of which finished runs have been made."""
    folders = [RunFolder[RunConfig](path) for path in place.iterdir() if path.is_dir()]
    return {folder.name: Plan(folder.config, folder.labels) for folder in folders}
