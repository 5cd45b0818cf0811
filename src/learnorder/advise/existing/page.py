"""The page of existing runs: which learning rates are best, and what to run next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from learnorder.advise.existing.columns import ROLES
from learnorder.advise.existing.result import JudgedRuns
from learnorder.advise.existing.words import judged_findings, length_words, seeds_note
from learnorder.advise.figures import RateLine, draw_gains, draw_lines, span_of
from learnorder.advise.phrases import ARM_VERDICT_WORDS
from learnorder.execution.log_lines import phase
from learnorder.report.content import Content, Quoted, Section, TextTable
from learnorder.report.page import write_result
from learnorder.report.parts import Point, make_room
from learnorder.report.score_words import ScoreWords
from learnorder.report.style import layout, log_axis
from learnorder.statistics import (
    FEWEST_SEEDS,
    HOLM_NOTE,
    MOST_UNADJUSTED,
    adjusted_p,
    p_words,
    range_of,
)
from learnorder.statistics.as_json import json_by_seed, json_estimate, json_text

_ROLES = {
    "learning_rate": "Learning rate",
    "score": "Score",
    "seed": "Seed",
    "epochs": "Epochs",
    "steps": "Steps",
    "state": "State of a run",
}


@phase("drawing the page")
def write_judged(judged: JudgedRuns, folder: Path | str) -> Path:
    """Write report.html and judged.json to a folder; return the page's path."""
    return write_result(judged_content(judged), to_json(judged), "judged.json", folder)


def judged_content(judged: JudgedRuns) -> Content:
    """Return what the page shows."""
    note = (
        "Mean over the runs of a learning rate, with 95 % t intervals; a dot is a run. A hollow "
        "marker has runs without a final score, which the mean excludes. Shaded: the learning "
        "rates not significantly worse than the best. Intervals are over seeds, not over data, and "
        "not adjusted for their number. The best is chosen by the same runs as its mean, which is "
        "therefore slightly optimistic. The axis covers the better half of the learning rates and "
        "those near it; others may lie outside."
    )
    sections = [Section("All learning rates", table=rate_table(judged))]
    if judged.best() is not None:
        table = judged_comparisons(judged)
        sections.insert(0, Section(
            table.title, table.note, wide=[judged_gains(judged)],
            last=TextTable("", table.columns, table.rows, ""),
        ))  # fmt: skip
    if judged.suggestions():
        sections.append(Section("Run next", table=next_table(judged)))
    return Content(
        title="Which learning rate? Judged from existing runs",
        findings=judged_findings(judged),
        setup=_setup(judged),
        lead=[Section("Final score by learning rate", note, wide=[score_figure(judged)])],
        sections=sections,
        origins=[],
    )


def _setup(judged: JudgedRuns) -> list[tuple[str, str]]:
    """Return what was taken from the table."""
    taken = judged.taken
    facts: list[tuple[str, str]] = [("Runs", Quoted(f"{len(taken.runs)}, from {taken.source}"))]
    if taken.where:
        chosen = "; ".join(
            f"{name} is {' or '.join(map(_value, values))}" for name, values in taken.where.items()
        )
        facts.append(("Selected", Quoted(f"{chosen}; {taken.left_out} other runs left out")))
    for role in ROLES:
        if role in taken.columns:
            words = f"column {taken.columns[role]}"
            if role == "score":
                words += f"; {'higher' if taken.higher_is_better else 'lower'} is better"
            facts.append((_ROLES[role], Quoted(words)))
    if "seed" not in taken.columns:
        facts.append(("Seed", "no column: one run for each learning rate"))
    facts.append(("Tolerance", ScoreWords(judged.score).amount(judged.tolerance)))
    return facts


def _value(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def score_figure(judged: JudgedRuns) -> go.Figure:
    """Return final scores over the learning rate, a line for each length of runs."""
    figure = make_subplots(rows=1, cols=1)
    layout(figure, "", "", "", 380)
    lines = [
        RateLine(
            length_words(judged, length) or "runs",
            judged.scores(length).by_arm,
            {rate: judged.missing_words(rate, length) for rate in judged.scores(length).by_arm},
        )
        for length in reversed(judged.lengths())
    ]
    span = span_of([rate for line in lines for rate in line.scores])
    figure.update_xaxes(log_axis(10**end for end in span), range=span)
    figure.update_xaxes(title={"text": "learning rate"})
    draw_lines(figure, lines, judged.score, judged.band(), around=judged.comparable())
    return make_room(figure.update_layout(hovermode="closest", margin={"t": 20, "b": 90}))


def judged_comparisons(judged: JudgedRuns) -> TextTable:
    """Return the comparisons of the judged learning rates with the best."""
    best, words = judged.best(), ScoreWords(judged.score)
    rates = [rate for rate in judged.judged() if rate != best]
    assert best is not None
    measures = [judged.compare(rate, best) for rate in rates]
    planned = sum(len(seeds) >= FEWEST_SEEDS for seeds in judged.scores().seeds.values()) - 1
    many, rows = planned > MOST_UNADJUSTED, list[list[str]]()
    for rate, gain, p in zip(rates, measures, adjusted_p(measures, planned), strict=True):
        n = f"{gain.estimate.n} pairs"
        if not judged.paired(rate, best):
            n = f"{judged.mean(rate).n} and {judged.mean(best).n} runs"
        verdict = ARM_VERDICT_WORDS[judged.verdict(rate, best)]
        rows.append([
            f"{rate:g} against {best:g}", n, words.number(judged.mean(rate)),
            words.number(gain.estimate), verdict, *[p_words(p)] * many,
        ])  # fmt: skip
    columns = ["comparison", "n", words.heading, f"better by, {words.unit}", ""]
    note = (
        f"Final {words.name}: mean [95 % t interval], positive if the first is better. Learning "
        "rates are paired on the seeds that both have; with fewer than "
        f"{FEWEST_SEEDS} of these they are independent samples (Welch). As good: the interval "
        f"excludes a loss of more than {words.amount(judged.tolerance)} (--tolerance; dotted). "
        "Inconclusive: it shows neither that nor a difference. A verdict needs at least "
        f"{FEWEST_SEEDS} seeds, and a score for every run."
    )
    if many:
        columns.append("p (Holm)")
        note += f" {HOLM_NOTE} The null hypothesis is no difference."
    return TextTable("Against the best", columns, rows, note)


def judged_gains(judged: JudgedRuns) -> go.Figure:
    """Return the comparisons with the best: 95 % intervals, and a dot for each pair."""
    best = judged.best()
    rates = [rate for rate in judged.judged() if rate != best]
    assert best is not None
    points = [
        Point(gain.by_seed, range_of(judged.score).difference(), known=gain.estimate)
        for gain in (judged.compare(rate, best) for rate in rates)
    ]
    titles = [f"{rate:g} against {best:g}" for rate in rates]
    return draw_gains(titles, points, judged.score, judged.tolerance)


def rate_table(judged: JudgedRuns) -> TextTable:
    """Return the mean score of each learning rate, a column for each length."""
    words, lengths = ScoreWords(judged.score), list(reversed(judged.lengths()))
    headings = [length_words(judged, length) or words.heading for length in lengths]
    rates = sorted({run.learning_rate for run in judged.taken.runs})
    band, best, rows = judged.band(), judged.best(), list[list[str]]()
    for rate in rates:
        cells = []
        for length in lengths:
            scores = judged.scores(length)
            lost = judged.missing_words(rate, length) if rate in scores.by_arm else ""
            mean = scores.mean(rate)
            shown = words.number(mean) + ("" if mean.identical else f" (n = {mean.n})")
            shown = shown if scores.of(rate) else "" if lost else "–"
            cells.append(", ".join(filter(None, [shown, lost])))
        standing = judged.standing(rate, band, best)
        rows.append([f"{rate:g}", *cells, standing])
    note = (
        f"Final {words.heading}: mean over n runs [95 % t interval; none for one value or "
        "equal values]. In the band: not significantly worse than the best. Not judged: fewer than "
        f"{FEWEST_SEEDS} seeds, or runs without a score."
    )
    return TextTable("All learning rates", ["learning rate", *headings, "in the band"], rows, note)


def next_table(judged: JudgedRuns) -> TextTable:
    """Return what to run next."""
    every = judged.scores()
    rows = [
        [
            f"{rate:g}",
            str(len(every.seeds.get(rate, ()))),
            str(suggestion.seeds),
            suggestion.why,
        ]
        for suggestion in judged.suggestions()
        for rate in suggestion.learning_rates
    ]
    columns = ["learning rate", "seeds now", "seeds in the end", "why"]
    note = f"Use the same seeds for all learning rates. {seeds_note(judged)}"
    return TextTable("Run next", columns, rows, note, wrap=True)


def to_json(judged: JudgedRuns) -> str:
    """Return the text of judged.json: all results, by seed."""
    best = judged.best()
    values = {
        "findings": judged_findings(judged),
        "learning_rate": best,
        "band": judged.band(),
        "judged": judged.judged(),
        "ranking": judged.ranking(),
        "score": judged.score,
        "higher_is_better": judged.higher_is_better,
        "tolerance": judged.tolerance,
        "columns": judged.taken.columns,
        "compared": [] if best is None else [
            {
                "learning_rate": rate,
                "against": best,
                "paired": judged.paired(rate, best),
                "better_by": json_estimate(judged.gain(rate, best)),
                "verdict": judged.verdict(rate, best),
            }
            for rate in judged.judged()
            if rate != best
        ],
        "lengths": [
            {
                "length": length,
                "unit": judged.taken.unit or None,
                "learning_rates": [
                    _of_rate(judged, rate, length) for rate in judged.scores(length).by_arm
                ],
            }
            for length in judged.lengths()
        ],
        "ranks": [asdict(each) for each in judged.agreements()],
        "run_next": [asdict(each) for each in judged.suggestions()],
    }  # fmt: skip
    return json_text(values)


def _of_rate(judged: JudgedRuns, rate: float, length: float | None) -> Mapping[str, Any]:
    scores = judged.scores(length)
    return {
        "learning_rate": rate,
        **json_estimate(scores.mean(rate)),
        "without_score": scores.diverged(rate),
        "by_seed": json_by_seed(scores.of(rate)),
    }
