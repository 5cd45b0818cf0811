"""The page of ``learnorder theory explore``: one HTML file, assembled from ``assets/``."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from learnorder.errors import ConfigError
from learnorder.runs.files import atomic_write
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
    """Write the page, a single file that opens offline; return its path.

    Args:
        path: The file. An existing file is replaced atomically.

    Raises:
        ConfigError: The path is a folder.
        RunFolderError: The file cannot be written.
    """
    path = Path(path)
    if path.is_dir():
        raise ConfigError("out", str(path), "This is a folder. Give a file, e.g. explorer.html.")
    page = render_explorer()
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def render_explorer() -> str:
    """Return the page as HTML."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(ASSETS), autoescape=True, undefined=jinja2.StrictUndefined
    )
    data = json.dumps({"arcsine": arcsine_table(), "grid": grid.read()}).replace("<", "\\u003c")
    return templates.get_template("page.html.j2").render(
        style=Markup((ASSETS / "style.css").read_text(encoding="utf-8")),
        data=Markup(data),
        worker=Markup(script("worker")),
        solver=Markup(script(*_SOLVER)),
        page=Markup(script(*_PAGE)),
        version=version("learnorder"),
    )


def script(*names: str) -> str:
    """Return modules of the page, one after the other."""
    return "\n".join((ASSETS / f"{name}.js").read_text(encoding="utf-8") for name in names)


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
