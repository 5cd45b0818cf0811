"""Tuning two settings jointly: ``learnorder advise --jointly``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnorder.advise.along.result import Pair
from learnorder.advise.along.run import (
    Point,
    accept_changes,
    check_moves,
    check_scores,
    check_script_used,
    differences,
    first_search,
    plans_of,
    points_of,
    result_of,
    with_rates,
)
from learnorder.advise.along.settings import only_full
from learnorder.advise.jointly.design import next_pairs
from learnorder.advise.jointly.result import JointResult
from learnorder.advise.jointly.settings import JointSettings, own_of
from learnorder.advise.run import registered
from learnorder.advise.settings import AnyRunConfig, LRSearch
from learnorder.errors import RunFolderError
from learnorder.execution.processes import processes_kept
from learnorder.execution.settings import Execution
from learnorder.runs import RunFolder, existing_runs, require_ended
from learnorder.runs.experiment import Experiment, read_experiment, settings_as
from learnorder.values import to_dict

if TYPE_CHECKING:
    from learnorder.execution.driver import Plan
    from learnorder.training.task import Task

EXPERIMENT = "jointly"
Train = Callable[[Mapping[str, Point]], Sequence[RunFolder[Any]]]
"""Trains points by folder name, or reads them; returns their run folders."""


@processes_kept()
def run_jointly(
    along: Mapping[str, Sequence[int | float]],
    search: LRSearch | None = None,
    out: Path | str = "runs/jointly",
    *,
    task: Task | None = None,
    function: Callable[..., Any] | None = None,
    baseline: float | None = None,
    execution: Execution = Execution(),
    force: bool = False,
) -> JointResult:
    """Find the best pair of a learning rate and another setting, such as weight decay.

    All learning rates are trained at the baseline; at each other value of the setting three around
    the predicted optimum, and more if the best is at their end. The best pair and the best learning
    rate at the baseline are then compared on new seeds. All runs have full length, annealed as in
    :func:`run_advise`. Writes report.html and jointly.json. The same call continues after a stop.

    Args:
        along: The second setting by its dotted name, with increasing values:
            ``{"training.weight_decay": [0.0001, 0.0003, 0.001, 0.003]}``, also
            ``training.batch_size``, ``model.arguments.NAME``, ``task.arguments.NAME`` or
            ``script.values.NAME``. The first may be 0.
        search: The other settings, in particular learning_rates and seeds; None takes the defaults.
        out: Folder of the results.
        task: As for :func:`run_advise`.
        function: As for :func:`run_advise`.
        baseline: The value to compare with, one of those in ``along``: the one to keep unless
            another is better. None takes that of ``search`` if it is among them, else the middle.
        execution: How the runs are executed.
        force: Continue although the script, the task's code or its data have changed.

    Raises:
        ConfigError: The setting cannot vary, a value is invalid, or a setting of ``search`` is for
            what is not done here.
        RunFolderError: ``out`` contains something else.
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    from learnorder.execution.precision import with_precision

    here = task is not None or function is not None
    if here:
        execution = replace(execution, workers=1)
    search = search or LRSearch()
    first, own = first_search(search, along, task, function), own_of(search, along)
    with registered(first, task, function) as known:
        settings = with_precision(
            JointSettings.of(known, along, baseline, own),
            lambda base: every_plan(with_grid(base)),
            Path(out),
            execution,
        )
        settings = with_grid(settings)
        result = _run(settings, Path(out), execution, here=here, force=force)
    from learnorder.advise.jointly.page import write_jointly

    write_jointly(result, out)
    return result


def with_grid(settings: JointSettings) -> JointSettings:
    """Return the settings with the learning rates written out; the model and data are tried."""
    return replace(settings, along=with_rates(settings.along))


def every_plan(settings: JointSettings) -> dict[str, Plan[AnyRunConfig]]:
    """Return the most runs that a search can need, by folder name."""
    pairs = [(v, rate) for v in settings.along.values for rate in settings.along.search.rates()]
    points = points_of(settings.along, pairs, settings.search_seeds)
    compared = [pairs[0], pairs[-1]]  # which ones is not known yet
    points |= points_of(settings.along, compared, settings.new_seeds)
    return plans_of(settings.along, points, EXPERIMENT)


def _run(
    settings: JointSettings, out: Path, execution: Execution, *, here: bool, force: bool
) -> JointResult:
    """Train what has not ended."""
    from learnorder.execution.driver import find_folders, run_plans

    Experiment(EXPERIMENT).check(out)
    _check_continues(settings, out)
    every = every_plan(settings)
    if force:
        accept_changes(every, out)
    find_folders(every, out, execution.engine)  # all values are checked before the first run
    experiments = {out: Experiment(EXPERIMENT, to_dict(settings))}

    def train(points: Mapping[str, Point]) -> Sequence[RunFolder[Any]]:
        plans = plans_of(settings.along, points, EXPERIMENT)
        folders = run_plans(
            plans, out, execution, experiments=experiments, title=_title(settings, points),
            here=here,
        )  # fmt: skip
        require_ended(folders, "so the pairs cannot be compared")
        return folders

    return joint_result(settings, train)


def _title(settings: JointSettings, points: Mapping[str, Point]) -> str:
    values = sorted({value for value, _, _ in points.values()})
    return f"{settings.setting} {', '.join(f'{value:g}' for value in values)}"


def open_jointly(folder: Path, settings: dict[str, Any]) -> JointResult:
    """Return the result in a folder, from its runs, without running anything.

    Raises:
        RunFolderError: Its settings are from another version, or runs are missing or unfinished.
    """
    joint = settings_as(JointSettings, settings, folder)
    return joint_result(joint, lambda points: existing_runs(folder, points))


def joint_result(settings: JointSettings, train: Train) -> JointResult:
    """Search the pairs, then compare the best with the baseline on new seeds.

    Args:
        settings: The settings.
        train: Trains or reads the runs.

    Raises:
        ConfigError: A value has no scores, or the scores show that the runs ignore the learning
            rate, the seed or the second setting.
    """
    runs = dict[Point, RunFolder[Any]]()

    def trained(pairs: Iterable[Pair], seeds: Iterable[int]) -> Iterable[Point]:
        points = points_of(settings.along, pairs, seeds)
        runs.update(zip(points.values(), train(points), strict=True))
        return points.values()

    found = result_of(settings.along, (), ())
    while pairs := next_pairs(settings, found):
        trained(pairs, settings.search_seeds)
        found = result_of(settings.along, runs, tuple(runs.values()))
        check_scores(found, settings.baseline)
        check_script_used(found, settings.baseline)
        check_moves(found)
    for value in found.values:
        check_scores(found, value)
    result = JointResult(settings, found, {}, found.folders)
    compared = [result.best(), result.baseline]
    if compared[0] == compared[1]:
        return result
    points = trained(compared, settings.new_seeds)
    new = result_of(settings.along, points, [runs[point] for point in points])
    judged = {(value, rate): new.scored[value][rate] for value, rate in compared}
    return JointResult(settings, found, judged, tuple(runs.values()))


def _check_continues(settings: JointSettings, out: Path) -> None:
    """Raise if a folder contains runs of another search, not just of other values."""
    existing = read_experiment(out)
    if existing is None or existing.settings is None:
        return
    before, now = settings_as(JointSettings, existing.settings, out).along, settings.along
    before = replace(before, search=only_full(before.search))
    rates = before.search.learning_rates
    more = before.search.rates()[0] == now.search.rates()[0]
    search = replace(
        now.search,
        learning_rates=rates if more else now.search.learning_rates,
        tolerance=before.search.tolerance,
    )
    if words := differences(before, replace(now, search=search, values=before.values)):
        raise RunFolderError(
            f"{out}: contains other runs ({words}). In the same folder there can be other values, "
            "another baseline and other learning rates above the smallest, nothing else. Choose "
            "another folder with --out, or move this one away."
        )
