"""The user's own code, by its dotted import path."""

from __future__ import annotations

import importlib
from typing import Any

from learnorder.errors import ConfigError, one_line


def import_object(path: str, field: str, what: str) -> Any:
    """Return what an import path names.

    Args:
        path: E.g. my_package.nets.Net.
        field: The setting that gives it, for the error.
        what: What is to be given, for the error: a sentence.

    Raises:
        ConfigError: It cannot be imported; importing the user's code can raise anything.
    """
    module_name, _, attribute = path.rpartition(".")
    try:
        if not module_name:
            raise ValueError("an import path has a module and a name in it, with a dot between")
        return getattr(importlib.import_module(module_name), attribute)
    except Exception as error:
        reason = f"{type(error).__name__}: {one_line(error)}"
        raise ConfigError(
            field,
            path,
            f"{reason}. {what} An import path works if `python -c 'from {module_name or 'MODULE'} "
            f"import {attribute}'` does where the command is run.",
        ) from error
