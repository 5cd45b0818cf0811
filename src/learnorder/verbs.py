"""The verbs of the command line as functions: each plans, then calls the one driver."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from learnorder.config import RunConfig, TaskRunConfig
from learnorder.errors import ConfigError
from learnorder.execution import Execution
from learnorder.recipes import patch, plain
from learnorder.recipes.images import ImageExperiment
from learnorder.recipes.theory import PHASE_GRID, TheoryExperiment, phase_defaults
from learnorder.theory.config import TheoryConfig

if TYPE_CHECKING:
    from learnorder.results import Results, TaskResults
    from learnorder.runs.folder import ConfigT
    from learnorder.sweep.driver import Plan
    from learnorder.sweep.grid import Grid
    from learnorder.theory_results import TheoryResults


IMAGE_SCALES: dict[str, Mapping[str, Callable[[], ImageExperiment]]] = {
    "patch": patch.SCALES,
    "plain": plain.SCALES,
}
"""The recipes of the experiments on images, by experiment and scale."""


def recipe(scale: str, experiment: str = "patch") -> ImageExperiment:
    """Return the recipe of an experiment on images.

    Args:
        scale: demo, laptop, paper; for plain also laptop_cifar100, paper_cifar100.
        experiment: patch (with the planted patch) or plain (images as they are).

    Raises:
        ConfigError: There is no recipe of this name.
    """
    if experiment not in IMAGE_SCALES:
        raise ConfigError("experiment", experiment, f"There are {', '.join(IMAGE_SCALES)}.")
    if scale not in (scales := IMAGE_SCALES[experiment]):
        raise ConfigError("scale", scale, f"There are {', '.join(scales)}.")
    return scales[scale]()


def image_plans(
    experiment: ImageExperiment, name: str = "patch", scale: str = "custom"
) -> dict[str, Plan[RunConfig]]:
    """Return the runs of an experiment on images, the arms of a seed beside each other."""
    from learnorder.sweep.driver import Plan

    return {
        f"{arm}-seed{seed}": Plan(
            experiment.run(arm, seed), {"experiment": name, "scale": scale, "arm": arm}
        )
        for seed in experiment.seed_range()
        for arm in experiment.arm_names()
    }


def run_patch(
    experiment: ImageExperiment | str = "demo",
    out: Path | str | None = None,
    *,
    scale: str = "custom",
    execution: Execution = Execution(),
) -> Results:
    """Run the patch experiment, continue it, or read it where it is done; write its report.

    Args:
        experiment: An experiment, or the name of a recipe: demo, laptop, paper.
        out: Folder of the run folders and of report.html; runs/patch-SCALE by default.
        scale: Name of the recipe that ``experiment`` derives from, for the report.
        execution: How the runs are executed.

    Raises:
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    return run_images("patch", experiment, out, scale=scale, execution=execution)


def run_plain(
    experiment: ImageExperiment | str = "demo",
    out: Path | str | None = None,
    *,
    scale: str = "custom",
    execution: Execution = Execution(),
) -> Results:
    """Run the same arms on images as they are (the paper's Figure 1 and Table 1).

    Args:
        experiment: An experiment, or the name of a recipe: demo, laptop, paper, laptop_cifar100,
            paper_cifar100.
        out: Folder of the run folders and of report.html; runs/plain-SCALE by default.
        scale: Name of the recipe that ``experiment`` derives from, for the report.
        execution: How the runs are executed.

    Raises:
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    return run_images("plain", experiment, out, scale=scale, execution=execution)


def run_images(
    name: str,
    experiment: ImageExperiment | str,
    out: Path | str | None,
    *,
    scale: str = "custom",
    execution: Execution = Execution(),
) -> Results:
    """Run an experiment on images by its name; see :func:`run_patch`."""
    if isinstance(experiment, str):
        scale, experiment = experiment, recipe(experiment, name)
    folder = Path(out or f"runs/{name}-{scale}")
    return _run(image_plans(experiment, name, scale), folder, folder, execution)


def train_plans(config: RunConfig, folder: Path) -> dict[str, Plan[RunConfig]]:
    """Return the one run of ``learnorder train``."""
    from learnorder.sweep.driver import Plan

    return {folder.name: Plan(config, {"experiment": "train"})}


def run_train(
    config: RunConfig,
    out: Path | str = "runs/train",
    *,
    execution: Execution = Execution(),
) -> Results:
    """Make one run, or continue it, and write its report.

    Args:
        config: The run.
        out: The run's folder.
        execution: How the run is executed; it is one, whatever ``workers`` says.

    Raises:
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    folder = Path(out)
    alone = replace(execution, workers=1)
    return _run(train_plans(config, folder), folder.parent, folder, alone)


def sweep_plans(
    bases: Mapping[str, ConfigT | Mapping[str, Any]],
    grid: Grid,
    seeds: Sequence[int],
    scale: str = "custom",
    kind: type[ConfigT] = RunConfig,
) -> dict[str, Plan[ConfigT]]:
    """Return the runs of a sweep: every arm at every point of the grid, seed by seed.

    Args:
        bases: As :func:`run_sweep` takes them; or in the form of ``to_dict``, which may become
            valid by the grid's values only.
        grid: What is varied.
        seeds: The seeds of every point.
        scale: Name of the recipe.
        kind: What those of ``bases`` that are mappings are of.
    """
    from learnorder.sweep.grid import grid_plans

    if not bases:
        raise ConfigError("arms", [], "Name at least one arm.")
    if not seeds:
        raise ConfigError("seeds", 0, "Give at least 1; a verdict takes 3.")
    plans = dict[str, "Plan[ConfigT]"]()
    for seed in seeds:
        for arm, base in bases.items():
            labels = {"experiment": "sweep", "scale": scale, "arm": arm}
            values, of = (base, kind) if isinstance(base, Mapping) else (base.to_dict(), type(base))
            for name, plan in grid_plans(values, grid, [seed], labels, of).items():
                plans[f"{arm}-{name}" if arm else name] = plan
    return plans


@overload
def run_sweep(
    bases: Mapping[str, RunConfig],
    grid: Mapping[str, Sequence[object]],
    seeds: Sequence[int],
    out: Path | str = ...,
    *,
    points: Sequence[Mapping[str, object]] = ...,
    scale: str = ...,
    execution: Execution = ...,
) -> Results: ...
@overload
def run_sweep(
    bases: Mapping[str, TaskRunConfig],
    grid: Mapping[str, Sequence[object]],
    seeds: Sequence[int],
    out: Path | str = ...,
    *,
    points: Sequence[Mapping[str, object]] = ...,
    scale: str = ...,
    execution: Execution = ...,
) -> TaskResults: ...
@overload
def run_sweep(
    bases: Mapping[str, TheoryConfig],
    grid: Mapping[str, Sequence[object]],
    seeds: Sequence[int],
    out: Path | str = ...,
    *,
    points: Sequence[Mapping[str, object]] = ...,
    scale: str = ...,
    execution: Execution = ...,
) -> TheoryResults: ...
def run_sweep(
    bases: Mapping[str, RunConfig] | Mapping[str, TaskRunConfig] | Mapping[str, TheoryConfig],
    grid: Mapping[str, Sequence[object]],
    seeds: Sequence[int],
    out: Path | str = "runs/sweep",
    *,
    points: Sequence[Mapping[str, object]] = (),
    scale: str = "custom",
    execution: Execution = Execution(),
) -> Results | TaskResults | TheoryResults:
    """Run a grid or a list of named settings on several seeds, continue it, or read it.

    Args:
        bases: The configuration of each arm that is varied: a RunConfig, TaskRunConfig or
            TheoryConfig; all of one kind.
        grid: Values by dotted name, e.g. {"learning_rate.initial": [0.1, 0.3]}; names joined by
            commas vary together. Every combination is run.
        seeds: The seeds of every point.
        out: Folder of the run folders and of report.html.
        points: A list of settings by dotted name, each run with every combination of the grid.
        scale: Name of the recipe that ``bases`` derive from, for the report.
        execution: How the runs are executed.

    Returns:
        The results, by the kind of ``bases``: Results, TaskResults or TheoryResults.

    Raises:
        ConfigError: A name that no setting has, or a value that it does not take.
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    from learnorder.sweep.grid import Grid

    plans = sweep_plans(bases, Grid(grid, points), seeds, scale)
    return run_planned(plans, Path(out), execution)


def theory_plans(experiment: TheoryExperiment) -> dict[str, Plan[TheoryConfig]]:
    """Return the runs of a theory experiment, the algorithms of a seed beside each other."""
    from learnorder.sweep.driver import Plan

    return {
        f"{arm}-seed{seed}": Plan(experiment.run(arm, seed), {"experiment": "theory", "arm": arm})
        for seed in experiment.seed_range()
        for arm in experiment.arms
    }


def run_theory(
    experiment: TheoryExperiment | None = None,
    out: Path | str = "runs/theory",
    *,
    execution: Execution = Execution(),
) -> TheoryResults:
    """Run algorithms of the two-layer theory (sections 3 to 5 of the paper); write their report.

    The same call continues runs that were stopped, and reads those that have ended.

    Args:
        experiment: What to run; None takes the defaults.
        out: Folder of the run folders and of report.html.
        execution: How the runs are executed.

    Raises:
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    folder, plans = Path(out), theory_plans(experiment or TheoryExperiment())
    return _run(plans, folder, folder, execution)


def phase_plans(
    experiment: TheoryExperiment, grid: Mapping[str, Sequence[object]]
) -> dict[str, Plan[TheoryConfig]]:
    """Return the runs of a phase diagram: every algorithm at every point, seed by seed.

    Args:
        experiment: What every point shares.
        grid: Two axes, horizontal and vertical, with their values, as
            :func:`run_sweep` takes them. An axis of several joined names is named by the first.

    Raises:
        ConfigError: Not two axes, or a value that a setting does not take.
    """
    from learnorder.runs.arms import AXES, BETWEEN_AXES
    from learnorder.sweep.grid import Grid, grid_plans

    if len(grid) != 2:
        raise ConfigError("grid", dict(grid), "A phase diagram has two axes; name two settings.")
    named = [name.split(",")[0] for name in grid]
    plans = {}
    for seed in experiment.seed_range():
        for arm in experiment.arms:
            labels = {"experiment": "phase", AXES: BETWEEN_AXES.join(named), "arm": arm}
            values = experiment.run(arm, seed).to_dict()
            made = grid_plans(values, Grid(grid), [seed], labels, TheoryConfig)
            for name, plan in made.items():
                plans[f"{arm}-{name}"] = plan
    return plans


def run_phase(
    experiment: TheoryExperiment | None = None,
    grid: Mapping[str, Sequence[object]] | None = None,
    out: Path | str = "runs/phase",
    *,
    execution: Execution = Execution(),
) -> TheoryResults:
    """Run algorithms over a grid of two settings, continue, or read them; write the report.

    Args:
        experiment: What every point shares; None takes L-S and S on three seeds.
        grid: Two axes, horizontal and vertical, with their values, as :func:`run_sweep` takes
            them; None varies distribution.s and distribution.r.
        out: Folder of the run folders and of report.html.
        execution: How the runs are executed.

    Raises:
        ConfigError: Not two axes, or a value that a setting does not take.
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    folder = Path(out)
    plans = phase_plans(experiment or phase_defaults(), grid or PHASE_GRID)
    return _run(plans, folder, folder, execution)


def run_planned(plans: Mapping[str, Plan], out: Path, execution: Execution) -> Any:
    """Make planned runs of any one kind below ``out``, with their report; return their results."""
    return _run(plans, out, out, execution)


@overload
def _run(
    plans: Mapping[str, Plan[RunConfig]], out: Path, page: Path, execution: Execution
) -> Results: ...
@overload
def _run(
    plans: Mapping[str, Plan[TheoryConfig]], out: Path, page: Path, execution: Execution
) -> TheoryResults: ...
def _run(plans: Mapping[str, Plan[Any]], out: Path, page: Path, execution: Execution) -> Any:
    """Make the planned runs below ``out`` and write report.html to the folder ``page``."""
    from learnorder.reading import results_of
    from learnorder.report import write_report
    from learnorder.sweep import run_plans

    results = results_of(run_plans(plans, out, execution))
    write_report(results, page / "report.html")
    return results
