"""Figures of a search: final scores over the learning rate, and paired comparisons."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from learnorder.advise.phrases import comparisons
from learnorder.advise.result import Advice
from learnorder.advise.scores import BySeed
from learnorder.report.parts import Point, add_points, final_figure, make_room
from learnorder.report.score_words import ScoreWords
from learnorder.report.style import LineStyle, figure_text, layout, log_axis
from learnorder.statistics import SHARE, Estimate, estimate, range_of

if TYPE_CHECKING:
    from learnorder.advise.range_rules import RangeTest, Restart

_RUNG_COLORS = ("#0072B2", "#56B4E9", "#E69F00", "#CC79A7", "#8C6D31")
"""From the last rung, at full length, to the first."""
_RUNG_DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
_PICK_COLOR, _BAND_COLOR = "#D55E00", "rgba(0,158,115,0.13)"
_MARGIN = 1.2
"""Factor by which the shading extends beyond the ends of the band."""


def rates_figure(advice: Advice) -> go.Figure:
    """Return final scores over the learning rate, with the range test below on the same axis."""
    test = advice.range_test
    rows = 1 if test is None else 2
    figure = make_subplots(
        rows=rows, cols=1, shared_xaxes=True, vertical_spacing=0.06, row_heights=[0.68, 0.32][:rows]
    )
    layout(figure, "", "", "", 380 if test is None else 520)
    span = _span(advice)
    figure.update_xaxes(log_axis(10**end for end in span), range=span)
    figure.update_xaxes(title={"text": "initial learning rate"}, row=rows, col=1)
    _draw_rungs(figure, advice)
    if test is not None:
        _draw_range_test(figure, advice, test)
    return make_room(figure.update_layout(hovermode="closest", margin={"t": 20, "b": 90}))


def _draw_rungs(figure: go.Figure, advice: Advice) -> None:
    """Draw final scores, a line for each rung, the last with intervals; shade the band."""
    lost = {rate: advice.diverged_words(advice.arm(rate)) for rate in advice.finalists()}
    lines = [RateLine(f"{rung.epochs} epochs", rung.scores) for rung in reversed(advice.rungs)]
    means = {rate: advice.mean(advice.arm(rate)) for rate in advice.finalists()}
    first = replace(lines[0], lost=lost, means=means)
    draw_lines(figure, [first, *lines[1:]], advice.score, advice.band())


@dataclass(frozen=True)
class RateLine:
    """Final scores over the learning rate, of runs of one length.

    Attributes:
        name: Their length.
        scores: Final scores by learning rate and seed.
        lost: How many runs have no score, by learning rate, in words.
        means: The estimates, if they are not those of the scores at 95 %, as in a race.
    """

    name: str
    scores: Mapping[float, BySeed]
    lost: Mapping[float, str] = field(default_factory=dict)
    means: Mapping[float, Estimate] = field(default_factory=dict)


def draw_lines(
    figure: go.Figure,
    lines: Sequence[RateLine],
    score: str,
    band: Sequence[float],
    around: Sequence[float] | None = None,
) -> None:
    """Draw final scores over the learning rate in the first row; shade the band.

    Args:
        figure: A figure of subplots.
        lines: A line for each length; the first has intervals and a dot for each seed.
        score: Name of the score.
        band: Learning rates of the first line.
        around: Learning rates of the first line that the axis of the scores covers; None is all.
    """
    words = ScoreWords(score)
    for index, line in enumerate(lines):
        color, dash = _RUNG_COLORS[index % 5], _RUNG_DASHES[index % 5]
        style = LineStyle(color, dash)
        if index == 0:
            points = {
                rate: Point(
                    scores, range_of(score), line.lost.get(rate, ""), known=line.means.get(rate)
                )
                for rate, scores in sorted(line.scores.items())
            }
            add_points(figure, points, line.name, style, words.scale, log_x=True, row=1, col=1)
            continue
        means = {
            rate: estimate(list(line.scores[rate].values()), within=range_of(score))
            for rate in sorted(line.scores)
            if line.scores[rate]
        }
        figure.add_scatter(
            x=list(means),
            y=[words.scale * e.mean for e in means.values()],
            name=line.name,
            mode="lines+markers",
            line={"color": color, "dash": dash, "width": 2},
            marker={"color": color, "size": 8},
            customdata=[f"{rate:g}: {words.number(e)}" for rate, e in means.items()],
            hovertemplate="%{customdata}",
            row=1,
            col=1,
        )
    for low, high in _stretches(sorted(lines[0].scores), band):
        figure.add_vrect(
            x0=low / _MARGIN, x1=high * _MARGIN, fillcolor=_BAND_COLOR, line_width=0,
            row=1, col=1,  # pyright: ignore[reportArgumentType]
        )  # fmt: skip
    heading = figure_text(f"final {words.heading}")
    figure.update_yaxes(title={"text": heading}, range=_height(lines, score, around), row=1, col=1)


def _stretches(finalists: Sequence[float], band: Sequence[float]) -> list[tuple[float, float]]:
    """Return the ends of each run of consecutive finalists that are in the band.

    >>> _stretches([0.1, 0.2, 0.5, 1.0], [0.1, 0.5, 1.0])
    [(0.1, 0.1), (0.5, 1.0)]
    """
    groups = itertools.groupby(finalists, lambda rate: rate in band)
    stretches = [list(rates) for inside, rates in groups if inside]
    return [(rates[0], rates[-1]) for rates in stretches]


def _draw_range_test(figure: go.Figure, advice: Advice, test: RangeTest) -> None:
    """Draw the restarts of a range test with their picks, and the final score of the pick."""
    words, arm = ScoreWords(advice.score), advice.picked()
    if arm is not None and (e := advice.mean(arm)).n:
        figure.add_scatter(
            x=[arm.learning_rate],
            y=[words.scale * e.mean],
            name="the range test's pick",
            mode="markers",
            marker={"symbol": "diamond", "size": 11, "color": _PICK_COLOR},
            customdata=[words.number(e)],
            hovertemplate="%{customdata}",
            row=1,
            col=1,
        )
    for index, restart in enumerate(test.restarts):
        _draw_restart(figure, restart, first=index == 0)
    curves = [losses for r in test.restarts if (losses := r.smoothed()[1])]
    start = max((losses[0] for losses in curves), default=1.0)
    lowest = min((min(losses) for losses in curves), default=0.0)
    room = max(start - lowest, 0.05 * abs(start)) or 1.0
    ends = [lowest - 0.1 * room, start + 0.4 * room]
    figure.update_yaxes(title={"text": "training loss"}, range=ends, row=2, col=1)
    if (picks := test.picks()) and picks[0] < picks[-1]:
        figure.add_vrect(
            x0=picks[0], x1=picks[-1], fillcolor=_PICK_COLOR, opacity=0.12, line_width=0,
            row=2, col=1,  # pyright: ignore[reportArgumentType]
        )  # fmt: skip
    if test.pick is not None:
        figure.add_vline(x=test.pick, line={"dash": "dot", "width": 1.5, "color": _PICK_COLOR})


def _draw_restart(figure: go.Figure, restart: Restart, *, first: bool) -> None:
    """Draw the smoothed loss of one restart, and its pick on it."""
    rates, losses = restart.smoothed()
    figure.add_scatter(
        x=rates,
        y=losses,
        name="range test, one line per restart",
        mode="lines",
        line={"color": _PICK_COLOR, "width": 1.2},
        opacity=0.6,
        showlegend=first,
        hovertemplate=f"seed {restart.seed}: %{{y:.3g}} at %{{x:.2g}}<extra></extra>",
        row=2,
        col=1,
    )
    if (pick := restart.pick()) is None:
        return
    nearest = min(range(len(rates)), key=lambda i: abs(math.log(rates[i] / pick)))
    figure.add_scatter(
        x=[pick],
        y=[losses[nearest]],
        mode="markers",
        marker={"symbol": "diamond", "size": 8, "color": _PICK_COLOR},
        showlegend=False,
        hovertemplate=f"seed {restart.seed} picks {pick:.2g}<extra></extra>",
        row=2,
        col=1,
    )


def _height(lines: Sequence[RateLine], score: str, around: Sequence[float] | None) -> list[float]:
    """Return the limits of the score axis, around the first line; other scores may be cut off."""
    scale, within = ScoreWords(score).scale, range_of(score)
    first = lines[0].scores
    rates = [rate for rate in (first if around is None else around) if first[rate]]
    values = [
        list(line.scores[rate].values()) for line in lines for rate in rates
        if line.scores.get(rate)
    ]  # fmt: skip
    shown = [estimate(each, within=within).mean for each in values]
    last = [
        lines[0].means.get(rate) or estimate(list(first[rate].values()), within=within)
        for rate in rates
    ]
    shown += [end for e in last if e.has_interval for end in (e.low, e.high)]
    shown += [score for rate in rates for score in first[rate].values()]
    low, high = scale * min(shown), scale * max(shown)
    room = 0.06 * (high - low) or 1.0
    if within == SHARE:
        low, high = max(0.0, low), min(100.0, high)
    return [low - room, high + room]


def _span(advice: Advice) -> list[float]:
    """Return the limits of the axis of learning rates, log10: the grid and the picks."""
    rates = advice.grid()
    rates += [] if advice.range_test is None else advice.range_test.picks()
    return span_of(rates)


def span_of(rates: Sequence[float]) -> list[float]:
    """Return the limits of an axis of learning rates, log10."""
    return [math.log10(min(rates)) - 0.25, math.log10(max(rates)) + 0.25]


def gain_figure(advice: Advice) -> go.Figure:
    """Return the paired comparisons: 95 % intervals and a dot for each seed."""
    points, titles = list[Point](), list[str]()
    for name, arm, baseline in comparisons(advice):
        diverged = advice.diverged_words(arm) or advice.diverged_words(baseline)
        gains = advice.compare(arm, baseline)
        within = range_of(advice.score).difference()
        points.append(Point(gains.by_seed, within, diverged, known=gains.estimate))
        titles.append(f"{name} ({diverged})" if diverged else name)
    return draw_gains(titles, points, advice.score, advice.tolerance)


def draw_gains(
    titles: Sequence[str], points: Sequence[Point], score: str, tolerance: float
) -> go.Figure:
    """Return gains by comparison, with the acceptable loss as a dotted line, unless it is nan."""
    words = ScoreWords(score)
    unit = f"better by, {words.unit}"
    figure = final_figure("", titles, points, 36, scale=words.scale, unit=unit)
    figure.add_vline(x=0, line={"width": 1}, opacity=0.7)
    if not math.isnan(tolerance):
        figure.add_vline(x=-words.scale * tolerance, line={"width": 1, "dash": "dot"}, opacity=0.6)
    return figure.update_layout(margin={"t": 16})
