"""The page of learning rates along a setting: the optima, their drift, and every score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from learnorder.advise.along.figures import drift_figure, score_figure
from learnorder.advise.along.optimum import Optimum
from learnorder.advise.along.references import references_for
from learnorder.advise.along.result import AlongResult, rate_interval
from learnorder.advise.along.words import (
    along_findings,
    bends,
    extrapolates,
    factor_text,
    factor_words,
    standing_words,
)
from learnorder.advise.phrases import schedule_words
from learnorder.advise.plans import results_of
from learnorder.execution.log_lines import phase
from learnorder.report.content import Content, Section, TextTable
from learnorder.report.origin import origin
from learnorder.report.page import write_result
from learnorder.report.score_words import ScoreWords
from learnorder.report.setting_titles import setting_title
from learnorder.statistics.as_json import json_by_seed, json_estimate, json_number, json_text


@phase("drawing the page")
def write_along(result: AlongResult, folder: Path | str) -> Path:
    """Write report.html and along.json to a folder; return the page's path."""
    return write_result(along_content(result), to_json(result), "along.json", folder)


def along_content(result: AlongResult) -> Content:
    """Return what the page shows."""
    title = setting_title(result.setting)
    runs = results_of(result.settings.search, result.folders)
    lost = "runs without a score" if result.settings.search.is_script else "diverged runs"
    optima, scores = optimum_table(result), score_table(result)
    return Content(
        title=f"Does the best learning rate move with {title}?",
        findings=along_findings(result),
        setup=[*runs.setup(), *_setup(result)],
        lead=[
            Section(
                f"The best learning rate over {title}",
                "Diamonds: the optimum at each value, the vertex of a parabola through the best "
                "learning rate and its neighbours, with its 95 % interval over seeds; hollow where "
                "the curve is lopsided, with a bar between the neighbours of the best. Circles: "
                "the best learning rate of the grid. Line: the power law, which on these axes is "
                "straight; the shaded 95 % band is over seeds. Dotted: an optimum that is not "
                "inside the grid, and not in the line; an arrow has no bound on that side.",
                wide=[drift_figure(result)],
            ),
            Section(
                "Final score by learning rate",
                "Validation data; mean over seeds with 95 % t intervals, a dot is a seed. A hollow "
                f"marker has {lost}, which the mean excludes. Diamonds: the optima at the top of "
                "their parabolas, with their intervals, except of lopsided curves. The axis covers "
                "the scores near the optima; others may lie outside. All have the same seeds.",
                wide=[score_figure(result)],
            ),
        ],
        sections=[
            Section(optima.title, table=optima),
            *reference_section(result),
            Section(scores.title, table=scores),
        ],
        origins=[origin(runs)],
    )  # fmt: skip


def _setup(result: AlongResult) -> list[tuple[str, str]]:
    search = result.settings.search
    schedule = schedule_words(search, search.rates()[0])
    return [
        ("Varies", f"{result.setting}: {', '.join(f'{value:g}' for value in result.values)}"),
        ("Learning rates", ", ".join(f"{rate:g}" for rate in result.learning_rates())),
        ("Schedule", schedule),
    ]


def optimum_table(result: AlongResult) -> TextTable:
    """Return the best learning rate, the band and the optimum at each value."""
    words, rows = ScoreWords(result.score), list[list[str]]()
    for value, optimum in result.optima.items():
        rows.append([
            f"{value:g}",
            f"{optimum.best:g}",
            ", ".join(f"{rate:g}" for rate in result.band(value)),
            rate_interval(optimum.at),
            words.number(result.scores(value).mean(optimum.best)),
            standing_words(result, value) or _open_words(optimum),
        ])  # fmt: skip
    columns = [
        setting_title(result.setting), "best of the grid", "band", "optimum [95 %]",
        f"{words.heading} at the best", "",
    ]  # fmt: skip
    seeds = result.settings.search.seeds
    note = (
        f"n = {seeds} seeds, the same for all. Band: not significantly worse than the best, paired "
        "by seed. Optimum: the vertex of the parabola in log10(learning rate) through the best "
        "mean and its two neighbours. Its interval has the learning rates at which the slope of "
        "the parabola is not significantly different from 0 (Fieller); – beyond the grid. It is "
        "over seeds and does not cover the shape: if the score falls 4 times as steeply on one "
        "side, the vertex is 0.2 to 0.3 steps of the grid away from the top, on the other side; "
        "most of that is the same at all values. The factor with each doubling, "
        f"{factor_words(result)}, is the slope of log10(optimum) over "
        f"log2({setting_title(result.setting)}); values with flatter parabolas or noisier scores "
        "count less."
    )
    return TextTable("Optima", columns, rows, note)


def _open_words(optimum: Optimum) -> str:
    return "" if optimum.bounded else "the curve is flat: the interval reaches beyond the grid"


def reference_section(result: AlongResult) -> list[Section]:
    """Return published rules for the drift beside what was measured, if there are any."""
    rules = references_for(result.settings.search, result.setting)
    if not rules:
        return []
    facts = [("Measured here", f"{factor_words(result)} with each doubling")]
    facts += [(rule.name, f"{factor_text(rule.factor)}: {rule.basis}.") for rule in rules]
    note = (
        "For orientation: the rules are limits of very wide networks or approximations of the "
        "training, and the measurement is the best learning rate of finite, annealed runs."
    )
    return [Section("Beside published rules", note, facts=facts)]


def score_table(result: AlongResult) -> TextTable:
    """Return the mean score of each learning rate at each value."""
    words = ScoreWords(result.score)
    rows = []
    for rate in result.learning_rates():
        cells = []
        for value in result.values:
            scores = result.scores(value)
            shown = words.number(scores.mean(rate)) if scores.of(rate) else ""
            cells.append(", ".join(filter(None, [shown, result.diverged_words(value, rate)])))
        rows.append([f"{rate:g}", *cells])
    title = setting_title(result.setting)
    columns = ["learning rate", *(f"{title} {value:g}" for value in result.values)]
    note = f"Final validation {words.heading}: mean over seeds [95 % t interval]."
    return TextTable("All scores", columns, rows, note)


def to_json(result: AlongResult) -> str:
    """Return the text of along.json: all results, by seed."""
    drift, predict = result.drift, result.settings.predict
    predicted = None
    if predict is not None and extrapolates(result):
        predicted = result.predict(predict)
    shape = result.shape_bounds()
    values = {
        "findings": along_findings(result),
        "setting": result.setting,
        "score": result.score,
        "higher_is_better": result.higher_is_better,
        "values": [json_of_value(result, value) for value in result.values],
        "factor_per_doubling": None if drift is None else {
            "values": list(drift.values), **json_estimate(drift.factor),
        },
        "bend": None if drift is None or drift.bend is None else json_estimate(drift.bend),
        "follows_power_law": (
            None if drift is None or drift.bend is None or shape else not bends(result)
        ),
        "factor_of_shape": None if shape is None else _ends(*shape),
        "factor_bounds": _ends(*result.factor_bounds()),
        "extrapolated": None if predicted is None else {
            "value": predict, **json_estimate(predicted),
        },
    }  # fmt: skip
    return json_text(values)


def _ends(low: float, high: float) -> dict[str, Any]:
    return {"low": json_number(low), "high": json_number(high)}


def json_of_value(result: AlongResult, value: float) -> dict[str, Any]:
    """Return the results at a value, for JSON."""
    optimum, scores = result.optima[value], result.scores(value)
    return {
        "value": value,
        "learning_rate": optimum.best,
        "band": result.band(value),
        "optimum": None if optimum.standing != "inside" else json_estimate(optimum.at),
        "standing": optimum.standing,
        "lopsided": optimum.lopsided,
        "above": json_number(optimum.above),
        "below": json_number(optimum.below),
        "learning_rates": [
            {
                "learning_rate": rate,
                **json_estimate(scores.mean(rate)),
                "without_score": scores.diverged(rate),
                "by_seed": json_by_seed(scores.of(rate)),
            }
            for rate in scores.by_arm
        ],
    }
