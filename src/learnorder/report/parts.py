"""Pieces that figures of every kind of run share."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import plotly.graph_objects as go

from learnorder.report.style import LineStyle, figure_text, layout
from learnorder.statistics import REAL, Estimate, Measured, Range, estimate

_MOST_BANDS = 4
"""More arms than this are drawn without their intervals over time."""


def add_band(
    figure: go.Figure,
    points: Mapping[int, Estimate] | Mapping[float, Estimate],
    color: str,
    scale: float,
    arms: int,
) -> None:
    """Draw the intervals of means over x as a band.

    There is none where an interval needs more seeds, or where the bands of so many arms would cover
    each other.
    """
    if arms > _MOST_BANDS or any(e.low != e.low for e in points.values()):
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


@dataclass(frozen=True)
class Point:
    """An arm at one setting, or in one row.

    Attributes:
        values: Final values of the runs that have one, by seed.
        within: What they can be.
        lost: How many runs diverged, as "1 of 5 diverged"; empty where none did.
        label: What else is said of it.
    """

    values: Mapping[int, float]
    within: Range = REAL
    lost: str = ""
    label: str = ""

    @property
    def estimate(self) -> Estimate:
        """The mean with its interval."""
        return estimate(list(self.values.values()), within=self.within)


def add_points(
    figure: go.Figure,
    points: Mapping[float, Point],
    name: str,
    style: LineStyle,
    scale: float,
    *,
    log_x: bool = False,
    log_y: bool = False,
    span: float | None = None,
    **where: int,
) -> None:
    """Draw means over a setting on a line, with bars for their intervals and a dot for each seed.

    A mean of which runs diverged is hollow, and how many did stands above its setting, where all
    did, that alone; see :func:`make_room`.

    Args:
        figure: Gets the marks.
        points: By the setting.
        name: Of the line.
        style: Of the line.
        scale: What values are multiplied by.
        log_x: Whether the setting's axis is logarithmic.
        log_y: Whether that of the values is: a bar that would reach 0 then ends at a fifth of the
            mean.
        span: Length of the setting's axis, in decades where it is logarithmic; None is that of the
            points.
        where: Row and column of a figure of several.
    """
    name = figure_text(name)
    kept = {x: point for x, point in points.items() if point.values}
    found = {x: point.estimate for x, point in kept.items()}
    if log_y:
        found = {x: replace(e, low=max(e.low, e.mean / 5)) for x, e in found.items()}
    said = ["; ".join(filter(None, [e.format(scale, 3), kept[x].lost])) for x, e in found.items()]
    figure.add_scatter(
        x=list(kept), y=[scale * e.mean for e in found.values()], name=name,
        mode="lines+markers",
        customdata=said, hovertemplate="%{customdata}", legendgroup=name,
        line={"color": style.color, "dash": style.dash, "width": 2},
        marker={
            "color": style.color, "size": 7, "line": {"width": 1.5, "color": style.color},
            "symbol": ["circle-open" if point.lost else "circle" for point in kept.values()],
        },
        error_y=error_bars(list(found.values()), style.color, scale), **where,
    )  # fmt: skip
    places = [math.log10(x) if log_x else x for x in points] or [0.0]
    beside = _BESIDE * (span or max(places) - min(places) or 1.0)
    dots = [(x, seed, v) for x, point in kept.items() for seed, v in point.values.items()]
    figure.add_scatter(
        x=[x * 10**beside if log_x else x + beside for x, _, _ in dots],
        y=[scale * value for _, _, value in dots], mode="markers", name=name, legendgroup=name,
        showlegend=False, customdata=[f"seed {seed}: {scale * v:.3g}" for _, seed, v in dots],
        hovertemplate="%{customdata}",
        marker={"color": style.color, "size": 5, "opacity": 0.55}, **where,
    )  # fmt: skip
    axis = f"y{where['row']}" if where.get("row", 1) > 1 else "y"
    said_above = {
        math.log10(x) if log_x else x: point.lost or point.label for x, point in points.items()
    }
    say_above(figure, said_above, style.color, f"{axis} domain")


def say_above(
    figure: go.Figure, texts: Mapping[float, str], color: str, axis: str = "y domain"
) -> None:
    """Write above a figure what is said of a setting; see :func:`make_room`."""
    for x, text in texts.items():
        if text:
            figure.add_annotation(
                text=f"✕ {text}" if "diverged" in text else text, name=_ABOVE, x=x, y=1,
                yref=axis, yanchor="bottom", textangle=-90,
                showarrow=False, font={"size": 11, "color": color},
            )  # fmt: skip


def make_room(figure: go.Figure) -> go.Figure:
    """Make room above a figure for what :func:`say_above` says there."""
    if any(note.name == _ABOVE for note in figure.layout.annotations):  # pyright: ignore
        figure.update_layout(height=figure.layout.height + 74, margin={"t": 130})  # pyright: ignore
    return figure


_ABOVE = "above"
_BESIDE = 0.013
"""How far the dots of seeds stand from their mean, as a share of the axis."""


def error_bars(estimates: Sequence[Estimate], color: str, scale: float) -> dict[str, object]:
    """Return bars for the intervals of estimates; one seed has none."""
    return {
        "type": "data", "symmetric": False, "color": color, "thickness": 1.2, "width": 3,
        "array": [scale * (e.high - e.mean) if e.n > 1 else 0 for e in estimates],
        "arrayminus": [scale * (e.mean - e.low) if e.n > 1 else 0 for e in estimates],
    }  # fmt: skip


def final_figure(
    title: str,
    titles: Sequence[str],
    points: Sequence[Point],
    row_height: int,
    *,
    scale: float = 100.0,
    unit: str = "%",
) -> go.Figure:
    """Return final values, a row for each arm: dots = seeds, bar = 95 % interval of their mean.

    The mean of an arm of which runs diverged is hollow.

    Args:
        title: What is shown.
        titles: Of the arms.
        points: Of each arm.
        row_height: Of an arm, in pixels.
        scale: What values are multiplied by.
        unit: Of the result.
    """
    figure = go.Figure()
    for row, point in enumerate(points):
        e = point.estimate
        figure.add_scatter(
            x=[scale * value for value in point.values.values()],
            y=[row + _BELOW] * len(point.values), mode="markers",
            customdata=[f"seed {seed}" for seed in point.values],
            hovertemplate="%{x:.3g}, %{customdata}<extra></extra>", showlegend=False,
            marker={"size": 6, "color": SEEDS, "opacity": 0.7},
        )  # fmt: skip
        figure.add_scatter(
            x=[scale * e.mean], y=[row - _BELOW / 2], mode="markers", showlegend=False,
            marker={
                "symbol": "diamond-open" if point.lost else "diamond", "size": 9, "color": MEANS,
            },
            error_x=error_bars([e], MEANS, scale),
            hovertemplate=f"{e.format(scale, 2)}, n = {e.n}<extra></extra>",
        )  # fmt: skip
    layout(figure, title, unit, "", height=110 + row_height * len(titles))
    figure.update_layout(hovermode="closest")
    arm_axis(figure, titles)
    mark_lost(figure, [bool(point.lost and not point.values) for point in points])
    return figure


def mark_lost(figure: go.Figure, rows: Sequence[bool]) -> None:
    """Mark at the edge the rows of which all runs diverged."""
    for row, lost in enumerate(rows):
        if lost:
            figure.add_annotation(
                text="✕ diverged", x=0, xref="paper", xanchor="left", y=row, showarrow=False
            )


def measured_figure(found: Measured) -> go.Figure | None:
    """Return what decides a claim: dots = seeds, bar = interval, dotted line = bound.

    None where there is no number for each seed, as with a sign test.
    """
    if not found.by_seed or math.isnan(found.bound):
        return None
    figure, scale, e = go.Figure(), found.unit.scale, found.estimate
    figure.add_scatter(
        x=[scale * value for value in found.by_seed.values()], y=[0.3] * len(found.by_seed),
        mode="markers", name="seeds", customdata=[f"seed {seed}" for seed in found.by_seed],
        hovertemplate="%{x:.3g}, %{customdata}<extra></extra>",
        marker={"size": 7, "color": SEEDS, "opacity": 0.7},
    )  # fmt: skip
    figure.add_scatter(
        x=[scale * e.mean], y=[-0.3], mode="markers", name="mean, 95 % interval",
        marker={"symbol": "diamond", "size": 9, "color": MEANS},
        error_x=error_bars([e], MEANS, scale), hovertemplate=f"{found.shown()}<extra></extra>",
    )  # fmt: skip
    figure.add_vline(x=scale * found.bound, line={"width": 1, "dash": "dot"}, opacity=0.7)
    layout(figure, "", found.unit.name, "", height=170)
    figure.update_yaxes(visible=False, range=[1, -1])
    return figure.update_layout(hovermode="closest", margin={"t": 12, "b": 84})


SEEDS, MEANS = "#0072B2", "#D55E00"
_BELOW = 0.22
"""How far seeds stand below the middle of their row."""


def arm_axis(figure: go.Figure, titles: Sequence[str]) -> None:
    """Let the vertical axis name the arms, the first at the top."""
    figure.update_yaxes(
        tickvals=list(range(len(titles))),
        ticktext=[figure_text(title) for title in titles],
        range=[len(titles) - 0.5, -0.5],
        showgrid=False,
        automargin=True,
    )


def heat_map(
    xs: Sequence[str],
    ys: Sequence[str],
    cells: Mapping[tuple[str, str], float | None],
    text: Mapping[tuple[str, str], str],
    scale: ColorScale,
) -> go.Figure:
    """Return a heat map with a text in every cell.

    Args:
        xs: Values along the horizontal axis, any texts.
        ys: Values along the vertical axis, any texts.
        cells: A number for each (x, y); None leaves the cell empty.
        text: What each cell says, with plotly's tags.
        scale: Its colours.
    """
    return go.Figure(
        go.Heatmap(
            x=[figure_text(x) for x in xs], y=[figure_text(y) for y in ys],
            z=[[cells.get((x, y)) for x in xs] for y in ys],
            text=[[text.get((x, y), "") for x in xs] for y in ys],
            texttemplate="%{text}",
            hovertemplate="%{x}, %{y}: %{text}<extra></extra>",
            zmin=scale.low, zmax=scale.high, colorscale=scale.colors,
            colorbar={
                "title": {"text": scale.unit}, "tickvals": list(scale.ticks),
                "ticktext": list(scale.words),
            },
            xgap=2, ygap=2,
        ),
        {"xaxis": {"type": "category"}, "yaxis": {"type": "category"}},
    )  # fmt: skip


@dataclass(frozen=True)
class ColorScale:
    """The colours of a heat map.

    Attributes:
        low: Value of the first colour.
        high: Value of the last.
        unit: Title of its key.
        ticks: Values marked there.
        words: What the marks say.
        colors: Colours from low to high.
    """

    low: float
    high: float
    unit: str
    ticks: tuple[float, ...]
    words: tuple[str, ...]
    colors: tuple[tuple[float, str], ...]


TWO_SIDED = ((0.0, "#D55E00"), (0.5, "#F7F7F7"), (1.0, "#0072B2"))
"""From one side of 0 to the other; distinguishable by colour-blind readers, and in grey."""
ONE_SIDED = ((0.0, "#FFFFFF"), (1.0, "#56B4E9"))
"""From little to much, light enough for black text."""
