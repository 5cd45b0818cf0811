"""The content of a page, as data: for all kinds of runs."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import quote

import plotly.graph_objects as go


class Link(str):
    """A table cell with a link.

    Args:
        text: The text of the cell.
        to: The target: an anchor of the page, as "#name", or the result of :func:`address`.
    """

    to: str

    def __new__(cls, text: str, to: str) -> Link:
        """Return the text with its target."""
        link = super().__new__(cls, text)
        link.to = to
        return link


def address(path: str) -> str:
    """Return the relative URL of a file, from its path relative to the page.

    >>> address("glob[1]*/#1?/report.html"), address("a:b=1")
    ('glob%5B1%5D%2A/%231%3F/report.html', 'a%3Ab=1')
    """
    return quote(os.fsencode(path), safe="/=,")


class Links(str):
    """A table cell with several links."""

    parts: list[Link]

    def __new__(cls, parts: list[Link]) -> Links:
        """Return the texts of the links, separated by commas."""
        links = super().__new__(cls, ", ".join(parts))
        links.parts = parts
        return links


class Anchor(str):
    """A table cell that links lead to.

    Args:
        text: The text of the cell.
        name: Its name in links, without "#".
    """

    name: str

    def __new__(cls, text: str, name: str) -> Anchor:
        """Return the text with its name."""
        anchor = super().__new__(cls, text)
        anchor.name = name
        return anchor


class BySeed(str):
    """A table cell with a mean; a click shows the value of each seed.

    Args:
        text: The mean, with its interval.
        values: The seeds, as links to their runs where there are any, and their values.
    """

    by_seed: list[tuple[str, str]]

    def __new__(cls, text: str, values: list[tuple[str, str]]) -> BySeed:
        """Return the text with the values."""
        mean = super().__new__(cls, text)
        mean.by_seed = values
        return mean


class Quoted(str):
    """A table cell with a user's text, in which no terms of the glossary are looked up."""


class Picture(Quoted):
    """A table cell with an image.

    Args:
        text: Describes the image.
        source: The image as a data URL.
    """

    source: str

    def __new__(cls, text: str, source: str) -> Picture:
        """Return the description with the image."""
        picture = super().__new__(cls, text)
        picture.source = source
        return picture


@dataclass(frozen=True)
class TextTable:
    """A table of formatted cells.

    Attributes:
        title: Title.
        columns: Headings.
        rows: Cells of each row: texts, links, or pictures.
        note: How to read the table.
        wrap: Whether cells contain prose: wrapped and left-aligned.
        names: Heading of the column that names the rows; empty: the first.
    """

    title: str
    columns: list[str]
    rows: list[list[str]]
    note: str
    wrap: bool = False
    names: str = ""

    @property
    def has_seeds(self) -> bool:
        """Whether cells open to the values of their seeds."""
        return any(isinstance(cell, BySeed) for row in self.rows for cell in row)


Key = list[tuple[str, str, str]]
"""The legend of curves: title, colour and SVG dash pattern of each arm."""


@dataclass(frozen=True)
class Gallery:
    """Example images as data URLs, row by row."""

    rows: list[tuple[str, list[str]]]
    columns: list[str]


@dataclass(frozen=True)
class ForestRow:
    """A claim in a forest plot.

    Attributes:
        name: Its short name, with a link to the claim.
        verdict: holds, does_not_hold or undecided; determines colour and shape.
        shown: Estimate, interval and bound, with units.
        mean: Distance of the estimate from the bound, positive on the claim's side, divided by
            that of the farther end of the interval: −1 to 1. None if nothing was measured.
        low: The same for the lower end of the interval.
        high: The same for the upper end.
        reason: Why the claim cannot be expected to hold here, or empty.
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
    """A subsection with facts and small figures, such as a claim."""

    title: str
    anchor: str
    facts: list[tuple[str, str]]
    figures: list[go.Figure] = field(default_factory=list)


@dataclass(frozen=True)
class Section:
    """A section of a page.

    Attributes:
        title: Heading.
        note: How to read the figures.
        anchor: Name in links.
        facts: Terms and descriptions.
        table: A table.
        key: The legend of the panels.
        panels: Figures side by side, which share the legend.
        wide: Figures one below the other, each with its own legend.
        gallery: Example images.
        last: A table below the gallery.
        forest: A forest plot of claims, at the top.
        cards: Subsections, at the end.
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
        """Return all visible texts, in which terms of the glossary are looked up."""
        tables = [table for table in (self.table, self.last) if table is not None]
        rows = [cells for t in tables for cells in (t.columns, *t.rows)]
        cells = [cell for row in rows for cell in row if not isinstance(cell, Quoted)]
        figures = [figure.layout.title.text or "" for figure in (*self.panels, *self.wide)]
        facts = [text for pair in self.facts for text in pair]
        titles = [card.title for card in self.cards]
        return [self.title, self.note, *(t.note for t in tables), *cells, *figures, *facts, *titles]


def picture_first(sections: list[Section]) -> tuple[list[Section], list[Section]]:
    """Return the first section with figures, if there is any, and the others."""
    lead = [section for section in sections if section.panels or section.wide][:1]
    return lead, [section for section in sections if section not in lead]


@dataclass(frozen=True)
class Origin:
    """The provenance of an experiment's numbers: runs, settings and machine.

    Attributes:
        runs: A row for each run.
        settings: The settings that all runs share, as YAML.
        varied: Settings that differ between arms: a column for each arm.
        environment: Versions and machine.
        anchor: Name in links.
        page: Path of the experiment's own page, relative to this one.
        shared: What runs with the same seed have in common, as a sentence.
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
    """The content of a page.

    Attributes:
        title: Title.
        findings: The findings, as sentences. The first one answers the page's question.
        setup: The setup, as terms and descriptions.
        sections: Sections after the setup.
        origins: The provenance of each experiment.
        lead: Sections before the setup: the picture that shows the answer.
        intro: Introduction for readers without context.
    """

    title: str
    findings: list[str]
    setup: list[tuple[str, str]]
    sections: list[Section]
    origins: list[Origin]
    lead: list[Section] = field(default_factory=list)
    intro: str = ""

    def texts(self) -> list[str]:
        """Return all visible texts, in which terms of the glossary are looked up."""
        sections = [text for part in (*self.lead, *self.sections) for text in part.texts()]
        setup = [text for pair in self.setup for text in pair]
        return [self.intro, *self.findings, *setup, *sections]


def title_of(kind: str, labels: dict[str, str]) -> str:
    """Return a page's title, with the scale unless it is custom."""
    scale = labels.get("scale")
    return f"{kind}, {scale} scale" if scale and scale != "custom" else kind
