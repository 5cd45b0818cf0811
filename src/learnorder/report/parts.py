"""Pieces that figures of every kind of run share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from learnorder.report.style import layout
from learnorder.statistics import Estimate, estimate


def add_band(
    figure: go.Figure,
    points: Mapping[int, Estimate] | Mapping[float, Estimate],
    color: str,
    scale: float,
) -> None:
    """Draw the intervals of means over x as a band; nothing where one seed has none."""
    if any(e.low != e.low for e in points.values()):
        return
    x = list(points)
    high = [scale * e.high for e in points.values()]
    low = [scale * e.low for e in points.values()]
    figure.add_scatter(
        x=[*x, *reversed(x)],
        y=[*high, *reversed(low)],
        fill="toself",
        fillcolor=color,
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
    )


def final_figure(
    title: str, titles: Sequence[str], values: Sequence[Mapping[int, float]], row_height: int
) -> go.Figure:
    """Return final values in per cent, a row for each arm: dots = seeds, bar = 95 % interval.

    Args:
        title: What is shown.
        titles: Of the arms.
        values: Of each arm, by seed, as shares.
        row_height: Of an arm, in pixels.
    """
    figure = go.Figure()
    for row, found in enumerate(values):
        e = estimate(list(found.values()))
        figure.add_scatter(
            x=[100 * value for value in found.values()], y=[row] * len(found), mode="markers",
            marker={"size": 6, "color": "#56B4E9"}, hoverinfo="skip", showlegend=False,
        )  # fmt: skip
        width = 0.0 if e.n < 2 else 100 * (e.high - e.mean)
        figure.add_scatter(
            x=[100 * e.mean], y=[row], mode="markers", showlegend=False,
            marker={"symbol": "line-ns-open", "size": 14, "color": "#D55E00"},
            error_x={"type": "data", "array": [width], "color": "#D55E00", "thickness": 2},
            hovertemplate=f"{e.format(100, 2)}, n = {e.n}<extra></extra>",
        )  # fmt: skip
    layout(figure, title, "%", "", height=110 + row_height * len(titles))
    figure.update_layout(hovermode="closest")
    arm_axis(figure, titles)
    return figure


def arm_axis(figure: go.Figure, titles: Sequence[str]) -> None:
    """Let the vertical axis name the arms, the first at the top."""
    figure.update_yaxes(
        tickvals=list(range(len(titles))),
        ticktext=list(titles),
        range=[len(titles) - 0.5, -0.5],
        showgrid=False,
        automargin=True,
    )
