"""Runs of the theory over a grid of two settings, as a grid."""

from __future__ import annotations

import math
from dataclasses import dataclass

from learnorder.errors import RunFolderError
from learnorder.statistics import Estimate
from learnorder.theory_results import TheoryResults

AXES = "axes"
"""The label that names a phase diagram's two settings."""
BETWEEN = " × "
"""What stands between them there."""


@dataclass(frozen=True)
class PhaseGrid:
    """Which arm of the results stands where.

    Attributes:
        results: The runs.
        x_name: Setting along the horizontal axis.
        y_name: Setting along the vertical axis.
        xs: Its values, as the labels say them.
        ys: Its values.
        cells: By (x, y), the name of the results' arm for each algorithm run there.
    """

    results: TheoryResults
    x_name: str
    y_name: str
    xs: list[str]
    ys: list[str]
    cells: dict[tuple[str, str], dict[str, str]]

    @classmethod
    def of(cls, results: TheoryResults) -> PhaseGrid:
        """Find the grid in the labels of the runs.

        Raises:
            RunFolderError: The runs are no phase diagram.
        """
        axes = {folder.labels.get(AXES, "") for folder in results.folders}
        if len(axes) != 1 or BETWEEN not in (named := axes.pop()):
            raise RunFolderError("These runs are not those of one `learnorder theory phase`.")
        x_name, y_name = named.split(BETWEEN)
        cells: dict[tuple[str, str], dict[str, str]] = {}
        for arm in results.arms:
            labels = results.labels(arm)
            cells.setdefault((labels[x_name], labels[y_name]), {})[labels["arm"]] = arm
        xs = sorted({x for x, _ in cells}, key=float)
        ys = sorted({y for _, y in cells}, key=float)
        for x in xs:
            for y in ys:
                cells.setdefault((x, y), {})
        return cls(results, x_name, y_name, xs, ys, cells)

    def first(self, at: tuple[str, str], algorithm: str) -> float | None:
        """Return log10 of P's half-margin time over Q's, mean over seeds; positive: Q is first."""
        if (arm := self.cells[at].get(algorithm)) is None:
            return None
        p, q = (self.results.half_learned(arm, pattern) for pattern in ("P", "Q"))
        logs = [
            math.log10(p_time / q_time)
            for seed in p.keys() & q.keys()
            if (p_time := p[seed]) is not None and (q_time := q[seed]) is not None
        ]
        return math.fsum(logs) / len(logs) if logs else None

    def ratio(self, at: tuple[str, str]) -> Estimate:
        """Return the P-only error ratio S / L-S."""
        arms = self.cells[at]
        if "S" not in arms or "L-S" not in arms:
            return Estimate(math.nan, math.nan, math.nan, 0)
        return self.results.final_ratio(arms["S"], arms["L-S"], "p_only", "error")
