"""The HTML page: everything in one file that opens offline and asks nothing of the network."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jinja2
import plotly.graph_objects as go
import yaml
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from learnorder.report.content import Content
from learnorder.report.image_page import image_content
from learnorder.report.style import line_styles
from learnorder.report.tables import run_table
from learnorder.report.theory_page import theory_content
from learnorder.report.titles import MOST_ARMS, arm_titles
from learnorder.results import Results, RunSet
from learnorder.runs import flatten, shared_settings
from learnorder.runs.files import atomic_write
from learnorder.theory_results import TheoryResults

_CONTENT: dict[type, Callable[[Any], Content]] = {
    Results: image_content,
    TheoryResults: theory_content,
}


def write_report(results: RunSet[Any], path: Path | str) -> Path:
    """Write the page of some results; return its path.

    Args:
        results: The runs.
        path: The HTML file.
    """
    path = Path(path)
    page = render(results)
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def render(results: RunSet[Any]) -> str:
    """Return the page as HTML."""
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("learnorder.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    templates.filters["figure"] = _figure_json
    return templates.get_template("report.html.j2").render(
        content=_CONTENT[type(results)](results),
        most_arms=MOST_ARMS,
        runs=run_table(results),
        legend=_legend(results),
        shared=_yaml(shared_settings(results.folders)),
        varied=_varied_settings(results),
        environment=results.folders[0].manifest.get("environment", {}),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        style=Markup((_templates() / "style.css").read_text()),
        script=Markup((_templates() / "figures.js").read_text()),
        plotly=Markup(get_plotlyjs()),
    )


def _templates() -> Path:
    return Path(__file__).parent / "templates"


def _figure_json(figure: go.Figure, *, key: bool) -> Markup:
    """Figure as JSON that can stand inside a script element, with its own key or without."""
    figure.update_layout(showlegend=key)
    text = figure.to_json()
    assert text is not None
    return Markup(text.replace("<", "\\u003c"))


def _legend(results: RunSet[Any]) -> list[tuple[str, str, str]]:
    """The key to all curves: title, colour and SVG dash pattern of each arm."""
    styles = line_styles(results.arms)
    titles = arm_titles(results)
    return [(titles[arm], s.color, s.svg_dashes()) for arm, s in styles.items()]


def _varied_settings(results: RunSet[Any]) -> list[tuple[str, list[str]]]:
    """Settings that differ between arms: name, value in each arm."""
    shared = shared_settings(results.folders)
    first = {results.arm_of(f): flatten(f.config.to_dict()) for f in reversed(results.folders)}
    names = dict.fromkeys(k for arm in results.arms for k in first[arm])
    varied = [k for k in names if k not in shared and k not in ("seed", "arm")]
    return [(k, [_shown(first[arm].get(k)) for arm in results.arms]) for k in varied]


def _shown(value: object) -> str:
    """A setting's value as a reader wants it: nothing is a dash, numbers are short."""
    if value is None or value == []:
        return "–"
    if isinstance(value, list):
        return ", ".join(_shown(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _yaml(values: dict[str, object]) -> str:
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, default_flow_style=None)
