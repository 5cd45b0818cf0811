"""What verbs share: parsers whose defaults are a recipe's, and the options of many runs."""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import yaml
from jsonargparse import ArgumentParser, DefaultHelpFormatter, set_parsing_settings

from learnorder.config import Config, from_dict, to_dict, wrong_type
from learnorder.errors import ConfigError, did_you_mean, one_line
from learnorder.recipes.images import ARM_TITLES, ImageExperiment
from learnorder.verbs import recipe

if TYPE_CHECKING:
    from learnorder.results import RunSet
    from learnorder.sweep.driver import Plan
    from learnorder.sweep.engine import Engine


class _Formatter(argparse.RawDescriptionHelpFormatter, DefaultHelpFormatter):
    """Help with types and defaults, the description as written, and short placeholders."""

    def _get_default_metavar_for_optional(self, action: argparse.Action) -> str:
        return action.dest.rpartition(".")[2].upper()


def make_parser(verb: str, description: str, *, config: bool = True) -> ArgumentParser:
    """Return a parser for a verb, with --config and --print_config where it has settings."""
    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser = ArgumentParser(
        prog=f"learnorder {verb}",
        usage=f"learnorder {verb} [options]",
        description=description,
        formatter_class=_Formatter,
        exit_on_error=False,
        allow_abbrev=False,
    )
    if config:
        parser.add_argument(
            "--config", action="config", help="YAML file of settings; later options override it."
        )
    return parser


_FORMS = {
    "grid": "Write {patch.contrast: [0.3, 0.6], patch.size: [3]}: dotted names, a space after each "
    "colon, the values of each in a list.",
    "points": "Write [{patch.contrast: 0.3}, {patch.contrast: 0.6, patch.size: 3}]: a list of "
    "points, dotted names, a space after each colon.",
}
"""How options are written whose types do not say it."""


def parse(parser: ArgumentParser, arguments: Sequence[str]) -> dict[str, Any]:
    """Parse, and return nested plain values.

    Raises:
        ConfigError: An unknown option or a value of the wrong type.
    """
    try:
        return parser.parse_args(_spell_out(arguments)).as_dict()
    except argparse.ArgumentError as error:
        if (wrong := wrong_type(error, _FORMS)) is not None:
            raise wrong from None
        parts = (f"{one_line(error)}.", _known_option(parser, error), f"See {parser.prog} --help.")
        raise ConfigError("options", list(arguments), " ".join(filter(None, parts))) from None
    except (TypeError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError("options", list(arguments), one_line(error)) from None


def _known_option(parser: ArgumentParser, error: Exception) -> str:
    """Return which options are near to the first that is unknown; empty where none is."""
    from learnorder.runs import flatten

    unknown = re.search(r"unrecognized arguments: --([\w.]+)", str(error))
    if unknown is None:
        return ""
    known = [f"--{name}" for name in flatten(parser.get_defaults().as_dict())]
    return did_you_mean(f"--{unknown[1]}", known, most=1, cutoff=0.75)


def spell_out(arguments: Sequence[str], short: str, whole: str) -> list[str]:
    """Let ``--data parquet:DIR`` stand for ``--data.source parquet:DIR``, and so on.

    Args:
        arguments: The command line.
        short: The section's name.
        whole: The dotted setting that it stands for, unless a YAML file is given.
    """
    spelled = list(arguments)
    for index, argument in enumerate(spelled):
        name, equals, value = argument.partition("=")
        if name != f"--{short}":
            continue
        if not equals and index + 1 < len(spelled):
            value = spelled[index + 1]
        if not value.endswith((".yaml", ".yml")):
            spelled[index] = f"--{whole}{equals}{value if equals else ''}"
    return spelled


def _spell_out(arguments: Sequence[str]) -> list[str]:
    return spell_out(arguments, "data", "data.source")


def peek(arguments: Sequence[str], name: str, default: str) -> str:
    """Return an option that decides the defaults of others, from the line or the YAML file.

    Raises:
        ConfigError: The file cannot be read, or says something else than the line: then the file's
            settings would hold under the line's name.
    """
    given, file, written = _look(arguments, name)
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
    given, _, written = _look(arguments, name)
    return words in str(written if given is None else given)


def _look(arguments: Sequence[str], name: str) -> tuple[str | None, str | None, Any]:
    """Return an option as the line has it, the YAML file, and the option there; None for none."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument(f"--{name}", dest="value")
    early.add_argument("--config")
    known, _ = early.parse_known_args(_spell_out(arguments))
    written = None if known.config is None else _in_file(known.config, name)
    return known.value, known.config, written


def _in_file(path: str, name: str) -> Any:
    """Return a dotted setting of a YAML file, None where it has none."""
    try:
        values = yaml.safe_load(Path(path).read_text())
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError("config", path, one_line(error)) from None
    if not isinstance(values, dict):
        raise ConfigError("config", path, "A YAML mapping of settings is needed.")
    for part in name.split("."):
        values = values.get(part) if isinstance(values, dict) else None
    return values


def recipe_for(scale: str, arguments: Sequence[str], experiment: str = "patch") -> ImageExperiment:
    """Return a recipe, without what belongs to its data or its network where these are others'.

    Subset sizes are left open for other data, and arguments for another network.
    """
    base = recipe(scale, experiment)
    source = peek(arguments, "data.source", base.data.source)
    is_cifar = base.data.source.startswith("hub:") and "cifar" in source.lower()
    if source != base.data.source and not is_cifar:
        data = replace(base.data, train_examples=None, evaluation_examples=None)
        base = replace(base, data=data)
    if peek(arguments, "model.name", base.model.name) != base.model.name:
        base = replace(base, model=replace(base.model, arguments={}))
    return base


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
    parser: ArgumentParser,
    kind: type,
    defaults: Any,
    name: str | None = None,
    *,
    besides: Collection[str] = (),
) -> None:
    """Add every field of a config dataclass as an option, with a recipe's values as defaults.

    Args:
        parser: Gets the options.
        kind: The dataclass.
        defaults: An instance of it.
        name: Prefix of the options; None is none.
        besides: Fields that are left out.
    """
    parser.add_class_arguments(kind, name, skip=set(besides))
    values = {key: value for key, value in to_dict(defaults).items() if key not in besides}
    parser.set_defaults(values if name is None else {name: values})


def take_settings(values: dict[str, Any], kind: type[Config]) -> Config:
    """Build a config dataclass from the parsed values that are its fields."""
    names = {f.name for f in dataclasses.fields(kind)}  # pyright: ignore[reportArgumentType]
    return from_dict(kind, {name: value for name, value in values.items() if name in names})


def check_arms(arms: Sequence[str], known: Collection[str] = tuple(ARM_TITLES)) -> None:
    """Refuse names that are no arms."""
    for arm in arms:
        if arm not in known:
            raise ConfigError("arms", arm, f"There are {', '.join(known)}.")


def add_execution(
    parser: ArgumentParser,
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
    group.add_argument("--out", type=str, default=out, help="Folder of the results.")
    if many:
        group.add_argument(
            "--workers", type=int | None, default=None, help="Runs at once; null uses all cores."
        )
    group.add_argument(
        "--threads",
        type=int | None,
        default=None,
        help="Threads of each run; null chooses. Results of different numbers differ by rounding.",
    )
    group.add_argument(
        "--dry-run",
        action="store_true",
        help="Check everything, time a few steps, say how long and how much disk; write nothing.",
    )
    if prepare:
        group.add_argument(
            "--prepare",
            action="store_true",
            help="Check everything and make the runs' folders, for `learnorder work` to run them.",
        )
    if engines:
        add_engine(group)
    if engines or not many:
        add_processes(group)
    group.add_argument("--quiet", action="store_true", help="Draw no progress.")


def add_engine(parser: Any) -> None:
    """Add the options that say what makes runs."""
    parser.add_argument(
        "--engine",
        type=Literal["local", "ray"],
        default="local",
        help="local: processes of this machine; ray: a Ray cluster whose machines share the disk.",
    )
    parser.add_argument(
        "--address",
        type=str | None,
        default=None,
        help="Of the Ray cluster: host:port, or auto; null begins one on this machine.",
    )
    parser.add_argument(
        "--gpus",
        type=float | None,
        default=None,
        help="GPUs that Ray keeps for each run, e.g. 0.5; null is one where there are any. "
        "--threads is how many cores it keeps.",
    )


def add_processes(parser: Any) -> None:
    """Add the option that lets several processes train one run."""
    parser.add_argument(
        "--processes",
        type=int,
        default=1,
        help="Processes of this machine that train each run together, sharing every batch: one for "
        "each GPU.",
    )


def engine_of(values: dict[str, Any]) -> Engine[Any] | None:
    """Return what the options of the two above ask for; None is processes with a run each."""
    if (processes := values.get("processes", 1)) != 1:
        if values.get("engine", "local") != "local":
            raise ConfigError("processes", processes, "It is for runs of this machine: give "
                              "--engine local, or --processes 1.")  # fmt: skip
        from learnorder.sweep.groups import Groups

        return Groups(processes)
    if values.get("engine") == "ray":
        from learnorder.sweep.ray_engine import RayCluster

        return RayCluster(values["address"], values["gpus"])
    for name in ("address", "gpus"):
        if values.get(name) is not None:
            raise ConfigError(name, values[name], "It is of a Ray cluster: give --engine ray too.")
    return None


def execution(values: dict[str, Any]) -> dict[str, Any]:
    """Return the parsed options of :func:`add_execution` that a verb's function takes."""
    chosen = {name: values[name] for name in ("workers", "threads", "quiet") if name in values}
    return {**chosen, "engine": engine_of(values)} if "processes" in values else chosen


def only_planned(values: dict[str, Any]) -> bool:
    """Whether nothing is to be run now."""
    return values["dry_run"] or values.get("prepare", False)


def dry_run(plans: dict[str, Plan], out: Path, values: dict[str, Any]) -> int:
    """Print what the plans would cost, or make their folders and print how to run them."""
    if values.get("prepare", False):
        from learnorder.sweep.driver import make_folders

        folders = make_folders(plans, out, engine_of(values))
        runs = f"{len(folders)} runs are" if len(folders) > 1 else "One run is"
        where = out if len(folders) > 1 else folders[0].path
        print(
            f"{runs} prepared in {where}. `learnorder work {where}` makes what is there, in as "
            "many processes and on as many machines that share the disk as you start it; this "
            "command without --prepare then writes the report."
        )
        return 0
    from learnorder.sweep.estimate import estimate_cost

    cores = (values.get("workers", 1), values["threads"])
    print(estimate_cost(plans, out, *cores, engine_of(values)))
    return 0


def add_run_folders(parser: ArgumentParser) -> None:
    """Add the folders of runs that were made, and the page about them."""
    parser.add_argument("runs", nargs="+", type=str, help="Folders of runs.")
    parser.add_argument(
        "--out", type=str | None, default=None, help="The page; null is report.html in the first."
    )


def page_of(values: dict[str, Any]) -> Path:
    """Return where the page of :func:`add_run_folders` goes."""
    return Path(values["out"] or Path(values["runs"][0]) / "report.html")


def finish(results: RunSet[Any], page: Path) -> int:
    """Print the summary of results and where to look; return the exit code."""
    from learnorder.report.terminal import print_summary

    print_summary(results)
    print(f"Report: {page}")
    return 1 if print_unfinished(results) else 0


def print_unfinished(results: RunSet[Any]) -> bool:
    """Print why runs have not ended, a line for each; return whether there are any."""
    from learnorder.runs import ENDED

    failed = [f for f in results.folders if f.status not in ENDED]
    for run in failed:
        stopped = run.status in ("interrupted", "pending")
        unknown = "the same command makes it" if stopped else "another process works on it"
        reason = run.manifest["reason"] or unknown
        print(f"{run.path}: {run.status}. {reason}")
    return bool(failed)
