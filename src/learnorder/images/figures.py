"""Figures of runs on images: functions from results to plotly figures."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import plotly.graph_objects as go

from learnorder.images.diagnostics import MEASURES, measure_figure
from learnorder.report import parts
from learnorder.report.curves import MeanCurve, mark_changes
from learnorder.report.parts import Point, arm_axis, mark_lost
from learnorder.report.style import figure_text, layout, line_styles
from learnorder.report.titles import MOST_ARMS, MOST_ROWS, marked_titles
from learnorder.runs.results import PatternRuns
from learnorder.statistics import Estimate


def curve_figure(
    results: PatternRuns[Any], set_: str, quantity: str, group: str, title: str
) -> go.Figure:
    """Return a quantity over epochs: the mean of each arm over seeds, with 95 % bands.

    Args:
        results: The runs.
        set_: Evaluation set, or train.
        quantity: accuracy or reliance.
        group: Group within train; otherwise all.
        title: Title of the panel.
    """
    figure = go.Figure()
    styles, titles = line_styles(results.arms), marked_titles(results)
    lines: list[list[float]] = []
    estimates: list[Estimate] = []
    diverged = list[str]()
    for arm in results.arms:
        points = results.curve(arm, set_, quantity, group)
        if not points:
            diverged += [arm] * bool(results.lost(arm))
            continue
        estimates += points.values()
        line = MeanCurve(titles[arm], styles[arm], 100, lambda e: e.format(100))
        lines.append(line.add(figure, points, len(results.arms)))
    for place, arm in enumerate(diverged):
        figure.add_annotation(
            text="✕ diverged", font={"color": styles[arm].color, "size": 11},
            x=1, xref="paper", xanchor="right", y=0.5, yref="paper", yshift=-16 * place,
            showarrow=False,
        )  # fmt: skip
    mark_changes(figure, results.folders)
    layout(figure, in_words(title, results), "epoch", f"{quantity}, %")
    if quantity == "accuracy":
        figure.update_yaxes(range=_span(lines) if set_ == "clean" else [0, 102])
    else:
        ends = [100 * end for e in estimates for end in (e.mean, e.low, e.high) if end == end]
        low, high = min(ends, default=0.0), max(ends, default=0.0)
        figure.update_yaxes(range=[min(-1.0, low), max(5.0, 1.05 * high)])
    if set_ == "patch_only" and (chance := results.chance()) is not None:
        figure.add_hline(y=100 * chance, line={"dash": "dot", "width": 1}, opacity=0.6)
        figure.add_annotation(
            text="chance",
            x=1,
            xref="paper",
            y=100 * chance,
            yshift=9,
            showarrow=False,
            xanchor="right",
        )
    return figure


def _span(lines: list[list[float]]) -> list[float]:
    """Return the limits of the axis, which cover all means from the third epoch."""
    values = [value for line in lines for value in (line[2:] or line)]
    return [max(0.0, min(values, default=0.0) - 3), min(102.0, max(values, default=100.0) + 4)]


_LEARNED = {"content": "content learned, at ¼", "patch": "patch learned"}


def order_figure(results: PatternRuns[Any]) -> go.Figure:
    """Return the epochs at which runs learned the content and the patch: a mark for each seed."""
    figure = go.Figure()
    styles, titles = line_styles(results.arms), marked_titles(results)
    last = max(folder.config.training.epochs for folder in results.folders)
    never = last * 1.08
    symbols = {"content": ("circle-open", -0.16), "patch": ("diamond", 0.16)}
    kinds = ("content", "patch") if results.has_patch() else ("content",)
    for kind in kinds:
        symbol, offset = symbols[kind]
        for row, arm in enumerate(results.arms):
            epochs = results.learned(arm, kind)
            spread = 0.2 / max(len(epochs), 1)
            figure.add_scatter(
                x=[never if epoch is None else epoch for epoch in epochs.values()],
                y=[row + offset + spread * (i - len(epochs) / 2) for i in range(len(epochs))],
                text=[f"seed {seed}: {epoch or 'never'}" for seed, epoch in epochs.items()],
                hovertemplate=f"{figure_text(titles[arm])}, {kind}, %{{text}}<extra></extra>",
                marker={"symbol": symbol, "size": 9, "color": styles[arm].color},
                mode="markers",
                showlegend=False,
            )
        figure.add_scatter(
            x=[None], y=[None], name=_LEARNED[kind], mode="markers",
            marker={"symbol": symbol, "size": 9, "color": "#777777"},
        )  # fmt: skip
    mark_changes(figure, results.folders)
    layout(
        figure,
        "Epoch of learning",
        "epoch",
        "",
        height=150 + _row_height(results, 70) * len(results.arms),
    )
    figure.update_layout(hovermode="closest", margin={"b": 80})
    step = max(1, round(last / 5))
    steps = range(step, last + 1, step)
    ticks = [at for at in (*([1] if step > 1 else []), *steps) if at < 0.9 * never]
    figure.update_xaxes(
        range=[0, never * 1.04], tickangle=0,
        tickvals=[*ticks, never], ticktext=[*map(str, ticks), "never"],
    )  # fmt: skip
    arm_axis(figure, list(marked_titles(results).values()))
    mark_lost(figure, [not results.final(arm, "clean", "accuracy") for arm in results.arms])
    return figure


def conflict_figure(results: PatternRuns[Any]) -> go.Figure:
    """Return the shares of conflict images predicted by content, by pattern and by neither."""
    figure = go.Figure()
    shades = {"content": "#0072B2", "pattern": "#E69F00", "neither": "#999999"}
    for part, color in shades.items():
        shares = [results.final_estimate(a, "conflict", f"share_{part}") for a in results.arms]
        figure.add_bar(
            x=[100 * e.mean for e in shares],
            y=list(range(len(results.arms))),
            name=f"follows {part}" if part != "neither" else part,
            orientation="h",
            marker={"color": color, "pattern": {"shape": "/" if part == "pattern" else ""}},
            text=[f"{100 * e.mean:.0f} %" if e.mean > 0.06 else "" for e in shares],
            textangle=0,
            insidetextfont={"color": "white" if part == "content" else "black"},
            customdata=[e.format(100) for e in shares],
            hovertemplate=f"{part}: %{{customdata}} %<extra></extra>",
        )
    layout(
        figure,
        f"Answers on conflict {results.noun}",
        f"share of conflict {results.noun}, %",
        "",
        height=150 + _row_height(results, 56) * len(results.arms),
    )
    figure.update_layout(barmode="stack", hovermode="closest", margin={"b": 80})
    figure.update_layout(legend={"traceorder": "normal"})
    figure.update_xaxes(range=[0, 100])
    arm_axis(figure, list(marked_titles(results).values()))
    mark_lost(figure, [not results.final(arm, "clean", "accuracy") for arm in results.arms])
    return figure


def final_figure(results: PatternRuns[Any], set_: str, quantity: str, title: str) -> go.Figure:
    """Return a final quantity of each arm: mean over seeds, 95 % interval, a dot for each seed."""
    titles = list(marked_titles(results).values())
    points = [
        Point(results.final(arm, set_, quantity), results.range_of(quantity), results.lost(arm))
        for arm in results.arms
    ]
    figure = parts.final_figure(in_words(title, results), titles, points, 34)
    return figure.update_xaxes(rangemode="normal" if set_ == "clean" else "tozero")


def in_words(title: str, results: PatternRuns[Any]) -> str:
    """Return a title with what the data are: images or examples."""
    return title.format(noun=results.noun)


def _row_height(results: PatternRuns[Any], roomy: int) -> int:
    return roomy if len(results.arms) <= MOST_ARMS else 30


_CURVES = {
    "clean": ("clean", "accuracy", "all", "Clean {noun}"),
    "mixed": ("mixed", "accuracy", "all", "Mixed, as in training"),
    "patch_only": ("patch_only", "accuracy", "all", "Pattern alone"),
    "reliance": ("conflict", "reliance", "all", "Reliance on the pattern"),
    "train": ("train", "accuracy", "all", "Training"),
    "train_clean": ("train", "accuracy", "clean", "Training, clean {noun}"),
    "train_patch_only": ("train", "accuracy", "patch_only", "Training, pattern alone"),
    "train_both": ("train", "accuracy", "both", "Training, {noun} with pattern"),
}
_FINALS = {
    "final_clean": ("clean", "accuracy", "Final accuracy, clean {noun}"),
    "final_patch_only": ("patch_only", "accuracy", "Final accuracy, pattern alone"),
    "final_reliance": ("conflict", "reliance", "Final reliance on the pattern"),
}

FIGURES: dict[str, Callable[[PatternRuns[Any]], go.Figure]] = {
    "order": order_figure,
    "conflict": conflict_figure,
    **{
        name: partial(curve_figure, set_=set_, quantity=quantity, group=group, title=title)
        for name, (set_, quantity, group, title) in _CURVES.items()
    },
    **{name: partial(measure_figure, quantity=name) for name in MEASURES},
    **{
        name: partial(final_figure, set_=set_, quantity=quantity, title=title)
        for name, (set_, quantity, title) in _FINALS.items()
    },
}
"""Figures by name, as in ``Results.figure(name)``."""

FAINT = partial(
    curve_figure, set_="faint_only", quantity="accuracy", group="all", title="Faint pattern alone"
)
"""The figure of a task's faint pattern over the epochs."""

PANELS = ("patch_only", "clean", "reliance", "train_patch_only", "train_clean", "train_both")
"""The page's panels over epochs for experiments with a patch."""


def page_figures(results: PatternRuns[Any]) -> dict[str, list[go.Figure]]:
    """Return the page's figures by section: curves, order, final; none with too many rows."""
    many, patched = len(results.arms) > MOST_ARMS, results.has_patch()
    rows = len(results.arms) <= MOST_ROWS
    curves = PANELS if patched else ("clean", "train")
    if patched and results.noun != "images":
        curves = (*PANELS[:3], "train")
    order = ("order", "conflict") if patched else ("order",)
    finals = ("final_clean", "final_patch_only", "final_reliance") if patched else ("final_clean",)
    names_by_section = {
        "curves": () if many else curves,
        "order": order if rows else (),
        "final": finals if many and rows else (),
    }
    figures = {
        section: [FIGURES[name](results) for name in names]
        for section, names in names_by_section.items()
    }
    if not many and results.has_faint():
        figures["curves"].append(FAINT(results))
    return figures
