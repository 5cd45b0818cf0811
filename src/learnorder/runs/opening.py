"""Results of existing runs and experiments."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from learnorder.errors import RunFolderError
from learnorder.runs.experiment import TYPES, Experiment, ExperimentType, read_experiment
from learnorder.runs.finding import find_runs
from learnorder.runs.kinds import kind_named, load_named

if TYPE_CHECKING:
    from learnorder.advise.along.result import AlongResult
    from learnorder.advise.existing.result import JudgedRuns
    from learnorder.advise.jointly.result import JointResult
    from learnorder.advise.result import Advice
    from learnorder.config.settings import RunConfig, TaskRunConfig
    from learnorder.probe.result import ProbeResult
    from learnorder.reproduce.result import ReproductionResult
    from learnorder.runs.folder import RunFolder
    from learnorder.runs.results import Results, ScriptResults, TaskResults
    from learnorder.theory.config import TheoryConfig
    from learnorder.theory.results import TheoryResults

    AnyResults = Results | TaskResults | ScriptResults | TheoryResults
    OpenedT = TypeVar(
        "OpenedT",
        Results,
        TaskResults,
        ScriptResults,
        TheoryResults,
        ProbeResult,
        Advice,
        JudgedRuns,
        AlongResult,
        JointResult,
        ReproductionResult,
    )

CALIBRATION = "calibration"
"""Label ``experiment`` of the runs that choose a probe's contrast."""


@overload
def open_runs(*paths: Path | str, of: type[OpenedT]) -> OpenedT: ...


@overload
def open_runs(*paths: Path | str) -> AnyResults: ...


def open_runs(*paths: Path | str, of: type[Any] | None = None) -> Any:
    """Return the results of all runs in some folders and their subfolders; nothing is run.

    Runs that calibrate a probe's pattern are left out if there are others.

    Args:
        paths: Folders of runs, at any depth.
        of: The class of the results, which is checked and known to type checkers:
            :class:`~learnorder.runs.results.Results` for runs on images,
            :class:`~learnorder.runs.results.TaskResults` for runs of tasks,
            :class:`~learnorder.runs.results.ScriptResults` for runs of scripts, or
            :class:`~learnorder.theory.results.TheoryResults` for runs of the theory. For a single
            folder also :class:`~learnorder.probe.result.ProbeResult` of a probe,
            :class:`~learnorder.advise.result.Advice` of a search,
            :class:`~learnorder.advise.existing.result.JudgedRuns` of judged runs,
            :class:`~learnorder.advise.along.result.AlongResult` of learning rates along a setting,
            :class:`~learnorder.advise.jointly.result.JointResult` of pairs of two settings, or
            :class:`~learnorder.reproduce.result.ReproductionResult` of a reproduction, as returned
            by the function that made the folder. None takes the class of the runs.

    Raises:
        RunFolderError: A path does not exist; there are no runs, runs of several kinds, or runs of
            another kind than ``of``; or the runs of an experiment have not all ended.
    """
    if of is not None:
        path = f"{of.__module__}.{of.__qualname__}"
        if types := [kind for kind in TYPES.values() if kind.result == path]:
            return _open_as(types, paths, of.__name__)
    folders = [folder for path in paths for folder in find_runs(path)]
    kept = [folder for folder in folders if folder.labels.get("experiment") != CALIBRATION]
    results: AnyResults = results_of(kept or folders)
    if of is not None and not isinstance(results, of):
        raise RunFolderError(
            f"These are runs of another kind ({results.folders[0].kind}), whose results are "
            f"{type(results).__name__}, not {of.__name__}."
        )
    return results


def _open_as(types: Sequence[ExperimentType], paths: Sequence[Path | str], result: str) -> Any:
    """Return the result of the one experiment of some types that a path names."""
    if len(paths) != 1:
        raise RunFolderError(f"{result} needs a single folder, and there are {len(paths)}.")
    experiment = read_experiment(paths[0])
    if experiment is None or experiment.of() not in types:
        other = "no experiment" if experiment is None else experiment.of().what
        wanted = " or ".join(kind.what for kind in types)
        raise RunFolderError(f"{paths[0]}: contains {other}, not {wanted}.")
    return open_experiment(paths[0], experiment)


def open_experiment(folder: Path | str, experiment: Experiment) -> Any:
    """Return the result of an experiment, as its command would; nothing is run.

    Args:
        folder: Its folder.
        experiment: The result of :func:`~learnorder.runs.experiment.read_experiment`.

    Raises:
        RunFolderError: Runs are missing or have not ended, or the folder is of an older version
            that did not write the settings.
    """
    kind = experiment.of()
    if kind.open is None:
        return open_runs(folder)
    if experiment.settings is None:
        raise RunFolderError(
            f"{folder}: {kind.what} of an older version, without its settings. Open it with "
            f"`learnorder {kind.command}` and the original settings; finished runs are not "
            "executed again."
        )
    return load_named(kind.open)(Path(folder), experiment.settings)


@overload
def results_of(folders: Sequence[RunFolder[RunConfig]]) -> Results: ...


@overload
def results_of(folders: Sequence[RunFolder[TaskRunConfig]]) -> TaskResults: ...


@overload
def results_of(folders: Sequence[RunFolder[TheoryConfig]]) -> TheoryResults: ...


def results_of(folders: Sequence[RunFolder[Any]]) -> AnyResults:
    """Return the results of run folders of one kind."""
    kinds = sorted({folder.kind for folder in folders})
    if len(kinds) > 1:
        raise RunFolderError(
            f"These are runs of several kinds: {_examples(folders, kinds)}. Give folders of one "
            "kind."
        )
    return kind_named(kinds[0] if kinds else "images").results_of(folders)


def _examples(folders: Sequence[RunFolder[Any]], kinds: list[str]) -> str:
    """Return an example of each kind, as text."""
    first = {kind: next(folder for folder in folders if folder.kind == kind) for kind in kinds}
    return ", ".join(f"{kind} (e.g. {folder.path})" for kind, folder in first.items())
