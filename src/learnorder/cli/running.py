"""Options of how and where runs are executed, and what --dry-run and --prepare do instead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from learnorder.cli.parser import Parser
from learnorder.errors import ConfigError
from learnorder.execution.machine import MOST
from learnorder.execution.settings import Execution

if TYPE_CHECKING:
    from learnorder.execution.driver import Plan
    from learnorder.execution.engine import Engine
    from learnorder.runs.experiment import Experiment

SettingsT = TypeVar("SettingsT")


def add_execution(
    parser: Parser,
    out: str,
    *,
    many: bool = True,
    prepare: bool = True,
    engines: bool = False,
    gpus: bool = True,
    precision: bool = True,
) -> None:
    """Add the options that say where and how runs are executed, without effect on the results.

    Args:
        parser: The parser to extend.
        out: The default folder of the results.
        many: Whether there is more than one run.
        prepare: Whether all runs are known before the first starts.
        engines: Whether other machines can execute them.
        gpus: Whether they use GPUs.
        precision: Whether there is a choice of ``training.precision``.
    """
    group = parser.add_argument_group("Execution")
    parser.add("--out", str, default=out, help="Folder of the results.", group=group)
    if many:
        parser.add(
            "--workers",
            int | None,
            default=None,
            help=f"Runs at once; null is one for each core{', or for each GPU' * gpus}.",
            group=group,
        )
        if gpus:
            add_devices(parser, group)
    parser.add(
        "--threads",
        int | None,
        default=None,
        help="Threads per run; null is automatic. Results with other numbers differ by rounding.",
        group=group,
    )
    add_time_limit(parser, group)
    parser.flag(
        "--dry-run",
        help="Check everything, time a few steps, print the time and disk needed"
        f"{', and the time in bf16' * precision}; write nothing.",
        group=group,
    )
    if prepare:
        parser.flag(
            "--prepare",
            help="Check everything and create the run folders; `learnorder work` executes them.",
            group=group,
        )
    if engines:
        add_engine(parser, group)
    if engines or not many:
        add_processes(parser, group)
    parser.flag("--quiet", help="Show no progress.", group=group)


def add_engine(parser: Parser, group: Any = None) -> None:
    """Add the options of the engine that executes runs."""
    parser.add(
        "--engine",
        Literal["local", "ray"],
        default="local",
        help="local: processes on this machine; ray: a Ray cluster whose machines share the disk.",
        group=group,
    )
    parser.add(
        "--address",
        str | None,
        default=None,
        help="Address of the Ray cluster: host:port, or auto; null starts one on this machine.",
        group=group,
    )
    parser.add(
        "--gpus",
        float | None,
        default=None,
        help="GPUs that Ray reserves for each run, e.g. 0.5; null takes one if the cluster has "
        "any. It reserves --threads cores.",
        group=group,
    )


def add_devices(parser: Parser, group: Any = None) -> None:
    """Add the GPUs that are given out to the runs."""
    parser.add(
        "--devices",
        list[str | int] | None,
        default=None,
        help="GPUs of this machine to give out to the runs, e.g. [0, 1], as in "
        "CUDA_VISIBLE_DEVICES; null gives out all that are visible, and lets commands of your own "
        "see all.",
        group=group,
    )
    parser.add(
        "--runs_per_device",
        int | Literal["auto"],
        default=1,
        help="Runs at once on each GPU. Small networks leave most of a GPU idle; auto takes as "
        "many as fit into its memory and are fastest together, measured in some seconds.",
        form=f"Give a number from 1 to {MOST}, or auto.",
        group=group,
    )


def add_time_limit(parser: Parser, group: Any = None) -> None:
    """Add the time after which runs are stopped."""
    parser.add(
        "--stop_after",
        float | None,
        default=None,
        help="Minutes after which the runs are saved and stopped, as on Ctrl-C; the same command "
        "continues them. null is no limit.",
        group=group,
    )


def add_processes(parser: Parser, group: Any = None) -> None:
    """Add the number of processes that train one run together."""
    parser.add(
        "--processes",
        int,
        default=1,
        help="Processes on this machine that train each run together, each on its share of every "
        "batch: one per GPU.",
        group=group,
    )


def engine_of(values: dict[str, Any]) -> Engine[Any] | None:
    """Return the engine that the options name; None is one local process per run."""
    devices, each = values.get("devices"), values.get("runs_per_device", 1)
    local = values.get("engine", "local") == "local"
    if not local or values.get("processes", 1) != 1:
        remedy = "It is for single local processes: leave out --engine or --processes."
        if devices:
            raise ConfigError("devices", devices, remedy)
        if each != 1:
            hint = " A Ray cluster takes --gpus 0.5." if not local else ""
            raise ConfigError("runs_per_device", each, remedy + hint)
    if (processes := values.get("processes", 1)) != 1:
        if not local:
            remedy = "It needs --engine local. Give that, or --processes 1."
            raise ConfigError("processes", processes, remedy)
        from learnorder.execution.groups import Groups

        return Groups(processes)
    if not local:
        from learnorder.execution.ray_engine import RayCluster

        return RayCluster(values["address"], values["gpus"])
    for name in ("address", "gpus"):
        if values.get(name) is not None:
            raise ConfigError(name, values[name], "It is for a Ray cluster; add --engine ray.")
    if devices or each != 1:
        from learnorder.execution.processes import Processes

        engine = Processes(devices or (), each)
        engine.see_only_these()
        return engine
    return None


def execution(values: dict[str, Any]) -> Execution:
    """Return how runs are executed, from the parsed options of :func:`add_execution`."""
    names = ("workers", "threads", "quiet", "stop_after")
    chosen = {name: values[name] for name in names if name in values}
    return Execution(**chosen, engine=engine_of(values))


def only_planned(values: dict[str, Any]) -> bool:
    """Whether --dry-run or --prepare is given, so nothing is run now."""
    return values["dry_run"] or values.get("prepare", False)


def only_plan(
    settings: SettingsT,
    plan: Callable[[SettingsT], Mapping[str, Plan]],
    out: Path,
    values: dict[str, Any],
    about: Callable[[SettingsT], Experiment] | None = None,
    *,
    runs_in: Path | None = None,
) -> int:
    """Print the cost of an experiment, or create its run folders and print how to run them.

    Args:
        settings: Its settings.
        plan: Returns their runs.
        out: Its folder.
        values: All options.
        about: Returns the content of experiment.json; None writes none.
        runs_in: Parent of the run folders; None is ``out``.
    """
    from learnorder.execution.precision import settle

    one = {} if "workers" in values else {"workers": 1}
    how = execution({**values, **one})
    settings, words = settle(settings, plan, out, how)
    plans, parent = plan(settings), runs_in or out
    if values.get("prepare", False):
        from learnorder.execution.driver import make_folders

        experiments = {} if about is None else {out: about(settings)}
        folders = make_folders(plans, parent, how.engine, experiments)
        print(words, end="\n" * bool(words))
        runs = f"{len(folders)} runs are" if len(folders) > 1 else "One run is"
        where = parent if len(folders) > 1 else folders[0].path
        print(
            f"{runs} prepared in {where}. Execute with `learnorder work {where}`, on any number of "
            "machines that share the disk. Then this command without --prepare writes the report."
        )
        return 0
    from learnorder.execution.estimate import estimate_cost

    print(estimate_cost(plans, parent, how))
    print_precision(plans, words, how)
    return 0


def print_precision(plans: Mapping[str, Plan], words: str, how: Execution) -> None:
    """Print what is taken for training.precision auto, or else what bf16 would save.

    Args:
        plans: The runs; nothing is printed if none of them trains a network here.
        words: What is taken; empty without auto.
        how: How the runs are executed.
    """
    from learnorder.execution.precision import saving

    if words := words or saving(plans, how):
        print(words)
