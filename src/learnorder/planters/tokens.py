"""A short sequence of rare tokens, in sequences of token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from learnorder.errors import ConfigError
from learnorder.planters.codes import (
    Codes,
    check_different,
    copies_of,
    draw_codes,
    draw_replacements,
)
from learnorder.planters.drawing import (
    check_at_least,
    check_label,
    check_strengths,
    place_runs,
)
from learnorder.planters.parts import FIELD, copy_of, describe, like, on_part, part_of, unfit
from learnorder.values import check_fields


@dataclass(frozen=True)
class TokenPlanter:
    """A class's sequence of rare tokens replaces tokens of a text; length and dtype stay the same.

    The strength is the number of copies. The tokens do not occur in the data, so a few examples are
    enough to memorise them. By default each class has tokens of its own, and a bag of words
    separates the classes. With ``shared`` all classes have the same tokens and differ in their
    order: a bag of words does not see the class, and a network has to learn combinations of tokens
    and positions.

    Padding and special tokens are never replaced, so that the pattern is within what the model
    reads. If a collate function truncates sequences, plant at the end that it keeps. In sequences
    of padding only, such as those of ``blank``, the pattern replaces padding.

    ``faint`` replaces a share of the tokens (the strength, at least one token) by random draws from
    the class's part of ``faint_tokens``: a bag of words finds it, but every example shows only few
    of them. ``blank`` replaces all tokens by ``filler``, but for padding and special tokens.

    Sequences are integer tensors or arrays [length], or lists of ints.

    Raises:
        ConfigError: A value is out of range, a token has two roles, there are too few tokens for
            the number of classes, or, when planting, a sequence is too short.

    >>> planter = TokenPlanter(rare_tokens=tuple(range(90, 100)), padding=0, length=2)
    >>> patterns = planter.draw(2, torch.Generator().manual_seed(0))
    >>> patterns.codes
    ((94, 91), (97, 95))
    >>> planter.plant([5, 6, 7, 0, 0], patterns, 1, 1, torch.Generator())
    [97, 95, 7, 0, 0]
    """

    rare_tokens: tuple[int, ...]
    """Ids that do not occur in the data, or hardly ever: ``length`` for each class, or ``length``
    in all if they are shared."""
    length: int = 3
    """Tokens in a class's sequence."""
    place: Literal["start", "end", "anywhere"] = "start"
    """Where copies go; "anywhere" draws their places at each access."""
    shared: bool = False
    """Whether all classes have the same tokens, in different orders."""
    padding: int | None = None
    """Id of padding, which is never replaced; None if sequences have none."""
    filler: int | None = None
    """Id of a token without meaning, such as that of an unknown word, for ``blank``; None takes
    ``padding``."""
    special_tokens: tuple[int, ...] = ()
    """Other ids that are never replaced, such as those of [CLS] and [SEP]."""
    faint_tokens: tuple[int, ...] = ()
    """Ids for ``faint``, many for each class; () if it is not used."""
    vocabulary_size: int | None = None
    """Number of ids that the model knows; ids from it on are refused. None if it is unknown."""
    strengths: tuple[float, ...] = (1, 2, 4)
    """Numbers of copies, in increasing order."""
    key: str | int | None = None
    """The sequence's name in a mapping (such as "input_ids") or position in a tuple; None is the
    only part."""

    def __post_init__(self) -> None:
        check_fields(self, FIELD)
        check_at_least(self, length=2 if self.shared else 1, vocabulary_size=1)
        check_strengths(self.strengths, whole=True)
        if not self.rare_tokens:
            raise ConfigError(f"{FIELD}.rare_tokens", (), "Give ids that do not occur in the data.")
        if self.filler is None and self.padding is None:
            raise ConfigError(
                f"{FIELD}.filler",
                None,
                "Give the id of a token without meaning for examples of the pattern alone, or that "
                "of padding.",
            )
        padding, filler = _optional(self.padding), _optional(self.filler)
        check_different(
            padding=padding,
            special_tokens=self.special_tokens,
            filler=filler if filler != padding else (),
            rare_tokens=self.rare_tokens,
            faint_tokens=self.faint_tokens,
        )
        for name in ("padding", "filler", "special_tokens", "rare_tokens", "faint_tokens"):
            self._check_known(name)

    def _check_known(self, name: str) -> None:
        value = getattr(self, name)
        size = self.vocabulary_size
        for token in value if isinstance(value, tuple) else _optional(value):
            if token < 0 or (size is not None and token >= size):
                known = f" and below {size}, the size of the vocabulary" if size else ""
                raise ConfigError(f"{FIELD}.{name}", token, f"Give ids from 0 on{known}.")

    def draw(self, num_classes: int, generator: torch.Generator) -> Codes[int]:
        """Return the sequences of all classes."""
        return draw_codes(
            self.rare_tokens,
            self.faint_tokens,
            length=self.length,
            shared=self.shared,
            num_classes=num_classes,
            name="tokens",
            generator=generator,
        )

    def plant(
        self,
        inputs: Any,
        patterns: Codes[int],
        label: int,
        strength: float,
        generator: torch.Generator,
    ) -> Any:
        """Return a copy of the inputs with copies of a class's sequence."""
        code = patterns.codes[check_label(label, len(patterns.codes))]
        copies = copies_of(strength)

        def planted(sequence: Any) -> Any:
            free = self._replaceable(_ids(sequence))
            if len(free) < copies * len(code):
                raise unfit(
                    f"a sequence of {len(free)} tokens",
                    f"Without padding and special tokens it is too short for strength {copies}: "
                    f"copies {copies} × {len(code)} tokens. Leave such sequences out, or give a "
                    "smaller length or strength.",
                )
            starts = place_runs(self.place, copies, len(code), len(free), generator)
            at = [free[start + n] for start in starts for n in range(len(code))]
            return _replaced(sequence, at, code * copies)

        return on_part(inputs, self.key, planted)

    def faint(
        self,
        inputs: Any,
        patterns: Codes[int],
        label: int,
        strength: float,
        generator: torch.Generator,
    ) -> Any:
        """Return a copy of the inputs with tokens of a class in random places."""
        if not self.faint_tokens:
            raise ConfigError(f"{FIELD}.faint_tokens", (), "Give ids, many for each class.")
        pool = patterns.faint[check_label(label, len(patterns.faint))]

        def planted(sequence: Any) -> Any:
            ids, rare = _ids(sequence), set(self.rare_tokens)
            free = [n for n in self._replaceable(ids) if ids[n] not in rare]
            if not free:
                raise unfit("a sequence without tokens", "No token can be replaced: leave it out.")
            drawn = draw_replacements(strength, free, pool, generator)
            return _replaced(sequence, [at for at, _ in drawn], [token for _, token in drawn])

        return on_part(inputs, self.key, planted)

    def blank(self, inputs: Any) -> Any:
        """Return inputs whose tokens are all the filler."""
        filler = self.padding if self.filler is None else self.filler
        assert filler is not None  # checked when built

        def filled(sequence: Any) -> Any:
            at = self._replaceable(_ids(sequence))
            return _replaced(sequence, at, [filler] * len(at))

        return on_part(inputs, self.key, filled)

    def occurs(self, inputs: Any) -> bool:
        """Return whether an example has a rare token before one is planted."""
        return not set(self.rare_tokens).isdisjoint(_ids(part_of(inputs, self.key)))

    def _replaceable(self, ids: list[int]) -> list[int]:
        """Return the positions of tokens that can be replaced: padding only if there is no other.

        Special tokens are never among them.
        """
        special = set(self.special_tokens)
        ordinary = [n for n, token in enumerate(ids) if token not in special]
        return [n for n in ordinary if ids[n] != self.padding] or ordinary


def _optional(token: int | None) -> tuple[int, ...]:
    return () if token is None else (token,)


def _ids(sequence: Any) -> list[int]:
    """Return the token ids of a sequence; refuse other forms."""
    if isinstance(sequence, Tensor | np.ndarray):
        if sequence.ndim == 1 and _is_integer(sequence):
            return [int(token) for token in sequence.tolist()]
    elif isinstance(sequence, list) and all(map(_is_integer, sequence)):
        return sequence
    raise unfit(describe(sequence), "A sequence of token ids is needed: integers [length].")


def _is_integer(values: Any) -> bool:
    """Return whether a number, or the dtype of an array, is an integer other than bool."""
    if isinstance(values, Tensor):
        return not (values.is_floating_point() or values.is_complex() or values.dtype == torch.bool)
    if isinstance(values, np.ndarray):
        return values.dtype.kind in "iu"
    return isinstance(values, Integral) and not isinstance(values, bool)


def _replaced(sequence: Any, at: Sequence[int], tokens: Sequence[int]) -> Any:
    """Return a copy of a sequence with tokens at some positions."""
    if isinstance(sequence, list):
        new = list(sequence)
        for position, token in zip(at, tokens, strict=True):
            new[position] = token
        return new
    new = copy_of(sequence)
    limits = torch.iinfo(new.dtype) if isinstance(new, Tensor) else np.iinfo(new.dtype)
    if tokens and max(tokens) > limits.max:
        raise unfit(describe(sequence), f"It cannot hold the id {max(tokens)}: use int64.")
    if at:
        new[list(at)] = like(torch.tensor(tokens), new)
    return new
