"""Figures of learning rates along a setting: scores at each value, and the optima over it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from learnorder.advise.along.result import AlongResult, rate_interval
from learnorder.advise.along.words import extrapolates, number_words, value_words
from learnorder.advise.figures import span_of
from learnorder.advise.plans import half
from learnorder.report.parts import Point, add_points, make_room
from learnorder.report.score_words import ScoreWords
from learnorder.report.setting_titles import setting_title
from learnorder.report.style import LineStyle, figure_text, layout, line_styles, log_axis
from learnorder.statistics import SHARE, Estimate, range_of

_OPTIMA, _LINE = "#0072B2", "#D55E00"
_SHOWN = 3
"""The axis shows this many times the fall from the best mean to the last of the better half."""


def score_figure(result: AlongResult) -> go.Figure:
    """Return final scores over the learning rate, a line for each value, with the optima."""
    figure, words = go.Figure(), ScoreWords(result.score)
    names = [value_words(result, value) for value in result.values]
    styles = line_styles(names)
    layout(figure, "", "learning rate", f"final {words.heading}", 420)
    span = span_of(result.learning_rates())
    figure.update_xaxes(log_axis(10**end for end in span), range=span)
    for value, name in zip(result.values, names, strict=True):
        points = {
            rate: Point(scores, range_of(result.score), result.diverged_words(value, rate))
            for rate, scores in result.scored[value].items()
        }
        add_points(figure, points, name, styles[name], words.scale, log_x=True)
    ends = [10**end for end in span]
    for value, name in zip(result.values, names, strict=True):
        _mark(figure, result, value, name, styles[name], ends)
    figure.update_yaxes(range=score_limits(result, words.scale))
    return make_room(figure.update_layout(hovermode="closest", margin={"t": 20, "b": 110}))


def _mark(
    figure: go.Figure,
    result: AlongResult,
    value: float,
    name: str,
    style: LineStyle,
    ends: Sequence[float],
) -> None:
    """Draw the optimum at a value, at the top of its parabola, with its interval."""
    optimum, words = result.optima[value], ScoreWords(result.score)
    if optimum.standing != "inside" or optimum.lopsided:
        return
    e = optimum.at
    low, high = max(e.low, ends[0]), min(e.high, ends[1])
    figure.add_scatter(
        x=[e.mean], y=[words.scale * optimum.top], mode="markers", legendgroup=figure_text(name),
        showlegend=False,
        marker={"symbol": "diamond", "size": 12, "color": style.color,
                "line": {"width": 1.5, "color": "white"}},
        error_x={"type": "data", "symmetric": False, "array": [high - e.mean],
                 "arrayminus": [e.mean - low], "color": style.color, "thickness": 2.5, "width": 5},
        customdata=[f"{figure_text(name)}: optimum {rate_interval(e)}"],
        hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip


def score_limits(result: AlongResult, scale: float) -> list[float]:
    """Return the limits of the score axis: the better half at each value, and scores near them.

    Near is three times as far from the best mean as the last of the better half.
    """
    tops, lowest = list[float](), list[float]()
    sign = 1.0 if result.higher_is_better else -1.0
    for value in result.values:
        scores = result.scores(value)
        ranking = scores.ranking()
        better = ranking[: half(len(ranking))]
        top, last = (sign * scores.mean(rate).mean for rate in (better[0], better[-1]))
        seeds = [sign * v for rate in better for v in scores.of(rate).values()]
        tops.append(max([top, *seeds]))
        lowest.append(min([top - _SHOWN * (top - last), *seeds]))
    everything = [
        sign * v for by_rate in result.scored.values() for s in by_rate.values() for v in s.values()
    ]
    low, high = max(min(lowest), min(everything)), max(tops)
    room = 0.06 * (high - low) or 0.01 * abs(high) or 1.0
    ends = sorted([scale * sign * (low - room), scale * sign * (high + room)])
    if range_of(result.score) == SHARE:
        ends = [max(ends[0], -2.0), min(ends[1], 102.0)]
    return ends


def drift_figure(result: AlongResult) -> go.Figure:
    """Return the optima over the setting on logarithmic axes, with the power law."""
    figure, title = go.Figure(), setting_title(result.setting)
    layout(figure, "", title, "best learning rate", 400)
    draw_law(figure, result)
    optima = {v: o for v, o in result.optima.items() if v > 0 and o.standing == "inside"}
    inside = {v: o.at for v, o in optima.items()}
    bars = [
        Estimate(o.at.mean, *o.neighbours, o.at.n) if o.lopsided else o.at for o in optima.values()
    ]
    symbols = ["diamond-open" if o.lopsided else "diamond" for o in optima.values()]
    rates, positive = result.learning_rates(), _positive(result)
    bottom, top = rates[0] / 1.5, rates[-1] * 1.5
    figure.add_scatter(
        x=list(inside), y=[e.mean for e in inside.values()], mode="markers",
        name="optimum, 95 % interval",
        marker={"symbol": symbols, "size": 10, "color": _OPTIMA},
        error_y={
            "type": "data", "symmetric": False, "color": _OPTIMA, "thickness": 1.5, "width": 5,
            "array": [min(e.high, top) - e.mean for e in bars],
            "arrayminus": [e.mean - max(e.low, bottom) for e in bars],
        },
        customdata=[f"{value_words(result, v)}: {rate_interval(e)}" for v, e in inside.items()],
        hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip
    figure.add_scatter(
        x=positive, y=[result.best(value) for value in positive], mode="markers",
        name="best of the grid", marker={"symbol": "circle-open", "size": 8, "color": "#777777"},
        hovertemplate="%{y:g}<extra></extra>",
    )  # fmt: skip
    _draw_open(figure, result)
    _set_axes(figure, result)
    return figure.update_layout(hovermode="closest", margin={"t": 20, "b": 110})


def _draw_open(figure: go.Figure, result: AlongResult) -> None:
    """Draw where the optimum lies at the values that have none, as an arrow or a line."""
    rates, shown = result.learning_rates(), True
    for value, optimum in result.optima.items():
        if value == 0 or optimum.standing == "inside":
            continue
        low = max(optimum.above, rates[0] / 1.4)
        high = min(optimum.below, rates[-1] * 1.4)
        symbols = [
            "triangle-down" if optimum.above == 0 else "line-ew-open",
            "triangle-up" if optimum.below == math.inf else "line-ew-open",
        ]
        figure.add_scatter(
            x=[value, value], y=[low, high], mode="lines+markers", showlegend=shown,
            name="no optimum inside: where it lies", legendgroup="open",
            line={"color": _OPTIMA, "width": 1.5, "dash": "dot"},
            marker={"symbol": symbols, "size": 10, "color": _OPTIMA},
            hovertemplate="%{y:.2g}<extra></extra>",
        )  # fmt: skip
        shown = False


def draw_law(figure: go.Figure, result: AlongResult, name: str = "power law") -> None:
    """Draw the power law to the value that is predicted, with a 95 % band if it is bounded."""
    drift = result.drift
    if drift is None:
        return
    extrapolated = result.settings.predict if extrapolates(result) else None
    last = drift.values[-1]
    for start, end, dash in ((drift.values[0], last, "solid"), (last, extrapolated, "dash")):
        if end is None:
            continue
        values = list(np.geomspace(start, end, 25))
        law = [result.predict(float(value)) for value in values]
        points = [e for e in law if e is not None]
        first = dash == "solid"
        bounded = all(e.low > 0 and e.high < math.inf for e in points)
        if bounded:
            figure.add_scatter(
                x=[*values, *reversed(values)],
                y=[*(e.high for e in points), *(e.low for e in reversed(points))],
                fill="toself", fillcolor=LineStyle(_LINE, dash).band(), line={"width": 0},
                mode="lines", hoverinfo="skip", showlegend=False,
            )  # fmt: skip
        figure.add_scatter(
            x=values, y=[e.mean for e in points], mode="lines",
            name=name + ", 95 % band" * bounded if first else "extrapolated",
            line={"color": _LINE, "width": 2, "dash": dash},
            customdata=[rate_interval(e) for e in points],
            hovertemplate="%{x:.3g}: %{customdata}<extra></extra>",
        )  # fmt: skip


def _set_axes(figure: go.Figure, result: AlongResult) -> None:
    """Set logarithmic axes: the values, and learning rates around what is drawn."""
    xs = _positive(result)
    ys = [result.best(value) for value in xs]
    if result.settings.predict is not None and extrapolates(result):
        xs.append(result.settings.predict)
    left, right = math.log10(min(xs)), math.log10(max(xs))
    room = 0.06 * (right - left)
    ticks = [number_words(x) for x in xs]
    figure.update_xaxes(type="log", tickvals=xs, ticktext=ticks, range=[left - room, right + room])
    rates = result.learning_rates()
    for optimum in result.optima.values():
        if optimum.standing == "inside":
            ys += [*_within(optimum.at, rates), *(optimum.neighbours if optimum.lopsided else ())]
        else:
            ys += [max(optimum.above, rates[0] / 1.4), min(optimum.below, rates[-1] * 1.4)]
    if len(xs) > len(_positive(result)) and (e := result.predict(xs[-1])) is not None:
        ys += [y for y in (e.mean, e.low, e.high) if rates[0] / 30 < y < rates[-1] * 30]
    low, high = math.log10(min(ys)) - 0.15, math.log10(max(ys)) + 0.15
    figure.update_yaxes(log_axis((10**low, 10**high)), range=[low, high])


def _positive(result: AlongResult) -> list[float]:
    """Return the values that have a place on a logarithmic axis."""
    return [value for value in result.values if value > 0]


def _within(e: Estimate, rates: Sequence[float]) -> list[float]:
    return [e.mean, max(e.low, rates[0] / 1.5), min(e.high, rates[-1] * 1.5)]
