"""Figures of papers: quantities over the epochs, or at the end over a setting of the arms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import plotly.graph_objects as go

from learnorder.report.curves import MeanCurve, mark_changes
from learnorder.report.parts import Point, add_points, final_figure, make_room
from learnorder.report.style import layout, line_styles, log_axis
from learnorder.reproduce.papers.measures import Epochs, Quantity, values_of
from learnorder.runs.results import TaskResults


@dataclass(frozen=True)
class Curves:
    """A quantity over the epochs, a line for each arm.

    Attributes:
        quantity: The quantity.
        arms: The arms to draw; empty for all.
        log: Whether the axis of the values is logarithmic.
        log_epochs: Whether the axis of the epochs is.
    """

    quantity: Quantity
    arms: tuple[str, ...] = ()
    log: bool = False
    log_epochs: bool = False

    def draw(self, results: TaskResults) -> go.Figure:
        """Return the figure: means over seeds with their 95 % bands."""
        figure, q = go.Figure(), self.quantity
        unit, styles = q.level_unit, line_styles(results.arms)
        arms = [arm for arm in results.arms if arm in (self.arms or results.arms)]
        drawn, epochs = list[float](), set[float]()
        for arm in arms:
            points = results.curve(arm, q.set, q.name, q.group)
            if not points:
                continue
            epochs.update(points)
            line = MeanCurve(arm, styles[arm], unit.scale, unit.show)
            drawn += line.add(figure, points, len(arms), log=self.log)
        layout(figure, _title(q), "epoch", unit.name)
        if self.log:
            figure.update_yaxes(log_axis(drawn))
        if self.log_epochs:
            figure.update_xaxes(log_axis(sorted(epochs)))
        shown = [folder for folder in results.folders if results.arm_of(folder) in arms]
        mark_changes(figure, shown)
        return figure


@dataclass(frozen=True)
class OverSetting:
    """Quantities over a setting of the arms, on a logarithmic axis, a line for each series.

    Attributes:
        title: Title of the figure.
        setting: Title of the setting's axis, e.g. "learning rate".
        lines: For each line its quantity and its arms by their value of the setting.
        log: Whether the axis of the values is logarithmic.
        epochs: The epochs of a mean; None: the values after the last epoch.
        marked: A value marked by a horizontal line.
    """

    title: str
    setting: str
    lines: Mapping[str, tuple[Quantity, Mapping[float, str]]]
    log: bool = False
    epochs: Epochs | None = None
    marked: float | None = None

    def draw(self, results: TaskResults) -> go.Figure:
        """Return the figure: a dot for each seed, means with 95 % intervals."""
        figure, styles = go.Figure(), line_styles(list(self.lines))
        values, unit = list[float](), next(iter(self.lines.values()))[0].level_unit
        for name, (q, arms) in self.lines.items():
            points = {
                value: Point(values_of(results, arm, q, self.epochs), q.within, results.lost(arm))
                for value, arm in arms.items()
                if arm in results.arms
            }
            if points:
                add_points(
                    figure, points, name, styles[name], unit.scale, log_x=True, log_y=self.log
                )
            values += [value for point in points.values() for value in point.values.values()]
        layout(figure, self.title, self.setting, unit.name, 380)
        settings = sorted({x for _, arms in self.lines.values() for x in arms})
        figure.update_xaxes(
            type="log", tickvals=settings, ticktext=[f"{x:.3g}" for x in settings]
        )  # fmt: skip
        if self.log:
            figure.update_yaxes(log_axis([unit.scale * value for value in values]))
        if self.marked is not None:
            y = unit.scale * self.marked
            figure.add_hline(y=y, line={"width": 1, "dash": "dot"}, opacity=0.6)
        figure.update_layout(hovermode="closest", margin={"b": 90})
        return make_room(figure)


@dataclass(frozen=True)
class Finals:
    """A quantity after the last epoch, a row for each arm.

    Attributes:
        quantity: The quantity.
    """

    quantity: Quantity

    def draw(self, results: TaskResults) -> go.Figure:
        """Return the figure: a dot for each seed, means with 95 % intervals."""
        q, arms = self.quantity, results.arms
        unit = q.level_unit
        points = [Point(values_of(results, arm, q), q.within, results.lost(arm)) for arm in arms]
        title = f"{_title(q)} at the end"
        return final_figure(title, arms, points, 38, scale=unit.scale, unit=unit.name)


def _title(quantity: Quantity) -> str:
    return quantity.words[0].upper() + quantity.words[1:]
