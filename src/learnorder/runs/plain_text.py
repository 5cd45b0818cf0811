"""Untrusted text made safe to print: control and invisible characters are escaped."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Unicode categories: control, format and surrogate characters, line and paragraph separators."""
_JOINERS = frozenset("\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}")
"""Format characters that some scripts need."""


def visible(text: object, *, keep: str = "") -> str:
    r"""Return text with invisible characters escaped.

    These are control characters, characters that change the direction of the text, other invisible
    characters, and bytes of file names that are not UTF-8.

    Args:
        text: Anything; its ``str`` is used.
        keep: Characters to keep, e.g. a newline.

    >>> print(visible("a\x1b[31mred\r\nb"))
    a\x1b[31mred\r\nb
    """
    words = str(text)
    if words.isprintable():
        return words
    return "".join(_escaped(c) if _hidden(c) and c not in keep else c for c in words)


def storable(text: str) -> str:
    r"""Return text that UTF-8 can encode: bytes of file names that are not UTF-8 are escaped.

    >>> print(storable("\udcff"))
    \udcff
    """
    return text.encode(errors="backslashreplace").decode()


def plain(text: object, style: str = "") -> Text:
    """Return visible text for rich, without interpretation of markup or emoji codes.

    Args:
        text: As for :func:`visible`.
        style: Style of rich for all of it.
    """
    from rich.text import Text

    return Text(visible(text), style)


def _hidden(character: str) -> bool:
    return unicodedata.category(character) in _UNSEEN and character not in _JOINERS


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
