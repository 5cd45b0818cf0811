"""The command ``reproduce``: run the experiments, judge the paper's claims, write the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnorder.errors import ConfigError, RunFolderError
from learnorder.execution.processes import processes_kept
from learnorder.execution.settings import Execution
from learnorder.images.experiment import ImageExperiment
from learnorder.images.run import image_plans, on_images
from learnorder.reproduce.claim import judge
from learnorder.reproduce.claims import CLAIMS, claims_named
from learnorder.reproduce.evidence import Evidence
from learnorder.reproduce.result import ReproductionResult
from learnorder.reproduce.scales import EXPERIMENT_TITLES, SCALES, Reproduction
from learnorder.runs.experiment import Experiment, settings_as
from learnorder.runs.opening import results_of
from learnorder.theory.run import of_phase, of_theory, phase_plans, theory_plans
from learnorder.values import to_dict

if TYPE_CHECKING:
    from learnorder.execution.driver import Plan


@dataclass(frozen=True)
class _Settings:
    """The settings of a reproduction in experiment.json."""

    reproduction: Reproduction
    scale: str
    only: tuple[str, ...] | None


def reproduction_plans(
    reproduction: Reproduction, only: Sequence[str] | None = None, scale: str = "custom"
) -> dict[str, dict[str, Plan]]:
    """Return the runs that test the claims, by experiment and folder.

    Args:
        reproduction: The experiments.
        only: Names of claims; None: all.
        scale: Name of the recipe.

    Raises:
        ConfigError: The name of a claim is unknown.
    """
    shared = reproduction.unpatched is None
    needed = {
        ("plain" if shared and experiment == "unpatched" else experiment, arm)
        for claim in claims_named(only)
        for experiment, arm in claim.needs
    }
    unpatched = reproduction.unpatched or reproduction.plain
    planners: dict[str, Callable[[], dict[str, Plan]]] = {
        "plain": lambda: image_plans(reproduction.plain, "plain", scale),
        "patch": lambda: image_plans(reproduction.patch, "patch", scale),
        "theory": lambda: theory_plans(reproduction.theory),
        "kappa": lambda: phase_plans(reproduction.kappa, reproduction.kappa_grid()),
        "steps": lambda: phase_plans(reproduction.steps, reproduction.steps_grid()),
        "convolution": lambda: theory_plans(reproduction.convolution),
        "unpatched": lambda: image_plans(unpatched, "unpatched", scale),
    }
    return {
        name: {run: p for run, p in plans().items() if (name, p.labels["arm"]) in needed}
        for name, plans in planners.items()
        if name in {experiment for experiment, _ in needed}
    }


def every_plan(
    reproduction: Reproduction, only: Sequence[str] | None, scale: str
) -> dict[str, Plan]:
    """Return the runs of :func:`reproduction_plans` in one mapping, by path."""
    by_name = reproduction_plans(reproduction, only, scale)
    return {f"{name}/{run}": p for name, plans in by_name.items() for run, p in plans.items()}


@processes_kept()
def reproduce(
    reproduction: Reproduction | str = "demo",
    out: Path | str | None = None,
    *,
    only: Sequence[str] | None = None,
    scale: str = "custom",
    make_runs: bool = True,
    execution: Execution = Execution(),
) -> ReproductionResult:
    """Run the experiments that test the paper's claims, judge the claims, and write the report.

    A reproduction that was interrupted continues; finished runs are not repeated.

    Args:
        reproduction: The experiments, or the name of a recipe: demo, laptop, thin or paper.
        out: Folder for the experiments, report.html and claims.json; runs/reproduce-SCALE by
            default.
        only: Names of the claims to run; None: all. Other claims are judged as well if ``out`` has
            their runs.
        scale: Name of the recipe that ``reproduction`` is based on, for the report.
        make_runs: Whether to run anything; if False, existing runs are judged.
        execution: How the runs are executed.

    Returns:
        The verdicts, with the results that they are based on.

    Raises:
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    from learnorder.execution.driver import run_plans
    from learnorder.execution.precision import with_precision
    from learnorder.reproduce.page import write_reproduction

    if isinstance(reproduction, str):
        scale, reproduction = reproduction, reproduction_recipe(reproduction)
    folder = Path(out or f"runs/reproduce-{scale}")
    reproduction = with_precision(
        reproduction, lambda base: every_plan(base, only, scale), folder, execution
    )
    plans = reproduction_plans(reproduction, only, scale)
    if next(folder.glob("*/manifest.json"), None) is not None:
        raise RunFolderError(
            f"{folder}: contains runs of another command. Choose another folder with --out."
        )
    experiment = _experiment(reproduction, only, scale)
    experiment.check(folder)
    if make_runs:
        parts = _parts(reproduction, scale)
        for name in sorted(plans, key=lambda name: name != "patch"):  # at paper scale the shortest
            runs = plans[name]
            experiments = {folder: experiment, folder / name: parts[name]}
            title = EXPERIMENT_TITLES[name]
            run_plans(runs, folder / name, execution, experiments=experiments, title=title)
    result = judge_runs(reproduction, folder, only=only, scale=scale)
    write_reproduction(result, folder)
    return result


def _experiment(reproduction: Reproduction, only: Sequence[str] | None, scale: str) -> Experiment:
    """Return the content of experiment.json in the folder of a reproduction."""
    settings = to_dict(_Settings(reproduction, scale, None if only is None else tuple(only)))
    return Experiment("reproduce", settings)


def _parts(reproduction: Reproduction, scale: str) -> dict[str, Experiment]:
    """Return the content of experiment.json in its subfolders, by name."""
    unpatched = reproduction.unpatched or reproduction.plain
    return {
        "plain": on_images(reproduction.plain, "plain", scale),
        "patch": on_images(reproduction.patch, "patch", scale),
        "unpatched": on_images(unpatched, "unpatched", scale),
        "theory": of_theory(reproduction.theory),
        "convolution": of_theory(reproduction.convolution),
        "kappa": of_phase(reproduction.kappa, reproduction.kappa_grid()),
        "steps": of_phase(reproduction.steps, reproduction.steps_grid()),
    }


def open_reproduction(folder: Path, settings: dict[str, Any]) -> ReproductionResult:
    """Return the verdicts on the runs in a folder of :func:`reproduce`, without running anything.

    Raises:
        RunFolderError: The settings are from another version, or the folder has no runs.
    """
    recorded = settings_as(_Settings, settings, folder)
    return judge_runs(recorded.reproduction, folder, only=recorded.only, scale=recorded.scale)


def judge_runs(
    reproduction: Reproduction,
    out: Path | str,
    *,
    only: Sequence[str] | None = None,
    scale: str = "custom",
) -> ReproductionResult:
    """Judge the existing runs of a reproduction, without running or writing anything.

    Args:
        reproduction: The experiments.
        out: Their folder.
        only: Names of claims to judge even if they lack runs; None: all. Other claims are judged
            if they have runs.
        scale: Name of the recipe.

    Raises:
        RunFolderError: There are no runs, or a folder has a run with other settings.
    """
    from learnorder.runs import RunFolder

    experiments = {}
    for name, plans in reproduction_plans(reproduction, None, scale).items():
        runs = (RunFolder.find(Path(out) / name / run, p.config) for run, p in plans.items())
        if folders := [run for run in runs if run is not None]:
            experiments[name] = results_of(folders)
    if not experiments:
        raise RunFolderError(
            f"{out}: contains no runs of this reproduction. Leave out --judge-only to make them, "
            "or give their folder with --out."
        )
    if reproduction.unpatched is None and "plain" in experiments:
        experiments["unpatched"] = experiments["plain"]
    evidence, named = Evidence(experiments), claims_named(only)
    claims = [claim for claim in CLAIMS if claim in named or evidence.has(claim.needs)]
    return ReproductionResult(evidence, tuple(judge(claim, evidence) for claim in claims), scale)


def recorded(reproduction: Reproduction, out: Path | str) -> Reproduction:
    """Return the experiments with the seeds, data source and precision of the runs in a folder.

    The data themselves are not needed to judge runs.

    Args:
        reproduction: The experiments.
        out: Their folder.
    """
    from learnorder.runs import find_runs

    changes: dict[str, Any] = {}
    for name in EXPERIMENT_TITLES:
        experiment, folder = getattr(reproduction, name), Path(out) / name
        if experiment is None or not (runs := find_runs(folder) if folder.is_dir() else []):
            continue
        seeds = [run.config.seed for run in runs]
        experiment = replace(experiment, first_seed=min(seeds), seeds=max(seeds) - min(seeds) + 1)
        if isinstance(experiment, ImageExperiment):
            data = replace(experiment.data, source=runs[0].config.data.source)
            precision = runs[0].config.training.precision
            training = replace(experiment.training, precision=precision)
            experiment = replace(experiment, data=data, training=training)
        changes[name] = experiment
    return replace(reproduction, **changes)


def reproduction_recipe(scale: str) -> Reproduction:
    """Return all experiments of a scale.

    Raises:
        ConfigError: The name of the scale is unknown.
    """
    if scale not in SCALES:
        raise ConfigError("scale", scale, f"Choose one of {', '.join(SCALES)}.")
    return SCALES[scale]()
