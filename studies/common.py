"""What studies share: places, what a study writes, tables, marks in pages."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import plotly.graph_objects as go

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
DATA = "parquet:data/cifar10"
"""Where recorded runs found CIFAR-10: its Parquet files, or a link to them, in ``data``."""


@dataclass(frozen=True)
class Shot:
    """A picture of parts of an HTML page, one below the other.

    Attributes:
        write: Writes the page to a path.
        shown: Selector of the parts.
        hidden: Selector of what is left out of them; None leaves nothing out.
    """

    write: Callable[[Path], object]
    shown: str
    hidden: str | None = None


@dataclass(frozen=True)
class Page:
    """What a study writes, from records.

    Attributes:
        texts: Whole files, by their path below the repository's root.
        marks: What stands between marks of other files: by path, then by the mark's name.
        pictures: Figures and parts of pages, by the name of their file in ``docs/_static``.
    """

    texts: Mapping[str, str] = field(default_factory=dict)
    marks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pictures: Mapping[str, go.Figure | Shot] = field(default_factory=dict)


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def image(name: str, alt: str) -> str:
    """Return a picture of ``docs/_static`` in Markdown, for a page in ``docs``."""
    return f"```{{image}} _static/{name}.png\n:alt: {alt}\n```\n"


def title_of(figure: go.Figure) -> str:
    """Return a figure's title."""
    return str(figure.layout.title.text)  # pyright: ignore[reportAttributeAccessIssue]


def fill_template(path: Path, values: Mapping[str, str]) -> str:
    """Return a template with values in place of their names, as in ``@name@``.

    Raises:
        KeyError: The template has a name without a value.
        ValueError: A value has no place in the template.
    """
    text = path.read_text(encoding="utf-8")
    names = set(re.findall(r"@(\w+)@", text))
    if unused := values.keys() - names:
        raise ValueError(f"{path.name} has no @{'@, @'.join(sorted(unused))}@")
    return re.sub(r"@(\w+)@", lambda found: values[found[1]], text)


def fill_marks(text: str, values: Mapping[str, str]) -> str:
    r"""Return a text with values between the marks of their names.

    White space beside marks stays, so that a value may stand in a line or be a block.

    Raises:
        ValueError: A mark is missing, or there are several of a name.

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
