"""The order of learning, i.e. what is learned first and by what factor: words, colours, marks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import plotly.graph_objects as go

from learnorder.report.parts import TWO_SIDED, ColorScale
from learnorder.report.style import LineStyle, figure_text
from learnorder.statistics import Span, median_span

_NEITHER = Span(-math.inf, math.inf)
"""The order of a seed that learns neither."""


def add_orders(
    figure: go.Figure,
    points: Mapping[float, Mapping[int, Span]],
    name: str,
    style: LineStyle,
    spread: float = 0.03,
) -> None:
    """Draw the order of learning: a mark for each seed, and a line through the known medians.

    Censored values are triangles at the bound that point towards the true value. Seeds that learn
    neither are left out.

    Args:
        figure: The figure to draw in.
        points: Orders by position along the axis and seed.
        name: Title of the arm.
        style: Style of the arm.
        spread: Offset between seeds along the axis.
    """
    name = figure_text(name)
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


def times_scale(values: Iterable[float | None], low: str, high: str, unit: str) -> ColorScale:
    """Return a colour scale for base-10 logarithms that is symmetric about 0.

    Args:
        values: The logarithms.
        low: Label of the lower end.
        high: Label of the upper end.
        unit: Title of the scale.
    """
    reach = max((abs(value) for value in values if value is not None), default=1.0)
    reach = max(1, math.ceil(reach))
    ticks = tuple(float(k) for k in range(-reach, reach + 1))
    words = [f"{10 ** abs(k):g}×" for k in ticks]
    words[0], words[-1] = f"{words[0]} {low}", f"{words[-1]} {high}"
    return ColorScale(-reach, reach, unit, ticks, tuple(words), TWO_SIDED)


def times_words(value: float | None, below: str, above: str) -> str:
    """Return the name of the earlier of two events and the ratio of their times, in words.

    Args:
        value: log10(time of ``below`` / time of ``above``); None if unknown.
        below: Name of the event that is earlier if ``value`` is negative.
        above: Name of the event that is earlier if ``value`` is positive.

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
    """Return the factor of a base-10 logarithm, whatever its sign."""
    factor = 10 ** abs(value)
    return f"{factor:.{0 if factor >= 9.95 else 1}f}×"


def span_words(span: Span | None, below: str, above: str) -> str:
    """Return the earlier of two events and the ratio of their times, or a bound if censored.

    Args:
        span: log10(time of ``below`` / time of ``above``); None if unknown.
        below: Name of the event that is earlier if the value is negative.
        above: Name of the event that is earlier if the value is positive.

    >>> span_words(Span(1.0, math.inf), "P", "Q"), span_words(Span(-math.inf, -0.3), "P", "Q")
    ('Q > 10×', 'P > 2.0×')
    >>> span_words(Span(-math.inf, math.inf), "P", "Q"), span_words(Span(-1.0, 1.0), "P", "Q")
    ('neither', 'open')
    """
    if span is None or span.known:
        return times_words(None if span is None else span.low, below, above)
    if span == _NEITHER:
        return "neither"
    if span.low >= 0:
        return f"{above} > {_factor(span.low)}" if span.low else f"{above} first"
    if span.high <= 0:
        return f"{below} > {_factor(span.high)}" if span.high else f"{below} first"
    return "open"


def median_words(spans: Iterable[Span], below: str, above: str) -> str:
    """Return the median of orders, as :func:`span_words`; neither only if most seeds learn neither.

    Args:
        spans: The order of each seed.
        below: As for :func:`span_words`.
        above: As for :func:`span_words`.

    >>> q, p = Span(1.0, math.inf), Span(-math.inf, -1.0)
    >>> median_words([q, p], "P", "Q"), median_words([q, _NEITHER, _NEITHER], "P", "Q")
    ('open', 'neither')
    """
    spans = list(spans)
    if not spans:
        return "–"
    middle = median_span(spans)
    if middle == _NEITHER and 2 * spans.count(_NEITHER) <= len(spans):
        return "open"
    return span_words(middle, below, above)


def span_color(span: Span | None) -> float | None:
    """Return the value of an order, or its bound nearer to 0, for its colour; None if open."""
    if span is None or (span.low < 0 < span.high):
        return None
    return span.low if span.low >= 0 else span.high


def in_order(values: list[str]) -> list[str]:
    """Return distinct values: sorted if all are numbers, otherwise in order of appearance.

    >>> in_order(["1e-3", "0.0001", "1e-3"]), in_order(["None", "0.1"])
    (['0.0001', '1e-3'], ['None', '0.1'])
    """
    distinct = list(dict.fromkeys(values))
    try:
        return sorted(distinct, key=float)
    except ValueError:
        return distinct
