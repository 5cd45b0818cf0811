"""The map of the pairs: the mean score of each, and the ridge."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from learnorder.advise.along.figures import draw_law, score_limits
from learnorder.advise.along.result import Pair, rate_interval
from learnorder.advise.along.words import number_words, value_words
from learnorder.advise.figures import draw_gains, span_of
from learnorder.advise.jointly.result import JointResult
from learnorder.advise.jointly.words import pair_words
from learnorder.report.parts import Point
from learnorder.report.score_words import ScoreWords
from learnorder.report.setting_titles import setting_title
from learnorder.report.style import figure_text, layout, log_axis
from learnorder.statistics import range_of

_RIDGE, _BEST, _BASELINE, _EMPTY = "#D55E00", "#009E73", "#CC79A7", "#999999"
_SIZE = 24


def ridge_figure(result: JointResult) -> go.Figure:
    """Return the mean score of each pair, with the optima and the ridge through them."""
    figure, along = go.Figure(), result.settings.along
    rates, title = along.search.rates(), setting_title(result.setting)
    layout(figure, "", title, "learning rate", 190 + 46 * len(rates))
    draw_law(figure, result.searched, "ridge")
    _draw_pairs(figure, result)
    _draw_optima(figure, result)
    _ring(figure, result, result.baseline, "square-open", _BASELINE, "best at the baseline")
    _ring(figure, result, result.best(), "circle-open", _BEST, "best pair")
    values = list(along.values)
    xs = [position(result, value) for value in values]
    room = 0.1 * (math.log10(xs[-1] / xs[0]))
    figure.update_xaxes(
        type="log", tickvals=xs, ticktext=[number_words(value) for value in values],
        range=[math.log10(xs[0]) - room, math.log10(xs[-1]) + room],
    )  # fmt: skip
    span = span_of(rates)
    figure.update_yaxes(log_axis(rates), range=span, showgrid=False)
    return figure.update_layout(hovermode="closest", margin={"t": 20, "b": 130})


def position(result: JointResult, value: float) -> float:
    """Return where a value is on the logarithmic axis; 0 is a step before the smallest other."""
    if value > 0:
        return float(value)
    first, second = result.settings.along.values[1:3]
    return float(first) * float(first) / float(second)


def _draw_pairs(figure: go.Figure, result: JointResult) -> None:
    """Draw the pairs that were trained by their mean, and those that were not as dots."""
    words, scores, along = ScoreWords(result.searched.score), result.scores, result.settings.along
    trained = {pair: scores.mean(pair) for pair in scores.by_arm if scores.of(pair)}
    every = [(value, rate) for value in along.values for rate in along.search.rates()]
    left = [pair for pair in every if pair not in scores.by_arm]
    low, high = score_limits(result.searched, words.scale)
    _markers(figure, result, left, {"size": 5, "color": _EMPTY}, "not trained")
    lost = [pair for pair in scores.by_arm if scores.diverged(pair)]
    figure.add_scatter(
        x=[position(result, value) for value, _ in trained], y=[rate for _, rate in trained],
        mode="markers", name="mean score", showlegend=False,
        marker={
            "size": _SIZE, "color": [words.scale * e.mean for e in trained.values()],
            "colorscale": "Cividis", "reversescale": not scores.higher_is_better,
            "cmin": low, "cmax": high, "line": {"width": 1, "color": _EMPTY},
            "colorbar": {"title": {"text": f"final {words.heading}", "side": "right"},
                         "thickness": 14, "outlinewidth": 0},
        },
        customdata=[f"{figure_text(pair_words(result, p))}: {words.number(e)}"
                    for p, e in trained.items()],
        hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip
    _markers(
        figure, result, lost, {"size": 11, "symbol": "x-thin", "line": {"width": 2}},
        "with runs without a score",
    )  # fmt: skip


def _markers(
    figure: go.Figure, result: JointResult, pairs: list[Pair], marker: dict[str, object], name: str
) -> None:
    if pairs:
        figure.add_scatter(
            x=[position(result, value) for value, _ in pairs], y=[rate for _, rate in pairs],
            mode="markers", name=name, marker=marker, hoverinfo="skip",
        )  # fmt: skip


def _draw_optima(figure: go.Figure, result: JointResult) -> None:
    """Draw the optima that are inside the grid, with their intervals."""
    rates = result.settings.along.search.rates()
    inside = {v: o.at for v, o in result.searched.optima.items() if o.standing == "inside"}
    bottom, top = rates[0] / 1.5, rates[-1] * 1.5
    figure.add_scatter(
        x=[position(result, value) for value in inside], y=[e.mean for e in inside.values()],
        mode="markers", name="optimum, 95 % interval",
        marker={"symbol": "diamond", "size": 10, "color": _RIDGE,
                "line": {"width": 1.5, "color": "white"}},
        error_y={
            "type": "data", "symmetric": False, "color": _RIDGE, "thickness": 2, "width": 5,
            "array": [min(e.high, top) - e.mean for e in inside.values()],
            "arrayminus": [e.mean - max(e.low, bottom) for e in inside.values()],
        },
        customdata=[f"{figure_text(value_words(result.searched, v))}: {rate_interval(e)}"
                    for v, e in inside.items()],
        hovertemplate="%{customdata}<extra></extra>",
    )  # fmt: skip


def _ring(
    figure: go.Figure, result: JointResult, pair: Pair, symbol: str, color: str, name: str
) -> None:
    value, rate = pair
    figure.add_scatter(
        x=[position(result, value)], y=[rate], mode="markers", name=name, hoverinfo="skip",
        marker={"symbol": symbol, "size": _SIZE + 9, "color": color, "line": {"width": 3}},
    )  # fmt: skip


def gain_figure(result: JointResult) -> go.Figure | None:
    """Return by how much the best pair is better on new seeds; None if it is the baseline."""
    if not result.judged:
        return None
    scores, best, baseline = result.new_scores(), result.best(), result.baseline
    by_seed = scores.compare(best, baseline).by_seed
    lost = scores.diverged(best) or scores.diverged(baseline)
    point = Point(by_seed, range_of(scores.score).difference(), "diverged" if lost else "")
    title = f"{best[1]:g} and {number_words(best[0])} over {baseline[1]:g} and " + number_words(
        baseline[0]
    )
    return draw_gains([title], [point], scores.score, scores.tolerance)
