"""Python objects that are passed to calls: runs refer to them by fingerprint."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from learnorder.errors import ConfigError
from learnorder.training.identity import Identity, whole

ObjectT = TypeVar("ObjectT")


class Registry(Generic[ObjectT]):
    """Objects passed to calls in progress, with their identities.

    Args:
        what: What the objects are, e.g. task.
        field: The field of configurations that has the fingerprint.
    """

    def __init__(self, what: str, field: str) -> None:
        self._what, self._field = what, field
        self._objects: dict[str, tuple[ObjectT, Identity]] = {}

    @contextmanager
    def registered(self, value: ObjectT, identity: Identity) -> Iterator[str]:
        """Yield the fingerprint of an object, valid within the ``with`` block."""
        name = whole(identity)
        self._objects[name] = value, identity
        try:
            yield name
        finally:
            self._objects.pop(name, None)

    def find(self, name: str | None) -> tuple[ObjectT, Identity]:
        """Return the object of a fingerprint, and its identity.

        Raises:
            ConfigError: It was passed to a call that has ended, or in another process.
        """
        if name not in self._objects:
            raise ConfigError(
                self._field,
                name,
                f"The {self._what} was passed as an object in a process that has ended. Call "
                f"the function again with the same {self._what} and folder.",
            )
        return self._objects[name]
