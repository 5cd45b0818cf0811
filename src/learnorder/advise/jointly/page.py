"""The page of the best pair of two settings: the map, the optima, the comparison on new seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from learnorder.advise.along.figures import score_figure
from learnorder.advise.along.page import (
    json_of_value,
    optimum_table,
    reference_section,
    score_table,
)
from learnorder.advise.along.result import Pair
from learnorder.advise.jointly.figures import gain_figure, ridge_figure
from learnorder.advise.jointly.result import JointResult
from learnorder.advise.jointly.words import joint_findings, pair_words
from learnorder.advise.phrases import ARM_VERDICT_WORDS, schedule_words
from learnorder.advise.plans import results_of
from learnorder.execution.log_lines import phase
from learnorder.report.content import Content, Section, TextTable
from learnorder.report.origin import origin
from learnorder.report.page import write_result
from learnorder.report.score_words import ScoreWords
from learnorder.report.setting_titles import setting_title
from learnorder.statistics.as_json import json_by_seed, json_estimate, json_number, json_text


@phase("drawing the page")
def write_jointly(result: JointResult, folder: Path | str) -> Path:
    """Write report.html and jointly.json to a folder; return the page's path."""
    return write_result(joint_content(result), to_json(result), "jointly.json", folder)


def joint_content(result: JointResult) -> Content:
    """Return what the page shows."""
    title, found = setting_title(result.setting), result.searched
    runs = results_of(result.settings.along.search, result.folders)
    optima, scores = optimum_table(found), score_table(found)
    return Content(
        title=f"Which learning rate and {title} are best together?",
        findings=joint_findings(result),
        setup=[*runs.setup(), *_setup(result)],
        lead=[
            Section(
                f"Learning rate and {title}",
                "Circles: the pairs that were trained, by their mean score over the seeds of the "
                "search, on validation data; scores far below the best have the last colour. Dots: "
                "not trained. Diamonds: the optimum at each value, the vertex of a parabola "
                "through the best and its neighbours, with its 95 % interval over seeds. Line: the "
                "ridge through the optima, a power law, with its 95 % band if bounded. Ringed: the "
                "best pair, and the best learning rate at the baseline, a square.",
                wide=[ridge_figure(result)],
            ),
            *_new_section(result),
            Section(
                "Final score by learning rate",
                "Mean over the seeds of the search with 95 % t intervals; a dot is a seed. At each "
                "value besides the baseline only learning rates around the optimum were trained.",
                wide=[score_figure(found)],
            ),
        ],
        sections=[
            Section(optima.title, table=optima),
            *reference_section(found),
            Section(scores.title, table=scores),
        ],
        origins=[origin(runs)],
    )  # fmt: skip


def _setup(result: JointResult) -> list[tuple[str, str]]:
    settings, search = result.settings, result.settings.along.search
    values = ", ".join(f"{value:g}" for value in settings.along.values)
    first, new = settings.search_seeds, settings.new_seeds
    return [
        ("Varies", f"{result.setting}: {values}; baseline {settings.baseline:g}"),
        ("Learning rates", ", ".join(f"{rate:g}" for rate in search.rates())),
        ("Schedule", schedule_words(search, search.rates()[0])),
        (
            "Seeds searched and new",
            f"{first[0]} to {first[-1]} in the search, {new[0]} to {new[-1]} new",
        ),
    ]


def _new_section(result: JointResult) -> list[Section]:
    """Return the comparison on new seeds, if there is one."""
    figure, table = gain_figure(result), new_table(result)
    if figure is None:
        return []
    return [
        Section(
            "On new seeds",
            "The best pair of the search against the best learning rate at the baseline. Both were "
            "chosen on the seeds of the search, and are compared on others, paired by seed: 95 % t "
            "interval, a dot is a seed. Dotted: the tolerance.",
            wide=[figure],
            table=table,
        )
    ]


def new_table(result: JointResult) -> TextTable:
    """Return the best pair and the baseline, in the search and on new seeds."""
    words, new = ScoreWords(result.searched.score), result.new_scores()
    pairs = {"best pair": result.best(), "best at the baseline": result.baseline}
    rows = []
    for name, pair in pairs.items():
        shown = words.number(new.mean(pair)) if new.of(pair) else "–"
        searched = words.number(result.scores.mean(pair))
        rows.append([name, pair_words(result, pair), searched, shown])
    columns = ["", "pair", f"{words.heading}, search", f"{words.heading}, new seeds"]
    note = ""
    if (gain := result.gain()) is not None:
        note = (
            f"n = {gain.n} new seeds, mean [95 % t interval]. The best pair is "
            f"{words.gain(gain)}, paired by seed: {ARM_VERDICT_WORDS[result.verdict()]}. Its mean "
            "in the search is the highest of many, and optimistic."
        )
    return TextTable("Best pair and baseline", columns, rows, note)


def to_json(result: JointResult) -> str:
    """Return the text of jointly.json: all results, by seed."""
    slope, gain, drift = result.slope(), result.gain(), result.searched.drift
    runs, every = result.counts()

    def pair(each: Pair) -> dict[str, Any]:
        return {"value": each[0], "learning_rate": each[1]}

    values = {
        "findings": joint_findings(result),
        "setting": result.setting,
        "score": result.searched.score,
        "higher_is_better": result.searched.higher_is_better,
        "tolerance": json_number(result.scores.tolerance),
        "advised": pair(result.advised()),
        "best": pair(result.best()),
        "baseline": pair(result.baseline),
        "verdict": None if gain is None else result.verdict(),
        "gain_on_new_seeds": None if gain is None else json_estimate(gain),
        "new_seeds": [
            {**pair(each), "by_seed": json_by_seed(scores)}
            for each, scores in result.judged.items()
        ],
        "band": [pair(each) for each in result.band()],
        "as_good": [pair(each) for each in result.as_good()],
        "slope": None if slope is None else json_estimate(slope),
        "bend": None if drift is None or drift.bend is None else json_estimate(drift.bend),
        "runs": runs,
        "runs_of_full_grid": every,
        "values": [json_of_value(result.searched, value) for value in result.searched.values],
    }
    return json_text(values)
