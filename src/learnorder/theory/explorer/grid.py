"""Runs computed in advance, which the page shows until its own run has finished.

``python -m learnorder.theory.explorer.grid`` computes them again (twelve minutes on one core) after
a change of the flow, and replaces ``grid.json``.
"""

from __future__ import annotations

import base64
import dataclasses
import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import track

from learnorder.runs.files import atomic_write
from learnorder.theory.config import TheoryArm
from learnorder.theory.explorer.settings import Curve, Setting, run

PATH = Path(__file__).parent / "grid.json"

AXES: dict[str, list[float]] = {
    "s": [10.0, 100.0, 1000.0],
    "r": [1e-5, 1e-4, 1e-2],
    "kappa": [0.6, 1.0],
    "weight_decay": [1e-5, 1e-3],
    "p0": [0.06, 0.3],
}
"""The values of each setting; the page interpolates between them in their logarithms."""

RUNS: list[tuple[TheoryArm, float]] = [
    ("S", 0.0),
    *(("L-S", eta) for eta in (1e-6, 1e-4, 1e-2, 1.0)),
    *(("S+noise", sigma) for sigma in (1e-5, 1e-3, 1e-1, 30.0)),
]
"""The runs at each point: L-S with η1/η* and S + noise with σ. S is also L-S at a tiny η1, and
S + noise at a tiny σ; the page interpolates between these too."""

TIMES = [10 ** (-3 + k / 6) for k in range(31)]
"""The times, η·t/d."""

_PER_MARGIN, _PER_ERROR = 500, 30000


def encode(curve: Curve, d: int) -> np.ndarray:
    """Return a run as integers, (3·31 + 2,).

    In this order: margins of P and Q in 1/500 and the error in 1/30000, at ``TIMES`` and with the
    last value held after the end; log10 of η·t/d at the end and at the anneal, in
    thousandths (the end if there was no anneal).
    """
    at, known = np.log(np.array(TIMES) * d), np.log(curve.times)
    values = [
        np.interp(at, known, curve.p) * _PER_MARGIN,
        np.interp(at, known, curve.q) * _PER_MARGIN,
        np.interp(at, known, curve.error) * _PER_ERROR,
    ]
    end = float(curve.times[-1])
    ends = [1000 * math.log10(time / d) for time in (end, curve.annealed or end)]
    rounded = np.round(np.concatenate([*values, ends]))
    if abs(rounded).max() > np.iinfo(np.int16).max:
        raise OverflowError(f"a margin of {abs(rounded).max() / _PER_MARGIN:g} does not fit")
    return rounded.astype("<i2")


def points() -> list[Setting]:
    """Return the settings of the grid, the last axis varying fastest."""
    return [
        Setting(s, r, kappa, weight_decay, p0)
        for s, r, kappa, weight_decay, p0 in itertools.product(*AXES.values())
    ]


def row(setting: Setting, at: int) -> np.ndarray:
    """Return one run of a point, encoded."""
    arm, value = RUNS[at]
    if arm != "S":
        setting = dataclasses.replace(setting, **{"eta" if arm == "L-S" else "sigma": value})
    return encode(run(setting, arm), setting.config(arm).distribution.d)


def read() -> dict[str, Any]:
    """Return the packaged grid."""
    return json.loads(PATH.read_text(encoding="utf-8"))


def values(grid: dict[str, Any]) -> np.ndarray:
    """Return a grid's encoded runs, (points, runs, 95)."""
    flat = np.frombuffer(base64.b64decode(grid["values"]), "<i2")
    return flat.reshape(-1, len(RUNS), 3 * len(TIMES) + 2)


def main() -> None:
    """Compute the grid and write ``grid.json``."""
    torch.set_num_threads(1)
    todo = list(itertools.product(points(), range(len(RUNS))))
    write([row(setting, at) for setting, at in track(todo, "runs")])


def write(rows: list[np.ndarray]) -> None:
    """Write the packaged grid.

    Args:
        rows: The encoded runs, those of a point one after the other.
    """
    data = base64.b64encode(np.concatenate(rows).tobytes()).decode()
    grid = {"axes": AXES, "runs": RUNS, "points": len(TIMES), "values": data}
    with atomic_write(PATH) as temporary:
        temporary.write_text(json.dumps(grid) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
