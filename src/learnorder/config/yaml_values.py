"""YAML as plain values, of limited size, without tags, anchors or duplicate keys.

Scalars follow YAML 1.2's core schema: ``1e-3`` is a number, ``no`` is text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from learnorder.errors import ConfigError, one_line

_MOST_BYTES = 500_000
_DEEPEST = 50
_NULL = ("", "~", "null", "Null", "NULL")
_BOOLEANS = {word: word.lower() == "true" for t in ("true", "false")
             for word in (t, t.capitalize(), t.upper())}  # fmt: skip
_INT = re.compile(r"[-+]?[0-9]{1,400}|0o[0-7]{1,400}|0x[0-9a-fA-F]{1,400}")
_FLOAT = re.compile(
    r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)


def load_yaml(text: str, field: str) -> Any:
    """Return the plain values of a YAML document.

    Args:
        text: The document.
        field: Name of the option, for errors.

    Raises:
        ConfigError: It is not valid YAML, or has tags, anchors, or keys that are duplicate or not
            text.

    >>> load_yaml("{widths: [8, 16], rate: 1e-3, mode: no}", "model.arguments")
    {'widths': [8, 16], 'rate': 0.001, 'mode': 'no'}
    """
    if len(text) > _MOST_BYTES:
        raise ConfigError(field, f"{len(text):,} characters", f"Give at most {_MOST_BYTES:,}.")
    try:
        return _document(yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    except (yaml.YAMLError, _RefusedError) as error:
        raise ConfigError(field, text, f"It cannot be read as YAML: {one_line(error)}.") from None


def read_yaml(path: str, field: str) -> dict[str, Any]:
    """Return the settings of a YAML file.

    Raises:
        ConfigError: It cannot be read or is not a mapping, or as for :func:`load_yaml`.
    """
    try:
        with Path(path).open("rb") as file:
            text = file.read(_MOST_BYTES + 1).decode()
    except (OSError, ValueError) as error:
        raise ConfigError(field, path, f"It cannot be read: {one_line(error)}.") from None
    try:
        values = load_yaml(text, field)
    except ConfigError as error:
        raise ConfigError(field, path, error.remedy) from None
    if not isinstance(values, dict):
        raise ConfigError(field, path, "A YAML mapping of settings is needed.")
    return values


def dump_yaml(values: Any, *, on_one_line: bool = False) -> str:
    """Return values as YAML that :func:`load_yaml` can read."""
    if on_one_line:
        text = yaml.dump(values, Dumper=_Dumper, sort_keys=False, default_flow_style=True,
                         width=1_000_000, allow_unicode=True)  # fmt: skip
        return text.partition("\n")[0]
    return yaml.dump(values, Dumper=_Dumper, sort_keys=False)


class _RefusedError(Exception):
    """A feature of YAML that settings do not support."""


class _Dumper(yaml.SafeDumper):
    """Quotes text that YAML 1.2 reads as a number and YAML 1.1 does not."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))


def _document(events: Iterator[Any]) -> Any:
    """Return the value of the only document in a stream of parser events."""
    value = None
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            value = _value(next(events), events, 0)
        elif isinstance(event, yaml.DocumentEndEvent):
            break
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            raise _RefusedError("it has several documents; give one")
    return value


def _value(event: Any, events: Iterator[Any], depth: int) -> Any:
    where = f"line {event.start_mark.line + 1}"
    if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
        raise _RefusedError(f"{where} has an anchor or an alias; write the values out")
    if event.tag not in (None, "!"):
        raise _RefusedError(f"{where} has the tag {event.tag}; settings are plain values")
    if depth > _DEEPEST:
        raise _RefusedError(f"{where} is nested more than {_DEEPEST} deep")
    if isinstance(event, yaml.ScalarEvent):
        return _scalar(event.value) if event.implicit[0] else event.value
    if isinstance(event, yaml.SequenceStartEvent):
        items: list[Any] = []
        while not isinstance(event := next(events), yaml.SequenceEndEvent):
            items.append(_value(event, events, depth + 1))
        return items
    mapping: dict[str, Any] = {}
    while not isinstance(event := next(events), yaml.MappingEndEvent):
        key = _value(event, events, depth + 1)
        line = event.start_mark.line + 1
        if isinstance(key, dict | list):
            raise _RefusedError(f"line {line} has a name that is not text")
        name = event.value
        if name in mapping:
            raise _RefusedError(f"{name} appears twice, the second time in line {line}")
        mapping[name] = _value(next(events), events, depth + 1)
    return mapping


def _scalar(text: str) -> Any:
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INT.fullmatch(text):
        return int(text, 10 if text.lstrip("-+").isdigit() else 0)
    if _FLOAT.fullmatch(text):
        special = text.lower().endswith(("inf", "nan"))
        return float(text.replace(".", "") if special else text)
    return text
