"""How all commands execute runs: check, create folders, execute what has not ended."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Generic, Literal, TypeVar

from learnorder.config.settings import RunConfig, TaskRunConfig
from learnorder.errors import ConfigError, LearnOrderError, RunFolderError
from learnorder.execution.display import Display
from learnorder.execution.engine import Cores, Engine
from learnorder.execution.here import run_here
from learnorder.execution.log_lines import phase
from learnorder.execution.pool import run_pool
from learnorder.execution.processes import Processes
from learnorder.execution.settings import Execution
from learnorder.execution.sharing import share_devices
from learnorder.execution.time_limit import within_time
from learnorder.runs import RunFolder
from learnorder.runs.experiment import Experiment
from learnorder.runs.files import check_path
from learnorder.runs.folder import ConfigT
from learnorder.runs.kinds import Backend, Kind, Settings, kind_of

ConfigT_co = TypeVar("ConfigT_co", bound=Settings, covariant=True)


@dataclass(frozen=True)
class Plan(Generic[ConfigT_co]):
    """A planned run: its configuration, and the labels that place it in its experiment."""

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
    """Execute every planned run that has not ended, in folders ``out/name``.

    Args:
        plans: The plans by name of the run folder.
        out: Folder of the run folders.
        execution: How the runs are executed.
        experiments: Experiments by folder; written to the folders before the first run.
        title: Name of the experiment, for the display.
        here: Execute them in this process, one after another, because they need its objects.

    Returns:
        The run folders, in the plans' order.

    Raises:
        ConfigError: The data or the model does not support a setting, or a name is too long; no
            folder is created.
        DataError: The data cannot be used; no folder is created.
        RunFolderError: A folder holds another configuration or experiment; no folder is created.
        Interrupted: A signal stopped the runs; the same call continues.
    """
    execution = with_engine(execution)
    if here:
        execution = one_at_a_time(execution)
    cores = cores_for([plan.config for plan in plans.values()], execution)
    with phase("checking settings, data and networks", quiet=execution.quiet):
        folders = make_folders(plans, out, execution.engine, experiments)
    to_do = (folder.config for folder in folders if not folder.has_ended())
    cores = share_devices(to_do, execution, cores)
    with Display(folders, cores, title=title, quiet=execution.quiet) as display:
        watch = within_time(execution, display.update)
        if here:
            run_here(folders, cores, watch)
        else:
            run_pool(folders, cores, watch, execution.engine)
    return folders


def make_folders(
    plans: Mapping[str, Plan[ConfigT]],
    out: Path,
    engine: Engine[Any] | None = None,
    experiments: Mapping[Path, Experiment] = MappingProxyType({}),
) -> list[RunFolder[ConfigT]]:
    """Create the folders of planned runs without executing them; see :func:`run_plans`."""
    for folder, experiment in experiments.items():
        experiment.check(folder)
    identities = identities_of(plans)
    existing = _find(plans, out, engine, identities)
    for folder, experiment in experiments.items():
        experiment.write(folder)
    return [
        existing[name] or RunFolder.create(out / name, plan.config, plan.labels, identities[name])
        for name, plan in plans.items()
    ]


def find_folders(
    plans: Mapping[str, Plan[ConfigT]], out: Path, engine: Engine[Any] | None = None
) -> dict[str, RunFolder[ConfigT] | None]:
    """Return the existing folders of planned runs, None for others, after all checks.

    Raises:
        LearnOrderError: As for :func:`run_plans`, or a name or path is not valid on disk.
    """
    return _find(plans, out, engine, identities_of(plans))


def _find(
    plans: Mapping[str, Plan[ConfigT]],
    out: Path,
    engine: Engine[Any] | None,
    identities: Mapping[str, Mapping[str, str]],
) -> dict[str, RunFolder[ConfigT] | None]:
    """Return the existing folders of planned runs; see :func:`find_folders`."""
    for name in plans:
        check_path(out / name)
    existing = {
        name: RunFolder.find(out / name, plan.config, identities[name])
        for name, plan in plans.items()
    }
    _check_neighbours(plans, out, [folder for folder in existing.values() if folder is not None])
    if None in existing.values():
        check(plans, engine)
    return existing


def identities_of(plans: Mapping[str, Plan[Any]]) -> dict[str, dict[str, str]]:
    """Return digests of the user's code and data for each planned run."""
    identities: dict[str, dict[str, str]] = {}
    for kind in {kind_of(plan.config) for plan in plans.values()}:
        configs = {name: p.config for name, p in plans.items() if kind_of(p.config) == kind}
        digests = kind.load_backend().identify(list(configs.values()))
        identities.update(zip(configs, digests, strict=True))
    return identities


def with_engine(execution: Execution) -> Execution:
    """Return how runs are executed, with an engine."""
    return replace(execution, engine=execution.engine or Processes())


def one_at_a_time(execution: Execution) -> Execution:
    """Return how runs that need the objects of this process are executed.

    Raises:
        ConfigError: Several runs are to share a GPU.
    """
    if isinstance(execution.engine, Processes) and execution.engine.runs_per_device != 1:
        raise ConfigError(
            "runs_per_device",
            execution.engine.runs_per_device,
            "The task is an object of this process, which trains one run after another. Give the "
            "task by its import path.",
        )
    return replace(execution, workers=1)


def cores_for(configs: Sequence[Settings], execution: Execution) -> Cores:
    """Share an engine's cores out among runs."""
    kinds = {kind_of(config) for config in configs}
    accelerated, threads = any(kind.accelerated for kind in kinds), execution.threads
    if threads is None and not any(kind.threaded for kind in kinds):
        threads = 1
    engine, count = execution.engine or Processes(), max(len(configs), 1)
    _check_gpus(engine, kinds)
    return engine.cores(count, execution.workers, threads, accelerated=accelerated)


def _check_gpus(engine: Engine[Any], kinds: Collection[Kind]) -> None:
    """Check that an engine's GPUs can be given out to some kinds of runs."""
    names = {kind.name for kind in kinds if kind.accelerated}
    if isinstance(engine, Processes) and "script" in names:
        engine.check_scripts()
    if isinstance(engine, Processes) and names - {"script"}:
        engine.check_devices()


def _check_neighbours(
    plans: Mapping[str, Plan], out: Path, existing: Sequence[RunFolder[Any]]
) -> None:
    """Refuse to put runs into a run folder, or beside arms of another experiment or configuration.

    A run without an arm is an experiment of its own, and may be beside any other.

    Args:
        plans: The plans by name of the run folder.
        out: Folder of the run folders.
        existing: Their folders that there are, which are not read again.
    """
    for folder in (out, *out.absolute().parents):
        if (folder / "manifest.json").exists():
            raise RunFolderError(
                f"{folder}: this is a run folder, which cannot contain other runs. Choose another "
                "folder with --out."
            )
    known = {folder.path: folder for folder in existing}
    by_folder: dict[Path, list[Plan]] = {}
    for name, plan in plans.items():
        if "arm" in plan.labels:
            by_folder.setdefault((out / name).parent, []).append(plan)
    for folder, planned in by_folder.items():
        experiments = {_experiment(plan.labels, kind_of(plan.config).name) for plan in planned}
        configs = {repr(plan.labels): plan.config for plan in planned}
        for manifest in sorted(folder.glob("*/manifest.json")):
            neighbour = known.get(manifest.parent) or RunFolder(manifest.parent)
            theirs = _experiment(neighbour.labels, neighbour.kind)
            if "arm" in neighbour.labels and theirs not in experiments:
                raise RunFolderError(
                    f"{folder}: holds runs of another experiment ({theirs}). Choose another folder "
                    "with --out."
                )
            config = configs.get(repr(neighbour.labels))
            if config is not None:  # the same arm, so it must differ in the seed only
                same = {**config.to_dict(), "seed": neighbour.config.seed}
                neighbour.check_config(kind_of(config).read(same))


def _experiment(labels: Mapping[str, str], kind: str) -> str:
    """Return the name of a run's experiment."""
    name = labels.get("experiment", "")
    return f"{name} of {kind}" if name == "sweep" else name


def check(plans: Mapping[str, Plan], engine: Engine[Any] | None = None) -> None:
    """Check each configuration with its backend, for the engine's number of processes.

    Raises:
        LearnOrderError: As for :func:`run_plans`. If a run fails in bf16 and not in fp32, the error
            says so.
    """
    by_kind: dict[Kind, list[Settings]] = {}
    for plan in plans.values():
        by_kind.setdefault(kind_of(plan.config), []).append(plan.config)
    engine = engine or Processes()
    _check_gpus(engine, by_kind)
    for kind, configs in by_kind.items():
        _check_kind(kind.load_backend(), configs, engine.processes)


def _check_kind(backend: Backend, configs: Sequence[Settings], processes: int) -> None:
    """Check configurations of one kind."""
    try:
        backend.check(configs, processes)
    except LearnOrderError as error:
        in_fp32 = [in_precision(config, "fp32") for config in configs]
        if in_fp32 == list(configs) or getattr(error, "field", "") == "training.precision":
            raise
        try:
            backend.check(in_fp32, processes)
        except LearnOrderError:  # the precision is not the reason
            raise error from None
        raise ConfigError(
            "training.precision",
            "bf16",
            f"Training fails in bf16, and not in fp32: {error} Give fp32.",
        ) from error


def in_precision(config: ConfigT, precision: Literal["fp32", "bf16"]) -> ConfigT:
    """Return a run's configuration in a precision; unchanged if it trains no network here."""
    if not isinstance(config, RunConfig | TaskRunConfig):
        return config
    return replace(config, training=replace(config.training, precision=precision))
