"""Frozen dataclasses from plain values (those of JSON and YAML), and back.

Settings files may come from others, so a value is only compared with the annotation of its field.
It is never called, imported or instantiated. Dataclasses that are built in Python are checked in
the same way.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, Literal, TypeVar, get_args, get_origin

from learnorder.errors import ConfigError, did_you_mean

Built = TypeVar("Built")

LARGEST_INT = 2**63 - 1
"""The largest integer that a setting can have; tables store 64 bits."""
_DEEPEST = 20
_MOST_ITEMS = 10_000

_NEEDED = {
    bool: "true or false is needed.",
    int: "A whole number is needed.",
    float: "A number is needed.",
    str: "Text is needed.",
}
_MAPPING = "Names and values are needed, as in {width: 8}, with a space after each colon."
_LIST = "A list is needed, as in [1, 2]."
_PLAIN = "Give numbers, text, true, false, null, and lists and mappings of these."


def from_dict(kind: type[Built], values: Any, at: str = "") -> Built:
    """Build a dataclass from nested mappings, checking names, types and ranges.

    Args:
        kind: The dataclass.
        values: Its fields; absent fields take their defaults. An instance is returned unchanged.
        at: Dotted name of the section that ``values`` belong to, for errors.

    Raises:
        ConfigError: A field is unknown or missing, or its value has the wrong type or range.
    """
    if isinstance(values, kind):
        return values
    if not isinstance(values, Mapping):
        raise _not_a_mapping(at or "settings", values)
    hints = field_types(kind)
    for name in values:
        if name not in hints:
            parts = ("There is no setting of this name.", did_you_mean(str(name), hints))
            raise ConfigError(_join(at, name), values[name], " ".join(filter(None, parts)))
    for name in _required(kind):
        if name not in values:
            raise ConfigError(_join(at, name), None, "It is missing, and has no default.")
    fields = {name: convert(hints[name], value, _join(at, name)) for name, value in values.items()}
    try:
        return kind(**fields)
    except ConfigError as error:
        raise ConfigError(_below(at, error.field), error.value, error.remedy) from None


def check_fields(instance: Any, section: str = "") -> None:
    """Check the types of a frozen dataclass's fields, for its ``__post_init__``.

    Integers become floats and lists become tuples where the field's type requires it.

    Args:
        instance: The dataclass, with its fields set.
        section: Dotted name of its section, for errors; empty at the top level.

    Raises:
        ConfigError: A value has the wrong type, or a number is not finite.
    """
    for name, hint in field_types(type(instance)).items():
        value = getattr(instance, name)
        converted = convert(hint, value, _join(section, name))
        if converted is not value:
            object.__setattr__(instance, name, converted)


def to_dict(config: Any) -> dict[str, Any]:
    """Return a dataclass as nested dicts, lists and scalars, for JSON and YAML."""
    return {f.name: to_plain(getattr(config, f.name)) for f in dataclasses.fields(config)}


def to_plain(value: Any) -> Any:
    """Return a value, which may contain dataclasses, as dicts, lists and scalars."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_dict(value)
    if isinstance(value, Mapping):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return value


def convert(hint: Any, value: Any, field: str) -> Any:
    """Return a value converted to the type of a field.

    Args:
        hint: The type: bool, int, float, str, a Literal, an optional, tuple, list or dict of
            these, a dataclass, or Any for plain values. The values of a bare dict are not checked.
        value: The value.
        field: Dotted name of the setting, for errors.

    Raises:
        ConfigError: The value has another type, or is a number that is not finite.
    """
    if hint is Any:
        return _plain(value, field)
    if hint is dict:
        return dict(_names(value, field))
    if hint in _NEEDED:
        return _scalar(hint, value, field)
    if dataclasses.is_dataclass(hint):
        return from_dict(hint, value, field)  # pyright: ignore[reportArgumentType]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        if not isinstance(value, str) or value not in arguments:
            raise ConfigError(field, value, f"Give one of {', '.join(map(str, arguments))}.")
        return value
    if origin in (typing.Union, types.UnionType):
        return _one_of(arguments, value, field)
    if origin is tuple:
        return _tuple(arguments, value, field)
    if origin is list:
        return list(_tuple((*arguments, ...), value, field))
    if origin is dict:
        return _mapping(arguments[1], value, field)
    raise TypeError(f"{field}: no rule for the type {hint}")


def describe_type(hint: Any) -> str:
    """Return a type as it is shown in --help.

    >>> describe_type(float | None), describe_type(tuple[int, ...])
    ('float | null', 'list of int')
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin in (typing.Union, types.UnionType):
        return " | ".join(map(describe_type, arguments))
    if origin in (tuple, list):
        return f"list of {describe_type(arguments[0])}"
    if origin is dict:
        return "mapping"
    if hint is types.NoneType:
        return "null"
    return getattr(hint, "__name__", str(hint))


@functools.cache
def field_types(kind: type) -> dict[str, Any]:
    """Return the types of a dataclass's fields, by name."""
    hints = typing.get_type_hints(kind)
    return {f.name: hints[f.name] for f in dataclasses.fields(kind) if f.init}


@functools.cache
def _required(kind: type) -> tuple[str, ...]:
    missing = dataclasses.MISSING
    return tuple(
        f.name
        for f in dataclasses.fields(kind)
        if f.init and f.default is missing and f.default_factory is missing
    )


def _join(at: str, name: object) -> str:
    return f"{at}.{name}" if at else str(name)


def _below(at: str, field: str) -> str:
    """Return a field's dotted name below ``at``, whose last part the field may repeat."""
    above, _, section = at.rpartition(".")
    if not at or field == section or field.startswith(f"{section}."):
        return _join(above, field)
    return _join(at, field)


def _scalar(hint: type, value: Any, field: str) -> Any:
    kinds = {int: Integral, float: Real}.get(hint, hint)
    if not isinstance(value, kinds) or (isinstance(value, bool) and hint is not bool):
        raise ConfigError(field, value, _NEEDED[hint])
    if hint is int:
        if abs(number := int(value)) > LARGEST_INT:
            raise ConfigError(field, value, f"Give at most {LARGEST_INT:,}.")
        return number
    if hint is not float:
        return value if hint is bool else _text(str(value), field)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ConfigError(field, value, "A finite number is needed.")
    return number


def _text(value: str, field: str) -> str:
    """Return a text; lone surrogates are refused, except those that encode bytes of a file name."""
    try:
        value.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        raise ConfigError(field, value, "It contains half of a character.") from None
    return value


def _one_of(hints: tuple[Any, ...], value: Any, field: str) -> Any:
    """Convert to the first type of a union that accepts the value."""
    if value is None and types.NoneType in hints:
        return None
    choices = [hint for hint in hints if hint is not types.NoneType]
    for hint in choices[:-1]:
        try:
            return convert(hint, value, field)
        except ConfigError:
            continue
    return convert(choices[-1], value, field)


def _tuple(hints: tuple[Any, ...], value: Any, field: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise ConfigError(field, value, _LIST)
    if len(value) > _MOST_ITEMS:
        raise ConfigError(field, f"{len(value):,} items", f"Give at most {_MOST_ITEMS:,}.")
    if hints[-1] is ...:
        hints = hints[:1] * len(value)
    if len(hints) != len(value):
        raise ConfigError(field, value, f"Give {len(hints)} values.")
    return tuple(convert(hint, item, field) for hint, item in zip(hints, value, strict=True))


def _mapping(hint: Any, value: Any, field: str) -> dict[str, Any]:
    value = _names(value, field)
    if hint is Any:
        return _plain(value, field)
    return {
        _text(name, field): convert(hint, item, _join(field, name)) for name, item in value.items()
    }


def _names(value: Any, field: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise _not_a_mapping(field, value)
    return value


def _not_a_mapping(field: str, value: Any) -> ConfigError:
    remedy = f"It cannot be left out. {_MAPPING}" if value is None else _MAPPING
    return ConfigError(field, value, remedy)


def _plain(value: Any, field: str) -> Any:
    """Return a copy of a JSON value, refusing one that is too large or nested too deeply."""
    left = _MOST_ITEMS

    def copied(value: Any, depth: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0 or depth > _DEEPEST:
            raise ConfigError(
                field, "a value of many parts", f"Give at most {_MOST_ITEMS:,} values, nested "
                f"at most {_DEEPEST} deep."
            )  # fmt: skip
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return _text(value, field)
        if isinstance(value, Real):  # also of NumPy
            return _scalar(int if isinstance(value, Integral) else float, value, field)
        if isinstance(value, list | tuple):
            return [copied(item, depth + 1) for item in value]
        if isinstance(value, Mapping) and all(isinstance(name, str) for name in value):
            return {_text(name, field): copied(item, depth + 1) for name, item in value.items()}
        raise ConfigError(field, value, _PLAIN)

    return copied(value, 0)
