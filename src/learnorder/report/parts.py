"""Pieces that figures of every kind of run share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from learnorder.report.style import LineStyle, figure_text, layout
from learnorder.statistics import SHARE, Estimate, Range, Span, estimate, median_span

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


def add_estimates(
    figure: go.Figure,
    points: Mapping[float, Estimate],
    name: str,
    style: LineStyle,
    scale: float,
) -> None:
    """Draw means over a setting as marks on a line, with bars for their intervals."""
    kept = {x: e for x, e in points.items() if e.n}
    figure.add_scatter(
        x=list(kept), y=[scale * e.mean for e in kept.values()],
        name=figure_text(name), mode="lines+markers",
        customdata=[e.format(scale, 3) for e in kept.values()], hovertemplate="%{customdata}",
        line={"color": style.color, "dash": style.dash, "width": 2},
        marker={"color": style.color, "size": 8},
        error_y=error_bars(list(kept.values()), style.color, scale),
    )  # fmt: skip


def add_orders(
    figure: go.Figure,
    points: Mapping[float, Mapping[int, Span]],
    name: str,
    style: LineStyle,
    spread: float = 0.03,
) -> None:
    """Draw who is learned first: a mark for each seed, a line through the medians that are known.

    A triangle stands at the bound of a seed of which only that is known, and points to where the
    true value is. Seeds that learn neither are left out.

    Args:
        figure: Gets the marks.
        points: By place along the axis and seed.
        name: Of the arm.
        style: Of the arm.
        spread: Distance between two seeds along the axis.
    """
    medians = {x: median_span(by_seed.values()) for x, by_seed in points.items()}
    known = {x: span.low for x, span in medians.items() if span.known}
    figure.add_scatter(
        x=list(known), y=list(known.values()), name=name, mode="lines",
        line={"color": style.color, "dash": style.dash, "width": 2}, hoverinfo="skip",
        legendgroup=name,
    )  # fmt: skip
    marks = [
        (x + spread * (place - (len(by_seed) - 1) / 2), seed, span)
        for x, by_seed in points.items()
        for place, (seed, span) in enumerate(by_seed.items())
        if math.isfinite(span.low) or math.isfinite(span.high)
    ]
    figure.add_scatter(
        x=[x for x, _, _ in marks],
        y=[span.low if math.isfinite(span.low) else span.high for _, _, span in marks],
        mode="markers", name=name, legendgroup=name, showlegend=False,
        customdata=[
            f"seed {seed}: {span_words(span, 'pattern', 'content')}" for _, seed, span in marks
        ],
        hovertemplate="%{customdata}",
        marker={
            "color": style.color, "size": 9,
            "symbol": [_order_symbol(span) for _, _, span in marks],
        },
    )  # fmt: skip


def _order_symbol(span: Span) -> str:
    if span.known:
        return "circle"
    return "triangle-up-open" if math.isfinite(span.low) else "triangle-down-open"


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
    values: Sequence[Mapping[int, float]],
    row_height: int,
    within: Range = SHARE,
) -> go.Figure:
    """Return final values in per cent, a row for each arm: dots = seeds, bar = 95 % interval.

    Args:
        title: What is shown.
        titles: Of the arms.
        values: Of each arm, by seed, as shares.
        row_height: Of an arm, in pixels.
        within: What the values can be.
    """
    figure = go.Figure()
    for row, found in enumerate(values):
        e = estimate(list(found.values()), within=within)
        figure.add_scatter(
            x=[100 * value for value in found.values()], y=[row] * len(found), mode="markers",
            marker={"size": 6, "color": "#56B4E9"}, hoverinfo="skip", showlegend=False,
        )  # fmt: skip
        figure.add_scatter(
            x=[100 * e.mean], y=[row], mode="markers", showlegend=False,
            marker={"symbol": "line-ns-open", "size": 14, "color": "#D55E00"},
            error_x=error_bars([e], "#D55E00", 100),
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
"""From one side of 0 to the other; told apart by colour-blind readers, and in grey."""
ONE_SIDED = ((0.0, "#FFFFFF"), (1.0, "#56B4E9"))
"""From little to much, light enough for black text."""


def times_scale(values: Iterable[float | None], low: str, high: str, unit: str) -> ColorScale:
    """Return a two-sided scale for base-10 logarithms, the same reach on both sides of 0.

    Args:
        values: The logarithms.
        low: Words for the far end below.
        high: Words for the far end above.
        unit: What a factor is of.
    """
    reach = max((abs(value) for value in values if value is not None), default=1.0)
    reach = max(1, math.ceil(reach))
    ticks = tuple(float(k) for k in range(-reach, reach + 1))
    words = [f"{10 ** abs(k):g}×" for k in ticks]
    words[0], words[-1] = f"{words[0]} {low}", f"{words[-1]} {high}"
    return ColorScale(-reach, reach, unit, ticks, tuple(words), TWO_SIDED)


def times_words(value: float | None, below: str, above: str) -> str:
    """Return which of two comes first, and how many times earlier.

    Args:
        value: Base-10 logarithm of the time of ``below`` over that of ``above``; None is unknown.
        below: What comes first where it is negative.
        above: What comes first where it is positive.

    >>> times_words(0.5, "P", "Q"), times_words(-2.0, "P", "Q"), times_words(None, "P", "Q")
    ('Q 3.2×', 'P 100×', '–')
    >>> times_words(0.01, "P", "Q")
    'together'
    """
    if value is None:
        return "–"
    if abs(value) < math.log10(1.05):
        return "together"
    return f"{above if value > 0 else below} {_factor(value)}"


def _factor(value: float) -> str:
    """Return how many times, of a base-10 logarithm."""
    factor = 10 ** abs(value)
    return f"{factor:.{0 if factor >= 9.95 else 1}f}×"


def span_words(span: Span | None, below: str, above: str) -> str:
    """Return which of two comes first, and how many times earlier at least where that is censored.

    Args:
        span: Base-10 logarithm of the time of ``below`` over that of ``above``; None is unknown.
        below: What comes first where it is negative.
        above: What comes first where it is positive.

    >>> span_words(Span(1.0, math.inf), "P", "Q"), span_words(Span(-math.inf, -0.3), "P", "Q")
    ('Q > 10×', 'P > 2.0×')
    >>> span_words(Span(-math.inf, math.inf), "P", "Q"), span_words(Span(-1.0, 1.0), "P", "Q")
    ('neither', 'open')
    """
    if span is None or span.known:
        return times_words(None if span is None else span.low, below, above)
    if span.low == -math.inf and span.high == math.inf:
        return "neither"
    if span.low >= 0:
        return f"{above} > {_factor(span.low)}" if span.low else f"{above} first"
    if span.high <= 0:
        return f"{below} > {_factor(span.high)}" if span.high else f"{below} first"
    return "open"


def span_color(span: Span | None) -> float | None:
    """Return a number for the colour of an order: what is known of it, None where it is open."""
    if span is None or (span.low < 0 < span.high):
        return None
    return span.low if span.low >= 0 else span.high
