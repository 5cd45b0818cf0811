"""The tables and the picture of ``docs/explanation/growth.md``, from ``results/growth.json``.

``python -m studies.pages`` writes them; ``python benchmarks/growth.py`` makes the record.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from learnorder.report.style import layout, line_styles
from studies.common import RESULTS, Page, markdown

PATH = "docs/explanation/growth.md"


@dataclass(frozen=True)
class Part:
    """A kind of work.

    Attributes:
        title: Title of its panel.
        unit: What is counted, on the axis.
        rows: Title of what is measured, by name.
    """

    title: str
    unit: str
    rows: Mapping[str, str]


PARTS = {
    "images": Part(
        "Images",
        "images",
        {
            "prepare_s": "prepare a run: evaluation sets, split",
            "epoch_s": "assemble an epoch of batches",
            "evaluation_s": "evaluate a linear classifier on four sets",
            "order_s": "update a learning order",
            "memory_bytes": "memory",
        },
    ),
    "runs": Part(
        "Finished runs",
        "runs",
        {
            "list_s": "list",
            "query_s": "query of all records",
            "continue_s": "continue with nothing to do",
            "report_s": "report",
            "report_bytes": "size of the report",
            "memory_bytes": "memory of the report",
        },
    ),
    "theory": Part(
        "Two-layer theory",
        "N",
        {
            "recursion_step_s": "a step of the recursion, N = 4d",
            "flow_step_s": "a step of the flow, N = 4d",
            "flow_run_s": "a run of the flow, N = d",
            "memory_bytes": "memory of the steps",
        },
    ),
}
Sizes = dict[int, dict[str, float]]


def read() -> dict[str, tuple[Sizes, dict[str, float]]]:
    """Return measurements by size, and exponents, of each part."""
    record: dict[str, Any] = json.loads((RESULTS / "growth.json").read_text())
    return {
        name: ({int(n): values for n, values in part["sizes"].items()}, part["exponents"])
        for name, part in record.items()
    }


def growth_table(part: Part, sizes: Sizes, exponents: Mapping[str, float]) -> str:
    """Return what is measured at each size, with its exponent, in Markdown."""
    rows = [
        [title, *(shown(name, values.get(name)) for values in sizes.values()),
         f"{exponents[name]:.2f}"]
        for name, title in part.rows.items()
    ]  # fmt: skip
    return markdown([part.unit, *(f"{size:,}" for size in sizes), "exponent"], rows)


def shown(name: str, value: float | None) -> str:
    """Return a measurement with its unit; a dash for none.

    >>> shown("list_s", 0.00274), shown("list_s", 200.0), shown("memory_bytes", 4.2e8)
    ('2.7 ms', '200 s', '420 MB')
    """
    if value is None:
        return "–"
    if not name.endswith("_s"):
        return f"{value / 1e6:,.0f} MB"
    if value < 1:
        return f"{1e3 * value:.2g} ms" if value < 0.1 else f"{1e3 * value:.0f} ms"
    return f"{value:.2g} s" if value < 10 else f"{value:.0f} s"


def growth_figure(found: Mapping[str, tuple[Sizes, Mapping[str, float]]]) -> go.Figure:
    """Return all times over size, a panel for each part."""
    titles = [part.title for part in PARTS.values()]
    figure = make_subplots(1, len(PARTS), subplot_titles=titles, horizontal_spacing=0.08)
    for column, (name, part) in enumerate(PARTS.items(), start=1):
        sizes, _ = found[name]
        timed = {key: title for key, title in part.rows.items() if key.endswith("_s")}
        styles = line_styles(list(timed))
        for key, title in timed.items():
            style = styles[key]
            points = {n: values[key] for n, values in sizes.items() if key in values}
            figure.add_scatter(
                x=list(points), y=list(points.values()), name=title, mode="lines+markers",
                line={"color": style.color, "dash": style.dash, "width": 2},
                marker={"color": style.color, "size": 7}, legend=f"legend{column}",
                row=1, col=column,
            )  # fmt: skip
    layout(figure, "Processor time as work grows, seconds", "", "", height=470)
    figure.update_xaxes(type="log", dtick=1, exponentformat="power", showgrid=True)
    figure.update_yaxes(type="log", dtick=1, exponentformat="power")
    for column, part in enumerate(PARTS.values(), start=1):
        figure.update_xaxes(title={"text": part.unit}, row=1, col=column)
        left = (column - 1) * (1 + 0.08) / len(PARTS)
        place = {"orientation": "v", "x": left, "y": -0.24, "yanchor": "top", "yref": "paper"}
        figure.update_layout({f"legend{column}": place})
    return figure.update_layout(width=1000, margin={"t": 76, "b": 156})


def page() -> Page:
    """Return the marked parts of the page, and its picture."""
    found = read()
    runs, _ = found["runs"]
    most = max(runs)
    values = {f"{name}_growth": growth_table(part, *found[name]) for name, part in PARTS.items()}
    seconds, memory, size = (
        shown(name, runs[most][name]) for name in ("report_s", "memory_bytes", "report_bytes")
    )
    values["many_runs"] = (
        f"The report of {most:,} runs takes {seconds} of processor time and {memory} of memory, "
        f"and has {size}"
    )
    return Page(marks={PATH: values}, pictures={"growth": growth_figure(found)})
