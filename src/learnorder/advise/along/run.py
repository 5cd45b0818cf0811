"""Training the learning rates at each value of a setting: ``learnorder advise --along``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnorder.advise.along.checks import check_effect
from learnorder.advise.along.result import AlongResult, Pair
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
from learnorder.advise.scores import BySeed
from learnorder.advise.script_checks import check_used, no_scores, reasons_by_rate
from learnorder.advise.settings import AnyRunConfig, LRSearch
from learnorder.errors import ConfigError, RunFolderError
from learnorder.execution.processes import processes_kept
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
from learnorder.values import to_dict

if TYPE_CHECKING:
    from learnorder.execution.driver import Plan
    from learnorder.training.task import Task

Point = tuple[int | float, float, int]
"""A value of the setting, a learning rate and a seed."""


@processes_kept()
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
    from learnorder.execution.precision import with_precision

    here = task is not None or function is not None
    if here:
        execution = replace(execution, workers=1)
    search = search or LRSearch()
    first = first_search(search, along, task, function)
    with registered(first, task, function) as known:
        settings = with_precision(
            AlongSettings.of(known, along, predict),
            lambda base: along_plans(with_rates(base)),
            Path(out),
            execution,
        )
        result = _run(settings, Path(out), execution, here=here, force=force)
    from learnorder.advise.along.page import write_along

    write_along(result, out)
    return result


def first_search(
    search: LRSearch,
    along: Mapping[str, Sequence[int | float]],
    task: Task | None,
    function: Callable[..., Any] | None,
) -> LRSearch:
    """Return a search at the first value of the setting, before its task or function is known.

    Raises:
        ConfigError: The setting cannot vary, or a setting of ``search`` is for what is not done.
    """
    name, values = the_setting(along)
    check_unused(search)
    if task is not None and name.startswith("task.arguments."):
        raise ConfigError(
            f"along.{name}", list(values), "A Task passed in Python has no arguments. Write a "
            "function that returns one, and give LRSearch(task=...) its import path.",
        )  # fmt: skip
    search = only_full(search)
    if function is None:
        return with_value(search, name, values[0])
    section, _, argument = name.rpartition(".")
    if section != "script.values":
        return search
    values_of = {**search.script.values, argument: values[0]}
    return replace(search, script=replace(search.script, values=values_of))


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
        accept_changes(plans, out)
    title = f"along {settings.setting}"
    experiments = {out: Experiment("along", to_dict(settings))}
    folders = run_plans(plans, out, execution, experiments=experiments, title=title, here=here)
    require_ended(folders, "so the learning rates cannot be compared")
    return _checked(settings, folders)


def open_along(folder: Path, settings: dict[str, Any]) -> AlongResult:
    """Return the result in a folder, from its runs, without running anything.

    Raises:
        RunFolderError: Its settings are from another version, or runs are missing or unfinished.
    """
    along = settings_as(AlongSettings, settings, folder)
    return _checked(along, existing_runs(folder, along_plans(along)))


def _checked(settings: AlongSettings, folders: Sequence[RunFolder[Any]]) -> AlongResult:
    """Return the result of runs that have ended, in the order of the plans.

    Raises:
        ConfigError: As for :func:`check_scores`, :func:`check_script_used` and :func:`check_moves`.
    """
    result = result_of(settings, all_points(settings).values(), folders)
    for value in result.values:
        check_scores(result, value)
        check_script_used(result, value)
    check_moves(result)
    return result


def with_rates(settings: AlongSettings) -> AlongSettings:
    """Return the settings with the learning rates written out; the model and data are tried."""
    search = settings.search
    check_effect(settings)
    for value in settings.values:
        check_groups(settings.at(value))
        check_script(settings.at(value))
    rates = initial_rates(settings.at(settings.values[0]))
    return replace(settings, search=replace(search, learning_rates=rates))


def along_plans(settings: AlongSettings) -> dict[str, Plan[AnyRunConfig]]:
    """Return all runs by folder name."""
    return plans_of(settings, all_points(settings), "along")


def plans_of(
    settings: AlongSettings, points: Mapping[str, Point], experiment: str
) -> dict[str, Plan[AnyRunConfig]]:
    """Return the runs of points by folder name, with the labels of an experiment."""
    from learnorder.execution.driver import Plan

    smallest, plans = settings.search.rates()[0], dict[str, Plan[AnyRunConfig]]()
    for name, (value, rate, seed) in points.items():
        search, words = settings.at(value), {settings.setting: setting_words(value)}
        arm = settings.arm(rate)
        config = search.run(arm, smallest, search.training.epochs, seed)
        plans[name] = Plan(config, {"experiment": experiment, **labels_of(search, arm), **words})
    return plans


def all_points(settings: AlongSettings) -> dict[str, Point]:
    """Return all learning rates at all values on all seeds, by folder name."""
    pairs = [(value, rate) for value in settings.values for rate in settings.search.rates()]
    return points_of(settings, pairs, settings.search.rung_seeds(0))


def points_of(
    settings: AlongSettings, pairs: Iterable[Pair], seeds: Iterable[int]
) -> dict[str, Point]:
    """Return points by folder name; seeds vary slowest, so that partial results are paired."""
    search, last = settings.search, settings.setting.rpartition(".")[2]
    pairs = list(pairs)
    return {
        f"{last}={setting_words(value)}/{folder_name(search, settings.arm(rate))}-seed{seed}": (
            value, rate, seed,
        )
        for seed in seeds
        for value, rate in pairs
    }  # fmt: skip


def _check_continues(settings: AlongSettings, out: Path) -> None:
    """Raise if a folder contains other runs than those of these settings, or more of them."""
    existing = read_experiment(out)
    if existing is None or existing.settings is None:
        return
    there = settings_as(AlongSettings, existing.settings, out)
    before, now = only_full(there.search), settings.search
    there = replace(there, search=before)
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
    if words := differences(there, adapted):
        raise RunFolderError(
            f"{out}: contains other runs ({words}). In the same folder there can be more values, "
            "more seeds and larger learning rates, nothing else. Choose another folder with --out, "
            "or move this one away."
        )


def differences(before: AlongSettings, now: AlongSettings) -> str:
    """Return the differences of two settings in words; empty if there are none."""
    old, new = (to_dict(each) for each in (before, now))
    section, _, argument = now.setting.rpartition(".")
    for each in (old, new):  # the search's own value of the setting has no effect
        place = each["search"]
        for part in section.split("."):
            place = place[part]
        place.pop(argument, None)
    return difference_words(old, new)


def accept_changes(plans: Mapping[str, Plan[AnyRunConfig]], out: Path) -> None:
    """Let the runs of a folder be continued with the present code and data."""
    from learnorder.execution.driver import identities_of

    there = {n: plan for n, plan in plans.items() if (out / n / "manifest.json").is_file()}
    for name, identity in identities_of(there).items():
        RunFolder(out / name).accept_identity(identity)


def result_of(
    settings: AlongSettings, points: Iterable[Point], folders: Sequence[RunFolder[Any]]
) -> AlongResult:
    """Return the result of the runs of some points, in their order."""
    search = settings.search
    scored, reasons = dict[float, dict[float, BySeed]](), dict[float, dict[float, str]]()
    by_value: dict[float, list[RunFolder[Any]]] = {}
    score, higher = "score", True
    for (value, rate, seed), folder in zip(points, folders, strict=True):
        by_value.setdefault(value, []).append(folder)
        by_seed = scored.setdefault(value, {}).setdefault(rate, {})
        if folder.read_status() == "finished":
            by_seed[seed] = final_score(folder, search.target)
            _, score, higher = judged_by(folder, search.target)
    if search.is_script:
        reasons = {value: reasons_by_rate(runs) for value, runs in by_value.items()}
    in_order = {v: dict(sorted(scored[v].items())) for v in settings.values if v in scored}
    return AlongResult(settings, in_order, score, higher, tuple(folders), reasons)


def check_scores(result: AlongResult, value: float) -> None:
    """Check that some run at a value has a score.

    Raises:
        ConfigError: None has.
    """
    settings, search = result.settings, result.settings.search
    if any(result.scored[value].values()):
        return
    words = setting_words(value)
    if search.is_script:
        runs = [run for run in result.folders if run.labels[settings.setting] == words]
        raise no_scores(search.script, runs)
    raise ConfigError(
        "learning_rates", list(result.scored[value]), "Training diverges at all of them. Give "
        f"smaller ones. (At {settings.setting} {words}.)",
    )  # fmt: skip


def check_script_used(result: AlongResult, value: float) -> None:
    """Check that a script's scores at a value differ between learning rates and seeds.

    Raises:
        ConfigError: They do not: it ignores one of the two.
    """
    if result.settings.search.is_script:
        check_used(result.settings.search.script, result.scored[value])


def check_moves(result: AlongResult) -> None:
    """Check that the scores at the values are not all equal to the last digit.

    Raises:
        ConfigError: They are, at all learning rates and seeds that several values share.
    """
    shared = dict[tuple[float, int], list[float]]()
    for by_rate in result.scored.values():
        for rate, by_seed in by_rate.items():
            for seed, score in by_seed.items():
                shared.setdefault((rate, seed), []).append(score)
    several = [scores for scores in shared.values() if len(scores) > 1]
    if several and all(len(set(scores)) == 1 for scores in several):
        setting = result.setting
        raise ConfigError(
            f"along.{setting}", list(result.values), "All values end at the same scores to the "
            "last digit, so the runs ignore it. They are kept.",
        )  # fmt: skip
