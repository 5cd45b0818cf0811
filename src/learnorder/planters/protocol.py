"""What a planter has to provide."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch


class Planter(Protocol):
    """Plants a pattern of a class into the inputs of one example.

    ``inputs`` are an item of the data set without its label: x of an item (x, y), a tuple of the
    first parts of a longer item, or a mapping without the label. :func:`check_planter` tries a
    planter on examples.
    """

    @property
    def strengths(self) -> Sequence[float]:
        """What the calibration of the probe tries, in increasing order, the faintest first."""
        ...

    def draw(self, num_classes: int, generator: torch.Generator, /) -> Any:
        """Return the patterns of all classes, which all examples of a run share.

        Args:
            num_classes: Number of classes.
            generator: Draws the patterns, once per seed.
        """
        ...

    def plant(
        self,
        inputs: Any,
        patterns: Any,
        label: int,
        strength: float,
        generator: torch.Generator,
        /,
    ) -> Any:
        """Return a copy of an example's inputs with the pattern of a class.

        Args:
            inputs: The inputs; not modified.
            patterns: What :meth:`draw` returned.
            label: The pattern's class; in conflict examples it is not the example's.
            strength: One of :attr:`strengths`.
            generator: Draws what differs between accesses, such as a sign or a place.
        """
        ...

    def blank(self, inputs: Any, /) -> Any:
        """Return inputs of the same form without content, for examples of the pattern alone."""
        ...


class FaintPlanter(Planter, Protocol):
    """A planter with a second kind of pattern: faint, and present in every example."""

    def faint(
        self,
        inputs: Any,
        patterns: Any,
        label: int,
        strength: float,
        generator: torch.Generator,
        /,
    ) -> Any:
        """Return a copy of the inputs with the faint pattern of a class; see :meth:`plant`."""
        ...
