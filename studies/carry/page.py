"""The sweeps on ``docs/results.md``, drawn from the records in ``results/carry``."""

from __future__ import annotations

import csv
from pathlib import Path

import plotly.graph_objects as go

from learnorder.report.grid import MEASURED, Row, SweepGrid
from studies.common import RESULTS, image, title_of

SWEEPS = {
    "digits_plane": (
        "Learning rate × contrast, digits",
        "The large arm at five learning rates, each annealed to 0.02 at epoch 20 (0.02 is the "
        "small LR), and four contrasts of the patch. The order changes along the diagonal: the "
        "patch is learned later if it is fainter or the LR is larger. The pattern is learned first "
        "only at a contrast of 1.5 and an LR of 0.1 or less. Reliance changes along the same "
        "diagonal. Clean accuracy is highest at LRs of 0.1 to 1 and lower at 2, where training "
        "does not recover after the anneal.",
    ),
    "digits_batch": (
        "Batch size at fixed learning rate, digits",
        "The large and the small arm at fixed learning rates. A smaller batch has the effect of a "
        "larger LR, but only in the large arm: at 16 the patch is hardly learned after the anneal, "
        "and at 8 runs end at chance. The small arm learns the patch at every batch size.",
    ),
    "digits_anneal": (
        "Epoch of the anneal, digits",
        "The large arm, annealed at epoch 5 to 45 of 60. Five epochs at the large LR are enough. "
        "With a longer plateau, the patch is partly learned before the anneal, and at 45, some "
        "seeds have more reliance and less clean accuracy.",
    ),
    "cifar_plane": (
        "Learning rate × contrast, CIFAR-10",
        "4,000 images, 24 epochs; each learning rate is annealed to 0.02 at epoch 12 (0.02 is the "
        "small LR). As on digits, the order changes along the diagonal: for a stronger pattern to "
        "be learned after the content, the LR must be larger, and at a contrast of 0.8 none of "
        "these is large enough. Reliance is high if the pattern is learned first. At an LR of 1 a "
        "faint pattern is not learned after the anneal either, and clean accuracy is no higher.",
    ),
}
"""Titles and descriptions of the sweeps."""


def rows(path: Path) -> list[Row]:
    """Return the rows of a sweep."""
    measured = {*MEASURED} - {"first_bound"}
    with path.open() as file:
        return [
            {k: float(v) if k in measured else v for k, v in row.items() if v}
            for row in csv.DictReader(file)
        ]


def carry() -> tuple[str, dict[str, go.Figure]]:
    """Return the sweeps as Markdown, and their figures by name."""
    parts, figures = [], {}
    for name, (title, text) in SWEEPS.items():
        path = RESULTS / "carry" / f"{name}.csv"
        if not path.exists():
            continue
        grid = SweepGrid.of(rows(path))
        assert grid is not None
        cells = [cell for points in grid.cells.values() for cell in points.values()]
        seeds = sorted({cell.seeds() for cell in cells})
        n = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        parts.append(f"### {title}\n\n{text} n = {n} seeds per point.\n")
        for quantity, figure in zip(grid.quantities(), grid.figures(), strict=False):
            picture = f"carry-{name}-{quantity}"
            figures[picture] = figure
            parts.append(image(picture, title_of(figure)))
    return "\n".join(parts), figures
