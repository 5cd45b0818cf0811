"""Shared code of studies: paths, their output, tables, marks in pages."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import plotly.graph_objects as go

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
DATA = "parquet:data/cifar10"
"""CIFAR-10 in the recorded runs: Parquet files, or a link to them, in ``data``."""


@dataclass(frozen=True)
class Shot:
    """A screenshot of parts of an HTML page, one below the other.

    Attributes:
        write: Writes the page to a path.
        shown: CSS selector of the parts.
        hidden: CSS selector of elements to hide; None hides nothing.
    """

    write: Callable[[Path], object]
    shown: str
    hidden: str | None = None


@dataclass(frozen=True)
class Page:
    """The output of a study, from its records.

    Attributes:
        texts: Files, by path relative to the repository's root.
        marks: Texts between the marks of other files, by path and name of the mark.
        pictures: Figures and screenshots, by the name of their file in ``docs/_static``.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pictures: Mapping[str, go.Figure | Shot] = field(default_factory=dict)


def names_chosen(known: Collection[str], description: str | None) -> list[str]:
    """Return the names on the command line of a study, all known ones by default."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("names", nargs="*", default=list(known), help="Default: all.")
    return parser.parse_args().names


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def image(name: str, alt: str) -> str:
    """Return an image in ``docs/_static`` as Markdown, for a page in ``docs``."""
    return f"```{{image}} _static/{name}.png\n:alt: {alt}\n```\n"


def title_of(figure: go.Figure) -> str:
    """Return a figure's title."""
    return str(figure.layout.title.text)  # pyright: ignore[reportAttributeAccessIssue]


def fill_template(path: Path, values: Mapping[str, str]) -> str:
    """Return a template with each ``@name@`` replaced by its value.

    Raises:
        KeyError: The template has a name without a value.
        ValueError: A value has no place in the template.
    """
    text = path.read_text(encoding="utf-8")
    names = set(re.findall(r"@(\w+)@", text))
    if unused := values.keys() - names:
        raise ValueError(f"{path.name} has no @{'@, @'.join(sorted(unused))}@")
    return re.sub(r"@(\w+)@", lambda match: values[match[1]], text)


def fill_marks(text: str, values: Mapping[str, str]) -> str:
    r"""Return a text with values between the marks of their names.

    White space next to marks is kept, so values can be inline or blocks.

    Raises:
        ValueError: A mark is missing or not unique.

    >>> fill_marks("It is <!-- gap -->1<!-- end --> point.", {"gap": "2"})
    'It is <!-- gap -->2<!-- end --> point.'
    """
    for name, value in values.items():
        mark = re.compile(rf"(<!-- {name} -->\s*).*?(\s*<!-- end -->)", re.DOTALL)
        parts = mark.split(text)
        if len(parts) != 4:
            raise ValueError(f"there is not one mark <!-- {name} --> … <!-- end -->")
        head, start, end, tail = parts
        text = f"{head}{start}{value}{end}{tail}"
    return text
