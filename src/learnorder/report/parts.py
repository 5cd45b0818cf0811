"""Components shared by the figures of all kinds of runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

import plotly.graph_objects as go

from learnorder.report.style import LineStyle, figure_text, layout
from learnorder.statistics import REAL, Estimate, Measured, Range, estimate
from learnorder.statistics.intervals import share_of_examples

_MOST_BANDS = 4
"""The largest number of arms that are drawn with bands."""


def add_band(
    figure: go.Figure,
    points: Mapping[int, Estimate] | Mapping[float, Estimate],
    color: str,
    scale: float,
    arms: int,
    *,
    log: bool = False,
) -> None:
    """Draw the intervals of means over x as a band.

    It has gaps where there is no interval. Nothing is drawn if there are too many arms. On a
    logarithmic axis it is drawn down to a fifth of the mean at most.
    """
    if log:
        points = {x: _for_log(e) for x, e in points.items() if e.mean > 0}
    stretches = [
        list(stretch)
        for known, stretch in groupby(points.items(), key=lambda point: point[1].has_interval)
        if known
    ]
    if arms > _MOST_BANDS or not stretches:
        return
    x, y = list[float | None](), list[float | None]()
    for stretch in stretches:
        x += [at for at, _ in stretch] + [at for at, _ in reversed(stretch)] + [None]
        y += [scale * e.high for _, e in stretch] + [scale * e.low for _, e in reversed(stretch)]
        y.append(None)
    figure.add_scatter(
        x=x[:-1],
        y=y[:-1],
        fill="toself",
        fillcolor=color,
        line={"width": 0},
        mode="lines",
        hoverinfo="skip",
        showlegend=False,
    )


def _for_log(e: Estimate) -> Estimate:
    """Return an interval that can be drawn on a logarithmic axis, which has no 0."""
    return replace(e, low=max(e.low, e.mean / 5))


@dataclass(frozen=True)
class Point:
    """The final values of an arm at one setting, or in one row.

    Attributes:
        values: Final values by seed, of the runs that have one.
        within: Range of possible values.
        lost: Number of diverged runs, e.g. "1 of 5 diverged"; empty if there are none.
        label: Another note.
        examples: Number of examples of a small group, for shares: the interval then also covers
            their choice, see :func:`~learnorder.statistics.intervals.share_of_examples`.
        known: The estimate, if it is not the mean of the values, as for independent samples.
    """

    values: Mapping[int, float]
    within: Range = REAL
    lost: str = ""
    label: str = ""
    examples: int | None = None
    known: Estimate | None = None

    @property
    def estimate(self) -> Estimate:
        """The mean with its interval."""
        if self.known is not None:
            return self.known
        values = list(self.values.values())
        if self.examples is not None:
            return share_of_examples(values, self.examples)
        return estimate(values, within=self.within)


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
    notes: bool = True,
    **where: int,
) -> None:
    """Draw a line through means over a setting, with 95 % intervals and a dot for each seed.

    If runs of a point diverged, its mean is hollow and their number is written above the figure.
    If all diverged, only the number is shown. See :func:`make_room`.

    Args:
        figure: The figure to draw in.
        points: Points by setting.
        name: Name of the line.
        style: Style of the line.
        scale: Factor applied to the values.
        log_x: Whether the setting's axis is logarithmic.
        log_y: Whether the axis of the values is logarithmic. Intervals are then drawn down to a
            fifth of the mean at most; labels and data have their ends.
        span: Length of the setting's axis, in decades if logarithmic; None: that of the points.
        notes: Whether to write the number of diverged runs above the figure.
        where: ``row`` and ``col`` of a subplot.
    """
    name = figure_text(name)
    measured = {x: point for x, point in points.items() if point.values}
    estimates = {x: point.estimate for x, point in measured.items()}
    labels = [
        "; ".join(filter(None, [e.format(scale, 3), measured[x].lost]))
        for x, e in estimates.items()
    ]
    drawn = list(estimates.values())
    if log_y:
        drawn = list(map(_for_log, drawn))
    figure.add_scatter(
        x=list(measured), y=[scale * e.mean for e in estimates.values()], name=name,
        mode="lines+markers",
        customdata=labels, hovertemplate="%{customdata}", legendgroup=name,
        line={"color": style.color, "dash": style.dash, "width": 2},
        marker={
            "color": style.color, "size": 7, "line": {"width": 1.5, "color": style.color},
            "symbol": ["circle-open" if point.lost else "circle" for point in measured.values()],
        },
        error_y=error_bars(drawn, style.color, scale),
        meta={"low": [scale * e.low for e in estimates.values()],
              "high": [scale * e.high for e in estimates.values()]}, **where,
    )  # fmt: skip
    positions = [math.log10(x) if log_x else x for x in points] or [0.0]
    offset = _SEED_OFFSET * (span or max(positions) - min(positions) or 1.0)
    dots = [(x, seed, v) for x, point in measured.items() for seed, v in point.values.items()]
    figure.add_scatter(
        x=[x * 10**offset if log_x else x + offset for x, _, _ in dots],
        y=[scale * value for _, _, value in dots], mode="markers", name=name, legendgroup=name,
        showlegend=False, customdata=[f"seed {seed}: {scale * v:.3g}" for _, seed, v in dots],
        hovertemplate="%{customdata}",
        marker={"color": style.color, "size": 5, "opacity": 0.55}, **where,
    )  # fmt: skip
    axis = f"y{where['row']}" if where.get("row", 1) > 1 else "y"
    if notes:
        texts = (point.lost or point.label for point in points.values())
        above = dict(zip(positions, texts, strict=False))
        annotate_above(figure, above, style.color, f"{axis} domain")


def annotate_above(
    figure: go.Figure, texts: Mapping[float, str], color: str, axis: str = "y domain"
) -> None:
    """Write notes on settings above a figure, beside earlier ones; see :func:`make_room`."""
    for x, text in texts.items():
        if text:
            beside = sum(
                (note.name, note.x, note.yref) == (_ABOVE, x, axis)
                for note in figure.layout.annotations  # pyright: ignore
            )
            lost = any(words in text for words in _LOST)
            figure.add_annotation(
                text=f"✕ {text}" if lost else text, name=_ABOVE, x=x, y=1, xshift=13 * beside,
                yref=axis, yanchor="bottom", textangle=-90,
                showarrow=False, font={"size": 11, "color": color},
            )  # fmt: skip


def make_room(figure: go.Figure) -> go.Figure:
    """Make room above a figure for the notes of :func:`annotate_above`."""
    if any(note.name == _ABOVE for note in figure.layout.annotations):  # pyright: ignore
        figure.update_layout(height=figure.layout.height + 74, margin={"t": 130})  # pyright: ignore
    return figure


_ABOVE = "above"
_LOST = ("diverged", "no score")
"""Words in notes on settings whose runs have no result."""
_SEED_OFFSET = 0.013
"""Offset of the seeds' dots from their mean, as a share of the axis."""


def error_bars(estimates: Sequence[Estimate], color: str, scale: float) -> dict[str, object]:
    """Return error bars for the intervals of estimates; not of estimates without one."""
    return {
        "type": "data", "symmetric": False, "color": color, "thickness": 1.2, "width": 3,
        "array": [scale * (e.high - e.mean) if e.has_interval else 0 for e in estimates],
        "arrayminus": [scale * (e.mean - e.low) if e.has_interval else 0 for e in estimates],
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
    """Return final values, a row for each arm: a dot for each seed, the mean and 95 % interval.

    Means are hollow if runs of the arm diverged.

    Args:
        title: Title of the figure.
        titles: Titles of the arms.
        points: Final values of each arm.
        row_height: Height of a row, in pixels.
        scale: Factor applied to the values.
        unit: Title of the axis.
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
    """Mark the rows whose runs all diverged."""
    for row, lost in enumerate(rows):
        if lost:
            figure.add_annotation(
                text="✕ diverged", x=0, xref="paper", xanchor="left", y=row, showarrow=False
            )


def measured_figure(measured: Measured) -> go.Figure | None:
    """Return the test of a claim: values by seed, mean with interval, and the bound (dotted).

    None if there are no values by seed, as in a sign test.
    """
    if not (values := measured.by_seed) or math.isnan(measured.bound):
        return None
    figure, scale, e = go.Figure(), measured.unit.scale, measured.estimate
    figure.add_scatter(
        x=[scale * value for value in values.values()], y=[0.3] * len(values),
        mode="markers", name="seeds", customdata=[f"seed {seed}" for seed in values],
        hovertemplate="%{x:.3g}, %{customdata}<extra></extra>",
        marker={"size": 7, "color": SEEDS, "opacity": 0.7},
    )  # fmt: skip
    figure.add_scatter(
        x=[scale * e.mean], y=[-0.3], mode="markers", name="mean, 95 % interval",
        marker={"symbol": "diamond", "size": 9, "color": MEANS},
        error_x=error_bars([e], MEANS, scale), hovertemplate=f"{measured.shown()}<extra></extra>",
    )  # fmt: skip
    figure.add_vline(x=scale * measured.bound, line={"width": 1, "dash": "dot"}, opacity=0.7)
    layout(figure, "", measured.unit.name, "", height=170)
    figure.update_yaxes(visible=False, range=[1, -1])
    return figure.update_layout(hovermode="closest", margin={"t": 12, "b": 84})


SEEDS, MEANS = "#0072B2", "#D55E00"
_BELOW = 0.22
"""Offset of the seeds below the centre of their row."""


def arm_axis(figure: go.Figure, titles: Sequence[str]) -> None:
    """Label the vertical axis with the arms, the first at the top."""
    figure.update_yaxes(
        tickvals=list(range(len(titles))),
        ticktext=[figure_text(title) for title in titles],
        range=[len(titles) - 0.5, -0.5],
        showgrid=False,
        automargin=True,
    )


_MOST_COLUMNS = 24
"""The largest number of columns of a heat map whose cells have room for a text."""


def heat_map(
    xs: Sequence[str],
    ys: Sequence[str],
    cells: Mapping[tuple[str, str], float | None],
    text: Mapping[tuple[str, str], str],
    scale: ColorScale,
) -> go.Figure:
    """Return a heat map with a text in each cell; with many columns, on hovering over it.

    Args:
        xs: Labels of the horizontal axis.
        ys: Labels of the vertical axis.
        cells: A number for each (x, y); None leaves the cell empty.
        text: The text of each cell, with plotly's tags.
        scale: The colours.
    """
    return go.Figure(
        go.Heatmap(
            x=[figure_text(x) for x in xs], y=[figure_text(y) for y in ys],
            z=[[cells.get((x, y)) for x in xs] for y in ys],
            text=[[text.get((x, y), "") for x in xs] for y in ys],
            texttemplate="%{text}" if len(xs) <= _MOST_COLUMNS else None,
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
        high: Value of the last colour.
        unit: Title of the colour bar.
        ticks: Values of its ticks.
        words: Labels of its ticks.
        colors: Positions in [0, 1] with their colours.
    """

    low: float
    high: float
    unit: str
    ticks: tuple[float, ...]
    words: tuple[str, ...]
    colors: tuple[tuple[float, str], ...]


TWO_SIDED = ((0.0, "#D55E00"), (0.5, "#F7F7F7"), (1.0, "#0072B2"))
"""Diverging colours that are safe for colour-blind readers and in greyscale."""
ONE_SIDED = ((0.0, "#FFFFFF"), (1.0, "#56B4E9"))
"""Sequential colours, light enough for black text."""
