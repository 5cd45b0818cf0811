"""Run the two-layer theory, and its phase diagrams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from learnorder.errors import ConfigError
from learnorder.execution.settings import Execution
from learnorder.report.planned import run_planned
from learnorder.runs.experiment import Experiment
from learnorder.theory.config import TheoryConfig
from learnorder.theory.experiment import PHASE_GRID, TheoryExperiment, phase_defaults
from learnorder.theory.results import TheoryResults
from learnorder.values import to_dict, to_plain

if TYPE_CHECKING:
    from learnorder.execution.driver import Plan
    from learnorder.theory.results import TheoryResults


def theory_plans(experiment: TheoryExperiment) -> dict[str, Plan[TheoryConfig]]:
    """Return the runs of a theory experiment, the algorithms of a seed beside each other."""
    from learnorder.execution.driver import Plan

    return {
        f"{arm}-seed{seed}": Plan(experiment.run(arm, seed), {"experiment": "theory", "arm": arm})
        for seed in experiment.seed_range()
        for arm in experiment.arms
    }


def of_theory(experiment: TheoryExperiment) -> Experiment:
    """Return what a folder of :func:`theory_plans` says that it is of."""
    return Experiment("theory", to_dict(experiment))


def of_phase(experiment: TheoryExperiment, grid: Mapping[str, Sequence[object]]) -> Experiment:
    """Return what a folder of :func:`phase_plans` says that it is of."""
    return Experiment("phase", {**to_dict(experiment), "grid": to_plain(grid)})


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
    experiment = experiment or TheoryExperiment()
    plans, about = theory_plans(experiment), of_theory(experiment)
    return run_planned(plans, Path(out), execution, of=TheoryResults, experiment=about)


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
    from learnorder.execution.grid import Grid, grid_plans
    from learnorder.runs.arms import AXES, BETWEEN_AXES

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
    experiment, grid = experiment or phase_defaults(), grid or PHASE_GRID
    plans, about = phase_plans(experiment, grid), of_phase(experiment, grid)
    return run_planned(plans, Path(out), execution, of=TheoryResults, experiment=about)
