"""Where noise is added: an activation module, or a call of an activation function."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

from torch import Tensor, nn


@dataclass(frozen=True)
class Site:
    """A place where noise is added.

    Attributes:
        name: Name of the module, as in ``named_modules``; for a function, of the module whose
            forward pass calls it. "" is the model itself.
        kind: Class of the module, or the function, e.g. ``functional.relu``.
        shape: Shape of the last input; None before the first.
        draws: How often noise was added, without recomputation in a checkpoint.
        line: File and line of a function's call; "" for a module.
    """

    name: str
    kind: str
    shape: tuple[int, ...] | None = None
    draws: int = 0
    line: str = ""

    def __str__(self) -> str:
        """Return name, kind, line and shape.

        >>> str(Site("encoder", "functional.relu", (2, 3), line="nets.py:7"))
        'encoder: functional.relu at nets.py:7 [2, 3]'
        """
        at = f" at {self.line}" if self.line else ""
        shape = "" if self.shape is None else f" {list(self.shape)}"
        return f"{self.name or '(model)'}: {self.kind}{at}{shape}"


@dataclass
class SiteCounter:
    """Counts the draws at a site.

    Attributes:
        key: Key of the site.
        name: See :class:`Site`.
        kind: See :class:`Site`.
        line: See :class:`Site`.
        stream: Random stream: 0 for module classes in ACTIVATIONS, 1 for all others.
        hooked: Whether a forward pre-hook adds the noise.
        shape: See :class:`Site`.
        draws: See :class:`Site`.
    """

    key: Hashable
    name: str
    kind: str
    line: str = ""
    stream: int = 1
    hooked: bool = False
    shape: tuple[int, ...] | None = None
    draws: int = 0

    def add(self, x: Tensor) -> None:
        """Count a draw for an input."""
        self.shape, self.draws = tuple(x.shape), self.draws + 1

    def site(self) -> Site:
        """Return the site with its current counts."""
        return Site(self.name, self.kind, self.shape, self.draws, self.line)


def key_of(module: nn.Module) -> int:
    """Return a key that a module shares only with its DataParallel replicas."""
    return id(module._forward_pre_hooks)
