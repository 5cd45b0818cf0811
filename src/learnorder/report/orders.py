"""Who is learned first, and how many times earlier: in words, in colours, as marks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import plotly.graph_objects as go

from learnorder.report.parts import TWO_SIDED, ColorScale
from learnorder.report.style import LineStyle, figure_text
from learnorder.statistics import Span, median_span


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


def in_order(values: list[str]) -> list[str]:
    """Return distinct values, numbers by size, and otherwise as they were met.

    >>> in_order(["1e-3", "0.0001", "1e-3"]), in_order(["None", "0.1"])
    (['0.0001', '1e-3'], ['None', '0.1'])
    """
    distinct = list(dict.fromkeys(values))
    try:
        return sorted(distinct, key=float)
    except ValueError:
        return distinct
