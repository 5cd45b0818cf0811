"""The page of a search: which learning rates are best after annealing, and the alternatives."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from learnorder.advise.figures import gain_figure, rates_figure
from learnorder.advise.phrases import (
    ARM_VERDICT_WORDS,
    NOT_CORRECTED,
    comparisons,
    looks_words,
    schedule_words,
)
from learnorder.advise.plans import ANNEALED, CONSTANT, annealed_arms, results_of
from learnorder.advise.range_rules import RULE, RULES, RangeTest
from learnorder.advise.result import Advice
from learnorder.advise.words import advice_findings
from learnorder.execution.log_lines import phase
from learnorder.images.data_table import data_section
from learnorder.report.content import Content, Section, TextTable
from learnorder.report.dynamics import dynamics_sections
from learnorder.report.forgetting import forgetting_sections
from learnorder.report.groups import group_sections
from learnorder.report.last_layers import last_layer_sections
from learnorder.report.origin import origin
from learnorder.report.page import write_result
from learnorder.report.score_words import ScoreWords
from learnorder.report.seed_cells import with_seeds
from learnorder.runs.results import Results, ScriptResults
from learnorder.scripts.page import curve_sections
from learnorder.statistics import (
    FEWEST_SEEDS,
    HOLM_NOTE,
    MOST_UNADJUSTED,
    adjusted_p,
    p_words,
)
from learnorder.statistics.as_json import json_by_seed, json_estimate, json_number, json_text


@phase("drawing the page")
def write_advice(advice: Advice, folder: Path | str) -> Path:
    """Write report.html and advice.json to a folder; return the page's path."""
    return write_result(advice_content(advice), to_json(advice), "advice.json", folder)


def advice_content(advice: Advice) -> Content:
    """Return what the page shows."""
    data: Section | None = None
    results, lead = results_of(advice.search, advice.folders), list[Section]()
    if isinstance(results, ScriptResults):
        further = curve_sections(results)
    else:
        if (groups := results.groups()) is not None:
            lead = group_sections(groups, results.arms, annealed_arms(results))
        if isinstance(results, Results):
            data = data_section(results)
        elif (forgetting := results.forgetting()) is not None:
            kinds = {"constant": CONSTANT, "task": "by the task's scheduler"}
            lines = {kinds.get(advice.search.anneal, ANNEALED): annealed_arms(results)}
            lead += forgetting_sections(forgetting, results.arms, lines)
        further = [*last_layer_sections(results), *dynamics_sections(results)]
    if looks_words(advice.search):
        lead = [
            replace(part, note=f"{part.note} {NOT_CORRECTED}") if part.note else part
            for part in lead
        ]
    lost = "runs without a score" if advice.search.is_script else "diverged runs"
    note = (
        "Validation data; mean over seeds with 95 % t intervals. Every point is the final score of "
        f"{complete_words(advice)}; a dot is a seed. A hollow marker has {lost}, which the mean "
        "excludes. Shaded: the learning rates not significantly worse than the best. Each "
        "rung has its own seeds; all are evaluated on the same validation data, so the intervals "
        "cover variation over seeds, not over data. They are not adjusted for their number."
    )
    if looks := looks_words(advice.search):
        note += f" {looks}"
    if advice.range_test is not None:
        note += (
            " Below, a range test: the smoothed training loss while the learning rate rises from "
            "step to step. Each line is a restart with its own weights and data order, a diamond "
            "is its pick, and the dotted line is the median pick."
        )
    comparison = comparison_table(advice)
    return Content(
        title="Which initial learning rate?",
        findings=advice_findings(advice),
        setup=[*results.setup(), *_search_setup(advice)],
        lead=[
            *lead,
            Section("Final score by learning rate", note, wide=[rates_figure(advice)]),
        ],
        sections=[
            Section(
                comparison.title, comparison.note, wide=[gain_figure(advice)],
                last=TextTable("", comparison.columns, comparison.rows, ""),
            ),
            Section("Rung by rung", table=rung_table(advice)),
            *further,
            *_range_sections(advice),
            *([] if data is None else [data]),
        ],
        origins=[origin(results)],
    )  # fmt: skip


def complete_words(advice: Advice) -> str:
    """Return what each score belongs to: no run is judged before its end."""
    match advice.search.annealing:
        case "script":
            return "a complete run of the script"
        case "constant":
            return "a complete run at a constant learning rate"
        case "task":
            return "a complete run with the task's own scheduler"
    return "a complete, annealed schedule"


def _search_setup(advice: Advice) -> list[tuple[str, str]]:
    search = advice.search
    rates = ", ".join(f"{rate:g}" for rate in advice.grid())
    epochs = search.training.epochs
    plateau = f"{search.plateau_epochs(search.plateau, epochs)} of {epochs} epochs"
    rungs = "; ".join(f"{r.epochs} epochs, seeds {_span(r.seeds)}" for r in advice.rungs)
    race = [("Race", looks)] if (looks := looks_words(search)) else []
    return [
        ("Learning rates", rates),
        ("Schedule", schedule_words(search, advice.smallest, plateau)),
        ("Rungs", rungs),
        *race,
    ]


def _span(seeds: Sequence[int]) -> str:
    return f"{seeds[0]} to {seeds[-1]}" if len(seeds) > 1 else str(seeds[0])


def comparison_table(advice: Advice) -> TextTable:
    """Return the paired comparisons at full length."""
    words, rows = ScoreWords(advice.score), []
    pairs = comparisons(advice)
    measures = [
        replace(advice.compare(arm, baseline), p=math.nan)
        if advice.diverged(arm) or advice.diverged(baseline)
        else advice.compare(arm, baseline)
        for _, arm, baseline in pairs
    ]
    many = len(pairs) > MOST_UNADJUSTED
    for (name, arm, baseline), gain, p in zip(pairs, measures, adjusted_p(measures), strict=True):
        mean = ", ".join(filter(None, [words.number(advice.mean(arm)), advice.diverged_words(arm)]))
        verdict, e = ARM_VERDICT_WORDS[advice.verdict(arm, baseline)], gain.estimate
        scores = _by_seed(mean, advice.arms[arm], words)
        better = _by_seed(words.number(e), gain.by_seed, words)
        rows.append([name, str(e.n), scores, better, verdict, *[p_words(p)] * many])
    columns = ["comparison", "n pairs", words.heading, f"better by, {words.unit}", "verdict"]
    note = (
        f"Final validation {words.name} at {advice.search.training.epochs} epochs, paired by "
        "seed: mean [95 % t interval], positive if the first is better. As good: the interval "
        f"excludes a loss of more than {words.amount(advice.tolerance)} (--tolerance; dotted). "
        "Inconclusive: it shows neither that nor a difference. A verdict needs at least "
        f"{FEWEST_SEEDS} seeds."
    )
    if looks := looks_words(advice.search):
        note += f" {looks}"
    if many:
        columns.append("p (Holm)")
        note += f" {HOLM_NOTE} The null hypothesis is no difference."
    return TextTable("At full length", columns, rows, note)


def rung_table(advice: Advice) -> TextTable:
    """Return the final score of each learning rate on each rung."""
    words = ScoreWords(advice.score)
    columns = ["learning rate", *(f"{rung.epochs} epochs" for rung in advice.rungs)]
    rows = []
    for rate in advice.grid():
        cells = []
        for rung in advice.rungs:
            if rate not in rung.scores:
                cells.append("eliminated")
                continue
            failed = rung.too_large(rate)
            last = rung is advice.rungs[-1]
            mean = advice.mean(advice.arm(rate)) if last else rung.mean(rate)
            shown = words.number(mean) if rung.scores[rate] else ""
            shown = shown if last else shown.partition(" ")[0]
            text = " ".join(filter(None, [shown, f"({failed})" if failed else ""]))
            cells.append(_by_seed(text, rung.scores[rate], words))
        if advice.search.race:
            trained = rate in advice.rungs[-1].scores
            cells.append(str(advice.count(advice.arm(rate))) if trained else "–")
        rows.append([f"{rate:g}", *cells])
    columns += ["seeds at full length"] if advice.search.race else []
    seeds = [len(rung.seeds) for rung in advice.rungs]
    keep = advice.search.keep
    share = "better half" if keep == 0.5 else f"best {100 * keep:g} % (at least three)"
    note = (
        f"Final validation {words.heading}: mean over seeds ({', '.join(map(str, seeds))}), at "
        f"full length with the 95 % t interval. Every score is that of {complete_words(advice)}. "
        f"The {share} of each rung and the smallest learning rate go on to the next. At full "
        "length, the next larger learning rate is added back as long as the largest is the best."
    )
    return TextTable("Rung by rung", columns, rows, note)


def _by_seed(text: str, values: Mapping[int, float], words: ScoreWords) -> str:
    return with_seeds(text, {f"seed {seed}": words.one(values[seed]) for seed in sorted(values)})


def _range_sections(advice: Advice) -> list[Section]:
    if advice.range_test is None:
        return []
    table = range_table(advice.range_test)
    return [Section(table.title, table=table)]


def range_table(test: RangeTest) -> TextTable:
    """Return the picks of each rule from the restarts of a range test."""
    restarts, rows = len(test.restarts), []
    for rule in RULES:
        picks, median = test.picks(rule), test.median(rule)
        rows.append([
            f"{rule} (used here)" if rule == RULE else rule,
            "no pick" if median is None else f"{median:.2g}",
            ", ".join(f"{pick:.2g}" for pick in picks),
            f"{restarts - len(picks)} of {restarts}",
        ])  # fmt: skip
    exploded = sum(restart.ended == "exploded" for restart in test.restarts)
    note = (
        "Steepest: where the smoothed loss falls fastest over log η. Valley: the middle of the "
        "longest decrease. Minimum: a tenth of the learning rate with the lowest loss. There is no "
        "pick if the loss does not fall by more than its noise, or if the pick would be at an end "
        f"of the range. The loss exploded in {exploded} of {restarts} restarts, which stopped then."
    )
    columns = ["rule", "median", "picks of the restarts", "without a pick"]
    return TextTable("What a range test picks", columns, rows, note)


def to_json(advice: Advice) -> str:
    """Return the text of advice.json: all results, by seed."""
    arms = [
        {**asdict(arm), **json_estimate(advice.mean(arm)), "by_seed": json_by_seed(scores)}
        for arm, scores in advice.arms.items()
    ]
    if advice.search.race:
        for values, arm in zip(arms, advice.arms, strict=True):
            values |= {"seeds": advice.count(arm), "stopped": advice.stopped(arm)}
    rungs = [
        {
            "epochs": rung.epochs,
            "seeds": list(rung.seeds),
            "scores": {f"{rate:g}": json_by_seed(s) for rate, s in rung.scores.items()},
            "kept": list(rung.kept),
        }
        for rung in advice.rungs
    ]
    compared = [
        {
            "says": name,
            "better_by": json_estimate(advice.gain(arm, baseline)),
            "standing": advice.verdict(arm, baseline),
        }
        for name, arm, baseline in comparisons(advice)
    ]
    test, tolerance = advice.range_test, advice.tolerance
    values = {
        "findings": advice_findings(advice),
        "learning_rate": None if advice.learned_nothing() else advice.best(),
        "band": [] if advice.learned_nothing() else advice.band(),
        "learned_nothing": advice.learned_nothing(),
        "no_difference": advice.found_no_difference(),
        "score": advice.score,
        "higher_is_better": advice.higher_is_better,
        "tolerance": json_number(tolerance),
        "shortest_plateau": advice.shortest_plateau(),
        "range_test_pick": None if test is None else test.pick,
        "range_test_picks": None if test is None else {rule: test.picks(rule) for rule in RULES},
        "compared": compared,
        "ranks": [asdict(each) for each in advice.agreements()],
        "arms": arms,
        "rungs": rungs,
    }
    if advice.search.race:
        values |= {"full_runs": advice.full_runs(), "full_runs_saved": advice.full_runs_saved()}
    return json_text(values)
