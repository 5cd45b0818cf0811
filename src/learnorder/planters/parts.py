"""The part of an example's inputs in which a pattern is planted, and copies of arrays."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from learnorder.errors import ConfigError, did_you_mean

FIELD = "task.planter"
"""The setting that errors of planters name."""


def unfit(value: object, remedy: str) -> ConfigError:
    """Return the error for inputs or a setting that a planter cannot work with."""
    return ConfigError(FIELD, value, remedy)


def on_part(inputs: Any, key: str | int | None, function: Callable[[Any], Any]) -> Any:
    """Return inputs with a function applied to one part; they and their other parts stay as is.

    Args:
        inputs: A single tensor, array, list or text, a tuple of these, or a mapping.
        key: The part: a name in a mapping, a position in a tuple; None is the only one.
        function: Returns the new part, without modifying the old one.

    Raises:
        ConfigError: There are several parts and no key, or there is no such part.

    >>> on_part({"ids": [1, 2], "mask": [1, 1]}, "ids", lambda ids: [*ids, 3])
    {'ids': [1, 2, 3], 'mask': [1, 1]}
    >>> on_part(("a", "b"), 1, str.upper)
    ('a', 'B')
    """
    if isinstance(inputs, Mapping):
        name = _chosen(inputs, key)
        new = copy.copy(inputs) if isinstance(inputs, MutableMapping) else dict(inputs)
        new[name] = function(inputs[name])
        return new
    if isinstance(inputs, tuple):
        at = _chosen(range(len(inputs)), key)
        parts = (function(part) if n == at else part for n, part in enumerate(inputs))
        return type(inputs)(*parts) if hasattr(inputs, "_fields") else tuple(parts)
    if key is not None:
        raise ConfigError(
            f"{FIELD}.key", key, f"The inputs are a single {type(inputs).__name__}: leave it out."
        )
    return function(inputs)


def part_of(inputs: Any, key: str | int | None) -> Any:
    """Return the part that ``key`` names; see :func:`on_part`."""
    found: list[Any] = []
    on_part(inputs, key, found.append)
    return found[0]


def _chosen(keys: Iterable[Any], key: str | int | None) -> Any:
    known = list(keys)
    if key is None and len(known) == 1:
        return known[0]
    if key is None:
        remedy = f"The inputs have {len(known)} parts. Give one of {', '.join(map(repr, known))}."
        raise ConfigError(f"{FIELD}.key", key, remedy)
    if key not in known:
        near = did_you_mean(str(key), map(str, known))
        parts = (f"The inputs have {', '.join(map(repr, known))}.", near)
        raise ConfigError(f"{FIELD}.key", key, " ".join(filter(None, parts)))
    return key


def describe(value: Any) -> str:
    """Return the type of a part of the inputs, with the dtype and shape of an array.

    >>> describe(torch.zeros(3, 2)), describe(np.zeros(4, np.int16)), describe([1, 2])
    ('a float32 tensor [3, 2]', 'an int16 array [4]', 'a list')
    """
    if isinstance(value, Tensor | np.ndarray):
        kind = str(value.dtype).removeprefix("torch.")
        text = f"{kind} {'tensor' if isinstance(value, Tensor) else 'array'} {list(value.shape)}"
    else:
        text = type(value).__name__
    return f"{'an' if text[:1].lower() in tuple('aeio') else 'a'} {text}"


def check_floats(values: Any, dims: Sequence[int], form: str) -> None:
    """Refuse what is not a floating-point tensor or array with an allowed number of dimensions.

    Args:
        values: The part of the inputs.
        dims: Allowed numbers of dimensions.
        form: The form that is needed, for the error.

    Raises:
        ConfigError: It has another form.
    """
    if isinstance(values, Tensor):
        floating = values.is_floating_point()
    else:
        floating = isinstance(values, np.ndarray) and values.dtype.kind == "f"
    if not floating or values.ndim not in dims:
        raise unfit(describe(values), f"A floating-point tensor or array is needed: {form}.")


def copy_of(values: Any) -> Any:
    """Return a writable copy of a tensor or array."""
    return values.clone() if isinstance(values, Tensor) else values.copy()


def like(pattern: Tensor, values: Any) -> Any:
    """Return a pattern in the type, dtype and device of a tensor or array."""
    if isinstance(values, Tensor):
        return pattern.to(values)
    return pattern.numpy().astype(values.dtype)


def filled(values: Any, number: float) -> Any:
    """Return a tensor or array of the same form with one number everywhere."""
    if isinstance(values, Tensor):
        return torch.full_like(values, number)
    return np.full_like(values, number)
