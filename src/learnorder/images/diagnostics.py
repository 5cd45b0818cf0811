"""Sections of pages on the sharpness and the diagnostics of runs, on images or of tasks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import plotly.graph_objects as go

from learnorder.report.content import Section, TextTable
from learnorder.report.curves import MeanCurve, mark_changes
from learnorder.report.origin import key
from learnorder.report.style import layout, line_styles, log_axis
from learnorder.report.tables import final_scores
from learnorder.report.titles import MOST_ARMS, marked_titles
from learnorder.runs.judged import judged_by
from learnorder.runs.results import PatternRuns
from learnorder.statistics import Estimate


@dataclass(frozen=True)
class Measure:
    """How a quantity of the set run is drawn.

    Attributes:
        title: Title of its figure.
        unit: Title of the axis.
        scale: Factor applied to the values.
        logarithmic: Whether the axis is.
        limit: Whether a line at 1 marks the limit of stability.
    """

    title: str
    unit: str
    scale: float = 1.0
    logarithmic: bool = False
    limit: bool = False


MEASURES = {
    "sharpness": Measure("Sharpness", "largest eigenvalue λ", logarithmic=True),
    "edge": Measure("Relative to the stability limit", "η·λ/2", logarithmic=True, limit=True),
    "batch_sharpness": Measure("Batch sharpness", "gᵀHg / ‖g‖²", logarithmic=True),
    "batch_edge": Measure(
        "Batch sharpness times η/2", "η·gᵀHg / 2‖g‖²", logarithmic=True, limit=True
    ),
    "feature_rank": Measure("Rank of the features", "principal components"),
    "active_share": Measure("Active features", "of all activations, %", 100),
    "distinct_units": Measure("Distinct active units", "of all units, %", 100),
    "distinct_active_share": Measure("Active, correlated units once", "of all activations, %", 100),
    "spikes": Measure("Loss spikes", "spikes that begin in the epoch"),
    "catapults": Measure("Catapults", "catapults that end in the epoch"),
}
"""The quantities of the set run that pages show, by name."""

_SHARPNESS = (
    "The largest eigenvalue λ of the Hessian of the mean training loss on a fixed sample, in "
    "evaluation mode, by Lanczos iteration. On a quadratic, gradient descent with learning rate η "
    "is stable if η·λ/2 < 1 (with heavy-ball momentum β, if η·λ/2 < 1 + β)."
)
_BATCH_SHARPNESS = (
    "Batch sharpness: the mean of gᵀHg / ‖g‖² over fixed training batches, with g and H the "
    "gradient and the Hessian of a batch's loss, in evaluation mode. At the edge of stochastic "
    "stability of SGD without momentum, η/2 times it is 1. Values ≤ 0 are not drawn."
)
_MEANS_ALONE = (
    "On these logarithmic axes, means over seeds are drawn without their 95 % intervals; the label "
    "of a point has its interval."
)
_FEATURES = (
    "The inputs of the last linear layer on fixed training examples, in evaluation mode. Rank of "
    "the features: the number of principal components that explain 99 % of their variance. Active: "
    "positive. Distinct active units: those that are active on some example, where units that "
    "correlate above 0.95 in absolute value count once. Means over seeds, with 95 % intervals as "
    "bands if there are few arms."
)


def measure_figure(results: PatternRuns[Any], quantity: str) -> go.Figure:
    """Return a quantity of ``MEASURES`` over epochs: the mean of each arm over seeds."""
    measure, figure, values = MEASURES[quantity], go.Figure(), list[float]()
    styles, titles = line_styles(results.arms), marked_titles(results)

    def words(e: Estimate) -> str:
        return e.format(measure.scale, digits=2)

    for arm in results.arms:
        points = results.curve(arm, "run", quantity)
        line = MeanCurve(titles[arm], styles[arm], measure.scale, words)
        values += line.add(figure, points, None if measure.logarithmic else len(results.arms))
    mark_changes(figure, results.folders)
    layout(figure, measure.title, "epoch", measure.unit)
    if measure.logarithmic:
        figure.update_yaxes(log_axis([*values, 1.0] if measure.limit else values))
    else:
        figure.update_yaxes(rangemode="tozero")
    if measure.limit:
        figure.add_hline(y=1, line={"dash": "dot", "width": 1}, opacity=0.6)
    return figure


def diagnostic_sections(results: PatternRuns[Any]) -> list[Section]:
    """Return the sections of what was measured: sharpness, features, spikes, pruned networks."""
    if not results.has_finished:
        return []
    sections = list[Section]()
    if len(results.arms) <= MOST_ARMS:
        measured = [q for q in MEASURES if any(results.curve(a, "run", q) for a in results.arms)]
        notes = {"sharpness": _SHARPNESS, "batch_sharpness": _BATCH_SHARPNESS}
        texts = [text for name, text in notes.items() if name in measured]
        note = " ".join([*texts, _MEANS_ALONE])
        sections += _section(results, "Sharpness", note, measured, (*notes, "edge", "batch_edge"))
        features = [name for name in MEASURES if name.startswith(("feature", "active", "distinct"))]
        sections += _section(results, "Features", _FEATURES, measured, features)
        sections += _section(results, "Loss spikes", _spikes_note(results), measured, ["spikes"])
        sections += _section(
            results, "Catapults", _catapults_note(results), measured, ["catapults"]
        )
    if (table := pruned_table(results)) is not None:
        sections.append(Section(table.title, table=table))
    return sections


def _section(
    results: PatternRuns[Any], title: str, note: str, measured: Sequence[str], names: Sequence[str]
) -> list[Section]:
    """Return a section with the figures of those names that were measured, if any."""
    panels = [measure_figure(results, name) for name in measured if name in names]
    return [Section(title, note, key=key(results), panels=panels)] if panels else []


def _times(factors: Iterable[float | None]) -> str:
    """Return the factors that a setting has in the runs, in words."""
    given = sorted({factor for factor in factors if factor is not None})
    return f"{' or '.join(f'{factor:g}' for factor in given)} times"


def _catapults_note(results: PatternRuns[Any]) -> str:
    settings = [folder.config.diagnostics for folder in results.folders]
    times = _times(each.catapult_factor for each in settings if each.catapult_examples)
    return (
        "How often the loss on fixed training examples, computed after each step, rises above "
        f"{times} its lowest value so far and comes back. Means over "
        "seeds, with 95 % intervals as bands if there are few arms."
    )


def _spikes_note(results: PatternRuns[Any]) -> str:
    times = _times(folder.config.diagnostics.spike_factor for folder in results.folders)
    return (
        f"How often the loss of a step rises above {times} the median of the 50 steps before. "
        "Small batches vary more: compare arms of the same batch size. Means over seeds, with 95 % "
        "intervals as bands if there are few arms."
    )


def pruned_table(results: PatternRuns[Any]) -> TextTable | None:
    """Return the final score of the network and of pruned ones; None if none were evaluated."""
    shares = {share for f in results.folders for share in f.config.diagnostics.pruned}
    percents = [f"{100 * share:g}" for share in sorted(shares)]
    percents = [percent for percent in percents if f"pruned_{percent}" in results.sets]
    if not percents:
        return None
    set_, score, _ = judged_by(results.folders[0])
    headings = {(set_, score): "all weights: %s"}
    for percent in percents:
        headings[f"pruned_{percent}", score] = f"without {percent} %%: %s"
    when = (
        "After the last epoch, without the given share of the weights of all matrices together, "
        "the smallest in magnitude"
    )
    return replace(final_scores(results, headings, when), title="Pruned networks")
