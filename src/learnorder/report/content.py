"""What a page shows, whatever kind of runs it is of."""

from __future__ import annotations

from dataclasses import dataclass, field

import plotly.graph_objects as go


@dataclass(frozen=True)
class TextTable:
    """A table ready to show.

    Attributes:
        title: What it shows.
        columns: Headings; the first names the rows.
        rows: Texts, a list for each row.
        note: How to read it.
    """

    title: str
    columns: list[str]
    rows: list[list[str]]
    note: str


@dataclass(frozen=True)
class Gallery:
    """Example images as data addresses, row by row."""

    rows: list[tuple[str, list[str]]]
    columns: list[str]


@dataclass(frozen=True)
class Section:
    """A part of a page, shown in the order of its fields.

    Attributes:
        title: Its heading.
        note: How to read the curves that follow.
        table: A table.
        panels: Figures side by side, under one key to the arms.
        wide: Figures one below the other, with keys of their own.
        gallery: Example images.
        last: A table after all of these.
    """

    title: str
    note: str = ""
    table: TextTable | None = None
    panels: list[go.Figure] = field(default_factory=list)
    wide: list[go.Figure] = field(default_factory=list)
    gallery: Gallery | None = None
    last: TextTable | None = None


@dataclass(frozen=True)
class Content:
    """What a page shows.

    Attributes:
        title: Of the page.
        findings: Sentences.
        asked: What was asked, as terms and descriptions.
        shared: What runs of one seed have in common, before the table of what varies.
        sections: The rest.
    """

    title: str
    findings: list[str]
    asked: list[tuple[str, str]]
    shared: str
    sections: list[Section]


def title_of(kind: str, labels: dict[str, str]) -> str:
    """Return a page's title with its scale, where that has a name."""
    scale = labels.get("scale")
    return f"{kind}, {scale} scale" if scale and scale != "custom" else kind
