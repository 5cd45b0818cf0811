"""The one way that commands run things: check, make folders, run what has not ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from learnorder.errors import RunFolderError
from learnorder.execution.display import Display
from learnorder.execution.engine import Cores, Engine
from learnorder.execution.here import run_here
from learnorder.execution.log_lines import phase
from learnorder.execution.pool import run_pool
from learnorder.execution.processes import Processes
from learnorder.execution.settings import Execution
from learnorder.runs import RunFolder
from learnorder.runs.experiment import Experiment
from learnorder.runs.files import check_path
from learnorder.runs.folder import ConfigT
from learnorder.runs.kinds import Kind, Settings, kind_of

ConfigT_co = TypeVar("ConfigT_co", bound=Settings, covariant=True)


@dataclass(frozen=True)
class Plan(Generic[ConfigT_co]):
    """A run to be made: its configuration and what it is within its experiment."""

    config: ConfigT_co
    labels: dict[str, str]


def run_plans(
    plans: Mapping[str, Plan[ConfigT]],
    out: Path,
    execution: Execution = Execution(),
    *,
    experiments: Mapping[Path, Experiment] = MappingProxyType({}),
    title: str = "",
    here: bool = False,
) -> list[RunFolder[ConfigT]]:
    """Make every planned run that has not ended, in folders ``out/name``.

    Args:
        plans: Run folders' names, and what to run in each.
        out: Folder of the run folders.
        execution: How the runs are executed.
        experiments: What folders are of, which they say before the first run is made.
        title: What the runs are of, for the display.
        here: Make them in this process, one after another, as objects of it cannot reach workers.

    Returns:
        The run folders, in the plans' order.

    Raises:
        ConfigError: A setting that the data or the model refuses, or a name that is too long; no
            folder is made.
        DataError: The data cannot be used; no folder is made.
        RunFolderError: A folder of another configuration or experiment is in the way; no folder is
            made.
        Interrupted: A signal came; the same call continues.
    """
    if here:
        execution = replace(execution, workers=1)
    cores = cores_for([plan.config for plan in plans.values()], execution)
    with phase("checking settings, data and networks", quiet=execution.quiet):
        folders = make_folders(plans, out, execution.engine, experiments)
    with Display(folders, cores, title=title, quiet=execution.quiet) as display:
        if here:
            run_here(folders, cores, display.update)
        else:
            run_pool(folders, cores, display.update, execution.engine)
    return folders


def make_folders(
    plans: Mapping[str, Plan[ConfigT]],
    out: Path,
    engine: Engine[Any] | None = None,
    experiments: Mapping[Path, Experiment] = MappingProxyType({}),
) -> list[RunFolder[ConfigT]]:
    """Make the folders of planned runs, and run nothing; as :func:`run_plans`."""
    for folder, experiment in experiments.items():
        experiment.check(folder)
    there, identities = find_folders(plans, out, engine), _identities(plans)
    for folder, experiment in experiments.items():
        experiment.write(folder)
    return [
        there[name] or RunFolder.create(out / name, plan.config, plan.labels, identities[name])
        for name, plan in plans.items()
    ]


def find_folders(
    plans: Mapping[str, Plan[ConfigT]], out: Path, engine: Engine[Any] | None = None
) -> dict[str, RunFolder[ConfigT] | None]:
    """Return the folders there are of planned runs; refuse what cannot be made, and write nothing.

    Raises:
        LearnOrderError: As :func:`run_plans`, or a name or a path that no file system takes.
    """
    for name in plans:
        check_path(out / name)
    identities = _identities(plans)
    there = {
        name: RunFolder.find(out / name, plan.config, identities[name])
        for name, plan in plans.items()
    }
    _check_neighbours(plans, out)
    if None in there.values():
        check(plans, engine)
    return there


def _identities(plans: Mapping[str, Plan]) -> dict[str, dict[str, str]]:
    """Return the user's own code and data of each planned run, as digests by name."""
    found: dict[str, dict[str, str]] = {}
    for kind in {kind_of(plan.config) for plan in plans.values()}:
        own = {name: p.config for name, p in plans.items() if kind_of(p.config) == kind}
        found.update(zip(own, kind.load_backend().identify(list(own.values())), strict=True))
    return found


def cores_for(configs: Sequence[Settings], execution: Execution) -> Cores:
    """Share an engine's cores out among runs."""
    accelerated = any(kind_of(config).accelerated for config in configs)
    engine, count = execution.engine or Processes(), max(len(configs), 1)
    return engine.cores(count, execution.workers, execution.threads, accelerated=accelerated)


def _check_neighbours(plans: Mapping[str, Plan], out: Path) -> None:
    """Refuse a run's own folder, one of another experiment, or arms of other settings and seeds.

    A run without an arm is an experiment of its own, and may lie beside any other.
    """
    for folder in (out, *out.absolute().parents):
        if (folder / "manifest.json").exists():
            raise RunFolderError(
                f"{folder}: a run's own folder, in which no others are made. Choose another folder "
                "with --out."
            )
    by_folder: dict[Path, list[Plan]] = {}
    for name, plan in plans.items():
        if "arm" in plan.labels:
            by_folder.setdefault((out / name).parent, []).append(plan)
    for folder, planned in by_folder.items():
        experiments = {_experiment(plan.labels, kind_of(plan.config).name) for plan in planned}
        asked = {repr(plan.labels): plan.config for plan in planned}
        for manifest in sorted(folder.glob("*/manifest.json")):
            neighbour = RunFolder(manifest.parent)
            theirs = _experiment(neighbour.labels, neighbour.kind)
            if "arm" in neighbour.labels and theirs not in experiments:
                raise RunFolderError(
                    f"{folder}: holds runs of another experiment ({theirs}). Choose another folder "
                    "with --out."
                )
            config = asked.get(repr(neighbour.labels))
            if config is not None:
                kind = kind_of(config)
                asked_there = kind.read({**config.to_dict(), "seed": neighbour.config.seed})
                RunFolder.find(neighbour.path, asked_there)


def _experiment(labels: Mapping[str, str], kind: str) -> str:
    """Return what experiment a run is of, in words."""
    name = labels.get("experiment", "")
    return f"{name} of {kind}" if name == "sweep" else name


def check(plans: Mapping[str, Plan], engine: Engine[Any] | None = None) -> None:
    """Let each kind of run refuse what it cannot do, by an engine's processes.

    Raises:
        LearnOrderError: As :func:`run_plans`.
    """
    by_kind: dict[Kind, list[Settings]] = {}
    for plan in plans.values():
        by_kind.setdefault(kind_of(plan.config), []).append(plan.config)
    for kind, configs in by_kind.items():
        kind.load_backend().check(configs, (engine or Processes()).processes)
