"""Records: an experiment's run folders as two Parquet files, and folders of them again.

    python -m studies.records pack runs/reproduce-laptop results/laptop
    python -m studies.records unpack results/laptop runs/laptop

A record is a folder with the name that its folder of runs had:

    runs.parquet     a row a run: path, kind, status, manifest as JSON, timings by epoch, a sheet of
                     planted images (of the first run that has one), the effect of retraining the
                     last layer as JSON
    records.parquet  what all runs measured, with the run's path in the column ``run``

Checkpoints, weights and logs are left out. DuckDB reads the files as they
are:

    SELECT manifest->>'$.labels.arm' AS arm, avg(value) FROM 'results/laptop/plain/runs.parquet'
    JOIN 'results/laptop/plain/records.parquet' USING (run)
    WHERE epoch = 30 AND "set" = 'clean' AND quantity = 'accuracy' GROUP BY arm
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from learnorder.runs import ENDED, RunFolder
from learnorder.runs.folder import WEIGHTS
from learnorder.runs.last_layer import FILE as LAST_LAYER
from learnorder.runs.manifest import FileSeal, find_manifests, write_manifest

_RUNS, _RECORDS, _EXAMPLES = "runs.parquet", "records.parquet", "examples.png"
_TIMINGS = pa.list_(
    pa.struct(
        {
            "epoch": pa.int64(),
            "train_seconds": pa.float64(),
            "evaluation_seconds": pa.float64(),
        }
    )
)
_SCHEMA = pa.schema(
    {"run": pa.string(), "kind": pa.string(), "status": pa.string(), "manifest": pa.string(),
     "timings": _TIMINGS, "examples": pa.binary(), "last_layer": pa.string()}
)  # fmt: skip


def pack(folder: Path, target: Path) -> int:
    """Write the records of all runs at or below a folder.

    Runs that share their parent folder make a record, at its place below ``target``.

    Args:
        folder: Of run folders, at any depth.
        target: Gets the records.

    Returns:
        The number of runs.

    Raises:
        RunFolderError: There is no such folder, or a run that cannot be read.
    """
    paths = sorted((manifest.parent for manifest in find_manifests(folder)), key=_place)
    for parent, siblings in groupby(paths, key=lambda path: path.parent):
        runs = [RunFolder[Any](path) for path in siblings]
        _pack_experiment(runs, target / parent.relative_to(folder))
    return len(paths)


def _place(path: Path) -> tuple[Path, str]:
    return path.parent, path.name


def _pack_experiment(runs: list[RunFolder[Any]], target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    rows = [_row(run) for run in runs]
    if shown := next((run for run in runs if run.file(_EXAMPLES).exists()), None):
        rows[runs.index(shown)]["examples"] = shown.read(_EXAMPLES)
    _write(pa.Table.from_pylist(rows, schema=_SCHEMA), target / _RUNS)
    _write(pa.concat_tables([_measured(run) for run in runs]), target / _RECORDS)


def _measured(run: RunFolder[Any]) -> pa.Table:
    records = run.records()
    return records.add_column(0, "run", pa.array([run.name] * len(records), pa.string()))


def _row(run: RunFolder[Any]) -> dict[str, Any]:
    manifest, timings = run.read_manifest(), run.timings()
    files = {name: vars(seal) for name, seal in manifest["files"].items()}
    known = {name: value for name, value in manifest.items() if value is not None}
    return {
        "run": run.name,
        "kind": run.kind,
        "status": manifest["status"],
        "manifest": json.dumps({**known, "files": files}),
        "timings": None if timings is None else timings.to_pylist(),
        "last_layer": retrained.read_text()
        if (retrained := run.file(LAST_LAYER)).exists()
        else None,
    }


def _write(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression="zstd", compression_level=19)


def unpack(source: Path, folder: Path) -> int:
    """Make run folders of all records at or below a folder.

    Their manifests seal the files as they are now; weights stay noted as missing.

    Args:
        source: Of records, at any depth.
        folder: Gets the run folders, each at the place it had when it was packed.

    Returns:
        The number of runs.

    Raises:
        FileNotFoundError: There are no records.
    """
    found = sorted(source.glob(f"**/{_RUNS}"))
    if not found:
        raise FileNotFoundError(f"{source}: no {_RUNS} there. Give a folder of packed records.")
    places = {path.parent: folder / path.parent.relative_to(source) for path in found}
    return sum(_unpack_experiment(record, place) for record, place in places.items())


def _unpack_experiment(source: Path, folder: Path) -> int:
    measured = pq.read_table(source / _RECORDS)
    rows = pq.read_table(source / _RUNS).to_pylist()
    for row in rows:
        own = measured.filter(ds.field("run") == row["run"]).drop_columns(["run"])
        _restore(row, own.combine_chunks(), folder / row["run"])
    return len(rows)


def _restore(row: dict[str, Any], records: pa.Table, path: Path) -> None:
    manifest = json.loads(row["manifest"])
    ended = manifest["status"] in ENDED
    path.mkdir(parents=True)
    if ended or records.num_rows:
        pq.write_table(records, path / _RECORDS)
    if row["timings"] is not None:
        pq.write_table(pa.Table.from_pylist(row["timings"]), path / "timings.parquet")
    if row["examples"] is not None:
        (path / _EXAMPLES).write_bytes(row["examples"])
    retrained = row.get("last_layer")  # older records have none
    seals = {name: FileSeal(**seal) for name, seal in manifest["files"].items() if name == WEIGHTS}
    seals |= {file.name: _seal(file.read_bytes()) for file in path.iterdir()}
    write_manifest(path, {**manifest, "files": seals if ended else {}})
    if retrained is not None:
        (path / LAST_LAYER).write_text(retrained)


def _seal(content: bytes) -> FileSeal:
    return FileSeal(hashlib.blake2b(content, digest_size=8).hexdigest(), len(content))


@contextmanager
def unpacked(source: Path | str) -> Iterator[Path]:
    """Give a temporary folder with the run folders of all records at or below ``source``."""
    with tempfile.TemporaryDirectory() as folder:
        unpack(Path(source), Path(folder))
        yield Path(folder)


def main() -> None:
    """Pack, or unpack."""
    parser = argparse.ArgumentParser(description="Pack run folders as records, or unpack them.")
    parser.add_argument("action", choices=("pack", "unpack"))
    parser.add_argument("source", type=Path, help="Folder of run folders, or of records.")
    parser.add_argument("target", type=Path, help="Gets the records, or the run folders.")
    given = parser.parse_args()
    act = pack if given.action == "pack" else unpack
    print(f"{act(given.source, given.target)} runs: {given.source} -> {given.target}")


if __name__ == "__main__":
    main()
