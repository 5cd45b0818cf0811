"""Options that commands share: settings with a recipe's defaults, and folders of runs."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from learnorder.cli.parser import Parser, look_up
from learnorder.errors import ConfigError
from learnorder.values import Built, field_types, from_dict, to_dict

if TYPE_CHECKING:
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
    from learnorder.runs.lock import is_locked
    from learnorder.runs.plain_text import visible

    unfinished = {f: f.read_outcome() for f in results.folders if not f.has_ended()}
    for run, (status, reason) in unfinished.items():
        default = "The command that created it continues it."
        if is_locked(run.path):
            default = "Another process is working on it."
        print(visible(f"{run.path}: {status}. {reason or default}"))
    return bool(unfinished)
