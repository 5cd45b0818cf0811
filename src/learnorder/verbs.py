"""The verbs of the command line as functions: each plans, then calls the one driver."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnorder.config import RunConfig
from learnorder.errors import ConfigError
from learnorder.recipes import patch, plain
from learnorder.recipes.images import ImageExperiment
from learnorder.recipes.theory import PHASE_GRID, TheoryExperiment, phase_defaults
from learnorder.theory.config import TheoryConfig

if TYPE_CHECKING:
    from learnorder.results import Results
    from learnorder.runs.kinds import Settings
    from learnorder.sweep.driver import Plan
    from learnorder.sweep.engine import Engine
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
) -> dict[str, Plan]:
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
    workers: int | None = None,
    threads: int | None = None,
    quiet: bool = False,
) -> Results:
    """Run the patch experiment, continue it, or read it where it is done; write its report.

    Args:
        experiment: An experiment, or the name of a recipe: demo, laptop, paper.
        out: Folder of the run folders and of report.html; runs/patch-SCALE by default.
        scale: Name of the recipe that ``experiment`` derives from, for the report.
        workers: Runs at once; None uses the cores there are.
        threads: Threads of each run; None shares the cores out.
        quiet: Draw no progress.

    Raises:
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    how = {"workers": workers, "threads": threads, "quiet": quiet}
    return run_images("patch", experiment, out, scale=scale, **how)


def run_plain(
    experiment: ImageExperiment | str = "demo",
    out: Path | str | None = None,
    *,
    scale: str = "custom",
    workers: int | None = None,
    threads: int | None = None,
    quiet: bool = False,
) -> Results:
    """Run the same arms on images as they are (Figure 1, Table 1); as :func:`run_patch`."""
    how = {"workers": workers, "threads": threads, "quiet": quiet}
    return run_images("plain", experiment, out, scale=scale, **how)


def run_images(
    name: str,
    experiment: ImageExperiment | str,
    out: Path | str | None,
    *,
    scale: str = "custom",
    **how: Any,
) -> Results:
    """Run an experiment on images by its name; see :func:`run_patch`."""
    if isinstance(experiment, str):
        scale, experiment = experiment, recipe(experiment, name)
    folder = Path(out or f"runs/{name}-{scale}")
    return _run(image_plans(experiment, name, scale), folder, folder, **how)


def train_plans(config: RunConfig, folder: Path) -> dict[str, Plan]:
    """Return the one run of ``learnorder train``."""
    from learnorder.sweep.driver import Plan

    return {folder.name: Plan(config, {"experiment": "train"})}


def run_train(
    config: RunConfig,
    out: Path | str = "runs/train",
    *,
    threads: int | None = None,
    quiet: bool = False,
    engine: Engine[Any] | None = None,
) -> Results:
    """Make one run, or continue it, and write its report.

    Args:
        config: The run.
        out: The run's folder.
        threads: Threads; None uses the cores there are.
        quiet: Draw no progress.
        engine: What the run is made by, e.g. :class:`~learnorder.sweep.groups.Groups` of processes;
            None is one process.
    """
    folder = Path(out)
    plans = train_plans(config, folder)
    how = {"workers": 1, "threads": threads, "quiet": quiet, "engine": engine}
    return _run(plans, folder.parent, folder, **how)


def sweep_plans(
    bases: Mapping[str, Settings | Mapping[str, Any]],
    grid: Grid,
    seeds: Sequence[int],
    scale: str = "custom",
    kind: type[Any] = RunConfig,
) -> dict[str, Plan]:
    """Return the runs of a sweep: every arm at every point of the grid, seed by seed."""
    from learnorder.sweep.grid import grid_plans

    if not bases:
        raise ConfigError("arms", [], "Name at least one arm.")
    if not seeds:
        raise ConfigError("seeds", 0, "Give at least 1; a verdict takes 3.")
    plans = {}
    for seed in seeds:
        for arm, base in bases.items():
            labels = {"experiment": "sweep", "scale": scale, "arm": arm}
            as_given = isinstance(base, Mapping)
            values, of = (base, kind) if as_given else (base.to_dict(), type(base))
            for name, plan in grid_plans(values, grid, [seed], labels, of).items():
                plans[f"{arm}-{name}" if arm else name] = plan
    return plans


def run_sweep(
    bases: Mapping[str, Settings | Mapping[str, Any]],
    grid: Mapping[str, Sequence[Any]],
    seeds: Sequence[int],
    out: Path | str = "runs/sweep",
    *,
    points: Sequence[Mapping[str, Any]] = (),
    scale: str = "custom",
    kind: type[Any] = RunConfig,
    workers: int | None = None,
    threads: int | None = None,
    quiet: bool = False,
    engine: Engine[Any] | None = None,
) -> Any:
    """Run a grid or a list of named settings on several seeds, continue it, or read it.

    Args:
        bases: The configuration of each arm that is varied: a RunConfig, TaskRunConfig or
            TheoryConfig, or one in the form of its ``to_dict``, which may become valid by the
            grid's values only.
        grid: Values by dotted name, e.g. {"learning_rate.initial": [0.1, 0.3]}; names joined by
            commas vary together. Every combination is run.
        seeds: The seeds of every point.
        out: Folder of the run folders and of report.html.
        points: A list of settings by dotted name, each run with every combination of the grid.
        scale: Name of the recipe that ``bases`` derive from, for the report.
        kind: What those of ``bases`` that are mappings are of.
        workers: Runs at once; None uses the cores there are.
        threads: Threads of each run; None shares the cores out.
        quiet: Draw no progress.
        engine: What runs are made by, e.g. a :class:`~learnorder.sweep.ray_engine.RayCluster`; None
            is this machine.

    Returns:
        The results, as :func:`open_runs` returns them.
    """
    from learnorder.sweep.grid import Grid

    plans = sweep_plans(bases, Grid(grid, points), seeds, scale, kind)
    how = {"workers": workers, "threads": threads, "quiet": quiet, "engine": engine}
    return _run(plans, Path(out), Path(out), **how)


def theory_plans(experiment: TheoryExperiment) -> dict[str, Plan]:
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
    workers: int | None = None,
    threads: int | None = None,
    quiet: bool = False,
) -> TheoryResults:
    """Run algorithms of the two-layer theory, continue them, or read them; write their report.

    Args:
        experiment: What to run; None takes the defaults.
        out: Folder of the run folders and of report.html.
        workers: Runs at once; None uses the cores there are.
        threads: Threads of each run; None shares the cores out.
        quiet: Draw no progress.

    Raises:
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    folder, plans = Path(out), theory_plans(experiment or TheoryExperiment())
    return _run(plans, folder, folder, workers=workers, threads=threads, quiet=quiet)


def phase_plans(experiment: TheoryExperiment, grid: Mapping[str, Sequence[Any]]) -> dict[str, Plan]:
    """Return the runs of a phase diagram: every algorithm at every point, seed by seed.

    Args:
        experiment: What every point shares.
        grid: Two axes, horizontal and vertical, with their values, as
            :func:`run_sweep` takes them. An axis of several joined names is named by the first.

    Raises:
        ConfigError: Not two axes, or a value that a setting does not take.
    """
    from learnorder.results import AXES, BETWEEN_AXES
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
    grid: Mapping[str, Sequence[Any]] | None = None,
    out: Path | str = "runs/phase",
    *,
    workers: int | None = None,
    threads: int | None = None,
    quiet: bool = False,
) -> TheoryResults:
    """Run algorithms over a grid of two settings, continue, or read them; write the report.

    Args:
        experiment: What every point shares; None takes L-S and S on three seeds.
        grid: See :func:`phase_plans`; None varies distribution.s and distribution.r.
        out: Folder of the run folders and of report.html.
        workers: Runs at once; None uses the cores there are.
        threads: Threads of each run; None shares the cores out.
        quiet: Draw no progress.
    """
    folder = Path(out)
    plans = phase_plans(experiment or phase_defaults(), grid or PHASE_GRID)
    return _run(plans, folder, folder, workers=workers, threads=threads, quiet=quiet)


def _run(
    plans: Mapping[str, Plan],
    out: Path,
    page: Path,
    **how: Any,
) -> Any:
    """Make the planned runs below ``out`` and write report.html to the folder ``page``.

    Args:
        plans: The runs.
        out: Gets their folders.
        page: Gets the report.
        how: As :func:`~learnorder.sweep.driver.run_plans` takes it.
    """
    from learnorder.reading import results_of
    from learnorder.report import write_report
    from learnorder.sweep import run_plans

    folders = run_plans(plans, out, **how)
    results = results_of(folders)
    write_report(results, page / "report.html")
    return results
