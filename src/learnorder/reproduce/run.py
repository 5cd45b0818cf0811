"""The command ``reproduce``: run what decides the paper's claims, judge, and write the report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnorder.errors import ConfigError, RunFolderError
from learnorder.execution.settings import Execution
from learnorder.images.experiment import ImageExperiment
from learnorder.images.run import image_plans, on_images
from learnorder.reproduce.claim import ReproductionResult, judge
from learnorder.reproduce.claims import CLAIMS, claims_named
from learnorder.reproduce.evidence import Evidence
from learnorder.reproduce.scales import EXPERIMENT_TITLES, SCALES, Reproduction
from learnorder.runs.experiment import Experiment, settings_as
from learnorder.runs.opening import results_of
from learnorder.theory.run import of_phase, of_theory, phase_plans, theory_plans
from learnorder.values import to_dict

if TYPE_CHECKING:
    from learnorder.execution.driver import Plan


@dataclass(frozen=True)
class _Recorded:
    """What experiment.json has of a reproduction."""

    reproduction: Reproduction
    scale: str
    only: tuple[str, ...] | None


def reproduction_plans(
    reproduction: Reproduction, only: Sequence[str] | None = None, scale: str = "custom"
) -> dict[str, dict[str, Plan]]:
    """Return the runs that deciding claims takes, by experiment and folder.

    Args:
        reproduction: The experiments.
        only: Names of claims; None takes all.
        scale: Name of the recipe.

    Raises:
        ConfigError: There is no claim of a name.
    """
    shared = reproduction.unpatched is None
    needed = {
        ("plain" if shared and experiment == "unpatched" else experiment, arm)
        for claim in claims_named(only)
        for experiment, arm in claim.needs
    }
    unpatched = reproduction.unpatched or reproduction.plain
    every: dict[str, Callable[[], dict[str, Plan]]] = {
        "plain": lambda: image_plans(reproduction.plain, "plain", scale),
        "patch": lambda: image_plans(reproduction.patch, "patch", scale),
        "theory": lambda: theory_plans(reproduction.theory),
        "kappa": lambda: phase_plans(reproduction.kappa, reproduction.kappa_grid()),
        "convolution": lambda: theory_plans(reproduction.convolution),
        "unpatched": lambda: image_plans(unpatched, "unpatched", scale),
    }
    return {
        name: {run: p for run, p in plans().items() if (name, p.labels["arm"]) in needed}
        for name, plans in every.items()
        if name in {experiment for experiment, _ in needed}
    }


def reproduce(
    reproduction: Reproduction | str = "demo",
    out: Path | str | None = None,
    *,
    only: Sequence[str] | None = None,
    scale: str = "custom",
    make_runs: bool = True,
    execution: Execution = Execution(),
) -> ReproductionResult:
    """Run what decides the paper's claims, continue it, or read it; judge, and write the report.

    Args:
        reproduction: Experiments, or the name of a recipe: demo, laptop, paper.
        out: Gets a folder for each experiment, report.html and claims.json;
            runs/reproduce-SCALE by default.
        only: Names of claims that runs are made for; None takes all. Others that the runs in
            ``out`` can decide are judged too.
        scale: Name of the recipe that ``reproduction`` derives from, for the report.
        make_runs: Whether runs are made; else claims are judged on those that are there.
        execution: How the runs are executed.

    Raises:
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    from learnorder.execution.driver import run_plans
    from learnorder.reproduce.page import write_reproduction

    if isinstance(reproduction, str):
        scale, reproduction = reproduction, reproduction_recipe(reproduction)
    folder = Path(out or f"runs/reproduce-{scale}")
    plans = reproduction_plans(reproduction, only, scale)
    if next(folder.glob("*/manifest.json"), None) is not None:
        raise RunFolderError(
            f"{folder}: holds runs of another command, and a report of them. Choose another folder "
            "with --out."
        )
    whole = _of_all(reproduction, only, scale)
    whole.check(folder)
    if make_runs:
        parts = _of_parts(reproduction, scale)
        for name, runs in plans.items():
            of = {folder: whole, folder / name: parts[name]}
            title = EXPERIMENT_TITLES[name]
            run_plans(runs, folder / name, execution, experiments=of, title=title)
    result = judge_runs(reproduction, folder, only=only, scale=scale)
    write_reproduction(result, folder)
    return result


def _of_all(reproduction: Reproduction, only: Sequence[str] | None, scale: str) -> Experiment:
    """Return what the folder of a reproduction says that it is of."""
    settings = to_dict(_Recorded(reproduction, scale, None if only is None else tuple(only)))
    return Experiment("reproduce", settings)


def _of_parts(reproduction: Reproduction, scale: str) -> dict[str, Experiment]:
    """Return what the folders within say that they are of, by name."""
    unpatched = reproduction.unpatched or reproduction.plain
    return {
        "plain": on_images(reproduction.plain, "plain", scale),
        "patch": on_images(reproduction.patch, "patch", scale),
        "unpatched": on_images(unpatched, "unpatched", scale),
        "theory": of_theory(reproduction.theory),
        "convolution": of_theory(reproduction.convolution),
        "kappa": of_phase(reproduction.kappa, reproduction.kappa_grid()),
    }


def open_reproduction(folder: Path, settings: dict[str, Any]) -> ReproductionResult:
    """Return the verdicts on the runs in a folder of :func:`reproduce`; nothing is run.

    Raises:
        RunFolderError: Its settings are of another version, or it has no runs.
    """
    recorded = settings_as(_Recorded, settings, folder)
    return judge_runs(recorded.reproduction, folder, only=recorded.only, scale=recorded.scale)


def judge_runs(
    reproduction: Reproduction,
    out: Path | str,
    *,
    only: Sequence[str] | None = None,
    scale: str = "custom",
) -> ReproductionResult:
    """Judge the runs of a reproduction that are there; nothing is run and nothing written.

    Args:
        reproduction: The experiments.
        out: Their folder.
        only: Names of claims to judge whatever is there; others are judged where the runs they
            need are there. None judges all.
        scale: Name of the recipe.

    Raises:
        RunFolderError: There are none, or a folder holds a run of other settings.
    """
    from learnorder.runs import RunFolder

    experiments = {}
    for name, plans in reproduction_plans(reproduction, None, scale).items():
        found = [RunFolder.find(Path(out) / name / run, p.config) for run, p in plans.items()]
        if folders := [run for run in found if run is not None]:
            experiments[name] = results_of(folders)
    if not experiments:
        raise RunFolderError(
            f"{out}: holds no runs of this reproduction. Leave out --judge-only to make them, or "
            "name their folder with --out."
        )
    if reproduction.unpatched is None and "plain" in experiments:
        experiments["unpatched"] = experiments["plain"]
    evidence, asked = Evidence(experiments), claims_named(only)
    chosen = [claim for claim in CLAIMS if claim in asked or evidence.has(claim.needs)]
    return ReproductionResult(evidence, tuple(judge(claim, evidence) for claim in chosen), scale)


def recorded(reproduction: Reproduction, out: Path | str) -> Reproduction:
    """Return the experiments with the seeds, and the place of the images, of the runs in a folder.

    Records are judged without the data, wherever it was.

    Args:
        reproduction: The experiments.
        out: Their folder.
    """
    from learnorder.runs import find_runs

    changes: dict[str, Any] = {}
    for name in EXPERIMENT_TITLES:
        own, folder = getattr(reproduction, name), Path(out) / name
        if own is None or not (found := find_runs(folder) if folder.is_dir() else []):
            continue
        seeds = [run.config.seed for run in found]
        made = replace(own, first_seed=min(seeds), seeds=max(seeds) - min(seeds) + 1)
        if isinstance(made, ImageExperiment):
            made = replace(made, data=replace(made.data, source=found[0].config.data.source))
        changes[name] = made
    return replace(reproduction, **changes)


def reproduction_recipe(scale: str) -> Reproduction:
    """Return all experiments of a scale.

    Raises:
        ConfigError: There is no recipe of this name.
    """
    if scale not in SCALES:
        raise ConfigError("scale", scale, f"There are {', '.join(SCALES)}.")
    return SCALES[scale]()
