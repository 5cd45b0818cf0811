"""Pieces that figures of every kind of run share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from learnorder.report.style import LineStyle, layout
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


def add_estimates(
    figure: go.Figure,
    points: Mapping[float, Estimate],
    name: str,
    style: LineStyle,
    scale: float,
) -> None:
    """Draw means over a setting as marks on a line, with bars for their intervals.

    On a logarithmic axis a bar that would reach 0 ends at a fifth of the mean.
    """
    kept = {x: e for x, e in points.items() if e.n and e.mean > 0}
    figure.add_scatter(
        x=list(kept), y=[scale * e.mean for e in kept.values()], name=name, mode="lines+markers",
        customdata=[e.format(scale, 3) for e in kept.values()], hovertemplate="%{customdata}",
        line={"color": style.color, "dash": style.dash, "width": 2},
        marker={"color": style.color, "size": 8},
        error_y={
            "type": "data", "symmetric": False, "color": style.color, "thickness": 1.2, "width": 3,
            "array": [scale * (e.high - e.mean) if e.n > 1 else 0 for e in kept.values()],
            "arrayminus": [
                scale * min(e.mean - e.low, 0.8 * e.mean) if e.n > 1 else 0 for e in kept.values()
            ],
        },
    )  # fmt: skip


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
