"""The page of a probe: the pattern, what each arm learned first, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from learnorder.execution.log_lines import phase
from learnorder.images.data_table import data_section
from learnorder.images.figures import in_words, page_figures
from learnorder.images.page import CURVES_NOTE, GALLERY_NOTE, GRID_NOTE, RELIANCE_NOTE
from learnorder.images.sheets import example_images
from learnorder.probe import RATE, ArmNumbers, Calibration, ProbeResult, Statement, statements
from learnorder.probe.record import to_json
from learnorder.probe.settings import noise_words
from learnorder.report.comparisons import why_no_verdict
from learnorder.report.content import Content, Section, TextTable, picture_first
from learnorder.report.dynamics import dynamics_sections
from learnorder.report.grid import Row, SweepGrid, sweep_rows
from learnorder.report.groups import group_sections
from learnorder.report.origin import key, origin
from learnorder.report.page import write_result
from learnorder.report.tables import final_table, last_layer_table, median_epoch, order_table
from learnorder.runs import setting_words
from learnorder.runs.results import PatternRuns, Results, TaskResults
from learnorder.statistics import (
    FEWEST_ALIKE,
    FEWEST_HEADLINE,
    FEWEST_SEEDS,
    HOLM_NOTE,
    POINTS,
    adjusted_p,
    p_words,
    side_of,
)
from learnorder.statistics.verdicts import VERDICT_WORDS
from learnorder.tasks.page import examples_table


@phase("drawing the page")
def write_probe(result: ProbeResult, folder: Path | str) -> Path:
    """Write report.html and probe.json to a folder; return the page's path."""
    return write_result(probe_content(result), to_json(result), "probe.json", folder)


def probe_content(result: ProbeResult) -> Content:
    """Return what the page shows."""
    results, probe = result.results, result.probe
    rates = ", ".join(f"{rate:g}" for rate in probe.rates)
    lead, sections = picture_first(_sections(result))
    return Content(
        title="What does the network learn first?",
        findings=probe_findings(result),
        setup=[
            *results.setup(),
            ("Learning rates", f"{rates}; annealed to {probe.rates[0]:g} at epoch "
             f"{probe.anneal_epoch}"),
            ("Noise", noise_words(probe.noise)),
        ],
        lead=lead,
        sections=sections,
        origins=[origin(results)],
    )  # fmt: skip


def probe_findings(result: ProbeResult) -> list[str]:
    """Return the findings in sentences."""
    results, probe = result.results, result.probe
    sentences, judged = list[str](), statements(result)
    calibrated = calibration_words(result.calibration, probe.rates[0], _strength(results))
    small, large = probe.rates[0], result.largest()
    small_arm, large_arm = result.arm("constant", small), result.arm("annealed", large)
    titles = {arm: _title(results, arm) for arm in results.arms}
    if not results.has_finished:
        return [calibrated, f"No run has finished: {results.status_words()}."]
    if judged:
        sentences.append(advice_words(result, judged))
    sentences.append(calibrated)
    sentences += [
        f"{titles[arm]}: {learned_words(result.numbers(arm))}."
        for arm in (small_arm, large_arm)
        if arm is not None and results.final(arm, "clean", "accuracy")
    ]
    if small_arm is not None and large_arm is not None:
        sentences += unresolved_words(result.numbers(small_arm), result.numbers(large_arm))
    sentences += [statement_words(statement) for statement in judged]
    numbers = {titles[arm]: result.numbers(arm) for arm in results.arms}
    for title, arm in numbers.items():
        sentences += failure_words(title, arm)
    if small_arm is not None and results.last_layers(small_arm):
        sentences.append(_last_layer_words(titles[small_arm], results, small_arm))
    if result.not_retrained:
        sentences.append(f"Last layers were not retrained. {result.not_retrained}")
    return sentences


def failure_words(title: str, arm: ArmNumbers) -> list[str]:
    """Return that an arm diverged or learned too little to be compared, in a sentence, or none.

    Args:
        title: The arm in words.
        arm: Its numbers.
    """
    if failure := arm.too_large():
        if arm.diverged:
            return [f"Too large: {title}, {failure}."]
        return [
            f"Almost nothing learned: {title}, {failure}. Its learning rate is too large, or the "
            "runs are too short."
        ]
    if accuracies := arm.undertrained():
        return [f"Undertrained: {title}, {accuracies}. Its low reliance is not robustness."]
    return []


def statement_words(statement: Statement) -> str:
    """Return a statement with its verdict and the numbers that support it."""
    measured = statement.measured
    shown = f"{measured.shown()}, n = {measured.estimate.n}"
    others = [f"at {level} {other.shown()}" for level, other in statement.beside.items()]
    support = "; ".join(filter(None, [statement.reason, shown, measured.note, *others]))
    return f"{VERDICT_WORDS[statement.verdict]}: {statement.text[:-1]} ({support})."


def statement_table(judged: Sequence[Statement]) -> TextTable:
    """Return the statements with their verdicts and numbers."""
    adjusted = adjusted_p([statement.measured for statement in judged])
    rows = []
    for statement, p in zip(judged, adjusted, strict=True):
        measured = statement.measured
        others = [f"at {level}: {other.shown()}" for level, other in statement.beside.items()]
        notes = "; ".join(filter(None, [statement.reason, measured.note, *others]))
        verdict, n = VERDICT_WORDS[statement.verdict], str(measured.estimate.n)
        rows.append([verdict, p_words(p), statement.text, measured.shown(), n, notes])
    return TextTable(
        "The paper's statements, tested here",
        ["verdict", "p (Holm)", "statement", "measured", "n", "notes"],
        rows,
        "Paired by seed: mean difference [95 % interval], or, if a run never learns pattern or "
        "content, the share of seeds [exact 95 % interval]. The order is log10(epoch of the "
        "pattern / epoch of the content): higher is nearer to the content first. Its verdict uses "
        "the content at ¼ of the way from chance to 100 %; the notes have other levels. A verdict "
        f"needs at least {FEWEST_SEEDS} seeds, a sign test {FEWEST_ALIKE}, and a headline "
        f"{FEWEST_HEADLINE}. {HOLM_NOTE}",
        wrap=True,
        names="statement",
    )


def _title(results: PatternRuns[Any], arm: str) -> str:
    """Return an arm in words: "LR 0.5, annealed, with noise"."""
    labels = results.labels(arm)
    arm, _, noise = labels["arm"].partition("_")
    return f"LR {labels[RATE]}, {arm}{', with noise' if noise else ''}"


def learned_words(arm: ArmNumbers) -> str:
    """Return when an arm learned the pattern, and the content at each level.

    >>> content = {"¼": {0: 2, 1: 4}, "½": {0: 9, 1: None}, "¾": {0: None, 1: None}}
    >>> learned_words(ArmNumbers({}, {}, {}, {0: 5, 1: 7}, content, 20, 0.1, 0, 2))
    'the pattern is learned at epoch 6, the content at ¼ at epoch 3, at ½ never (in 1 of 2 seeds at
    epoch 9), at ¾ never (medians over seeds)'
    """
    parts = [f"at {level} {_epoch_words(epochs)}" for level, epochs in arm.content.items()]
    pattern = _epoch_words(arm.pattern)
    return f"the pattern is learned {pattern}, the content {', '.join(parts)} (medians over seeds)"


def unresolved_words(small: ArmNumbers, large: ArmNumbers) -> list[str]:
    """Return what both arms learn so early that their order cannot be compared; often nothing.

    >>> first = {"¼": {0: 1, 1: 1}}
    >>> unresolved_words(*[ArmNumbers({}, {}, {}, {0: 5, 1: 7}, first, 20, 0.1, 0, 2)] * 2)[0]
    'Both learn the content (¼) within the first epoch in every run, and accuracies are measured
    once an epoch: their order differs only by the epoch of the pattern.'
    """
    level = small.decisive_level
    pattern = _at_once(small.pattern) and _at_once(large.pattern)
    content = _at_once(small.content[level]) and _at_once(large.content[level])
    if not pattern and not content:
        return []
    if pattern and content:
        what, effect = f"pattern and content ({level})", "is unknown"
    elif pattern:
        what, effect = "the pattern", "differs only by the epoch of the content"
    else:
        what, effect = f"the content ({level})", "differs only by the epoch of the pattern"
    return [
        f"Both learn {what} within the first epoch in every run, and accuracies are measured once "
        f"an epoch: their order {effect}."
    ]


def _at_once(epochs: Mapping[int, int | None]) -> bool:
    """Whether something is learned in the first epoch on every seed."""
    return bool(epochs) and set(epochs.values()) == {1}


def _epoch_words(epochs: Mapping[int, int | None]) -> str:
    """Return the median epoch in words, with the number of seeds that learned, if not all did."""
    middle, learned = median_epoch(epochs), [e for e in epochs.values() if e is not None]
    words = "never" if middle == "never" else f"at epoch {middle}"
    if not learned or len(learned) == len(epochs):
        return words
    some = f"in {len(learned)} of {len(epochs)} seeds"
    if middle == "never":
        some += f" at epoch {median(learned):g}"
    return f"{words} ({some})"


def _strength(results: PatternRuns[Any]) -> str:
    """Return what the calibration chooses: the contrast of a patch, the strength of a planter."""
    return "strength" if isinstance(results, TaskResults) else "contrast"


def calibration_words(calibration: Calibration, rate: float, name: str = "contrast") -> str:
    """Return how strong the pattern is and how that was chosen.

    Args:
        calibration: The calibration.
        rate: The learning rate of its runs.
        name: What it chooses: contrast or strength.
    """
    chosen = f"The pattern's {name} is {calibration.contrast:g}"
    if not calibration.tried:
        return f"{chosen}, as given; it was not tested whether it can be memorised."
    accuracy = f"{100 * calibration.accuracy[calibration.contrast]:.0f} %"
    return (
        f"{chosen}: the faintest of those tried that the small LR ({rate:g}) memorises before the "
        f"anneal ({accuracy} on the pattern alone)."
    )


def _last_layer_words(title: str, results: PatternRuns[Any], arm: str) -> str:
    changes = [results.last_layer_change(arm, name) for name in ("clean", "reliance")]
    clean, reliance = map(POINTS.show, changes)
    whys = [why_no_verdict(results, change, arm) for change in changes]
    sides = ["" if why else side_of(e) for e, why in zip(changes, whys, strict=True)]
    if sides[0] == "above":
        conclusion = "What the new layer recovers was learned but unused."
    elif sides[1] == "below":
        conclusion = "Reliance falls, but accuracy is not shown to rise."
    else:
        conclusion = "No improvement is shown."
    support = "; ".join(filter(None, [f"n = {changes[0].n}", *dict.fromkeys(whys)]))
    return (
        f"{title}, with its last layer retrained on clean {results.noun}: clean accuracy changes "
        f"by {clean}, reliance by {reliance} ({support}). {conclusion}"
    )


def advice_words(result: ProbeResult, judged: list[Statement]) -> str:
    """Return which learning rate the probe favours, or that it is inconclusive."""
    small, large = result.probe.rates[0], result.largest()
    compared = [each for each in judged if each.arm == "annealed" and each.quantity != "order"]
    decided = [each.measured.estimate.n for each in compared if each.verdict != "undecided"]
    if any(n < FEWEST_HEADLINE for n in decided):
        return (
            f"No learning rate is favoured: {min(decided)} seeds are too few for a headline, which "
            f"needs {FEWEST_HEADLINE}."
        )
    verdicts = {each.quantity: each.verdict for each in compared}
    clean, reliance = verdicts.get("clean"), verdicts.get("reliance")
    if clean == "holds" and reliance != "does_not_hold":
        return f"These runs favour LR {large:g}, annealed."
    if reliance == "holds" and clean == "undecided":
        return f"These runs favour LR {large:g}, annealed: it relies less on the pattern."
    if "does_not_hold" in (clean, reliance) and "holds" not in (clean, reliance):
        return f"These runs favour LR {small:g}."
    if {clean, reliance} == {"holds", "does_not_hold"}:
        return f"LR {large:g}, annealed, and LR {small:g} trade clean accuracy against reliance."
    return "These runs favour no learning rate: give more seeds or longer runs."


def calibration_table(calibration: Calibration, name: str = "contrast") -> TextTable:
    """Return the accuracy on the pattern alone by contrast or strength."""
    rows = [
        [
            f"{contrast:g}",
            f"{100 * value:.1f}",
            "chosen" if contrast == calibration.contrast else "",
        ]
        for contrast, value in calibration.accuracy.items()
    ]
    note = (
        "Accuracy of the small LR on the pattern alone at the epoch before the anneal, in %; one "
        f"run each, on a seed of no arm. {100 * calibration.level:.3g} % counts as memorised."
    )
    return TextTable("Calibration", [name, "pattern alone", ""], rows, note)


def _sections(result: ProbeResult) -> list[Section]:
    results, sections = result.results, []
    if results.has_finished:
        if judged := statements(result):
            table = statement_table(judged)
            sections.append(Section(table.title, table=table))
        grid = over_rates(sweep_rows(results), result.probe.rates[0], results.noun)
        if grid is not None:
            note = in_words(GRID_NOTE + RELIANCE_NOTE, results)
            sections.append(Section("Over the learning rates", note, wide=grid.figures()))
        tables = (final_table(results), order_table(results), last_layer_table(results))
        sections += [Section(table.title, table=table) for table in tables if table is not None]
        ends = _smallest_and_largest(result)
        panels = page_figures(ends)["curves"]
        if panels:
            note = in_words(CURVES_NOTE, results)
            note += " The smallest and the largest learning rate are shown."
            sections.append(Section("Over the epochs", note, key=key(ends), panels=panels))
    calibration, last = result.calibration, None
    if calibration.accuracy:
        last = calibration_table(calibration, _strength(results))
    if isinstance(results, TaskResults):
        table = examples_table(results)
        if table is not None or last is not None:
            sections.append(Section("The pattern", table=table, last=last))
        return [*_groups(results), *sections, *dynamics_sections(results)]
    gallery = example_images(results.folders)
    if gallery is not None or last is not None:
        note = GALLERY_NOTE if gallery is not None else ""
        sections.append(Section("The pattern", note, gallery=gallery, last=last))
    sections += dynamics_sections(results)
    if isinstance(results, Results) and (section := data_section(results)) is not None:
        sections.append(section)
    return [*_groups(results), *sections]


def _groups(results: PatternRuns[Any]) -> list[Section]:
    groups = results.groups()
    return [] if groups is None else group_sections(groups, results.arms, {})


def over_rates(rows: Sequence[Row], small: float, noun: str = "images") -> SweepGrid | None:
    """Return the arms over the learning rates.

    The small LR is also the first of the annealed arms, because they are annealed to it.

    Args:
        rows: Rows of the arms.
        small: The small LR.
        noun: What the data are, in titles.
    """
    shared = [
        {**row, "arm": str(row["arm"]).replace("constant", "annealed")}
        for row in rows
        if row[RATE] == setting_words(small)
    ]
    return SweepGrid.of([*rows, *shared], noun)


def _smallest_and_largest(result: ProbeResult) -> PatternRuns[Any]:
    """Return the runs of the smallest and the largest learning rate."""
    ends = (result.probe.rates[0], result.probe.rates[-1])
    chosen = [f for f in result.results.folders if f.config.learning_rate.initial in ends]
    return type(result.results)(chosen)
