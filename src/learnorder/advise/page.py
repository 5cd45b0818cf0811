"""The page of a search: which learning rates are best after annealing, and what else would do."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from learnorder.advise.figures import gain_figure, rates_figure
from learnorder.advise.range_rules import RULE, RULES, RangeTest
from learnorder.advise.result import Advice
from learnorder.advise.task_page import asked_of_task
from learnorder.advise.words import ARM_VERDICT_WORDS, advice_findings, comparisons
from learnorder.execution.log_lines import phase
from learnorder.images.data_table import data_section
from learnorder.images.page import asked_of
from learnorder.report.content import Content, Section, TextTable
from learnorder.report.origin import origin
from learnorder.report.page import write_page
from learnorder.report.score_words import ScoreWords
from learnorder.runs.files import atomic_write
from learnorder.runs.results import Results, TaskResults
from learnorder.statistics import (
    FEWEST_SEEDS,
    HOLM_NOTE,
    MOST_UNADJUSTED,
    Estimate,
    adjusted_p,
    p_words,
)


@phase("drawing the page")
def write_advice(advice: Advice, folder: Path | str) -> Path:
    """Write report.html and advice.json to a folder; return the page's path."""
    folder = Path(folder)
    with atomic_write(folder / "advice.json") as temporary:
        temporary.write_text(to_json(advice), encoding="utf-8")
    return write_page(advice_content(advice), folder / "report.html")


def advice_content(advice: Advice) -> Content:
    """Return what the page shows."""
    read: Section | None = None
    if advice.search.is_task:
        asked, came = asked_of_task(task := TaskResults(advice.folders)), origin(task)
    else:
        asked, came = asked_of(images := Results(advice.folders)), origin(images)
        read = data_section(images)
    note = (
        "Validation data; mean over seeds with 95 % t intervals. Every point is the end of a whole "
        "schedule, annealed; a dot is a seed, and a hollow mark has runs that diverged, which are "
        "in no mean. Shaded: the learning rates not significantly worse than the best. "
        "Rungs have seeds of their own, and all are judged on the same validation data: the "
        "intervals are over seeds, not over other data, and each is for itself."
    )
    if advice.range_test is not None:
        note += (
            " Below, a range test: the training loss, smoothed, while the learning rate rises from "
            "step to step, a line for each restart with weights and a data order of its own. A "
            "diamond is its pick; the dotted line is the median of the picks."
        )
    found = comparison_table(advice)
    return Content(
        title="Which initial learning rate?",
        findings=advice_findings(advice),
        asked=[*asked, *_asked(advice)],
        lead=[
            Section("After annealing, over the learning rates", note, wide=[rates_figure(advice)])
        ],
        sections=[
            Section(found.title, found.note, wide=[gain_figure(advice)], last=_bare(found)),
            Section("Rung by rung", table=rung_table(advice)),
            *_range_sections(advice),
            *([] if read is None else [read]),
        ],
        origins=[came],
    )


def _bare(table: TextTable) -> TextTable:
    return TextTable("", table.columns, table.rows, "")


def _asked(advice: Advice) -> list[tuple[str, str]]:
    search = advice.search
    rates = ", ".join(f"{rate:g}" for rate in advice.grid())
    held = search.plateau_epochs(search.plateau, search.training.epochs)
    schedule = (
        f"held for {held} of {search.training.epochs} epochs, then {advice.smallest:g}"
        if search.anneal == "step"
        else "half a cosine wave, to 0"
    )
    rungs = "; ".join(f"{r.epochs} epochs, seeds {_span(r.seeds)}" for r in advice.rungs)
    return [
        ("Learning rates", rates),
        ("Schedule", schedule),
        ("Rungs", rungs),
    ]


def _span(seeds: Sequence[int]) -> str:
    return f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else str(seeds[0])


def comparison_table(advice: Advice) -> TextTable:
    """Return the paired comparisons at full length."""
    words, rows = ScoreWords(advice.score), []
    found = comparisons(advice)
    measured = [
        replace(advice.compared(arm, baseline), p=math.nan)
        if advice.lost(arm) or advice.lost(baseline)
        else advice.compared(arm, baseline)
        for _, arm, baseline in found
    ]
    many = len(found) > MOST_UNADJUSTED
    for (name, arm, baseline), each, p in zip(found, measured, adjusted_p(measured), strict=True):
        mean = ", ".join(filter(None, [words.number(advice.mean(arm)), advice.lost_words(arm)]))
        standing = ARM_VERDICT_WORDS[advice.verdict(arm, baseline)]
        gain = words.number(each.estimate)
        rows.append([name, str(each.estimate.n), mean, gain, standing, *[p_words(p)] * many])
    columns = ["compared", "n pairs", words.heading, f"better by, {words.unit}", ""]
    note = (
        f"Final validation {advice.score} at {advice.search.training.epochs} epochs, paired by "
        "seed: mean [95 % t interval], positive where the first is better. As good: the interval "
        f"shows a loss of no more than {words.amount(advice.tolerance)} (--tolerance; dotted). "
        "Inconclusive: it shows neither that nor a difference. A verdict takes "
        f"{FEWEST_SEEDS} seeds."
    )
    if many:
        columns.append("p (Holm)")
        note += f" {HOLM_NOTE} p is that of no difference."
    return TextTable("At full length", columns, rows, note)


def rung_table(advice: Advice) -> TextTable:
    """Return what each learning rate came to on each rung."""
    words = ScoreWords(advice.score)
    columns = ["learning rate", *(f"{rung.epochs} epochs" for rung in advice.rungs)]
    rows = []
    for rate in advice.grid():
        cells = []
        for rung in advice.rungs:
            if rate not in rung.scores:
                cells.append("left out")
                continue
            failed = rung.too_large(rate)
            shown = words.number(rung.mean(rate)) if rung.scores[rate] else ""
            if rung is not advice.rungs[-1]:
                shown = shown.partition(" ")[0]
            cells.append(" ".join(filter(None, [shown, f"({failed})" if failed else ""])))
        rows.append([f"{rate:g}", *cells])
    seeds = [len(rung.seeds) for rung in advice.rungs]
    note = (
        f"Final validation {words.heading}: mean over seeds ({', '.join(map(str, seeds))}), at "
        "full length with the 95 % t interval. Every schedule is whole and annealed; each rung "
        "hands its better half on, and the smallest learning rate. At full length a larger one "
        "comes back while the largest is the best."
    )
    return TextTable("Rung by rung", columns, rows, note)


def _range_sections(advice: Advice) -> list[Section]:
    if advice.range_test is None:
        return []
    table = range_table(advice.range_test)
    return [Section(table.title, table=table)]


def range_table(seen: RangeTest) -> TextTable:
    """Return what each rule that finders have picks from the restarts of a range test."""
    restarts, rows = len(seen.restarts), []
    for rule in RULES:
        picks, median = seen.picks(rule), seen.median(rule)
        rows.append([
            f"{rule} (followed here)" if rule == RULE else rule,
            "no pick" if median is None else f"{median:.2g}",
            ", ".join(f"{pick:.2g}" for pick in picks),
            f"{restarts - len(picks)} of {restarts}",
        ])  # fmt: skip
    exploded = sum(restart.ended == "exploded" for restart in seen.restarts)
    note = (
        "Steepest: where the smoothed loss falls most over log η; valley: the middle of the "
        "longest falling stretch; minimum: a tenth of where the loss is lowest. A loss that does "
        "not fall by more than its noise, or a pick at an end of the range, is no pick. The loss "
        f"exploded in {exploded} of {restarts} restarts, which stopped there."
    )
    columns = ["rule", "median", "each restart's pick", "without a pick"]
    return TextTable("What a range test picks", columns, rows, note)


def to_json(advice: Advice) -> str:
    """Return the text of advice.json: every number, seed by seed."""
    arms = [
        {**asdict(arm), **_numbers(advice.mean(arm)), "by_seed": _keyed(scores)}
        for arm, scores in advice.arms.items()
    ]
    rungs = [
        {
            "epochs": rung.epochs,
            "seeds": list(rung.seeds),
            "scores": {f"{rate:g}": _keyed(s) for rate, s in rung.scores.items()},
            "kept": list(rung.kept),
        }
        for rung in advice.rungs
    ]
    compared = [
        {
            "says": name,
            "better_by": _numbers(advice.gain(arm, baseline)),
            "standing": advice.verdict(arm, baseline),
        }
        for name, arm, baseline in comparisons(advice)
    ]
    seen = advice.range_test
    tolerance = advice.tolerance
    found = {
        "findings": advice_findings(advice),
        "learning_rate": None if advice.learned_nothing() else advice.best(),
        "band": [] if advice.learned_nothing() else advice.band(),
        "learned_nothing": advice.learned_nothing(),
        "no_difference": advice.found_no_difference(),
        "score": advice.score,
        "higher_is_better": advice.higher_is_better,
        "tolerance": None if math.isnan(tolerance) else tolerance,
        "shortest_plateau": advice.shortest_plateau(),
        "range_test_pick": None if seen is None else seen.pick,
        "range_test_picks": None if seen is None else {rule: seen.picks(rule) for rule in RULES},
        "compared": compared,
        "ranks": [asdict(each) for each in advice.agreements()],
        "arms": arms,
        "rungs": rungs,
    }
    return json.dumps(found, indent=1, allow_nan=False) + "\n"


def _keyed(by_seed: dict[int, float]) -> dict[str, float]:
    return {str(seed): value for seed, value in by_seed.items()}


def _numbers(e: Estimate) -> dict[str, Any]:
    values = {"mean": e.mean, "low": e.low, "high": e.high}
    return {**{k: None if math.isnan(v) else v for k, v in values.items()}, "n": e.n}
