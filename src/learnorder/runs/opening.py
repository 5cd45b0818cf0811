"""Runs and experiments that were made before, read again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from learnorder.errors import RunFolderError
from learnorder.runs.experiment import TYPES, Experiment, read_experiment
from learnorder.runs.finding import find_runs
from learnorder.runs.kinds import kind_named, load_named

if TYPE_CHECKING:
    from learnorder.advise.result import Advice
    from learnorder.config.settings import RunConfig, TaskRunConfig
    from learnorder.probe.result import ProbeResult
    from learnorder.reproduce.claim import ReproductionResult
    from learnorder.runs.folder import RunFolder
    from learnorder.runs.results import Results, TaskResults
    from learnorder.theory.config import TheoryConfig
    from learnorder.theory.results import TheoryResults

    AnyResults = Results | TaskResults | TheoryResults
    OpenedT = TypeVar(
        "OpenedT", Results, TaskResults, TheoryResults, ProbeResult, Advice, ReproductionResult
    )

CALIBRATION = "calibration"
"""The experiment that runs which chose a probe's contrast are of."""


@overload
def open_runs(*paths: Path | str, of: type[OpenedT]) -> OpenedT: ...


@overload
def open_runs(*paths: Path | str) -> AnyResults: ...


def open_runs(*paths: Path | str, of: type[Any] | None = None) -> Any:
    """Return the results of all runs at or below some folders; nothing is run.

    Runs that calibrated a probe's pattern are left out where there are others.

    Args:
        paths: Folders of runs, at any depth.
        of: What the results are to be: :class:`~learnorder.runs.results.Results` of runs on images,
            :class:`~learnorder.runs.results.TaskResults` of runs of tasks, or
            :class:`~learnorder.theory.results.TheoryResults` of runs of the theory; of one folder
            also :class:`~learnorder.probe.result.ProbeResult` of a probe,
            :class:`~learnorder.advise.result.Advice` of a search, or
            :class:`~learnorder.reproduce.claim.ReproductionResult` of a reproduction, as the
            function that made the folder returned it. Others are refused, and type checkers know
            which it is. None takes the runs that are there.

    Raises:
        RunFolderError: A path does not exist, holds no runs, runs of several kinds, or others than
            ``of``; or the runs of an experiment have not all ended.
    """
    if of is not None:
        wanted = f"{of.__module__}.{of.__qualname__}"
        for each in TYPES.values():
            if each.result == wanted:
                return _open_as(each.name, paths, of.__name__)
    folders = [folder for path in paths for folder in find_runs(path)]
    kept = [folder for folder in folders if folder.labels.get("experiment") != CALIBRATION]
    results: AnyResults = results_of(kept or folders)
    if of is not None and not isinstance(results, of):
        raise RunFolderError(
            f"These are runs of another kind ({results.folders[0].kind}): they give "
            f"{type(results).__name__}, and {of.__name__} was asked for."
        )
    return results


def _open_as(name: str, paths: Sequence[Path | str], result: str) -> Any:
    """Return the result of the one experiment of a type that a path names."""
    if len(paths) != 1:
        raise RunFolderError(f"{result} is of one folder, and {len(paths)} were given.")
    experiment = read_experiment(paths[0])
    if experiment is None or experiment.type != name:
        there = "no experiment" if experiment is None else experiment.of().what
        raise RunFolderError(f"{paths[0]}: holds {there}, and {TYPES[name].what} was asked for.")
    return open_experiment(paths[0], experiment)


def open_experiment(folder: Path | str, experiment: Experiment) -> Any:
    """Return the result of an experiment, as the command that made it has it; nothing is run.

    Args:
        folder: Its folder.
        experiment: What :func:`~learnorder.runs.experiment.read_experiment` says of it.

    Raises:
        RunFolderError: Runs are missing or have not ended, or the folder is of a version that
            wrote no settings.
    """
    kind = experiment.of()
    if kind.open is None:
        return open_runs(folder)
    if experiment.settings is None:
        raise RunFolderError(
            f"{folder}: {kind.what} of an older version, whose settings are not in its folder. "
            f"`learnorder {kind.command}` with the settings that it was made with opens it, and "
            "makes no finished run again."
        )
    return load_named(kind.open)(Path(folder), experiment.settings)


@overload
def results_of(folders: Sequence[RunFolder[RunConfig]]) -> Results: ...


@overload
def results_of(folders: Sequence[RunFolder[TaskRunConfig]]) -> TaskResults: ...


@overload
def results_of(folders: Sequence[RunFolder[TheoryConfig]]) -> TheoryResults: ...


def results_of(folders: Sequence[RunFolder[Any]]) -> AnyResults:
    """Return the results of run folders, as their kind has them."""
    kinds = sorted({folder.kind for folder in folders})
    if len(kinds) > 1:
        raise RunFolderError(
            f"There are runs of several kinds among these: {_examples(folders, kinds)}. Name the "
            "folders of one kind."
        )
    return kind_named(kinds[0] if kinds else "images").results_of(folders)


def _examples(folders: Sequence[RunFolder[Any]], kinds: list[str]) -> str:
    """Return a run of each kind, in words."""
    first = {kind: next(folder for folder in folders if folder.kind == kind) for kind in kinds}
    return ", ".join(f"{kind} as {folder.path}" for kind, folder in first.items())
