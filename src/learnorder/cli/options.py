"""Options that commands share: settings with a recipe's defaults, and how runs are executed."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from learnorder.cli.parser import Parser, look_up
from learnorder.errors import ConfigError
from learnorder.execution.settings import Execution
from learnorder.values import Built, field_types, from_dict, to_dict

if TYPE_CHECKING:
    from learnorder.execution.driver import Plan
    from learnorder.execution.engine import Engine
    from learnorder.runs.experiment import Experiment
    from learnorder.runs.results import RunSet


GRID_FORM = (
    "Write {patch.contrast: [0.3, 0.6], patch.size: [3]}: dotted names, a space after each colon, "
    "and a list of values for each."
)
"""Remedy for a malformed grid."""


def peek(arguments: Sequence[str], name: str, default: str) -> str:
    """Return an option that determines the defaults of others, from the line or the YAML file.

    Raises:
        ConfigError: The file cannot be read, or contradicts the line.
    """
    given, file, written = look_up(arguments, name)
    if "." not in name and None not in (given, written) and given != str(written):
        raise ConfigError(
            name,
            given,
            f"{file} says {written}, and its settings are for that {name}. Remove one of the two, "
            f"or print the settings of {given} with --print_config.",
        )
    return str(next((v for v in (given, written) if v is not None), default))


def mentions(arguments: Sequence[str], name: str, words: str) -> bool:
    """Whether an option's value, from the line or else the YAML file, contains some words.

    Raises:
        ConfigError: The file cannot be read.
    """
    given, _, written = look_up(arguments, name)
    return words in str(written if given is None else given)


Base = TypeVar("Base")
SettingsT = TypeVar("SettingsT")


def without_recipe(base: Base, arguments: Sequence[str]) -> Base:
    """Return a recipe without the settings of its own data or model, if the user gives others.

    Args:
        base: A recipe with ``data``, including a validation split, and ``model``.
        arguments: The command line.
    """
    recipe: Any = base
    if peek(arguments, "data.source", recipe.data.source) != recipe.data.source:
        data = replace(recipe.data, train_examples=None, validation_share=0.2)
        recipe = replace(recipe, data=data)
    if peek(arguments, "model.name", recipe.model.name) != recipe.model.name:
        recipe = replace(recipe, model=replace(recipe.model, arguments={}))
    return recipe


def own_defaults(base: Base, arguments: Sequence[str]) -> Base:
    """Return defaults without those for digits or our network, if the user gives others.

    Args:
        base: As for :func:`without_recipe`.
        arguments: The command line.

    Raises:
        ConfigError: It gives both a task and data.
    """
    data = peek(arguments, "data.source", "")
    if peek(arguments, "task.path", "") and data:
        raise ConfigError(
            "data.source", data, "A task has its own data: give --task or --data, not both."
        )
    return without_recipe(base, arguments)


def add_settings(
    parser: Parser,
    kind: type,
    defaults: Any,
    *,
    besides: Collection[str] = (),
) -> None:
    """Add every field of a config dataclass as an option, with a recipe's values as defaults.

    Args:
        parser: The parser to extend.
        kind: The dataclass.
        defaults: An instance of it, or a mapping of its fields.
        besides: Fields to leave out.
    """
    values = to_dict(defaults)
    _add_fields(parser, kind, {k: v for k, v in values.items() if k not in besides}, "")


def _add_fields(parser: Parser, kind: type, defaults: dict[str, Any], at: str) -> None:
    """Add the fields of a dataclass below the prefix ``at``: plain fields first, then sections."""
    title, described = _documented(kind)
    group, types = parser.add_argument_group(title), field_types(kind)
    sections = [name for name in defaults if dataclasses.is_dataclass(types[name])]
    for name, default in defaults.items():
        if name not in sections:
            option, hint = f"--{at}{name}", types[name]
            parser.add(option, hint, default=default, help=described[name], group=group)
    for name in sections:
        _add_fields(parser, types[name], defaults[name], f"{at}{name}.")


@functools.cache
def _documented(kind: type) -> tuple[str, dict[str, str]]:
    """Return the first sentence of a dataclass's docstring, and the docstrings of its fields."""
    import docstring_parser

    docstring = docstring_parser.parse_from_object(kind)
    title = (docstring.short_description or kind.__name__).rstrip(".")
    texts = {p.arg_name: " ".join((p.description or "").split()) for p in docstring.params}
    return " ".join(title.split()), texts


def take_settings(values: dict[str, Any], kind: type[Built]) -> Built:
    """Build a config dataclass from the parsed values of its fields."""
    return from_dict(kind, {n: values[n] for n in field_types(kind) if n in values})


def check_arms(arms: Sequence[str], known: Collection[str]) -> None:
    """Refuse unknown and duplicate arms."""
    for arm in arms:
        if arm not in known:
            raise ConfigError("arms", arm, f"Choose from {', '.join(known)}.")
        if list(arms).count(arm) > 1:
            raise ConfigError("arms", list(arms), f"{arm} appears twice; name each arm once.")


def add_execution(
    parser: Parser,
    out: str,
    *,
    many: bool = True,
    prepare: bool = True,
    engines: bool = False,
) -> None:
    """Add the options that say where and how runs are executed, without effect on the results.

    Args:
        parser: The parser to extend.
        out: The default folder of the results.
        many: Whether there is more than one run.
        prepare: Whether all runs are known before the first starts.
        engines: Whether other machines can execute them.
    """
    group = parser.add_argument_group("Execution")
    parser.add("--out", str, default=out, help="Folder of the results.", group=group)
    if many:
        parser.add(
            "--workers",
            int | None,
            default=None,
            help="Runs at once; null uses all cores.",
            group=group,
        )
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
        help="Check everything, time a few steps, print the time and disk needed, and the time in "
        "bf16; write nothing.",
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
        help="GPUs of this machine to give out to the runs, e.g. [0, 1]; null gives out all, and "
        "lets commands of your own see all.",
        group=group,
    )
    parser.add(
        "--runs_per_device",
        int | Literal["auto"],
        default=1,
        help="Runs at once on each GPU. Small networks leave most of a GPU idle; auto takes as "
        "many as fit into its memory and are fastest together, measured in some seconds.",
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

        return Processes(devices or (), each)
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


def add_run_folders(parser: Parser) -> None:
    """Add the folders of existing runs, and the file of their report."""
    parser.add("runs", str, nargs="+", help="Folders of runs.")
    parser.add(
        "--out",
        str | None,
        default=None,
        help="File of the report; null is report.html in the first folder.",
    )


def page_of(values: dict[str, Any]) -> Path:
    """Return the file of the report of :func:`add_run_folders`."""
    return Path(values["out"] or Path(values["runs"][0]) / "report.html")


def finish(results: RunSet[Any], page: Path) -> int:
    """Print the summary of results and the path of the report; return the exit code."""
    from learnorder.report.terminal import print_summary
    from learnorder.runs.plain_text import visible

    print_summary(results)
    print(visible(f"Report: {page}"))
    return 1 if print_unfinished(results) else 0


def print_unfinished(results: RunSet[Any]) -> bool:
    """Print each run that has not ended, with the reason; return whether there are any."""
    from learnorder.runs import ENDED
    from learnorder.runs.plain_text import visible

    unfinished = [f for f in results.folders if f.read_status() not in ENDED]
    for run in unfinished:
        stopped = run.read_status() in ("interrupted", "pending")
        default = "The same command runs it." if stopped else "Another process is working on it."
        print(
            visible(f"{run.path}: {run.read_status()}. {run.read_manifest()['reason'] or default}")
        )
    return bool(unfinished)
