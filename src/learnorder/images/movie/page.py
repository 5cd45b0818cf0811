"""The page of ``learnorder report --movie``: one HTML file, assembled from ``assets/``."""

from __future__ import annotations

from pathlib import Path

from learnorder.images.movie.data import movie_data
from learnorder.report.interactive import render_interactive, write_interactive
from learnorder.runs.plain_text import visible
from learnorder.runs.results import Results

ASSETS = Path(__file__).parent / "assets"
_SCRIPTS = ("state", "marks", "order", "pictures", "app")


def write_movie(results: Results, path: Path | str) -> Path:
    """Write the movie of runs on images: a single HTML file that opens offline.

    Args:
        results: The runs.
        path: The file. An existing file is replaced atomically.

    Returns:
        The path.

    Raises:
        ConfigError: The path is a folder.
        RunFolderError: As for :func:`~learnorder.images.movie.data.movie_data`.
    """
    data = movie_data(results)
    findings = [visible(sentence) for sentence in results.findings()[:1]]
    page = render_interactive(ASSETS, _SCRIPTS, data, setup=results.setup(), findings=findings)
    return write_interactive(path, page)
