"""Figures of the theory: functions from results to plotly figures."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import plotly.graph_objects as go

from learnorder.config.arm_titles import THEORY_ARMS
from learnorder.report import parts
from learnorder.report.orders import median_words, span_color, times_scale
from learnorder.report.parts import add_band, arm_axis, heat_map
from learnorder.report.setting_titles import setting_title
from learnorder.report.style import figure_text, layout, line_styles, log_axis
from learnorder.report.titles import MOST_ARMS, marked_titles
from learnorder.statistics import POSITIVE, SHARE, Range
from learnorder.theory.phase_page import PhaseGrid, ratio_words
from learnorder.theory.results import PointQuantity, TheoryResults

_TIME = "training time η·t"


def curve_figure(
    results: TheoryResults, set_: str, quantity: str, title: str, unit: str, scale: float
) -> go.Figure:
    """Return a quantity over η·t: mean over seeds of each arm, band = 95 % interval.

    A triangle marks where the learning rate, or the noise, is annealed (geometric mean over seeds).

    Args:
        results: The runs.
        set_: Kind of test examples, or train or q.
        quantity: The quantity on the vertical axis.
        title: Title of the panel.
        unit: Unit of the vertical axis.
        scale: Factor by which values are multiplied.
    """
    figure, all_times = go.Figure(), list[float]()
    styles, titles = line_styles(results.arms), marked_titles(results)
    for arm in results.arms:
        points = results.curve(arm, set_, quantity)
        if not points:
            continue
        all_times += points
        times, means = list(points), [scale * e.mean for e in points.values()]
        add_band(figure, points, styles[arm].band(), scale, len(results.arms))
        figure.add_scatter(
            x=times, y=means, mode="lines", name=figure_text(titles[arm]),
            customdata=[e.format(scale, 3) for e in points.values()],
            hovertemplate="%{customdata}",
            line={"color": styles[arm].color, "dash": styles[arm].dash, "width": 2},
        )  # fmt: skip
        annealed = list(results.annealed(arm).values())
        if annealed:
            when = math.exp(math.fsum(map(math.log, annealed)) / len(annealed))
            nearest = min(range(len(times)), key=lambda i: abs(math.log(times[i] / when)))
            figure.add_scatter(
                x=[when], y=[means[nearest]], mode="markers", showlegend=False,
                marker={"symbol": "triangle-down", "size": 11, "color": styles[arm].color},
                hovertemplate=(
                    f"{figure_text(titles[arm])}: annealed at {when:.3g}<extra></extra>"
                ),
            )  # fmt: skip
    layout(figure, title, _TIME, unit)
    figure.update_xaxes(log_axis(all_times))
    if quantity in ("error", "loss"):
        figure.update_yaxes(minallowed=0, maxallowed=102 if quantity == "error" else None)
    return figure


def order_figure(results: TheoryResults) -> go.Figure:
    """Return when P and Q reached half their final margins: one mark per seed."""
    figure = go.Figure()
    styles, titles = line_styles(results.arms), marked_titles(results)
    marks = {"P": ("circle-open", -0.17), "Q": ("diamond", 0.17)}
    for pattern, (symbol, offset) in marks.items():
        for row, arm in enumerate(results.arms):
            times = {
                seed: time
                for seed, time in results.half_learned(arm, pattern).items()  # pyright: ignore
                if time is not None
            }
            spread = 0.2 / max(len(times), 1)
            figure.add_scatter(
                x=list(times.values()),
                y=[row + offset + spread * (i - (len(times) - 1) / 2) for i in range(len(times))],
                text=[f"seed {seed}: {time:.3g}" for seed, time in times.items()],
                hovertemplate=f"{figure_text(titles[arm])}, {pattern}, %{{text}}<extra></extra>",
                marker={"symbol": symbol, "size": 9, "color": styles[arm].color},
                mode="markers", showlegend=False,
            )  # fmt: skip
        figure.add_scatter(
            x=[None], y=[None], name=f"{pattern} at half its final margin", mode="markers",
            marker={"symbol": symbol, "size": 9, "color": "#777777"},
        )  # fmt: skip
    for row, arm in enumerate(results.arms):
        annealed = list(results.annealed(arm).values())
        figure.add_scatter(
            x=annealed, y=[row] * len(annealed), mode="markers", showlegend=False,
            marker={"symbol": "line-ns-open", "size": 26, "color": "#777777"},
            hovertemplate="annealed at %{x:.3g}<extra></extra>",
        )  # fmt: skip
    figure.add_scatter(
        x=[None], y=[None], name="annealed", mode="markers",
        marker={"symbol": "line-ns-open", "size": 12, "color": "#777777"},
    )  # fmt: skip
    layout(figure, "What was learned when", _TIME, "", height=150 + 70 * len(results.arms))
    figure.update_layout(hovermode="closest", margin={"b": 84})
    figure.update_xaxes(log_axis(x for trace in figure.data for x in trace.x if x))  # pyright: ignore
    arm_axis(figure, list(marked_titles(results).values()))
    return figure


def final_figure(results: TheoryResults) -> go.Figure:
    """Return the final P-only error of every arm: mean, bar = 95 % interval, dots = seeds."""
    titles = list(marked_titles(results).values())
    points = [
        parts.Point(results.final(arm, "p_only", "error"), SHARE, results.lost(arm))
        for arm in results.arms
    ]
    title = "Final error on P-only test examples"
    figure = parts.final_figure(title, titles, points, row_height=36, unit="error, %")
    return figure.update_xaxes(rangemode="tozero")


def first_figure(results: TheoryResults, arm: str) -> go.Figure:
    """Return the heat map of which pattern an algorithm learns first, by half the final margins.

    Each cell names the pattern and how many times later the other is learned, median over seeds.
    """
    grid = PhaseGrid.of(results)
    text = {at: median_words(grid.orders(at, arm), "P", "Q") for at in grid.cells}
    cells = {at: span_color(grid.first(at, arm)) for at in grid.cells}
    scale = times_scale(cells.values(), "P first", "Q first", "how many times earlier")
    figure = heat_map(grid.xs, grid.ys, cells, text, scale)
    return layout(figure, f"Pattern learned first by {arm}", *_axes(grid), _height(grid))


def ratio_figure(results: TheoryResults) -> go.Figure:
    """Return the heat map of the P-only error ratio S / L-S, with Fieller's 95 % interval."""
    grid = PhaseGrid.of(results)
    ratios = {at: grid.ratio(at) for at in grid.cells}
    cells = {
        at: math.log10(e.mean) if e.n and 0 < e.mean < math.inf else None
        for at, e in ratios.items()
    }
    text = {at: ratio_words(e).replace(" [", "<br>[") for at, e in ratios.items()}
    scale = times_scale(cells.values(), "S better", "L-S better", "ratio S / L-S")
    figure = heat_map(grid.xs, grid.ys, cells, text, scale)
    title = "Error on P-only test examples, S over L-S"
    return layout(figure, title, *_axes(grid), _height(grid))


@dataclass(frozen=True)
class _OverSetting:
    """A quantity by seed, drawn over the horizontal setting of a phase diagram."""

    title: str
    unit: str
    scale: float
    within: Range
    quantity: PointQuantity


_OVER_SETTING = {
    "p_error_by_setting": _OverSetting(
        "Error on P-only test examples", "error, %", 100, SHARE, "error"
    ),
    "p_loss_by_setting": _OverSetting(
        "Loss on P-only test examples", "logistic loss", 1, POSITIVE, "loss"
    ),
    "anneal_by_setting": _OverSetting(
        "Anneal of the learning rate", "η·t", 1, POSITIVE, "anneal"
    ),
}  # fmt: skip


def setting_figure(results: TheoryResults, quantity: str) -> go.Figure:
    """Return a quantity over the horizontal setting of a phase diagram.

    A line for each algorithm and row: the mean over seeds, bar = 95 % interval. Errors are in the
    closed form of a Gaussian margin.
    """
    grid, shown = PhaseGrid.of(results), _OVER_SETTING[quantity]
    lines: dict[str, dict[float, str]] = {}
    titles = dict[str, str]()
    for (x, y), arms in grid.cells.items():
        for algorithm, arm in arms.items():
            line, title = algorithm, THEORY_ARMS[algorithm]
            if len(grid.ys) > 1:
                line, title = f"{line}, {y}", f"{title}, {setting_title(grid.y_name)} = {y}"
            lines.setdefault(line, {})[float(x)] = arm
            titles[line] = title
    styles, figure = line_styles(list(lines)), go.Figure()
    for line, by_x in lines.items():
        points = {
            x: parts.Point(results.at_point(arm, shown.quantity), shown.within, results.lost(arm))
            for x, arm in sorted(by_x.items())
        }
        name, style = titles[line], styles[line]
        parts.add_points(figure, points, name, style, shown.scale, log_x=True, log_y=True)
    layout(figure, shown.title, _axes(grid)[0], shown.unit, 380)
    figure.update_xaxes(type="log", tickvals=[float(x) for x in grid.xs], ticktext=grid.xs)
    figure.update_yaxes(log_axis(y for trace in figure.data for y in trace.y))  # pyright: ignore
    return figure.update_layout(margin={"b": 84})


def _axes(grid: PhaseGrid) -> tuple[str, str]:
    """Return the titles of the two axes."""
    return setting_title(grid.x_name), setting_title(grid.y_name)


def _height(grid: PhaseGrid) -> int:
    return 150 + 52 * len(grid.ys)


_CURVES = {
    "p_error": ("p_only", "error", "Error on P-only test examples", "error, %", 100.0),
    "q_error": ("q_only", "error", "Error on Q-only test examples", "error, %", 100.0),
    "p_margin": ("p_only", "margin", "Margin on P-only test examples", "mean y·f", 1.0),
    "second_difference": (
        "q", "second_difference", "Second difference on Q", "s·(g₊ + g₋ − 2g₀)", 1.0,
    ),
    "loss": ("train", "loss", "Training loss", "logistic loss", 1.0),
    "error": ("all", "error", "Error on the whole test distribution", "error, %", 100.0),
}  # fmt: skip

FIGURES: dict[str, Callable[[TheoryResults], go.Figure]] = {
    "order": order_figure,
    "p_only_error_final": final_figure,
    "ratio": ratio_figure,
    **{name: partial(setting_figure, quantity=name) for name in _OVER_SETTING},
    "first_S": partial(first_figure, arm="S"),
    "first_L-S": partial(first_figure, arm="L-S"),
    "test_loss": partial(
        curve_figure,
        set_="all",
        quantity="loss",
        title="Loss on the whole test distribution",
        unit="logistic loss",
        scale=1.0,
    ),
    **{
        name: partial(
            curve_figure, set_=set_, quantity=quantity, title=title, unit=unit, scale=scale
        )
        for name, (set_, quantity, title, unit, scale) in _CURVES.items()
    },
}
"""Every figure by name, as in ``TheoryResults.figure(name)``."""


def curve_panels(results: TheoryResults) -> list[go.Figure]:
    """Return the page's panels over η·t; none if there are too many arms."""
    return [] if len(results.arms) > MOST_ARMS else [FIGURES[name](results) for name in _CURVES]
