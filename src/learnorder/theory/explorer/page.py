"""The page of ``learnorder theory explore``: one HTML file, assembled from ``assets/``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from markupsafe import Markup

from learnorder.report.interactive import render_interactive, script, write_interactive
from learnorder.theory import arcsine
from learnorder.theory.explorer import grid

ASSETS = Path(__file__).parent / "assets"

_SOLVER = ("examples", "noise", "kernel", "flow", "course", "network", "live", "tasks")
_PAGE = (
    *("controls", "preview", "words", "charts", "pictures", "patterns"),
    *("exporting", "engine", "finite", "app"),
)
_SMALLEST_R = 1e-5


def write_explorer(path: Path | str) -> Path:
    """Write the page; see :func:`~learnorder.report.interactive.write_interactive`."""
    return write_interactive(path, render_explorer())


def render_explorer() -> str:
    """Return the page as HTML."""
    return render_interactive(
        ASSETS,
        _PAGE,
        {"arcsine": arcsine_table(), "grid": grid.read()},
        worker=Markup(script(ASSETS, "worker")),
        solver=Markup(script(ASSETS, *_SOLVER)),
    )


def arcsine_table() -> dict[str, Any]:
    """Return the series of arcsin for all angles down to the page's smallest r.

    The series of a larger angle begins with the same terms: 16 exact ones, then 3 for each octave.
    """
    series = arcsine.arcsine(_SMALLEST_R)
    return {
        "exact": arcsine.EXACT,
        "perOctave": arcsine.TERMS_PER_OCTAVE,
        "reach": arcsine.REACH,
        "powers": series.powers[:-1].tolist(),
        "coefficients": series.coefficients[:-1].tolist(),
    }
