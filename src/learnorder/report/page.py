"""The HTML page: a single file that opens offline."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
import plotly.graph_objects as go
from markupsafe import Markup, escape
from plotly.offline import get_plotlyjs

from learnorder.execution.log_lines import phase
from learnorder.report.content import Content
from learnorder.report.terms import terms_in
from learnorder.runs.files import atomic_write
from learnorder.runs.kinds import kind_named
from learnorder.runs.plain_text import visible
from learnorder.runs.results import RunSet


@phase("drawing the page")
def write_report(results: RunSet[Any], path: Path | str) -> Path:
    """Write a page of results: a single HTML file that opens offline (about 5 MB).

    Args:
        results: The results.
        path: The file to write. An existing file is replaced atomically.

    Returns:
        The path.

    Raises:
        RunFolderError: Records are damaged.
    """
    return write_page(_content(results), path)


def write_page(content: Content, path: Path | str) -> Path:
    """Write a page; return its path."""
    path = Path(path)
    page = render_page(content)
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8", errors="backslashreplace")
    return path


def write_result(content: Content, values: str, name: str, folder: Path | str) -> Path:
    """Write report.html to a folder, with a JSON file beside it; return the page's path.

    Args:
        content: Content of the page.
        values: Text of the JSON file.
        name: Its name.
        folder: The folder.
    """
    with atomic_write(Path(folder) / name) as temporary:
        # a character that UTF-8 cannot hold becomes an escape, which JSON reads
        temporary.write_text(values, encoding="utf-8", errors="backslashreplace")
    return write_page(content, Path(folder) / "report.html")


def render(results: RunSet[Any]) -> str:
    """Return the page of results as HTML."""
    return render_page(_content(results))


def _content(results: RunSet[Any]) -> Content:
    return kind_named(results.folders[0].kind).present().content(results)


def render_page(content: Content) -> str:
    """Return a page as HTML."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("learnorder.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        finalize=_visible_text,
    )
    templates.filters["figure"] = _figure_json
    templates.filters["lines"] = _lines
    return templates.get_template("report.html.j2").render(
        content=content,
        terms=terms_in(content.texts()),
        version=version("learnorder"),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        style=Markup((_templates() / "style.css").read_text(encoding="utf-8")),
        script=Markup((_templates() / "figures.js").read_text(encoding="utf-8")),
        plotly=Markup(get_plotlyjs()),
    )


def _templates() -> Path:
    return Path(__file__).parent / "templates"


def _visible_text(value: Any) -> Any:
    """Make control characters of a text visible; HTML is left unchanged."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _lines(text: str) -> Markup:
    """Escape a text of several lines."""
    return escape(visible(text, keep="\n"))


def _figure_json(figure: go.Figure, *, key: bool) -> Markup:
    """Return a figure as JSON for a script element, with or without its own legend.

    The page shows through it.
    """
    clear = "rgba(0,0,0,0)"
    figure.update_layout(showlegend=key, paper_bgcolor=clear, plot_bgcolor=clear)
    text = figure.to_json()
    assert text is not None
    return Markup(text.replace("<", "\\u003c"))
