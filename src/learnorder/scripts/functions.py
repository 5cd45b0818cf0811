"""Python functions in place of a command: the parameters that they take, and calls."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from learnorder.config.script import SET_BY_SEARCH, ScriptConfig, check_names, load_function
from learnorder.errors import ConfigError
from learnorder.training.identity import Identity, Reader
from learnorder.training.registry import Registry

_given: Registry[Callable[..., Any]] = Registry("function", "script.given")


@contextmanager
def register_function(function: Callable[..., Any]) -> Iterator[str]:
    """Yield the fingerprint of a function passed as an object, valid within the ``with`` block."""
    with _given.registered(function, _identity(function)) as name:
        yield name


def function_of(script: ScriptConfig) -> Callable[..., Any]:
    """Return the function of a script.

    Raises:
        ConfigError: It cannot be imported, or was passed as an object to another process.
    """
    if script.function is not None:
        return load_function(script.function)
    return _given.find(script.given)[0]


def identity_of(script: ScriptConfig) -> Identity:
    """Return digests of the code of a script's function."""
    if script.function is not None:
        return _identity(load_function(script.function))
    return _given.find(script.given)[1]


def _identity(function: Callable[..., Any]) -> Identity:
    reader = Reader()
    reader.add("function", function)
    return reader.parts


def parameters_of(script: ScriptConfig) -> tuple[str, ...]:
    """Return the names that a function takes: its parameters that a search or values set.

    Raises:
        ConfigError: A required parameter has no value, or learning_rate or seed is missing.
    """
    function = function_of(script)
    where = "script.function"
    value = script.function or getattr(function, "__name__", repr(function))
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        raise ConfigError(
            where, value, "Its parameters cannot be read. Wrap it in a def."
        ) from None
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return (*SET_BY_SEARCH, *script.values)
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    optional = {p.name for p in named if p.default is not p.empty}
    names = [p.name for p in named]
    check_names(names, script.values, where, value, braces=False, optional=optional)
    return tuple(name for name in names if name in SET_BY_SEARCH or name in script.values)


def with_parameters(script: ScriptConfig) -> ScriptConfig:
    """Return a script with the names that its function takes; a command has them already.

    Raises:
        ConfigError: As for :func:`parameters_of`.
    """
    if script.command is not None or not script.is_set:
        return script
    return replace(script, parameters=parameters_of(script))


def call(script: ScriptConfig, values: Mapping[str, Any]) -> Any:
    """Call a script's function with those values that it takes; return what it returns."""
    names = script.names()
    return function_of(script)(**{n: v for n, v in values.items() if n in names})
