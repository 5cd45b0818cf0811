"""Retrain the last layer of finished runs."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from learnorder.errors import RunFolderError
from learnorder.runs.opening import open_runs

if TYPE_CHECKING:
    from learnorder.runs.results import Results


def retrain(*paths: Path | str, quiet: bool = False) -> Results:
    """Retrain the last layer of every finished run on images in some folders.

    Args:
        paths: Folders of runs, searched recursively.
        quiet: Show no progress.

    Returns:
        The results; :meth:`~learnorder.runs.results.Results.last_layers` has the changes.

    Raises:
        RunFolderError: There are no runs, or they are not runs on images.
        ConfigError: A network has no last layer to retrain.
    """
    results = open_images(*paths)
    retrain_runs(results, quiet=quiet)
    return results


def open_images(*paths: Path | str) -> Results:
    """Return the results of all runs on images in some folders.

    Raises:
        RunFolderError: As for :func:`open_runs`, or the runs are of another kind.
    """
    from learnorder.runs.results import Results

    results = open_runs(*paths)
    if not isinstance(results, Results):
        raise RunFolderError(
            f"These are runs of another kind ({results.folders[0].kind}): only runs on images can "
            "be retrained."
        )
    return results


def retrain_runs(results: Results, *, quiet: bool = False) -> None:
    """Retrain the last layer of every finished run."""
    from rich.console import Console
    from rich.progress import track

    from learnorder.execution.log_lines import log_lines
    from learnorder.retrain.last_layer import RetrainingImages, retrain_last_layer

    load = lru_cache(maxsize=1)(RetrainingImages.load)  # most runs share their images
    finished = [folder for folder in results.folders if folder.read_status() == "finished"]
    console, done = Console(stderr=True, quiet=quiet), 0
    tracked = track(
        finished, "Retraining last layers", console=console, disable=not console.is_terminal
    )
    with log_lines(lambda: f"{done} of {len(finished)} last layers retrained", console):
        for folder in tracked:
            retrain_last_layer(folder, load)
            done += 1
