"""What a page shows, whatever kind of runs it is of."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import quote

import plotly.graph_objects as go


class Link(str):
    """A cell that leads somewhere.

    Args:
        text: What is shown.
        to: An anchor of the page, as "#name", or an address, as :func:`address` returns it.
    """

    to: str

    def __new__(cls, text: str, to: str) -> Link:
        """Return the text, which knows where it leads."""
        link = super().__new__(cls, text)
        link.to = to
        return link


def address(path: str) -> str:
    """Return the address, in a link, of a file whose path begins beside the page.

    >>> address("glob[1]*/#1?/report.html"), address("a:b=1")
    ('glob%5B1%5D%2A/%231%3F/report.html', 'a%3Ab=1')
    """
    return quote(os.fsencode(path), safe="/=,")


class Links(str):
    """A cell of several links."""

    parts: list[Link]

    def __new__(cls, parts: list[Link]) -> Links:
        """Return the texts, separated by commas."""
        links = super().__new__(cls, ", ".join(parts))
        links.parts = parts
        return links


@dataclass(frozen=True)
class TextTable:
    """A table ready to show.

    Attributes:
        title: What it shows.
        columns: Headings; the first names the rows.
        rows: Texts, a list for each row; some may be links.
        note: How to read it.
        wrap: Whether its cells are texts, which are folded and stand to the left.
    """

    title: str
    columns: list[str]
    rows: list[list[str]]
    note: str
    wrap: bool = False


Key = list[tuple[str, str, str]]
"""The key to curves: title, colour and SVG dash pattern of each arm."""


@dataclass(frozen=True)
class Gallery:
    """Example images as data addresses, row by row."""

    rows: list[tuple[str, list[str]]]
    columns: list[str]


@dataclass(frozen=True)
class ForestRow:
    """A claim in a forest plot.

    Attributes:
        name: Its short name, which leads to the claim.
        verdict: holds, does_not_hold or undecided; names the row's colour and shape.
        shown: Estimate, interval and bound in their unit.
        mean: Signed distance of the estimate from the bound, positive on the claim's side, over
            the distance of the farther end of the interval: −1 to 1; None where nothing was
            measured.
        low: That of the interval's lower end.
        high: That of its upper end.
        reason: Why it cannot be expected to hold here; empty where it can.
    """

    name: Link
    verdict: str
    shown: str
    mean: float | None = None
    low: float = 0.0
    high: float = 0.0
    reason: str = ""


@dataclass(frozen=True)
class Card:
    """One of several things that a figure shows, with a small figure of its own."""

    title: str
    anchor: str
    facts: list[tuple[str, str]]
    figures: list[go.Figure] = field(default_factory=list)


@dataclass(frozen=True)
class Section:
    """A part of a page, shown in the order of its fields.

    Attributes:
        title: Its heading.
        anchor: Its name in links.
        facts: Terms and descriptions.
        note: How to read the curves that follow.
        table: A table.
        key: The key to the panels.
        panels: Figures side by side, under that key.
        wide: Figures one below the other, with keys of their own.
        gallery: Example images.
        last: A table after all of these.
        forest: Claims with their intervals, one below the other; before all of these.
        cards: What the figures show, one by one; after all of these.
    """

    title: str
    note: str = ""
    anchor: str = ""
    facts: list[tuple[str, str]] = field(default_factory=list)
    table: TextTable | None = None
    key: Key = field(default_factory=list)
    panels: list[go.Figure] = field(default_factory=list)
    wide: list[go.Figure] = field(default_factory=list)
    gallery: Gallery | None = None
    last: TextTable | None = None
    forest: list[ForestRow] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)

    def texts(self) -> list[str]:
        """Return what its reader reads, for the terms in it."""
        tables = [table for table in (self.table, self.last) if table is not None]
        cells = [cell for t in tables for cells in (t.columns, *t.rows) for cell in cells]
        figures = [figure.layout.title.text or "" for figure in (*self.panels, *self.wide)]
        facts = [text for pair in self.facts for text in pair]
        titles = [card.title for card in self.cards]
        return [self.title, self.note, *(t.note for t in tables), *cells, *figures, *facts, *titles]


@dataclass(frozen=True)
class Origin:
    """Where the numbers of an experiment come from: its runs, their settings, the machine.

    Attributes:
        runs: A row for each run.
        settings: What all runs share, as YAML.
        varied: Settings in which the arms differ: a column for each arm.
        environment: Versions and machine.
        anchor: Its name in links.
        page: Path of its own page, beside this one.
        shared: What runs of one seed have in common, a sentence.
    """

    runs: TextTable
    settings: str
    varied: TextTable | None
    environment: dict[str, object]
    anchor: str = ""
    page: str = ""
    shared: str = ""


@dataclass(frozen=True)
class Content:
    """What a page shows.

    Attributes:
        title: Of the page.
        findings: Sentences.
        asked: What was asked, as terms and descriptions.
        sections: The rest.
        origins: Of each experiment shown.
        lead: Sections that come before what was asked.
        intro: What the page is about, for readers who have read nothing else.
    """

    title: str
    findings: list[str]
    asked: list[tuple[str, str]]
    sections: list[Section]
    origins: list[Origin]
    lead: list[Section] = field(default_factory=list)
    intro: str = ""

    def texts(self) -> list[str]:
        """Return what its reader reads, for the terms in it."""
        sections = [text for part in (*self.lead, *self.sections) for text in part.texts()]
        asked = [text for pair in self.asked for text in pair]
        return [self.intro, *self.findings, *asked, *sections]


def title_of(kind: str, labels: dict[str, str]) -> str:
    """Return a page's title with its scale, where that has a name."""
    scale = labels.get("scale")
    return f"{kind}, {scale} scale" if scale and scale != "custom" else kind
