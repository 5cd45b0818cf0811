"""Settings by dotted name and as text, and differences between runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from learnorder.config.identity import CODE, PYTHON

if TYPE_CHECKING:
    from learnorder.runs.folder import RunFolder


def identity_words(there: Mapping[str, str], here: Mapping[str, str]) -> str:
    """Return names of code or data that differ; code is compared only for the same Python version.

    >>> identity_words({"loss": "a", "python": "3.11"}, {"loss": "b", "python": "3.11"})
    'loss'
    """
    same_python = there.get(PYTHON) == here.get(PYTHON)
    names = [n for n in {**there, **here} if n != PYTHON and there.get(n) != here.get(n)]
    names = [name for name in names if same_python or not name.startswith(CODE)]
    names.sort(key=lambda name: (name not in there or name not in here, name))
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def difference_words(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Return the first settings, given as nested mappings, that differ; empty if none do."""
    a, b = flatten(there), flatten(here)
    names = differing(there, here)
    shown = [f"{key} is {_value(a, key)} there, {_value(b, key)} here" for key in names[:3]]
    return ", ".join(shown) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def differing(there: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """Return the dotted names of the settings that differ, or that only one of the two has.

    >>> differing({"a": {"b": 1, "c": 2, "d": 4}}, {"a": {"b": 1, "c": 3}})
    ['a.c', 'a.d']
    """
    a, b = flatten(there), flatten(here)
    return [key for key in {**b, **a} if key not in a or key not in b or a[key] != b[key]]


def _value(settings: Mapping[str, Any], key: str) -> str:
    return repr(settings[key]) if key in settings else "absent"


def flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return a nested mapping as a flat one with dotted keys.

    >>> flatten({"a": {"b": 1}, "c": [2]})
    {'a.b': 1, 'c': [2]}
    """
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def setting_words(value: Any) -> str:
    """Return a setting's value as text for folder names and labels."""
    if isinstance(value, float) and float(f"{value:g}") == value:
        return f"{value:g}"
    return str(value)


def shared_settings(folders: Sequence[RunFolder[Any]]) -> dict[str, object]:
    """Return the settings, by dotted name, that are the same in all runs."""
    first, *others = folders
    shared = flatten(first.config.to_dict())
    for folder in others:
        settings = flatten(folder.config.to_dict())
        shared = {key: value for key, value in shared.items() if settings.get(key) == value}
    return shared
