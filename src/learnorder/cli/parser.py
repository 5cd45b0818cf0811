"""The options of a command: typed, plain values, from the command line or from YAML files."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NoReturn, get_args, get_origin

from learnorder.config.yaml_values import dump_yaml, load_yaml, read_yaml
from learnorder.errors import NOTHING, ConfigError, did_you_mean
from learnorder.values import convert, describe_type, to_plain

_UNSET: Any = object()
_SHORT = {
    "--data": "--data.source",
    "--task": "--task.path",
    "--command": "--script.command",
    "--function": "--script.function",
}
"""Short forms of options."""


class Parser(argparse.ArgumentParser):
    """The options of a command, each with the type of its value.

    Args:
        command: Its name, e.g. patch.
        description: Its description, for --help.
        config: Whether to add --config and --print_config.

    Attributes:
        types: Type of each option's value, by dotted name without dashes.
        forms: How to write each option's value, if the type alone does not say it.
        config: Whether there is --config.
    """

    def __init__(self, command: str, description: str, *, config: bool = True) -> None:
        super().__init__(
            prog=f"learnorder {command}",
            usage=f"learnorder {command} [options]",
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        self.types: dict[str, Any] = {}
        self.forms: dict[str, str] = {}
        self.config = config
        if config:
            self.add_argument(
                "--config",
                action="append",
                default=[],
                metavar="FILE",
                help="YAML file of settings; other options override it.",
            )
            self.add_argument(
                "--print_config",
                action="store_true",
                help="Print all current settings as YAML for --config, and exit.",
            )

    def add(
        self,
        name: str,
        hint: Any,
        *,
        help: str,
        default: Any = _UNSET,
        group: Any = None,
        form: str = "",
        **how: Any,
    ) -> None:
        """Add an option, or a positional argument if the name has no dashes.

        Args:
            name: E.g. --data.source.
            hint: Type of its value, as for :func:`~learnorder.values.convert`.
            help: Its description.
            default: Its default; an argument without one is required.
            group: Group of --help that lists it; None is the main group.
            form: How to write the value, for errors, if the type alone does not say it.
            how: As for :meth:`argparse.ArgumentParser.add_argument`.
        """
        dest = name.lstrip("-").replace("-", "_")
        self.types[dest], self.forms[dest] = hint, form
        if default is not _UNSET:
            how["default"] = default
        if name.startswith("-"):
            shown = "" if default is _UNSET else f", default: {_one_line(default)}"
            help = f"{help} (type: {describe_type(hint)}{shown})"
            how = {"dest": dest, "metavar": _metavar(dest, hint), **how}
        (group or self).add_argument(name, help=help.replace("%", "%%"), **how)

    def flag(self, name: str, *, help: str, group: Any = None) -> None:
        """Add an option without a value, false by default."""
        self.types[name.lstrip("-").replace("-", "_")] = bool
        (group or self).add_argument(name, action="store_true", help=help.replace("%", "%%"))

    def error(self, message: str) -> NoReturn:
        """Raise an error of argparse as a ConfigError."""
        match = re.fullmatch(r"argument (\S+): (.*)", message, re.DOTALL)
        name, reason = match.groups() if match else ("--options", message)
        reason = reason[:1].upper() + reason[1:]
        raise ConfigError(name.lstrip("-"), NOTHING, f"{reason}. See {self.prog} --help.")


def parse(parser: Parser, arguments: Sequence[str]) -> dict[str, Any]:
    """Return the values of all options, nested by their dotted names.

    Raises:
        ConfigError: An unknown option or a value of the wrong type.
    """
    arguments = [_written_out(argument) for argument in arguments]
    for path in _files(arguments) if parser.config else ():
        parser.set_defaults(**_flat(parser, path, read_yaml(path, "config")))
    arguments = _take_sections(parser, arguments)
    parsed, unknown = parser.parse_known_args(arguments)
    if unknown:
        raise _unknown(parser, unknown)
    values = {name: _value(parser, name, getattr(parsed, name)) for name in parser.types}
    nested: dict[str, Any] = {}
    for name, value in values.items():
        *sections, last = name.split(".")
        place = nested
        for section in sections:
            place = place.setdefault(section, {})
        place[last] = value
    if getattr(parsed, "print_config", False):
        print(dump_yaml(to_plain(nested)), end="")
        raise SystemExit(0)
    return nested


def look_up(arguments: Sequence[str], name: str) -> tuple[str | None, str | None, Any]:
    """Return an option that determines the defaults of others, before these are known.

    Args:
        arguments: The command line.
        name: The option's dotted name.

    Returns:
        Its text on the line, the YAML file that sets it, and its value there; None if absent.

    Raises:
        ConfigError: A file cannot be read.
    """
    written, file = None, None
    for path in _files(arguments):
        values: Any = read_yaml(path, "config")
        for part in name.split("."):
            values = values.get(part) if isinstance(values, Mapping) else None
        if values is not None:
            written, file = values, path
    return _on_line(arguments, name), file, written


def _written_out(argument: str) -> str:
    """Return an argument with its option's full name.

    >>> _written_out("--data=digits")
    '--data.source=digits'
    """
    name, equals, value = argument.partition("=")
    return f"{_SHORT.get(name, name)}{equals}{value}"


def _on_line(arguments: Sequence[str], name: str) -> str | None:
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    early.add_argument(f"--{name}", dest="value", nargs="?")
    return early.parse_known_args([_written_out(argument) for argument in arguments])[0].value


def _files(arguments: Sequence[str]) -> list[str]:
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    early.add_argument("--config", action="append", default=[], nargs="?")
    return [path for path in early.parse_known_args(list(arguments))[0].config if path is not None]


def _flat(parser: Parser, path: str, values: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    """Return the settings of a file by dotted name, converted to their options' types."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{at}{key}"
        if name in parser.types:
            flat[name] = convert(parser.types[name], value, name)
        elif isinstance(value, Mapping) and any(n.startswith(f"{name}.") for n in parser.types):
            flat |= _flat(parser, path, value, f"{name}.")
        else:
            parts = (f"{path}: there is no setting of this name.",
                     did_you_mean(name, parser.types, most=1, cutoff=0.75))  # fmt: skip
            raise ConfigError(name, value, " ".join(filter(None, parts)))
    return flat


def _take_sections(parser: Parser, arguments: Sequence[str]) -> list[str]:
    """Apply whole sections, ``--learning_rate '{initial: 0.1}'``, as defaults; return the rest."""
    rest, waiting = list[str](), list(arguments)
    while waiting:
        argument = waiting.pop(0)
        name, equals, value = argument.partition("=")
        section = name.removeprefix("--")
        whole = name.startswith("--") and section not in parser.types
        if not (whole and any(known.startswith(f"{section}.") for known in parser.types)):
            rest.append(argument)
            continue
        text = value if equals or not waiting else waiting.pop(0)
        values = convert(dict, load_yaml(text, section), section)
        parser.set_defaults(**_flat(parser, "The line", values, f"{section}."))
    return rest


def _value(parser: Parser, name: str, value: Any) -> Any:
    """Return an option's value, converted to its type."""
    hint = parser.types[name]
    if isinstance(value, list) and not _is_list(hint):  # an argument that can be repeated
        return [_value(parser, name, item) for item in value]
    try:
        if isinstance(value, str):
            value = _read(value, hint, name)
        return convert(hint, value, name)
    except ConfigError as error:
        raise ConfigError(
            error.field, error.value, parser.forms.get(name) or error.remedy
        ) from None


def _read(text: str, hint: Any, name: str) -> Any:
    """Return an option's text if the option's type is text, else its value as YAML."""
    kinds = get_args(hint) if type(None) in get_args(hint) else (hint,)
    if str in kinds or any(get_origin(kind) is Literal for kind in kinds):
        return None if text == "null" and type(None) in kinds else text
    return load_yaml(text, name)


def _is_list(hint: Any) -> bool:
    return any(get_origin(kind) in (list, tuple) for kind in (hint, *get_args(hint)))


def _unknown(parser: Parser, unknown: Sequence[str]) -> ConfigError:
    """Return the error for the first unknown argument."""
    name, _, value = unknown[0].partition("=")
    if not name.startswith("--"):
        remedy = f"It is not an option. See {parser.prog} --help."
        return ConfigError("arguments", unknown[0], remedy)
    if not value and len(unknown) > 1 and not unknown[1].startswith("--"):
        value = unknown[1]
    known = [f"--{option}" for option in parser.types]
    parts = ("There is no option of this name.", did_you_mean(name, known, most=1, cutoff=0.75),
             f"See {parser.prog} --help.")  # fmt: skip
    return ConfigError(name.lstrip("-"), value or NOTHING, " ".join(filter(None, parts)))


def _metavar(dest: str, hint: Any) -> str:
    choices = get_args(hint) if get_origin(hint) is Literal else ()
    return "{" + ",".join(choices) + "}" if choices else dest.rpartition(".")[2].upper()


def _one_line(value: Any) -> str:
    """Return a default as it is written on the command line."""
    if isinstance(value, str):
        return value
    return dump_yaml(value, on_one_line=True)
