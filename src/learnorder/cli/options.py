"""What commands share: settings whose defaults are a recipe's, and the options of many runs."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Sequence
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
    "the values of each in a list."
)
"""How a grid is written."""


def peek(arguments: Sequence[str], name: str, default: str) -> str:
    """Return an option that decides the defaults of others, from the line or the YAML file.

    Raises:
        ConfigError: The file cannot be read, or says something else than the line: then the file's
            settings would hold under the line's name.
    """
    given, file, written = look_up(arguments, name)
    if "." not in name and None not in (given, written) and given != str(written):
        raise ConfigError(
            name,
            given,
            f"{file} says {written}, and its settings are of that {name}. Take one of the "
            f"two away, or print the settings of {given} with --print_config.",
        )
    return str(next((v for v in (given, written) if v is not None), default))


def mentions(arguments: Sequence[str], name: str, words: str) -> bool:
    """Whether an option has some words in it, on the line or else in the YAML file.

    Raises:
        ConfigError: The file cannot be read.
    """
    given, _, written = look_up(arguments, name)
    return words in str(written if given is None else given)


Base = TypeVar("Base")


def without_recipe(base: Base, arguments: Sequence[str]) -> Base:
    """Return defaults, without what belongs to digits or to our network where others' come.

    Args:
        base: A recipe with ``data``, held out for validation, and ``model``.
        arguments: The command line.
    """
    recipe: Any = base
    if peek(arguments, "data.source", recipe.data.source) != recipe.data.source:
        data = replace(recipe.data, train_examples=None, validation_share=0.2)
        recipe = replace(recipe, data=data)
    if peek(arguments, "model.name", recipe.model.name) != recipe.model.name:
        recipe = replace(recipe, model=replace(recipe.model, arguments={}))
    return recipe


def add_settings(
    parser: Parser,
    kind: type,
    defaults: Any,
    *,
    besides: Collection[str] = (),
) -> None:
    """Add every field of a config dataclass as an option, with a recipe's values as defaults.

    Args:
        parser: Gets the options.
        kind: The dataclass.
        defaults: An instance of it, or a mapping of its fields.
        besides: Fields that are left out.
    """
    values = to_dict(defaults)
    _add_fields(parser, kind, {k: v for k, v in values.items() if k not in besides}, "")


def _add_fields(parser: Parser, kind: type, defaults: dict[str, Any], at: str) -> None:
    """Add the fields of a dataclass that stands at a place: its own ones first, then sections."""
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
    """Return the first sentence of a dataclass's docstring, and those of its fields."""
    import docstring_parser

    found = docstring_parser.parse_from_object(kind)
    title = (found.short_description or kind.__name__).rstrip(".")
    texts = {each.arg_name: " ".join((each.description or "").split()) for each in found.params}
    return " ".join(title.split()), texts


def take_settings(values: dict[str, Any], kind: type[Built]) -> Built:
    """Build a config dataclass from the parsed values that are its fields."""
    return from_dict(kind, {n: values[n] for n in field_types(kind) if n in values})


def check_arms(arms: Sequence[str], known: Collection[str]) -> None:
    """Refuse names that are no arms, and arms that stand twice."""
    for arm in arms:
        if arm not in known:
            raise ConfigError("arms", arm, f"There are {', '.join(known)}.")
        if list(arms).count(arm) > 1:
            raise ConfigError("arms", list(arms), f"{arm} stands twice; name each arm once.")


def add_execution(
    parser: Parser,
    out: str,
    *,
    many: bool = True,
    prepare: bool = True,
    engines: bool = False,
) -> None:
    """Add the options that decide where and how runs are made, and change no number.

    Args:
        parser: Gets the options.
        out: Where results go by default.
        many: Whether there is more than one run.
        prepare: Whether all runs are known before the first is made.
        engines: Whether other machines can make them.
    """
    group = parser.add_argument_group("Where and how")
    parser.add("--out", str, default=out, help="Folder of the results.", group=group)
    if many:
        parser.add(
            "--workers",
            int | None,
            default=None,
            help="Runs at once; null uses all cores.",
            group=group,
        )
    parser.add(
        "--threads",
        int | None,
        default=None,
        help="Threads of each run; null chooses. Results of different numbers differ by rounding.",
        group=group,
    )
    parser.flag(
        "--dry-run",
        help="Check everything, time a few steps, say how long and how much disk; write nothing.",
        group=group,
    )
    if prepare:
        parser.flag(
            "--prepare",
            help="Check everything and make the runs' folders, for `learnorder work` to run them.",
            group=group,
        )
    if engines:
        add_engine(parser, group)
    if engines or not many:
        add_processes(parser, group)
    parser.flag("--quiet", help="Draw no progress.", group=group)


def add_engine(parser: Parser, group: Any = None) -> None:
    """Add the options that say what makes runs."""
    parser.add(
        "--engine",
        Literal["local", "ray"],
        default="local",
        help="local: processes of this machine; ray: a Ray cluster whose machines share the disk.",
        group=group,
    )
    parser.add(
        "--address",
        str | None,
        default=None,
        help="Of the Ray cluster: host:port, or auto; null begins one on this machine.",
        group=group,
    )
    parser.add(
        "--gpus",
        float | None,
        default=None,
        help="GPUs that Ray keeps for each run, e.g. 0.5; null is one where there are any. "
        "--threads is how many cores it keeps.",
        group=group,
    )


def add_processes(parser: Parser, group: Any = None) -> None:
    """Add the option that lets several processes train one run."""
    parser.add(
        "--processes",
        int,
        default=1,
        help="Processes of this machine that train each run together, sharing every batch: one for "
        "each GPU.",
        group=group,
    )


def engine_of(values: dict[str, Any]) -> Engine[Any] | None:
    """Return what the options of the two above ask for; None is processes with a run each."""
    if (processes := values.get("processes", 1)) != 1:
        if values.get("engine", "local") != "local":
            raise ConfigError("processes", processes, "It is for runs of this machine: give "
                              "--engine local, or --processes 1.")  # fmt: skip
        from learnorder.execution.groups import Groups

        return Groups(processes)
    if values.get("engine") == "ray":
        from learnorder.execution.ray_engine import RayCluster

        return RayCluster(values["address"], values["gpus"])
    for name in ("address", "gpus"):
        if values.get(name) is not None:
            raise ConfigError(name, values[name], "It is of a Ray cluster: give --engine ray too.")
    return None


def execution(values: dict[str, Any]) -> Execution:
    """Return how runs are executed, from the parsed options of :func:`add_execution`."""
    chosen = {name: values[name] for name in ("workers", "threads", "quiet") if name in values}
    return Execution(**chosen, engine=engine_of(values))


def only_planned(values: dict[str, Any]) -> bool:
    """Whether nothing is to be run now."""
    return values["dry_run"] or values.get("prepare", False)


def dry_run(
    plans: dict[str, Plan], out: Path, values: dict[str, Any], experiment: Experiment | None = None
) -> int:
    """Print what the plans would cost, or make their folders and print how to run them."""
    if values.get("prepare", False):
        from learnorder.execution.driver import make_folders

        experiments = {} if experiment is None else {out: experiment}
        folders = make_folders(plans, out, engine_of(values), experiments)
        runs = f"{len(folders)} runs are" if len(folders) > 1 else "One run is"
        where = out if len(folders) > 1 else folders[0].path
        print(
            f"{runs} prepared in {where}. `learnorder work {where}` makes what is there, in as "
            "many processes and on as many machines that share the disk as you start it; this "
            "command without --prepare then writes the report."
        )
        return 0
    from learnorder.execution.estimate import estimate_cost

    one = {} if "workers" in values else {"workers": 1}
    print(estimate_cost(plans, out, execution({**values, **one})))
    return 0


def add_run_folders(parser: Parser) -> None:
    """Add the folders of runs that were made, and the page about them."""
    parser.add("runs", str, nargs="+", help="Folders of runs.")
    parser.add(
        "--out", str | None, default=None, help="The page; null is report.html in the first."
    )


def page_of(values: dict[str, Any]) -> Path:
    """Return where the page of :func:`add_run_folders` goes."""
    return Path(values["out"] or Path(values["runs"][0]) / "report.html")


def finish(results: RunSet[Any], page: Path) -> int:
    """Print the summary of results and where to look; return the exit code."""
    from learnorder.report.terminal import print_summary
    from learnorder.runs.plain_text import visible

    print_summary(results)
    print(visible(f"Report: {page}"))
    return 1 if print_unfinished(results) else 0


def print_unfinished(results: RunSet[Any]) -> bool:
    """Print why runs have not ended, a line for each; return whether there are any."""
    from learnorder.runs import ENDED
    from learnorder.runs.plain_text import visible

    failed = [f for f in results.folders if f.status not in ENDED]
    for run in failed:
        stopped = run.status in ("interrupted", "pending")
        unknown = "the same command makes it" if stopped else "another process works on it"
        reason = run.manifest["reason"] or unknown
        print(visible(f"{run.path}: {run.status}. {reason}"))
    return bool(failed)
