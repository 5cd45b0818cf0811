"""Training the learning rates at each value of a setting: ``learnorder advise --along``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnorder.advise.along.result import AlongResult
from learnorder.advise.along.settings import (
    AlongSettings,
    check_unused,
    only_full,
    the_setting,
    with_value,
)
from learnorder.advise.plans import (
    check_groups,
    check_script,
    folder_name,
    initial_rates,
    labels_of,
)
from learnorder.advise.run import registered
from learnorder.advise.script_checks import check_used, no_scores, reasons_by_rate
from learnorder.advise.settings import AnyRunConfig, LRSearch
from learnorder.errors import ConfigError, RunFolderError
from learnorder.execution.settings import Execution
from learnorder.runs import (
    RunFolder,
    difference_words,
    existing_runs,
    require_ended,
    setting_words,
)
from learnorder.runs.experiment import Experiment, read_experiment, settings_as
from learnorder.runs.judged import final_score, judged_by
from learnorder.runs.kinds import kind_of
from learnorder.values import to_dict

if TYPE_CHECKING:
    from learnorder.execution.driver import Plan
    from learnorder.training.task import Task

Point = tuple[int | float, float, int]
"""A value of the setting, a learning rate and a seed."""


def run_along(
    along: Mapping[str, Sequence[int | float]],
    search: LRSearch | None = None,
    out: Path | str = "runs/along",
    *,
    task: Task | None = None,
    function: Callable[..., Any] | None = None,
    predict: float | None = None,
    execution: Execution = Execution(),
    force: bool = False,
) -> AlongResult:
    """Find how the best learning rate moves with a setting, such as the length or the width.

    At each value of the setting, every learning rate is trained at full length, annealed as in
    :func:`run_advise`, on the same seeds. There are no rungs, no shorter plateaus, no noise and no
    range test. Writes report.html and along.json. The same call continues after a stop; a call with
    more values, more seeds or larger learning rates adds their runs.

    Args:
        along: The setting by its dotted name, with increasing values: ``{"training.epochs": [10,
            20, 40]}``, ``{"model.arguments.widen_factor": [1, 2, 4]}``, ``task.arguments.NAME`` or
            ``script.values.NAME``.
        search: The other settings, in particular learning_rates and seeds; None takes the defaults.
        out: Folder of the results.
        task: As for :func:`run_advise`.
        function: As for :func:`run_advise`.
        predict: A larger value of the setting, for which the optimum is extrapolated.
        execution: How the runs are executed.
        force: Continue although the script, the task's code or its data have changed.

    Raises:
        ConfigError: The setting cannot vary, a value is invalid, or a setting of ``search`` is for
            what is not done here.
        RunFolderError: ``out`` contains something else.
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    here = task is not None or function is not None
    if here:
        execution = replace(execution, workers=1)
    search = search or LRSearch()
    name, values = the_setting(along)
    check_unused(search)
    if task is not None and name.startswith("task.arguments."):
        raise ConfigError(
            f"along.{name}", list(values), "A Task passed in Python has no arguments. Write a "
            "function that returns one, and give LRSearch(task=...) its import path.",
        )  # fmt: skip
    first = with_value(only_full(search), name, values[0]) if function is None else (
        _for_function(only_full(search), name, values[0])
    )  # fmt: skip
    with registered(first, task, function) as known:
        settings = AlongSettings.of(known, along, predict)
        result = _run(settings, Path(out), execution, here=here, force=force)
    from learnorder.advise.along.page import write_along

    write_along(result, out)
    return result


def _for_function(search: LRSearch, name: str, value: float) -> LRSearch:
    """Return a search whose script has a first value, before its parameters can be read."""
    section, _, argument = name.rpartition(".")
    if section != "script.values":
        return search
    values = {**search.script.values, argument: value}
    return replace(search, script=replace(search.script, values=values))


def _run(
    settings: AlongSettings, out: Path, execution: Execution, *, here: bool, force: bool
) -> AlongResult:
    """Train what has not ended."""
    from learnorder.execution.driver import run_plans

    Experiment("along").check(out)
    settings = with_rates(settings)
    _check_continues(settings, out)
    plans = along_plans(settings)
    if force:
        _accept_changes(plans, out)
    title = f"along {settings.setting}"
    experiments = {out: Experiment("along", to_dict(settings))}
    folders = run_plans(plans, out, execution, experiments=experiments, title=title, here=here)
    require_ended(folders, "so the learning rates cannot be compared")
    return result_of(settings, folders)


def open_along(folder: Path, settings: dict[str, Any]) -> AlongResult:
    """Return the result in a folder, from its runs, without running anything.

    Raises:
        RunFolderError: Its settings are from another version, or runs are missing or unfinished.
    """
    along = settings_as(AlongSettings, settings, folder)
    return result_of(along, existing_runs(folder, along_plans(along)))


def with_rates(settings: AlongSettings) -> AlongSettings:
    """Return the settings with the learning rates written out; the model and data are tried."""
    search = settings.search
    for value in settings.values:
        check_groups(settings.at(value))
        check_script(settings.at(value))
    rates = initial_rates(settings.at(settings.values[0]))
    return replace(settings, search=replace(search, learning_rates=rates))


def along_plans(settings: AlongSettings) -> dict[str, Plan[AnyRunConfig]]:
    """Return all runs by folder name; seeds vary slowest, so that partial results are paired."""
    from learnorder.execution.driver import Plan

    smallest, plans = settings.search.rates()[0], dict[str, Plan[AnyRunConfig]]()
    for name, (value, rate, seed) in _points(settings).items():
        search, words = settings.at(value), {settings.setting: setting_words(value)}
        arm = settings.arm(rate)
        config = search.run(arm, smallest, search.training.epochs, seed)
        plans[name] = Plan(config, {"experiment": "along", **labels_of(search, arm), **words})
    return plans


def _points(settings: AlongSettings) -> dict[str, Point]:
    """Return all runs by folder name, as value, learning rate and seed."""
    search, last = settings.search, settings.setting.rpartition(".")[2]
    return {
        f"{last}={setting_words(value)}/{folder_name(search, settings.arm(rate))}-seed{seed}": (
            value, rate, seed,
        )
        for seed in search.rung_seeds(0)
        for value in settings.values
        for rate in search.rates()
    }  # fmt: skip


def _check_continues(settings: AlongSettings, out: Path) -> None:
    """Raise if a folder contains other runs than those of these settings, or more of them."""
    existing = read_experiment(out)
    if existing is None or existing.settings is None:
        return
    there = settings_as(AlongSettings, existing.settings, out)
    before, now = there.search, settings.search
    more = (
        set(there.values) <= set(settings.values)
        and before.rates()[0] == now.rates()[0]
        and set(before.rates()) <= set(now.rates())
        and before.seeds <= now.seeds
    )
    search = now
    if more:
        search = replace(now, learning_rates=before.learning_rates, seeds=before.seeds)
    search = replace(search, tolerance=before.tolerance)
    adapted = replace(settings, search=search, predict=there.predict)
    adapted = replace(adapted, values=there.values) if more else adapted
    old, new = (to_dict(each) for each in (there, adapted))
    section, _, argument = settings.setting.rpartition(".")
    for each in (old, new):  # the search's own value of the setting has no effect
        place = each["search"]
        for part in section.split("."):
            place = place[part]
        place.pop(argument, None)
    if words := difference_words(old, new):
        raise RunFolderError(
            f"{out}: contains other runs ({words}). In the same folder there can be more values, "
            "more seeds and larger learning rates, nothing else. Choose another folder with --out, "
            "or move this one away."
        )


def _accept_changes(plans: Mapping[str, Plan[AnyRunConfig]], out: Path) -> None:
    """Let the runs of a folder be continued with the present code and data."""
    for name, plan in plans.items():
        if (out / name / "manifest.json").is_file():
            (identity,) = kind_of(plan.config).load_backend().identify([plan.config])
            RunFolder(out / name).accept_identity(identity)


def result_of(settings: AlongSettings, folders: Sequence[RunFolder[Any]]) -> AlongResult:
    """Return the result of runs that have ended, in the order of the plans.

    Raises:
        ConfigError: A value has no scores, or the scores show that the runs ignore the learning
            rate, the seed or the setting that varies.
    """
    search, target = settings.search, settings.search.target
    scored: dict[float, dict[float, dict[int, float]]] = {
        value: {rate: {} for rate in search.rates()} for value in settings.values
    }
    by_value: dict[float, list[RunFolder[Any]]] = {value: [] for value in settings.values}
    score, higher = "score", True
    points = _points(settings).values()
    for (value, rate, seed), folder in zip(points, folders, strict=True):
        by_value[value].append(folder)
        if folder.read_status() == "finished":
            scored[value][rate][seed] = final_score(folder, target)
            _, score, higher = judged_by(folder, target)
    reasons = dict[float, dict[float, str]]()
    for value, scores in scored.items():
        at = f"(At {settings.setting} {setting_words(value)}.)"
        if not any(scores.values()):
            if search.is_script:
                raise no_scores(search.script, by_value[value])
            raise ConfigError(
                "learning_rates", list(search.rates()), "Training diverges at all of them. Give "
                f"smaller ones. {at}",
            )  # fmt: skip
        if search.is_script:
            check_used(search.script, scores)
            reasons[value] = reasons_by_rate(by_value[value])
    _check_moves(settings, scored)
    return AlongResult(settings, scored, score, higher, tuple(folders), reasons)


def _check_moves(
    settings: AlongSettings, scored: Mapping[float, Mapping[float, Mapping[int, float]]]
) -> None:
    """Check that the scores at the values are not all equal to the last digit."""
    first, *others = scored.values()
    if all(other == first for other in others):
        raise ConfigError(
            f"along.{settings.setting}", list(settings.values), "All values end at the same scores "
            "to the last digit, so the runs ignore it. They are kept.",
        )  # fmt: skip
