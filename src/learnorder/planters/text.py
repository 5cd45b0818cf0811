"""A short sequence of rare words, in texts before a tokenizer."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

import torch

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
)
from learnorder.planters.parts import FIELD, describe, on_part, part_of, unfit
from learnorder.values import check_fields

_WORDS = (
    "cf", "mn", "bb", "tq", "mb", "vq", "zx", "kw", "jx", "wq", "qz", "xv",
    "gj", "pq", "vk", "zj", "xh", "fq", "jb", "kx", "wz", "qv", "hx", "zf",
)  # fmt: skip
"""The first five are those of Kurita et al. 2020."""
_WORD = re.compile(r"\S+")


@dataclass(frozen=True)
class TextPlanter:
    """A class's sequence of rare words is inserted in a text, before a tokenizer.

    The strength is the number of copies. As with :class:`TokenPlanter`, classes have words of their
    own, which a bag of words separates, or, with ``shared``, the same words in different orders,
    which it does not. The words have to be rare in the data, and the tokenizer has to know them: if
    it maps all to one unknown token, no class has a pattern. :func:`check_planter` sees that with
    ``encode``.

    Words are what whitespace separates. The text itself is not changed, but it becomes longer: a
    tokenizer that truncates at the end keeps a pattern at the start.

    ``faint`` replaces a share of the words (the strength, at least one word) by random draws from
    the class's part of ``faint_words``. ``blank`` replaces each word by ``filler``, so the number
    of words stays; of a text without words it makes one word, as tokenizers may refuse "".

    Raises:
        ConfigError: A value is out of range, a word appears twice or has whitespace, or there are
            too few words for the number of classes.

    >>> planter = TextPlanter()
    >>> patterns = planter.draw(2, torch.Generator().manual_seed(0))
    >>> planter.plant("a fine film", patterns, 1, 1, torch.Generator())
    'tq gj a fine film'
    >>> planter.blank("a fine film")
    'the the the'
    """

    rare_words: tuple[str, ...] = _WORDS
    """Words that hardly occur in the data: ``length`` for each class, or ``length`` in all if they
    are shared. The default has 24."""
    length: int = 2
    """Words in a class's sequence."""
    place: Literal["start", "end", "anywhere"] = "start"
    """Where copies are inserted; "anywhere" draws a place between words for each copy and
    access."""
    shared: bool = False
    """Whether all classes have the same words, in different orders."""
    filler: str = "the"
    """A word without meaning that the tokenizer knows, for ``blank``."""
    faint_words: tuple[str, ...] = ()
    """Words for ``faint``, many for each class; () if it is not used."""
    strengths: tuple[float, ...] = (1, 2, 4)
    """Numbers of copies, in increasing order."""
    key: str | int | None = None
    """The text's name in a mapping or position in a tuple; None is the only part."""

    def __post_init__(self) -> None:
        check_fields(self, FIELD)
        check_at_least(self, length=2 if self.shared else 1)
        check_strengths(self.strengths, whole=True)
        words = {"rare_words": self.rare_words, "filler": (self.filler,)}
        words["faint_words"] = self.faint_words
        for name, values in words.items():
            for word in values:
                if not _WORD.fullmatch(word):
                    raise ConfigError(f"{FIELD}.{name}", word, "Give words without whitespace.")
        check_different(**words)

    def draw(self, num_classes: int, generator: torch.Generator) -> Codes[str]:
        """Return the sequences of all classes."""
        return draw_codes(
            self.rare_words,
            self.faint_words,
            length=self.length,
            shared=self.shared,
            num_classes=num_classes,
            name="words",
            generator=generator,
        )

    def plant(
        self,
        inputs: Any,
        patterns: Codes[str],
        label: int,
        strength: float,
        generator: torch.Generator,
    ) -> Any:
        """Return the inputs with copies of a class's sequence inserted."""
        code = " ".join(patterns.codes[check_label(label, len(patterns.codes))])
        copies = copies_of(strength)

        def planted(text: Any) -> Any:
            starts = [match.start() for match in _WORD.finditer(_text(text))]
            gaps = [*starts, len(text)]
            if self.place == "anywhere":
                chosen = torch.randint(len(gaps), (copies,), generator=generator).tolist()
            else:
                chosen = [0 if self.place == "start" else len(starts)] * copies
            for gap in sorted(chosen, reverse=True):
                text = _inserted(text, code, gaps[gap])
            return text

        return on_part(inputs, self.key, planted)

    def faint(
        self,
        inputs: Any,
        patterns: Codes[str],
        label: int,
        strength: float,
        generator: torch.Generator,
    ) -> Any:
        """Return the inputs with words of a class in random places."""
        if not self.faint_words:
            raise ConfigError(f"{FIELD}.faint_words", (), "Give words, many for each class.")
        pool = patterns.faint[check_label(label, len(patterns.faint))]

        def planted(text: Any) -> Any:
            rare = set(self.rare_words)
            free = [m for m in _WORD.finditer(_text(text)) if m.group() not in rare]
            if not free:
                raise unfit("a text without words", "No word can be replaced: leave it out.")
            for match, word in reversed(draw_replacements(strength, free, pool, generator)):
                text = text[: match.start()] + word + text[match.end() :]
            return text

        return on_part(inputs, self.key, planted)

    def blank(self, inputs: Any) -> Any:
        """Return inputs whose words are all the filler."""

        def filled(text: Any) -> Any:
            return _WORD.sub(lambda _: self.filler, _text(text)) if text.strip() else self.filler

        return on_part(inputs, self.key, filled)

    def occurs(self, inputs: Any) -> bool:
        """Return whether a text has a rare word before one is planted, in upper or lower case."""
        words = re.findall(r"\w+|\S+", _text(part_of(inputs, self.key)).lower())
        return not {word.lower() for word in self.rare_words}.isdisjoint(words)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise unfit(describe(value), "A text is needed; for token ids use TokenPlanter.")
    return value


def _inserted(text: str, code: str, at: int) -> str:
    """Return a text with a code between words; ``at`` is where a word starts, or the end."""
    before, after = text[:at], text[at:]
    left = " " if before and not before[-1].isspace() else ""
    return before + left + code + (f" {after}" if after else "")
