"""The runs of a search: which learning rates, on which seeds, in which folders."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from learnorder.advise.settings import (
    FEWEST_FINALISTS,
    AnyRunConfig,
    Candidate,
    LRSearch,
    takes,
)
from learnorder.config.script import ScriptRunConfig
from learnorder.config.settings import RunConfig, TaskRunConfig
from learnorder.errors import ConfigError
from learnorder.runs import setting_words
from learnorder.runs.judged import OF_GROUPS, check_target
from learnorder.runs.kinds import kind_of

if TYPE_CHECKING:
    from learnorder.execution.driver import Plan
    from learnorder.runs.folder import RunFolder
    from learnorder.runs.results import NetworkRuns, Results, ScriptResults, TaskResults
    from learnorder.training.process_group import ProcessGroup


ANNEALED, CONSTANT = "annealed", "constant"
"""The label of an arm with the full plateau and without noise, or of one without an anneal."""


def initial_rates(search: LRSearch) -> tuple[float, ...]:
    """Return the learning rates of the first rung.

    Raises:
        ConfigError: None are given, and the task has its own optimiser; or the search and the task
            do not have the same scheduler.
    """
    if not search.is_task:
        _check_anneal(search, has_scheduler=False)
        return search.rates()
    from learnorder.training.own_optimizer import check_rates
    from learnorder.training.task import load_task

    task = load_task(search.task)
    check_rates(task.optimizer, search.learning_rates)
    _check_anneal(search, has_scheduler=task.scheduler is not None)
    return search.rates(fine_tunes=task.fine_tunes)


def _check_anneal(search: LRSearch, *, has_scheduler: bool) -> None:
    """Check that a search leaves the anneal to the task if, and only if, it has a scheduler."""
    if has_scheduler and search.anneal != "task":
        raise ConfigError(
            "anneal",
            search.anneal,
            "The task has its own scheduler, which sets the learning rate. Give --anneal task, or "
            "remove the scheduler from the task.",
        )
    if search.anneal == "task" and not has_scheduler:
        raise ConfigError(
            "anneal",
            "task",
            "There is no scheduler: give the task one, Task(scheduler=...), or another --anneal.",
        )


def check_search(search: LRSearch) -> None:
    """Check that what a search varies and judges by fits its data, its script and its optimiser.

    Raises:
        ConfigError: As for :func:`check_groups`, :func:`check_script` and :func:`check_optimizer`.
    """
    check_groups(search)
    check_script(search)
    check_optimizer(search)


def check_groups(search: LRSearch) -> None:
    """Check that the search's data have the groups that its target needs.

    Raises:
        ConfigError: They have not.
    """
    if search.target not in OF_GROUPS:
        return
    if search.of_images:
        column = search.data.group_column
        check_target(search.target, () if column is None else (column,), search.data.spurious)
        return
    from learnorder.training.task import load_task

    groups = load_task(search.task).groups
    spurious = groups is not None and groups.spurious
    check_target(search.target, () if groups is None else (groups.name,), spurious)


def with_names(search: LRSearch) -> LRSearch:
    """Return a search with the names that its script takes, if it is a function."""
    if not search.is_script:
        return search
    from learnorder.scripts.functions import with_parameters

    return replace(search, script=with_parameters(search.script))


def check_script(search: LRSearch) -> None:
    """Check that a search's script takes what the search varies.

    Raises:
        ConfigError: It does not take the number of epochs, by which rungs differ, or the length of
            the plateau, which is given.
    """
    if not search.is_script:
        return
    script = search.script
    field = "script.function" if script.command is None else "script.command"
    if search.rungs > 1 and not takes(search, "epochs"):
        raise ConfigError(
            field, script.title, "It does not take {epochs}, so all its runs have the same length. "
            "Add {epochs}, or train every learning rate at full length with --rungs 1.",
        )  # fmt: skip
    plateau = next(f.default for f in fields(LRSearch) if f.name == "plateau")
    if search.plateau != plateau and not takes(search, "plateau_epochs"):
        raise ConfigError(
            "plateau", search.plateau, "The script does not take {plateau_epochs}: add it."
        )


def check_optimizer(search: LRSearch) -> None:
    """Check that a task's own optimiser can be used in the search's range test.

    Raises:
        ConfigError: Its learning rate is not proportional to the number that is searched.
    """
    if not search.is_task or not search.range_test:
        return
    from learnorder.training.own_optimizer import scales_with_rate
    from learnorder.training.task import build_network, load_task

    task = load_task(search.task)
    if task.optimizer is None:
        return
    network, rate = build_network(task, search.first_seed), initial_rates(search)[0]
    if not scales_with_rate(task.optimizer, network, rate, search.first_seed):
        raise ConfigError(
            "range_test",
            True,
            "The lr of the task's optimizer is not proportional to the number that it is made "
            "with, so raising lr step by step would not test that number. Give --range_test false.",
        )


def rung_plans(
    search: LRSearch, arms: Iterable[Candidate], smallest: float, rung: int
) -> dict[str, Plan[AnyRunConfig]]:
    """Return the runs of some arms on a rung, by folder name.

    Args:
        search: The search.
        arms: The arms, on all seeds of the rung; or a mapping to the number of seeds of each.
        smallest: The smallest learning rate.
        rung: The rung, from 0.
    """
    from learnorder.execution.driver import Plan

    epochs, seeds = search.rung_epochs(rung), search.rung_seeds(rung)
    counts = arms if isinstance(arms, Mapping) else dict.fromkeys(arms, len(seeds))
    return {
        f"{folder_name(search, arm)}-seed{seed}": Plan(
            search.run(arm, smallest, epochs, seed),
            {"experiment": "advise", **labels_of(search, arm)},
        )
        for number, seed in enumerate(seeds)
        for arm, count in counts.items()
        if number < count
    }


def search_plans(search: LRSearch) -> dict[str, Plan[AnyRunConfig]]:
    """Return the runs of a search, to estimate its cost; learning rates added later are missing.

    A race may need fewer of those at full length.

    Raises:
        ConfigError: As for :func:`check_search`.
    """
    check_search(search)
    rates, noisy = initial_rates(search), not why_no_noise(search)
    smallest, plans = rates[0], {}
    for rung in range(search.rungs):
        arms = [Candidate(rate, search.plateau) for rate in rates]
        if rung == search.rungs - 1:
            arms += [Candidate(rates[-1], plateau) for plateau in search.distinct_plateaus()]
            arms += [Candidate(smallest, search.plateau, search.noise)] if noisy else []
            arms += [Candidate(rates[-1] * 0.99, search.plateau)] if search.tests_range else []
        for name, plan in rung_plans(search, arms, smallest, rung).items():
            plans[f"{rung}-{name}"] = plan
        kept = min(len(rates), search.passed_on(len(rates)) + 1)  # the smallest is always kept
        rates = (smallest, *rates[len(rates) - kept + 1 :])
    return plans


def half(count: int) -> int:
    """Return how many of ``count`` learning rates are the better half, at least three."""
    return max(FEWEST_FINALISTS, math.ceil(count / 2))


def why_no_noise(search: LRSearch) -> str:
    """Return why noise cannot be tried; an empty string if it can."""
    if not search.noise:
        return "The search has noise 0."
    if not takes(search, "noise"):
        return "The script does not take {noise}."
    smallest = initial_rates(search)[0]
    arm, epochs = Candidate(smallest, search.plateau, search.noise), search.training.epochs
    config = search.run(arm, smallest, epochs, seed=0)
    try:
        kind_of(config).load_backend().check([config])
    except ConfigError as error:
        if error.field != "model":
            raise
        return error.remedy
    return ""


def make_problem(config: RunConfig | TaskRunConfig) -> Callable[[int, ProcessGroup], Any]:
    """Return a function that builds a run's problem; the data are loaded once."""
    if isinstance(config, TaskRunConfig):
        from learnorder.training.task import load_task
        from learnorder.training.task_problem import TaskProblem

        task = replace(load_task(config.task), scheduler=None)  # the range test sets the rate
        return lambda seed, group: TaskProblem(replace(config, seed=seed), task, group)
    from learnorder.data import load_images
    from learnorder.training.image_problem import ImageProblem

    data = load_images(config.data)
    return lambda seed, group: ImageProblem(replace(config, seed=seed), data, group)


def next_rate(rate: float) -> float:
    """Return the next larger learning rate of 1, 2, 5, 10 and so on.

    >>> next_rate(0.02), next_rate(0.5), next_rate(0.3)
    (0.05, 1.0, 0.5)
    """
    power = 10.0 ** math.floor(math.log10(rate))
    larger = next(step for step in (1, 2, 5, 10, 20) if step * power > rate * (1 + 1e-9))
    return float(f"{larger * power:g}")


def rates_words(rates: Sequence[float]) -> str:
    """Return learning rates, separated by commas."""
    return ", ".join(f"{rate:g}" for rate in rates)


def folder_name(search: LRSearch, arm: Candidate) -> str:
    """Return the prefix of the names of an arm's run folders."""
    parts = [f"{arm.learning_rate:.4g}"]
    parts += [f"hold{arm.plateau:g}"] if arm.plateau != search.plateau else []
    parts += [f"noise{arm.noise:g}"] if arm.noise else []
    return "-".join(parts)


def labels_of(search: LRSearch, arm: Candidate) -> dict[str, str]:
    """Return the labels of an arm's runs."""
    name = CONSTANT if search.anneal == "constant" else ANNEALED
    name = "noise" if arm.noise else name
    if arm.plateau != search.plateau:
        name = f"plateau of {arm.plateau:g}"
    rate = setting_words(float(f"{arm.learning_rate:.4g}"))
    return {"arm": name, "learning_rate.initial": rate}


def results_of(
    search: LRSearch, folders: Sequence[RunFolder[Any]]
) -> Results | TaskResults | ScriptResults:
    """Return the results of a search's runs: on images, of a task, or of a script."""
    from learnorder.runs.results import Results, ScriptResults, TaskResults

    if search.is_script:
        return ScriptResults(folders)
    return TaskResults(folders) if search.is_task else Results(folders)


def annealed_arms(results: NetworkRuns[Any]) -> dict[float, str]:
    """Return the arms of the learning rates, with the full plateau and without noise."""
    arms = {
        rate_of(folder.config): results.arm_of(folder)
        for folder in results.folders
        if folder.labels.get("arm") in (ANNEALED, CONSTANT)
    }
    return dict(sorted(arms.items()))


def rate_of(config: AnyRunConfig) -> float:
    """Return the initial learning rate of a run."""
    if isinstance(config, ScriptRunConfig):
        return config.learning_rate
    return config.learning_rate.initial
