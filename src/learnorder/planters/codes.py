"""Short sequences of rare tokens or words, one for each class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch

from learnorder.errors import ConfigError
from learnorder.planters.drawing import check_num_classes, random_indices
from learnorder.planters.parts import FIELD

T = TypeVar("T", int, str)
Place = TypeVar("Place")


@dataclass(frozen=True)
class Codes(Generic[T]):
    """The sequences of all classes.

    Attributes:
        codes: One for each class.
        faint: For each class the tokens or words of its faint pattern; empty if there are none.
    """

    codes: tuple[tuple[T, ...], ...]
    faint: tuple[tuple[T, ...], ...]


def draw_codes(
    rare: Sequence[T],
    faint: Sequence[T],
    *,
    length: int,
    shared: bool,
    num_classes: int,
    name: str,
    generator: torch.Generator,
) -> Codes[T]:
    """Draw the sequences of all classes.

    Args:
        rare: Different rare tokens or words.
        faint: Those of the faint pattern, divided evenly among the classes.
        length: Length of a sequence.
        shared: Whether all classes have the same tokens, in orders of their own.
        num_classes: Number of classes.
        name: "tokens" or "words", for errors.
        generator: Draws the sequences.

    Raises:
        ConfigError: There are too few for the number of classes.

    >>> drawn = draw_codes("abcdef", "", length=3, shared=True, num_classes=6, name="words",
    ...                    generator=torch.Generator())
    >>> len(set(drawn.codes)), len({"".join(sorted(code)) for code in drawn.codes})
    (6, 1)
    """
    check_num_classes(num_classes)
    _check_enough(len(rare), length, shared, num_classes, name)
    if faint and len(faint) < 2 * num_classes:
        raise ConfigError(
            f"{FIELD}.faint_{name}",
            f"{len(faint)} {name}",
            f"{num_classes} classes need at least {2 * num_classes}: many for each class, so that "
            "the faint pattern is noisy.",
        )

    def shuffled(pool: Sequence[T]) -> tuple[T, ...]:
        return tuple(pool[n] for n in torch.randperm(len(pool), generator=generator).tolist())

    pool = shuffled(rare)
    if shared:
        different: dict[tuple[T, ...], None] = {}
        while len(different) < num_classes:
            different[shuffled(pool[:length])] = None
        codes = tuple(different)
    else:
        codes = tuple(pool[c * length : (c + 1) * length] for c in range(num_classes))
    return Codes(codes, _divided(shuffled(faint), num_classes))


def _divided(pool: tuple[T, ...], parts: int) -> tuple[tuple[T, ...], ...]:
    each = len(pool) // parts
    return tuple(pool[n * each : (n + 1) * each] for n in range(parts)) if each else ()


def _check_enough(rare: int, length: int, shared: bool, num_classes: int, name: str) -> None:
    if shared and num_classes > math.factorial(length):
        raise ConfigError(
            f"{FIELD}.length",
            length,
            f"{length} {name} have {math.factorial(length)} orders, and there are {num_classes} "
            "classes: give a greater length.",
        )
    needed = length if shared else length * num_classes
    if rare < needed:
        hint = "" if shared else ", or a smaller length, or shared=True: the same in other orders"
        raise ConfigError(
            f"{FIELD}.rare_{name}",
            f"{rare} {name}",
            f"{num_classes} classes with {length} {name} each need {needed}: give more{hint}."
            if not shared
            else f"Sequences of {length} {name} need {needed}: give more.",
        )


def draw_replacements(
    strength: float, free: Sequence[Place], pool: Sequence[T], generator: torch.Generator
) -> list[tuple[Place, T]]:
    """Draw the places of a faint pattern, in their order, and what is put there.

    Args:
        strength: Share of the places that are replaced, at least one.
        free: The places that can be replaced.
        pool: Tokens or words of the class.
        generator: Draws both.

    Raises:
        ConfigError: The strength is not in (0, 1].
    """
    at = random_indices(replaced_count(strength, len(free)), len(free), generator)
    drawn = torch.randint(len(pool), (len(at),), generator=generator).tolist()
    return [(free[n], pool[k]) for n, k in zip(at, drawn, strict=True)]


def check_different(**groups: Sequence[object]) -> None:
    """Refuse tokens or words that appear twice, in one setting or in two."""
    seen: dict[object, str] = {}
    for name, values in groups.items():
        for value in values:
            if value in seen:
                where = "it" if seen[value] == name else seen[value]
                remedy = f"It is already in {where}: give another."
                raise ConfigError(f"{FIELD}.{name}", value, remedy)
            seen[value] = name


def copies_of(strength: float) -> int:
    """Return a strength as the number of copies that it is.

    Raises:
        ConfigError: It is not a whole number from 1 on.
    """
    if strength < 1 or strength != int(strength):
        raise ConfigError(f"{FIELD}.strength", strength, "It is a number of copies: 1, 2, 4, …")
    return int(strength)


def replaced_count(share: float, available: int) -> int:
    """Return how many of the available positions a faint pattern replaces, at least one.

    Raises:
        ConfigError: The share is not in (0, 1].
    """
    if not 0 < share <= 1:
        raise ConfigError(f"{FIELD}.strength", share, "A faint pattern replaces a share in (0, 1].")
    return max(1, round(share * available))
