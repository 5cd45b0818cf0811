"""Retrain the last layer of finished runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from learnorder.config.settings import TaskRunConfig
from learnorder.errors import ConfigError, RunFolderError
from learnorder.runs.last_layer import read_last_layer
from learnorder.runs.opening import open_runs

if TYPE_CHECKING:
    from learnorder.runs.folder import RunFolder
    from learnorder.runs.results import Results, TaskResults
    from learnorder.training.task import Task


@overload
def retrain(*paths: Path | str, task: Task, quiet: bool = False) -> TaskResults: ...


@overload
def retrain(*paths: Path | str, quiet: bool = False) -> Results | TaskResults: ...


def retrain(
    *paths: Path | str, task: Task | None = None, quiet: bool = False
) -> Results | TaskResults:
    """Retrain the last layer of every finished run in some folders.

    Runs on images are retrained on class-balanced images without the pattern. Runs of tasks are
    retrained on one half of the validation examples and measured on the other, and the reverse; if
    their groups are known, also on equally many examples of each group. Of a search for the
    learning rate only the runs at full length are retrained.

    Args:
        paths: Folders of runs, searched recursively.
        task: The task of the runs, if it was passed as an object to the call that made them.
        quiet: Show no progress.

    Returns:
        The results; :meth:`~learnorder.runs.results.PatternRuns.last_layers` has the changes.

    Raises:
        RunFolderError: There are no runs, they are of the theory, or their code or data were
            changed.
        ConfigError: A network has no last layer that can be retrained; or ``task`` is missing, or
            is not the task of the runs.
    """
    results = open_networks(*paths)
    if task is None:
        retrain_runs(results, quiet=quiet)
        return results
    from learnorder.training.task import identity_of, register_task

    _check_given(results)
    with register_task(task) as config:
        for folder in results.folders:
            folder.check_identity(identity_of(config))
        retrain_runs(results, quiet=quiet)
    return results


def open_networks(*paths: Path | str) -> Results | TaskResults:
    """Return the results of all runs in some folders that train a network.

    Of a search for the learning rate, these are the runs at full length.

    Raises:
        RunFolderError: As for :func:`open_runs`, or the runs are of the theory.
    """
    from learnorder.runs.results import Results, TaskResults

    results = open_runs(*paths)
    if not isinstance(results, Results | TaskResults):
        raise RunFolderError(
            f"These are runs of another kind ({results.folders[0].kind}): only runs on images and "
            "of tasks can be retrained."
        )
    return type(results)(_full_length(results.folders))


def _full_length(folders: Sequence[RunFolder[Any]]) -> list[RunFolder[Any]]:
    """Return run folders without those of the shorter rungs of a search."""
    longest: dict[Path, int] = {}
    searches = [
        f.path.parent.parent if f.labels.get("experiment") == "advise" else None for f in folders
    ]
    for folder, search in zip(folders, searches, strict=True):
        if search is not None:
            longest[search] = max(folder.config.training.epochs, longest.get(search, 0))
    return [
        folder
        for folder, search in zip(folders, searches, strict=True)
        if search is None or folder.config.training.epochs == longest[search]
    ]


def _check_given(results: Results | TaskResults) -> None:
    """Check that runs need a task that is passed as an object.

    Raises:
        ConfigError: They do not.
    """
    for folder in results.folders:
        config = folder.config
        path = config.task.path if isinstance(config, TaskRunConfig) else None
        if path is not None:
            what = f"of the task {path}, which is imported"
        elif not isinstance(config, TaskRunConfig):
            what = "on images"
        else:
            continue
        raise ConfigError("task", "a Task", f"{folder.path} is a run {what}: leave the task out.")


def retrain_runs(results: Results | TaskResults, *, quiet: bool = False) -> None:
    """Retrain the last layer of every finished run that has not been retrained.

    Raises:
        ConfigError: As for :func:`~learnorder.retrain.last_layer.retrain_last_layer`, or a run's
            task was passed as an object and is not registered.
        RunFolderError: As there.
    """
    from rich.console import Console
    from rich.progress import track

    from learnorder.execution.log_lines import log_lines
    from learnorder.retrain.last_layer import RetrainingImages, retrain_last_layer

    load = lru_cache(maxsize=1)(RetrainingImages.load)  # most runs share their images
    finished = [folder for folder in results.folders if folder.read_status() == "finished"]
    _check_tasks(finished)
    console, done = Console(stderr=True, quiet=quiet), 0
    tracked = track(
        finished, "Retraining last layers", console=console, disable=not console.is_terminal
    )
    with log_lines(lambda: f"{done} of {len(finished)} last layers retrained", console):
        for folder in tracked:
            retrain_last_layer(folder, load)
            done += 1


def _check_tasks(folders: Sequence[RunFolder[Any]]) -> None:
    """Check that tasks which were passed as objects are there, before anything is retrained."""
    from learnorder.training.task import load_task

    for folder in folders:
        config = folder.config
        if not isinstance(config, TaskRunConfig) or config.task.given is None:
            continue
        if read_last_layer(folder) is not None:
            continue
        try:
            load_task(config.task)
        except ConfigError:
            raise ConfigError(
                "task",
                None,
                f"{folder.path} is a run of a Task that was passed as a Python object. Call "
                f"learnorder.retrain({str(folder.path)!r}, task=task) in Python, with the same "
                "model, data and functions.",
            ) from None
