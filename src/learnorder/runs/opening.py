"""Runs that were made before, read again: their results, and their last layers retrained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

from learnorder.errors import RunFolderError
from learnorder.runs.kinds import kind_named

if TYPE_CHECKING:
    from learnorder.config.settings import RunConfig, TaskRunConfig
    from learnorder.runs import RunFolder
    from learnorder.runs.results import Results, TaskResults
    from learnorder.theory.config import TheoryConfig
    from learnorder.theory.results import TheoryResults

    ResultsT = TypeVar("ResultsT", Results, TaskResults, TheoryResults)

CALIBRATION = "calibration"
"""The experiment that runs which chose a probe's contrast are of."""


@overload
def open_runs(*paths: Path | str, of: type[ResultsT]) -> ResultsT: ...


@overload
def open_runs(*paths: Path | str) -> Results | TaskResults | TheoryResults: ...


def open_runs(
    *paths: Path | str, of: type[Results | TaskResults | TheoryResults] | None = None
) -> Results | TaskResults | TheoryResults:
    """Return the results of all runs at or below some folders; nothing is run.

    Runs that calibrated a probe's pattern are left out where there are others.

    Args:
        paths: Folders of runs, at any depth.
        of: What the results are to be: :class:`~learnorder.runs.results.Results` of runs on images,
            :class:`~learnorder.runs.results.TaskResults` of runs of tasks, or
            :class:`~learnorder.theory.results.TheoryResults` of runs of the theory. Others are
            refused, and type checkers know which it is. None takes what is there.

    Raises:
        RunFolderError: A path does not exist, holds no runs, runs of several kinds, or runs of
            another kind than ``of``.
    """
    from learnorder.runs import find_runs

    folders = [folder for path in paths for folder in find_runs(path)]
    told = [folder for folder in folders if folder.labels.get("experiment") != CALIBRATION]
    results: Results | TaskResults | TheoryResults = results_of(told or folders)
    if of is not None and not isinstance(results, of):
        raise RunFolderError(
            f"These are runs of another kind ({results.folders[0].kind}): they give "
            f"{type(results).__name__}, and {of.__name__} was asked for."
        )
    return results


@overload
def results_of(folders: Sequence[RunFolder[RunConfig]]) -> Results: ...


@overload
def results_of(folders: Sequence[RunFolder[TaskRunConfig]]) -> TaskResults: ...


@overload
def results_of(folders: Sequence[RunFolder[TheoryConfig]]) -> TheoryResults: ...


def results_of(folders: Sequence[RunFolder[Any]]) -> Results | TaskResults | TheoryResults:
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
