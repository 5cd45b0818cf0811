"""The figures of ``docs/advice-vs-peers.md``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from learnorder.report.style import LineStyle, layout
from studies.advice_vs_peers.regret import Judged
from studies.advice_vs_peers.words import CHOOSERS, STOPPING, Kind

FLOOR = 0.05
"""Points of regret that the logarithmic axis begins with; what is less is drawn there."""
_KINDS: dict[Kind, tuple[str, str, str]] = {
    "complete": ("#0072B2", "circle", "complete runs"),
    "stops": ("#D55E00", "x", "stops runs early"),
    "range": ("#009E73", "square-open", "range test"),
    "none": ("#777777", "diamond-open", "no search"),
}
"""Colour, marker and title of each kind of chooser."""
_PRUNERS = {
    "tpe_median": LineStyle("#D55E00", "solid"),
    "tpe_hyperband": LineStyle("#0072B2", "dash"),
    "asha": LineStyle("#009E73", "dot"),
}


def _panels(titles: Sequence[str], columns: int, *, shared: bool, space: float) -> go.Figure:
    rows = math.ceil(len(titles) / columns)
    return make_subplots(
        rows, columns, subplot_titles=list(titles), shared_yaxes=shared,
        horizontal_spacing=0.05 if shared else 0.09, vertical_spacing=space / rows,
    )  # fmt: skip


def _place(number: int, columns: int) -> dict[str, Any]:
    return {"row": number // columns + 1, "col": number % columns + 1}


def regret_figure(found: Sequence[Judged], titles: Sequence[str], budget: str) -> go.Figure:
    """Return the regret of each chooser on each task, with intervals."""
    columns = 2
    figure = _panels(titles, columns, shared=True, space=0.24)
    for number, judged in enumerate(found):
        for kind, (color, symbol, title) in _KINDS.items():
            names = [name for name, about in CHOOSERS.items() if about.kind == kind]
            estimates = [judged.regret(budget, name) for name in names]
            means = [max(FLOOR, 100 * e.mean) for e in estimates]
            highs = [max(FLOOR, 100 * e.high) for e in estimates]
            lows = [max(FLOOR, 100 * e.low) for e in estimates]
            figure.add_scatter(
                x=means, y=[CHOOSERS[name].title for name in names], mode="markers", name=title,
                marker={"color": color, "symbol": symbol, "size": 8}, showlegend=not number,
                legendgroup=kind,
                error_x={
                    "array": [high - mean for high, mean in zip(highs, means, strict=True)],
                    "arrayminus": [mean - low for low, mean in zip(lows, means, strict=True)],
                    "color": color, "thickness": 1.3, "width": 3,
                },
                **_place(number, columns),
            )  # fmt: skip
    rows = math.ceil(len(found) / columns)
    layout(figure, "Regret, points: lower is better", "", "", height=110 + 285 * rows)
    ticks = [0.1, 0.3, 1, 3, 10, 30]
    figure.update_xaxes(
        type="log", range=[math.log10(FLOOR) - 0.05, 1.9], tickvals=ticks,
        ticktext=[f"{tick:g}" for tick in ticks], showgrid=True,
        gridcolor="#e4e4e4",
    )  # fmt: skip
    figure.update_yaxes(
        categoryorder="array", categoryarray=[c.title for c in CHOOSERS.values()][::-1],
        tickfont={"size": 11},
    )  # fmt: skip
    return _small_titles(figure, left=172)


def stops_figure(
    found: Sequence[Judged], titles: Sequence[str], stops: Sequence[dict[str, Any]]
) -> go.Figure:
    """Return the share of trials that are stopped by half of the epochs, by learning rate."""
    columns = 3
    figure = _panels(titles, columns, shared=True, space=0.32)
    for number, judged in enumerate(found):
        place, best = _place(number, columns), judged.table.best()
        for chooser in STOPPING:
            rows = sorted(
                (
                    row
                    for row in stops
                    if (row["task"], row["target"], row["budget"], row["chooser"])
                    == (judged.name, judged.target, "full", chooser)
                ),
                key=lambda row: row["learning_rate"],
            )
            style = _PRUNERS[chooser]
            figure.add_scatter(
                x=[row["learning_rate"] for row in rows],
                y=[100 * row["by_half"] / row["trials"] for row in rows],
                name=CHOOSERS[chooser].title, mode="lines", showlegend=not number,
                legendgroup=chooser, line={"color": style.color, "dash": style.dash, "width": 2.2},
                **place,
            )  # fmt: skip
        figure.add_vline(x=best, line={"color": "#777777", "width": 1.2, "dash": "dash"}, **place)
    rows = math.ceil(len(found) / columns)
    title = "Trials stopped by half of the epochs, per cent, over the learning rate"
    layout(figure, title, "", "", height=120 + 215 * rows)
    figure.update_yaxes(range=[0, 100])
    figure.update_xaxes(type="log", dtick=1, exponentformat="none", tickfont={"size": 11})
    return _small_titles(figure, left=44)


def curves_figure(
    found: Sequence[Judged], titles: Sequence[str], rates: Sequence[Sequence[float]]
) -> go.Figure:
    """Return scores over the epochs on some tasks: means over the seeds of the truth.

    Args:
        found: The tasks.
        titles: Their titles.
        rates: Three learning rates of each, the best one in the middle.
    """
    words = [
        f"{title}:<br>{', '.join(f'{rate:.2g}' for rate in shown)}"
        for title, shown in zip(titles, rates, strict=True)
    ]
    figure = _panels(words, len(found), shared=False, space=0.2)
    styles = {
        "smaller": LineStyle("#0072B2", "dash"), "best": LineStyle("#000000", "solid"),
        "larger": LineStyle("#D55E00", "dot"),
    }  # fmt: skip
    for number, (judged, shown) in enumerate(zip(found, rates, strict=True)):
        place, length = _place(number, len(found)), judged.table.benchmark.epochs
        for rate, (name, style) in zip(shown, styles.items(), strict=True):
            means = mean_scores(judged, rate)
            figure.add_scatter(
                x=list(range(1, length + 1)), y=[100 * mean for mean in means], name=name,
                mode="lines+markers", marker={"size": 5}, legendgroup=name, showlegend=not number,
                line={"color": style.color, "dash": style.dash, "width": 2.4}, **place,
            )  # fmt: skip
        figure.add_vline(
            x=length / 2 + 0.5, line={"color": "#777777", "dash": "dash", "width": 1.2}, **place
        )
        figure.update_xaxes(title={"text": "epoch"}, range=[0.5, length + 0.5], **place)
    layout(figure, "Score over the epochs, per cent; dashed: the anneal", "epoch", "", height=380)
    return _small_titles(figure, left=44)


def mean_scores(judged: Judged, rate: float) -> list[float]:
    """Return the mean score after each epoch over the seeds of the truth that got there."""
    length = judged.table.benchmark.epochs
    seeds = judged.table.benchmark.truth_seeds()
    runs = [judged.table.runs[rate, length, seed] for seed in seeds]
    return [
        fmean(run.scores[epoch] for run in runs if len(run.scores) > epoch)
        for epoch in range(length)
    ]


def _small_titles(figure: go.Figure, left: int) -> go.Figure:
    figure.update_annotations(font_size=12.5)
    figure.update_layout(margin={"l": left, "r": 12, "t": 70, "b": 70}, hovermode="closest")
    return figure
