"""The page of a probe: what the pattern was, what each arm learned first, what that costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from learnorder.execution.log_lines import phase
from learnorder.images.data_table import data_section
from learnorder.images.figures import page_figures
from learnorder.images.page import CURVES_NOTE, GALLERY_NOTE, GRID_NOTE, RELIANCE_NOTE, asked_of
from learnorder.images.sheets import example_images
from learnorder.probe import RATE, ArmNumbers, Calibration, ProbeResult, Statement, statements
from learnorder.probe.record import to_json
from learnorder.probe.settings import noise_words
from learnorder.report.content import Content, Section, TextTable
from learnorder.report.grid import Row, SweepGrid, sweep_rows
from learnorder.report.origin import key, origin
from learnorder.report.page import write_page
from learnorder.report.tables import final_table, last_layer_table, median_epoch, order_table
from learnorder.runs import setting_words
from learnorder.runs.files import atomic_write
from learnorder.runs.results import Results
from learnorder.statistics import (
    FEWEST_ALIKE,
    FEWEST_HEADLINE,
    FEWEST_SEEDS,
    HOLM_NOTE,
    adjusted_p,
    p_words,
    side_of,
)
from learnorder.statistics.learned import PATCH_LEVEL
from learnorder.statistics.verdicts import VERDICT_WORDS


@phase("drawing the page")
def write_probe(result: ProbeResult, folder: Path | str) -> Path:
    """Write report.html and probe.json to a folder; return the page's path."""
    folder = Path(folder)
    with atomic_write(folder / "probe.json") as temporary:
        temporary.write_text(to_json(result), encoding="utf-8")
    return write_page(probe_content(result), folder / "report.html")


def probe_content(result: ProbeResult) -> Content:
    """Return what the page shows."""
    results, probe = result.results, result.probe
    rates = ", ".join(f"{rate:g}" for rate in probe.rates)
    return Content(
        title="What does the network learn first?",
        findings=probe_findings(result),
        asked=[
            *asked_of(results),
            ("Learning rates", f"{rates}; annealed to {probe.rates[0]:g} at epoch "
             f"{probe.anneal_epoch}"),
            ("Noise", noise_words(probe.noise)),
        ],
        sections=_sections(result),
        origins=[origin(results)],
    )  # fmt: skip


def probe_findings(result: ProbeResult) -> list[str]:
    """Return what was found, in sentences that go no further than their intervals."""
    results, probe = result.results, result.probe
    sentences = [calibration_words(result.calibration, probe.rates[0])]
    small, large = probe.rates[0], result.largest()
    small_arm, large_arm = result.arm("constant", small), result.arm("annealed", large)
    titles = {arm: _title(results, arm) for arm in results.arms}
    if results.finished.empty:
        return [*sentences, f"No run has finished: {results.status_words()}."]
    sentences += [
        f"{titles[arm]}: {learned_words(result.numbers(arm))}."
        for arm in (small_arm, large_arm)
        if arm is not None and results.final(arm, "clean", "accuracy")
    ]
    tried = statements(result)
    sentences += [statement_words(each) for each in tried]
    numbers = {titles[arm]: result.numbers(arm) for arm in results.arms}
    for title, arm in numbers.items():
        if failed := arm.too_large():
            sentences.append(f"Too large: {title}, {failed}.")
        elif few := arm.undertrained():
            sentences.append(
                f"Undertrained: {title}, {few}. Its reliance says nothing of robustness."
            )
    if small_arm is not None and results.last_layers(small_arm):
        sentences.append(_last_layer_words(titles[small_arm], results, small_arm))
    if result.not_retrained:
        sentences.append(f"Last layers were not retrained. {result.not_retrained}")
    if tried:
        sentences.append(advice_words(result, tried))
    return sentences


def statement_words(statement: Statement) -> str:
    """Return a statement with its verdict and what that rests on."""
    measured = statement.measured
    shown = f"{measured.shown()}, n = {measured.estimate.n}"
    beside = [f"at {level} {found.shown()}" for level, found in statement.beside.items()]
    rests = "; ".join(filter(None, [statement.reason, shown, measured.note, *beside]))
    return f"{VERDICT_WORDS[statement.verdict]}: {statement.text[:-1]} ({rests})."


def statement_table(found: Sequence[Statement]) -> TextTable:
    """Return the statements with what decides each."""
    adjusted = adjusted_p([each.measured for each in found])
    rows = []
    for each, p in zip(found, adjusted, strict=True):
        measured = each.measured
        beside = [f"at {level}: {other.shown()}" for level, other in each.beside.items()]
        how = "; ".join(filter(None, [each.reason, measured.note, *beside]))
        n = str(measured.estimate.n)
        rows.append([VERDICT_WORDS[each.verdict], p_words(p), each.text, measured.shown(), n, how])
    return TextTable(
        "What the paper says, tried here",
        ["verdict", "p (Holm)", "statement", "measured", "n", "how"],
        rows,
        "Paired by seed: mean difference [95 % interval], or where a run never learns pattern or "
        "content the share of seeds [exact 95 % interval]. The order is decided with the content "
        "at ¼ of the way from guessing to perfect; what it is at other levels stands beside it. A "
        f"verdict takes {FEWEST_SEEDS} seeds, a sign test {FEWEST_ALIKE}, and a headline "
        f"{FEWEST_HEADLINE}. {HOLM_NOTE}",
        wrap=True,
    )


def _title(results: Results, arm: str) -> str:
    """Return an arm in words: "LR 0.5, annealed, with noise"."""
    labels = results.labels(arm)
    arm, _, noise = labels["arm"].partition("_")
    return f"LR {labels[RATE]}, {arm}{', with noise' if noise else ''}"


def learned_words(arm: ArmNumbers) -> str:
    """Return when an arm learned the pattern, and the content at each of its levels.

    >>> content = {"¼": {0: 2, 1: 4}, "½": {0: 9, 1: None}, "¾": {0: None, 1: None}}
    >>> learned_words(ArmNumbers({}, {}, {}, {0: 5, 1: 7}, content, 20, 0.1, 0, 2))
    'the pattern is learned at epoch 6, the content at ¼ at epoch 3, at ½ never (in 1 of 2 seeds at
    epoch 9), at ¾ never (medians over seeds)'
    """
    parts = [f"at {level} {_at(found)}" for level, found in arm.content.items()]
    pattern = _at(arm.pattern)
    return f"the pattern is learned {pattern}, the content {', '.join(parts)} (medians over seeds)"


def _at(found: Mapping[int, int | None]) -> str:
    """Return the median epoch in words, and how many seeds get there where not all do."""
    middle, reached = median_epoch(found), [e for e in found.values() if e is not None]
    said = "never" if middle == "never" else f"at epoch {middle}"
    if not reached or len(reached) == len(found):
        return said
    some = f"in {len(reached)} of {len(found)} seeds"
    return (
        f"{said} ({some} at epoch {median(reached):g})" if middle == "never" else f"{said} ({some})"
    )


def calibration_words(calibration: Calibration, rate: float) -> str:
    """Return which contrast the pattern has, and why."""
    chosen = f"The pattern's contrast is {calibration.contrast:g}"
    if not calibration.tried:
        return f"{chosen}, as given; whether it can be memorised was not tried."
    reached = f"{100 * calibration.accuracy[calibration.contrast]:.0f} %"
    return (
        f"{chosen}: the faintest tried that the small LR ({rate:g}) memorises before the epoch "
        f"of the anneal ({reached} on the pattern alone)."
    )


def _last_layer_words(title: str, results: Results, arm: str) -> str:
    changes = [results.last_layer_change(arm, name) for name in ("clean", "reliance")]
    clean, reliance = (change.format(100) for change in changes)
    return (
        f"{title}, with its last layer retrained on clean images: clean accuracy changes by "
        f"{clean} points, reliance by {reliance} (n = {changes[0].n}). "
        + (
            "What came back was learned and not used."
            if side_of(changes[0]) == "above" or side_of(changes[1]) == "below"
            else "Whether that is a change for the better is inconclusive."
        )
    )


def advice_words(result: ProbeResult, found: list[Statement]) -> str:
    """Return which learning rate the probe speaks for, or that it does not tell."""
    small, large = result.probe.rates[0], result.largest()
    verdicts = {each.quantity: each.verdict for each in found if each.arm == "annealed"}
    clean, reliance = verdicts.get("clean"), verdicts.get("reliance")
    if clean == "holds" and reliance != "does_not_hold":
        return f"These runs speak for LR {large:g}, annealed."
    if reliance == "holds" and clean == "undecided":
        return f"These runs speak for LR {large:g}, annealed: it relies on the pattern less."
    if "does_not_hold" in (clean, reliance) and "holds" not in (clean, reliance):
        return f"These runs speak for LR {small:g}."
    if {clean, reliance} == {"holds", "does_not_hold"}:
        return f"LR {large:g}, annealed, and LR {small:g} trade clean accuracy against reliance."
    return "These runs do not tell which learning rate to take: give more seeds, or longer runs."


def calibration_table(calibration: Calibration) -> TextTable:
    """Return what each contrast came to."""
    rows = [
        [f"{contrast:g}", f"{100 * value:.1f}", "taken" if contrast == calibration.contrast else ""]
        for contrast, value in calibration.accuracy.items()
    ]
    note = (
        "Per cent on the pattern alone, of the small LR at the epoch before the anneal; one run "
        f"each, on a seed that no arm has. Memorised from {100 * PATCH_LEVEL:.0f} % on."
    )
    return TextTable("Calibration", ["contrast", "pattern alone", ""], rows, note)


def _sections(result: ProbeResult) -> list[Section]:
    results, sections = result.results, []
    if not results.finished.empty:
        if tried := statements(result):
            table = statement_table(tried)
            sections.append(Section(table.title, table=table))
        grid = over_rates(sweep_rows(results), result.probe.rates[0])
        if grid is not None:
            note = GRID_NOTE + RELIANCE_NOTE
            sections.append(Section("Over the learning rates", note, wide=grid.figures()))
        tables = (final_table(results), order_table(results), last_layer_table(results))
        sections += [Section(table.title, table=table) for table in tables if table is not None]
        shown = _shown(result)
        panels = page_figures(shown)["curves"]
        if panels:
            note = CURVES_NOTE + " The smallest and the largest learning rate are shown."
            sections.append(Section("Over the epochs", note, key=key(shown), panels=panels))
    gallery = example_images(results.folders)
    last = calibration_table(result.calibration) if result.calibration.accuracy else None
    if gallery is not None or last is not None:
        note = GALLERY_NOTE if gallery is not None else ""
        sections.append(Section("The pattern", note, gallery=gallery, last=last))
    if (section := data_section(results)) is not None:
        sections.append(section)
    return sections


def over_rates(rows: Sequence[Row], small: float) -> SweepGrid | None:
    """Return the arms over the learning rates.

    The small LR stands at the beginning of the annealed ones too, as it is what they are annealed
    to.

    Args:
        rows: Of the arms.
        small: The small LR.
    """
    shared = [
        {**row, "arm": str(row["arm"]).replace("constant", "annealed")}
        for row in rows
        if row[RATE] == setting_words(small)
    ]
    return SweepGrid.of([*rows, *shared])


def _shown(result: ProbeResult) -> Results:
    """Return the arms that curves are shown of: the smallest and the largest learning rate."""
    ends = (result.probe.rates[0], result.probe.rates[-1])
    chosen = [f for f in result.results.folders if f.config.learning_rate.initial in ends]
    return Results(chosen)
