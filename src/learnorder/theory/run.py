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


def theory_plans(experiment: TheoryExperiment) -> dict[str, Plan[TheoryConfig]]:
    """Return the planned runs of a theory experiment by name, seed by seed."""
    from learnorder.execution.driver import Plan

    return {
        f"{arm}-seed{seed}": Plan(experiment.run(arm, seed), {"experiment": "theory", "arm": arm})
        for seed in experiment.seed_range()
        for arm in experiment.arms
    }


def of_theory(experiment: TheoryExperiment) -> Experiment:
    """Return the experiment that is recorded in a folder of :func:`theory_plans`."""
    return Experiment("theory", to_dict(experiment))


def of_phase(experiment: TheoryExperiment, grid: Mapping[str, Sequence[object]]) -> Experiment:
    """Return the experiment that is recorded in a folder of :func:`phase_plans`."""
    return Experiment("phase", {**to_dict(experiment), "grid": to_plain(grid)})


def run_theory(
    experiment: TheoryExperiment | None = None,
    out: Path | str = "runs/theory",
    *,
    execution: Execution = Execution(),
) -> TheoryResults:
    """Run the two-layer theory (sections 3 to 5 of the paper) and write its report.

    Calling it again continues stopped runs and reads finished ones.

    Args:
        experiment: What to run; None uses the defaults.
        out: Folder for the run folders and report.html.
        execution: How the runs are executed.

    Raises:
        ConfigError: A run takes more memory than is free.
        LearnOrderError: Any other error; see :mod:`learnorder.errors`.
    """
    experiment = experiment or TheoryExperiment()
    plans, about = theory_plans(experiment), of_theory(experiment)
    return run_planned(plans, Path(out), execution, of=TheoryResults, experiment=about)


def phase_plans(
    experiment: TheoryExperiment, grid: Mapping[str, Sequence[object]]
) -> dict[str, Plan[TheoryConfig]]:
    """Return the planned runs of a phase diagram by name: every algorithm at every point.

    Args:
        experiment: Settings shared by all points.
        grid: Two axes, horizontal and vertical, with their values, in the form of
            :func:`run_sweep`. The first of several joined settings names the axis.

    Raises:
        ConfigError: There are not two axes, or a setting does not take a value.
    """
    from learnorder.execution.grid import Grid, grid_plans
    from learnorder.runs.arms import AXES, BETWEEN_AXES

    if len(grid) != 2:
        raise ConfigError("grid", dict(grid), "A phase diagram has two axes; name two settings.")
    names = [name.split(",")[0] for name in grid]
    plans = {}
    for seed in experiment.seed_range():
        for arm in experiment.arms:
            labels = {"experiment": "phase", AXES: BETWEEN_AXES.join(names), "arm": arm}
            values = experiment.run(arm, seed).to_dict()
            points = grid_plans(values, Grid(grid), [seed], labels, TheoryConfig)
            plans |= {f"{arm}-{name}": plan for name, plan in points.items()}
    return plans


def run_phase(
    experiment: TheoryExperiment | None = None,
    grid: Mapping[str, Sequence[object]] | None = None,
    out: Path | str = "runs/phase",
    *,
    execution: Execution = Execution(),
) -> TheoryResults:
    """Run the algorithms over a grid of two settings and write the report.

    Calling it again continues stopped runs and reads finished ones.

    Args:
        experiment: Settings shared by all points; None runs L-S and S on three seeds.
        grid: Two axes, horizontal and vertical, with their values, in the form of
            :func:`run_sweep`; None varies distribution.s and distribution.r.
        out: Folder for the run folders and report.html.
        execution: How the runs are executed.

    Raises:
        ConfigError: There are not two axes, or a setting does not take a value.
        LearnOrderError: Any other error; see :mod:`learnorder.errors`.
    """
    experiment, grid = experiment or phase_defaults(), grid or PHASE_GRID
    plans, about = phase_plans(experiment, grid), of_phase(experiment, grid)
    return run_planned(plans, Path(out), execution, of=TheoryResults, experiment=about)
