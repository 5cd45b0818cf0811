"""Run a grid of settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from learnorder.config.settings import RunConfig, TaskRunConfig
from learnorder.errors import ConfigError
from learnorder.execution.settings import Execution
from learnorder.report.planned import run_planned
from learnorder.runs.experiment import Experiment
from learnorder.runs.results import RunSet
from learnorder.theory.config import TheoryConfig
from learnorder.values import to_plain

if TYPE_CHECKING:
    from learnorder.execution.driver import Plan
    from learnorder.execution.grid import Grid
    from learnorder.runs.folder import ConfigT
    from learnorder.runs.results import Results, TaskResults
    from learnorder.theory.results import TheoryResults


def sweep_plans(
    bases: Mapping[str, ConfigT | Mapping[str, Any]],
    grid: Grid,
    seeds: Sequence[int],
    scale: str = "custom",
    kind: type[ConfigT] = RunConfig,
) -> dict[str, Plan[ConfigT]]:
    """Return the runs of a sweep: every arm at every point of the grid on every seed.

    Args:
        bases: As for :func:`run_sweep`, or as nested mappings, which need be valid only with the
            values of the grid.
        grid: The points.
        seeds: Seeds of every point.
        scale: Name of the recipe.
        kind: Class of the configurations in ``bases`` that are mappings.

    Raises:
        ConfigError: There are no arms or seeds, or a setting is not valid.
    """
    from learnorder.execution.grid import grid_plans

    if not bases:
        raise ConfigError("arms", [], "Name at least one arm.")
    for arm in bases:
        if "/" in arm:
            raise ConfigError("arms", arm, "It names the folders of its runs: leave out slashes.")
    if not seeds:
        raise ConfigError("seeds", 0, "Give at least 1; a verdict needs 3.")
    plans = dict[str, "Plan[ConfigT]"]()
    for seed in seeds:
        for arm, base in bases.items():
            labels = {"experiment": "sweep", "scale": scale, "arm": arm}
            values, of = (base, kind) if isinstance(base, Mapping) else (base.to_dict(), type(base))
            for name, plan in grid_plans(values, grid, [seed], labels, of).items():
                plans[f"{arm}-{name}" if arm else name] = plan
    return plans


def sweep_experiment(
    bases: Mapping[str, Any],
    grid: Mapping[str, Sequence[object]],
    points: Sequence[Mapping[str, object]],
    seeds: Sequence[int],
    scale: str = "custom",
) -> Experiment:
    """Return the experiment of a folder of :func:`sweep_plans`, for its experiment.json."""
    settings = {"scale": scale, "seeds": list(seeds), "grid": grid, "points": points}
    return Experiment("sweep", to_plain({**settings, "bases": bases}))


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
    """Run a grid or a list of named settings on several seeds; continue or read an existing sweep.

    Args:
        bases: The configuration of each arm, by name: a RunConfig, TaskRunConfig or TheoryConfig;
            all of one class.
        grid: Values by dotted name, e.g. {"learning_rate.initial": [0.1, 0.3]}; names joined by
            commas vary together. Every combination is run.
        seeds: Seeds of every point.
        out: Folder of the runs and of report.html.
        points: Settings by dotted name, each run with every combination of the grid.
        scale: Name of the recipe of ``bases``, for the report.
        execution: How the runs are executed.

    Returns:
        Results, TaskResults or TheoryResults, depending on ``bases``.

    Raises:
        ConfigError: A setting does not exist or has an invalid value.
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    from learnorder.execution.grid import Grid
    from learnorder.execution.precision import with_precision

    def plan(bases: Mapping[str, Any]) -> dict[str, Plan[Any]]:
        return sweep_plans(bases, Grid(grid, points), seeds, scale)

    settled: Mapping[str, Any] = with_precision(bases, plan, Path(out), execution)
    about = sweep_experiment(settled, grid, points, seeds, scale)
    results: Any = run_planned(plan(settled), Path(out), execution, of=RunSet, experiment=about)
    return results
