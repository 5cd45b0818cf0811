"""Curves of scores over the epochs, one line per arm."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from learnorder.report.parts import add_band
from learnorder.report.score_words import ScoreWords
from learnorder.report.style import LineStyle, figure_text, layout, line_styles
from learnorder.report.titles import marked_titles
from learnorder.runs import RunFolder
from learnorder.runs.run_set import NetworkRuns
from learnorder.statistics import Estimate


def score_curves(results: NetworkRuns[Any], set_: str, quantity: str, title: str) -> go.Figure:
    """Return a quantity over epochs: the mean over seeds of each arm, with its 95 % band."""
    figure, words = go.Figure(), ScoreWords(quantity)
    styles, titles = line_styles(results.arms), marked_titles(results)
    for arm in results.arms:
        points = results.curve(arm, set_, quantity)
        if not points:
            continue
        line = MeanCurve(titles[arm], styles[arm], words.scale, words.number)
        line.add(figure, points, len(results.arms))
    return layout(figure, title.capitalize(), "epoch", words.heading)


@dataclass(frozen=True)
class MeanCurve:
    """How the mean of an arm over seeds is drawn.

    Attributes:
        title: Name of the line.
        style: Its style.
        scale: Factor applied to the values.
        words: Returns the label of a point.
    """

    title: str
    style: LineStyle
    scale: float
    words: Callable[[Estimate], str]

    def add(
        self,
        figure: go.Figure,
        points: Mapping[int, Estimate],
        arms: int | None,
        *,
        log: bool = False,
    ) -> list[float]:
        """Add the curve, with its 95 % band if there are few arms; return the means.

        Args:
            figure: The figure.
            points: Estimates by epoch.
            arms: Number of arms in the figure; None draws no band.
            log: Whether the axis of the values is logarithmic.
        """
        if arms is not None:
            add_band(figure, points, self.style.band(), self.scale, arms, log=log)
        means = [self.scale * e.mean for e in points.values()]
        figure.add_scatter(
            x=list(points),
            y=means,
            customdata=[self.words(e) for e in points.values()],
            hovertemplate="%{customdata}",
            name=figure_text(self.title),
            line={"color": self.style.color, "dash": self.style.dash, "width": 2},
            mode="lines" if len(means) > 1 else "markers",
        )
        return means


def mark_changes(figure: go.Figure, folders: list[RunFolder[Any]]) -> None:
    """Mark the epochs at which a learning rate is annealed or noise is reduced."""
    marks: dict[int, set[str]] = {}
    for folder in folders:
        config = folder.config
        for epoch in config.learning_rate.step_epochs:
            marks.setdefault(epoch, set()).add("LR")
        for epoch in config.noise.level.step_epochs:
            marks.setdefault(epoch, set()).add("noise")
    if len(marks) > 4:
        return
    is_log = figure.layout.xaxis.type == "log"
    for epoch, names in marks.items():
        at = epoch - 0.5
        figure.add_vline(x=at, line={"dash": "dash", "width": 1}, opacity=0.6)
        figure.add_annotation(
            text=" and ".join(sorted(names)) + " annealed",
            x=math.log10(at) if is_log else at,  # unlike a line, in the units of the axis
            y=1,
            yref="paper",
            yanchor="bottom",
            showarrow=False,
            font={"size": 11},
        )
