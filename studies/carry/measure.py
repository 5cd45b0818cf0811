"""How far the effect extends: sweeps over learning rate, contrast, batch size and anneal.

``python -m studies.carry.measure`` makes the missing runs of the sweeps on digits, and
``python -m studies.carry.measure cifar_plane cifar_noise cifar_rates`` those on CIFAR-10. Runs are
in ``runs/carry``, and their final measurements in ``results/carry``. If interrupted, the same
command continues. Accuracies are on test images; no setting is chosen by them.

``python -m studies.carry.measure --selection FOLDER`` writes the final measurements of all runs in
a folder of sweeps to ``results/selection.csv``, the record of how settings were chosen.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import learnorder
from learnorder.images.experiment import ImageExperiment
from learnorder.report.grid import sweep_rows
from learnorder.runs import find_runs
from studies.common import DATA, RESULTS, ROOT

RATE = "learning_rate.initial,learning_rate.step_epochs,learning_rate.step_factor"

NOISE = "noise.level.initial,noise.level.step_epochs,noise.level.step_factor,noise.level.decay"


@dataclass(frozen=True)
class Sweep:
    """Arms of an experiment over a grid."""

    experiment: ImageExperiment
    arms: tuple[str, ...]
    grid: Mapping[str, Sequence[Any]]
    seeds: int


def rates(anneal: int, values: Sequence[float], after: float) -> list[list[Any]]:
    """Return learning rates that are annealed to one value; the first is that value, constant."""
    annealed = [[rate, [anneal], round(after / rate, 6)] for rate in values]
    return [[after, [], None], *annealed]


def sweeps(source: str) -> dict[str, Sweep]:
    """Return the sweeps by name."""
    digits = learnorder.recipe("demo")
    laptop, plain = learnorder.recipe("laptop"), learnorder.recipe("laptop", "plain")
    short = replace(
        laptop,
        data=replace(laptop.data, source=source, train_examples=4000, evaluation_examples=2000),
        training=replace(laptop.training, epochs=24),
    )
    images = replace(plain, data=replace(plain.data, source=source))
    plane = {RATE: rates(20, (0.1, 0.3, 1.0, 2.0), 0.02), "patch.contrast": [0.3, 0.6, 0.9, 1.5]}
    cifar = {RATE: rates(12, (0.1, 0.3, 1.0), 0.02), "patch.contrast": [0.15, 0.25, 0.4, 0.8]}
    return {
        "digits_plane": Sweep(digits, ("large",), plane, 5),
        "digits_batch": Sweep(
            digits, ("large", "small"), {"training.batch_size": [8, 16, 32, 64, 128]}, 5
        ),
        "digits_anneal": Sweep(
            digits, ("large",), {"learning_rate.step_epochs": [[5], [10], [20], [30], [45]]}, 5
        ),
        "cifar_plane": Sweep(short, ("large",), cifar, 3),
        "cifar_rates": Sweep(
            images,
            ("large",),
            {RATE: [*([r, [], None] for r in (0.05, 0.1, 0.2)), *rates(12, (0.1, 0.2), 0.02)[1:]]},
            6,
        ),
        "cifar_noise": Sweep(
            images,
            ("small_noise",),
            {NOISE: [[0.4, [12], 0.0, 1.0], [0.8, [12], 0.0, 1.0], [0.4, [], None, 1.0]]},
            3,
        ),
    }


def make(name: str, sweep: Sweep) -> None:
    """Run a sweep and write a row for each run."""
    bases = {arm: sweep.experiment.run(arm, 0) for arm in sweep.arms}
    out = ROOT / "runs" / "carry" / name
    results = learnorder.run_sweep(bases, sweep.grid, range(sweep.seeds), out)
    write(RESULTS / "carry" / f"{name}.csv", sweep_rows(results))


def selection(folder: Path) -> list[dict[str, Any]]:
    """Return the final measurements of each finished run, those without a patch first."""
    rows = []
    for run in find_runs(folder):
        config = run.config
        if run.read_status() != "finished":
            continue
        assert config.data.evaluate_on == "validation"
        results = learnorder.Results([run])
        (arm,) = results.arms
        row = {
            "contrast": config.patch.contrast if config.patch.planted else None,
            "learning_rate": words(config.learning_rate),
            "noise": words(config.noise.level),
            "seed": config.seed,
            "clean": results.final(arm, "clean", "accuracy")[config.seed],
        }
        if config.patch.planted:
            row["patch_only"] = results.final(arm, "patch_only", "accuracy")[config.seed]
            row["patch_learned_at"] = results.learned(arm, "patch")[config.seed]
            row["reliance"] = results.final(arm, "conflict", "reliance")[config.seed]
        rows.append(row)
    return sorted(rows, key=lambda row: (row["contrast"] or 0, str(row["learning_rate"])))


def words(schedule: learnorder.Schedule) -> str:
    """Return a schedule in words.

    >>> words(learnorder.Schedule(0.7, (12,), 0.0286))
    '0.7, ×0.0286 at 12'
    """
    if schedule.initial == 0:
        return "none"
    parts = [f"{schedule.initial:g}"]
    if schedule.step_epochs:
        parts.append(f"×{schedule.step_factor:g} at {', '.join(map(str, schedule.step_epochs))}")
    if schedule.decay != 1:
        parts.append(f"×{schedule.decay:g} an epoch")
    return ", ".join(parts)


def write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows to a CSV file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: _short(v) for k, v in row.items()} for row in rows)
    print(f"{path.name}: {len(rows)} runs")


def _short(value: object) -> object:
    return f"{value:.5g}" if isinstance(value, float) else value


def main() -> None:
    """Make the sweeps named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=[], help="Sweeps; default: those on digits.")
    parser.add_argument("--data", default=DATA, help="Location of CIFAR-10.")
    parser.add_argument("--selection", help="Folder of sweeps to collect.")
    arguments = parser.parse_args()
    known = sweeps(arguments.data)
    if arguments.selection:
        write(RESULTS / "selection.csv", selection(Path(arguments.selection)))
        return
    for name in arguments.names or [name for name in known if name.startswith("digits")]:
        make(name, known[name])


if __name__ == "__main__":
    main()
