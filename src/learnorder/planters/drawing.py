"""Random numbers of the planters, and checks of what they are called with."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from learnorder import seeding
from learnorder.errors import ConfigError
from learnorder.planters.parts import FIELD, unfit

PLACES = ("start", "end", "anywhere")


@dataclass(frozen=True)
class Seeded:
    """Patterns whose size depends on the inputs: they are drawn from a seed when they are needed.

    Attributes:
        seed: Seed of the patterns.
        num_classes: Number of classes.
    """

    seed: int
    num_classes: int

    @staticmethod
    def draw(num_classes: int, generator: torch.Generator) -> Seeded:
        """Draw the seed."""
        check_num_classes(num_classes)
        return Seeded(int(torch.randint(2**62, (), generator=generator)), num_classes)

    def normal(self, purpose: str, *shape: int) -> Tensor:
        """Return numbers from N(0, 1), the same at each call."""
        rng = seeding.generator(self.seed, purpose, *shape)
        return torch.randn(*shape, generator=rng)

    def uniform(self, purpose: str, *shape: int) -> Tensor:
        """Return numbers from U[−1, 1], the same at each call."""
        rng = seeding.generator(self.seed, purpose, *shape)
        return 2 * torch.rand(*shape, generator=rng) - 1


def random_sign(generator: torch.Generator) -> int:
    """Return 1 or −1."""
    return 1 - 2 * int(torch.randint(2, (), generator=generator))


def random_indices(count: int, below: int, generator: torch.Generator) -> list[int]:
    """Return ``count`` different numbers below ``below``, in increasing order."""
    return sorted(torch.randperm(below, generator=generator)[:count].tolist())


def place_runs(
    place: str, copies: int, length: int, available: int, generator: torch.Generator
) -> list[int]:
    """Return the first positions of copies that do not overlap.

    Args:
        place: "start" and "end" put them side by side, "anywhere" draws them uniformly.
        copies: Number of copies.
        length: Length of a copy.
        available: Number of positions, at least copies · length.
        generator: Draws places for "anywhere" only.

    >>> place_runs("end", 2, 3, 10, torch.Generator())
    [4, 7]
    """
    if place == "anywhere":
        free = random_indices(copies, available - copies * (length - 1), generator)
        return [start + n * (length - 1) for n, start in enumerate(free)]
    first = 0 if place == "start" else available - copies * length
    return [first + n * length for n in range(copies)]


def check_num_classes(num_classes: int) -> None:
    """Refuse fewer than two classes."""
    if num_classes < 2:
        raise ConfigError("num_classes", num_classes, "A pattern reveals one of two or more.")


def check_label(label: int, num_classes: int) -> int:
    """Return a class as an int; refuse one that is out of range."""
    if not 0 <= label < num_classes:
        raise unfit(int(label), f"The patterns are those of classes 0 to {num_classes - 1}.")
    return int(label)


def check_strengths(strengths: Sequence[float], *, whole: bool = False) -> None:
    """Refuse strengths that are empty, not increasing, not finite, or not above 0.

    Args:
        strengths: The strengths.
        whole: Whether they are whole numbers.
    """
    values = list(strengths)
    increasing = all(a < b for a, b in itertools.pairwise(values))
    finite = all(math.isfinite(value) for value in values)
    if not values or not finite or not increasing or values[0] <= 0:
        raise ConfigError(
            f"{FIELD}.strengths", values, "Give increasing numbers above 0, the faintest first."
        )
    if whole and any(value != int(value) for value in values):
        raise ConfigError(f"{FIELD}.strengths", values, "They are numbers of copies: 1, 2, 4, …")


def check_at_least(instance: object, **least: float) -> None:
    """Refuse fields of a planter that are below a smallest value."""
    for name, smallest in least.items():
        value = getattr(instance, name)
        if value is not None and value < smallest:
            raise ConfigError(f"{FIELD}.{name}", value, f"Give at least {smallest:g}.")
