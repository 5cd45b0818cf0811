"""Run the experiments of a later paper, judge its claims, and write the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnorder.errors import ConfigError, RunFolderError
from learnorder.execution.processes import processes_kept
from learnorder.execution.settings import Execution
from learnorder.reproduce.claim import judge
from learnorder.reproduce.claims import claims_named
from learnorder.reproduce.evidence import Evidence
from learnorder.reproduce.papers.paper import Config, Experiments, Paper, on_source, source_of
from learnorder.reproduce.papers.registry import paper_named
from learnorder.reproduce.result import ReproductionResult
from learnorder.runs.experiment import Experiment, read_experiment, settings_as
from learnorder.runs.opening import results_of
from learnorder.sweep.run import sweep_experiment, sweep_plans
from learnorder.values import to_dict

if TYPE_CHECKING:
    from learnorder.execution.driver import Plan
    from learnorder.runs import RunFolder


@dataclass(frozen=True)
class _Settings:
    """The settings of a reproduction in experiment.json."""

    paper: str
    scale: str
    seeds: dict[str, tuple[int, int]]
    only: tuple[str, ...] | None


def experiments_of(
    paper: Paper,
    scale: str | None = None,
    *,
    seeds: int | None = None,
    first_seed: int | None = None,
    source: str | None = None,
) -> Experiments:
    """Return the experiments of a paper.

    Args:
        paper: The paper.
        scale: The scale; None: the paper's first.
        seeds: Number of seeds; None: each experiment's own.
        first_seed: First seed; None: each experiment's own.
        source: Another copy of the images; None: as the scale has it.

    Raises:
        ConfigError: The paper has no such scale, or its tasks load no images from a source.
    """
    experiments = paper.experiments(scale)
    changes = {"seeds": seeds, "first_seed": first_seed}
    changes = {name: value for name, value in changes.items() if value is not None}
    changed = {name: replace(each, **changes) for name, each in experiments.items()}
    if source is None:
        return changed
    moved = {name: each.on(source) for name, each in changed.items()}
    if moved == changed:
        raise ConfigError("data.source", source, f"{paper.name} uses no other data at this scale.")
    return moved


def paper_plans(
    paper: Paper, experiments: Experiments, scale: str, only: Sequence[str] | None = None
) -> dict[str, dict[str, Plan[Any]]]:
    """Return the runs of a paper's experiments, by experiment and folder.

    Args:
        paper: The paper.
        experiments: Its experiments.
        scale: Their scale.
        only: Names of claims; None: all, and the arms that only figures show.

    Raises:
        ConfigError: The name of a claim is unknown.
    """
    from learnorder.execution.grid import Grid

    claims = claims_named(only, paper.claims)
    needed = {need for claim in claims for need in claim.needs}
    chosen = {
        name: {arm: c for arm, c in each.arms.items() if only is None or (name, arm) in needed}
        for name, each in experiments.items()
    }
    return {
        name: sweep_plans(arms, Grid({}), experiments[name].all_seeds, scale)
        for name, arms in chosen.items()
        if arms
    }


@processes_kept()
def reproduce_paper(
    paper: str,
    out: Path | str | None = None,
    *,
    scale: str | None = None,
    seeds: int | None = None,
    first_seed: int | None = None,
    source: str | None = None,
    only: Sequence[str] | None = None,
    make_runs: bool = True,
    execution: Execution = Execution(),
) -> ReproductionResult:
    """Run the experiments that test the claims of a later paper, judge them, and write the report.

    A reproduction that was interrupted continues; finished runs are not repeated.

    Args:
        paper: Name of the paper, e.g. you2019, or its number at arxiv.org.
        out: Folder for the experiments, report.html and claims.json; runs/PAPER-SCALE by default.
        scale: laptop or gpu; None: laptop.
        seeds: Number of seeds; None: as the paper's experiments have it.
        first_seed: First seed; None: as the paper's experiments have it.
        source: Location of the images, for experiments that need some, e.g. parquet:DIR.
        only: Names of the claims to run; None: all.
        make_runs: Whether to run anything; if False, existing runs are judged, whatever their
            seeds.
        execution: How the runs are executed.

    Returns:
        The verdicts, with the results that they are based on.

    Raises:
        LearnOrderError: See :mod:`learnorder.errors`.
    """
    from learnorder.execution.driver import find_folders, run_plans
    from learnorder.reproduce.page import write_reproduction

    chosen = paper_named(paper)
    experiments = experiments_of(chosen, scale, seeds=seeds, first_seed=first_seed, source=source)
    scale = next(iter(chosen.scales)) if scale is None else scale
    folder = Path(out or f"runs/{chosen.name}-{scale}")
    plans = paper_plans(chosen, experiments, scale, only)
    about = _experiment(chosen, experiments, scale, only)
    about.check(folder)
    _check_same(chosen, scale, folder)
    if make_runs:
        for name, runs in plans.items():  # all are checked before the first run
            find_folders(runs, folder / name, execution.engine)
        for name, runs in plans.items():
            each = experiments[name]
            part = sweep_experiment(each.arms, {}, (), each.all_seeds, scale)
            written, title = {folder: about, folder / name: part}, chosen.titles[name]
            run_plans(runs, folder / name, execution, experiments=written, title=title)
    result = judge_paper(chosen, folder, scale=scale, only=only)
    write_reproduction(result, folder)
    return result


def _experiment(
    paper: Paper, experiments: Experiments, scale: str, only: Sequence[str] | None
) -> Experiment:
    """Return the content of experiment.json in the folder of a reproduction."""
    seeds = {name: (each.first_seed, each.seeds) for name, each in experiments.items()}
    settings = _Settings(paper.name, scale, seeds, None if only is None else tuple(only))
    return Experiment("paper", to_dict(settings))


def _check_same(paper: Paper, scale: str, folder: Path) -> None:
    """Check that a folder has no runs of another paper or scale."""
    other = read_experiment(folder)
    if other is None or other.settings is None:
        return
    recorded = settings_as(_Settings, other.settings, folder)
    if (recorded.paper, recorded.scale) != (paper.name, scale):
        raise RunFolderError(
            f"{folder}: contains runs of {recorded.paper} at scale {recorded.scale}. Choose "
            "another folder with --out."
        )


def _check_settings(paper: Paper, arms: Mapping[str, Config], run: RunFolder[Any]) -> None:
    """Check that a run has the settings of its arm, but for the seed and the images' location."""
    arm, config = run.labels.get("arm", ""), run.config
    expected = arms.get(arm)
    if expected is not None and source_of(expected) and (source := source_of(config)):
        expected = on_source(expected, source)
    if expected is None or replace(expected, seed=config.seed) != config:
        raise RunFolderError(
            f"{run.path}: its settings are not those of {paper.name}, arm {arm!r}, in this version "
            "of learnorder. Make the runs again in another folder."
        )


def judge_paper(
    paper: Paper, folder: Path, *, scale: str, only: Sequence[str] | None = None
) -> ReproductionResult:
    """Judge the existing runs of a paper's experiments, without running or writing anything.

    Raises:
        RunFolderError: There are no runs, or one has other settings than the paper's experiments.
    """
    from learnorder.runs import find_runs

    found: dict[str, Any] = {}
    for name, experiment in paper.experiments(scale).items():
        runs = find_runs(folder / name) if (folder / name).is_dir() else []
        for run in runs:
            _check_settings(paper, experiment.arms, run)
        if runs:
            found[name] = results_of(runs)
    if not found:
        raise RunFolderError(
            f"{folder}: contains no runs of {paper.name}. Leave out --judge-only to make them, or "
            "give their folder with --out."
        )
    evidence, named = Evidence(found), claims_named(only, paper.claims)
    claims = [c for c in paper.claims if c in named or evidence.has(c.needs)]
    judged = tuple(judge(claim, evidence) for claim in claims)
    return ReproductionResult(evidence, judged, scale, paper)


def open_paper(folder: Path, settings: dict[str, Any]) -> ReproductionResult:
    """Return the verdicts on the runs in a folder of :func:`reproduce_paper`.

    Raises:
        RunFolderError: The settings are from another version, or the folder has no runs.
    """
    recorded = settings_as(_Settings, settings, folder)
    try:
        paper = paper_named(recorded.paper)
    except ConfigError as error:
        raise RunFolderError(f"{folder}: of another version of learnorder ({error}).") from None
    return judge_paper(paper, folder, scale=recorded.scale, only=recorded.only)
