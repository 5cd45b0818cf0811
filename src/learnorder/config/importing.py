"""Import of the user's code by its dotted path."""

from __future__ import annotations

import importlib
from typing import Any

from learnorder.errors import ConfigError, one_line


def import_object(path: str, field: str, what: str) -> Any:
    """Import the object at a dotted path.

    Args:
        path: E.g. my_package.nets.Net.
        field: Name of the setting, for the error.
        what: A sentence that says what the setting expects, for the error.

    Raises:
        ConfigError: It cannot be imported, for whatever reason.
    """
    module_name, _, attribute = path.rpartition(".")
    try:
        if not module_name:
            raise ValueError("an import path is a module and a name, separated by a dot")
        return getattr(importlib.import_module(module_name), attribute)
    except Exception as error:
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise ConfigError(
            field,
            path,
            f"{reason}. {what} Check that `python -c 'from {module_name or 'MODULE'} "
            f"import {attribute}'` works in the same folder.",
        ) from error
