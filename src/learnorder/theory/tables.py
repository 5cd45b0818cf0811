"""Tables and sentences of the theory."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from learnorder.config.arm_titles import THEORY_ARMS
from learnorder.report.content import TextTable
from learnorder.report.tables import counted
from learnorder.report.titles import arm_columns, marked_titles
from learnorder.statistics import side_of, why_inconclusive
from learnorder.theory.order import ACCURACY_LEVEL
from learnorder.theory.phase_page import PhaseGrid, percent, percent_words, phase_table, ratio_words
from learnorder.theory.results import ERROR_SETS, Pattern, TheoryResults

_BASELINE = "S"


def theory_final_table(results: TheoryResults) -> TextTable:
    """Return test errors at the end of training, by kind of example and arm."""
    headings, cells = arm_columns(results)
    closed = any(results.final(arm, "p_only", "error_gaussian") for arm in results.arms)
    columns = [*headings, "n", *ERROR_SETS.values()]
    if closed:
        columns.insert(len(headings) + 2, "P-only, closed form")
    rows = []
    for arm in results.arms:
        row = [*cells[arm], counted(results, arm)]
        row += [percent(results, arm, set_) for set_ in ERROR_SETS]
        if closed:
            gaussian = results.final_estimate(arm, "p_only", "error_gaussian")
            row.insert(len(headings) + 2, percent_words(gaussian))
        rows.append(row)
    note = (
        "Error in per cent of test examples of a kind, at the end of training: mean over n seeds "
        "[95 % t interval]. No mistake in M examples is shown as < 3/M, the 95 % upper bound. "
        "Q-only errors are exact."
    )
    if closed:
        note += " The closed form takes the output on P patterns for Gaussian."
    return TextTable("Final test error", columns, rows, note)


def theory_order_table(results: TheoryResults) -> TextTable:
    """Return when each arm learned the two patterns, and when it was annealed."""
    titles = marked_titles(results)
    rows = []
    for arm in results.arms:
        row = [titles[arm]]
        for pattern in ("P", "Q"):
            row.append(_times(results.half_learned(arm, pattern)))
        for pattern in ("P", "Q"):
            row.append(_times(results.learned(arm, pattern)))
        row.append(_times(results.annealed(arm)) if results.annealed(arm) else "–")
        rows.append(row)
    level = f"{100 * ACCURACY_LEVEL:g} %"
    return TextTable(
        "When it was learned",
        ["arm", "P, half margin", "Q, half margin", f"P, {level}", f"Q, {level}", "annealed"],
        rows,
        "η·t, median over seeds (range). Half margin: the mean margin y·f on test examples that "
        f"have only this pattern reaches half its final value. {level}: accuracy on them stays "
        "above it from then on; the direction of P is found at once, however small its margin.",
    )


def _times(found: Mapping[int, float | None]) -> str:
    if not found:
        return "–"
    reached = sorted(time for time in found.values() if time is not None)
    if len(reached) < len(found):
        return f"{len(reached)} of {len(found)} seeds"
    low, high = _short(reached[0]), _short(reached[-1])
    spread = f" ({low}–{high})" if low != high else ""
    return _short(median(reached)) + spread


def _short(time: float) -> str:
    return f"{time:,.0f}" if time >= 100 else f"{time:.3g}"


def theory_ratio_table(results: TheoryResults) -> TextTable | None:
    """Return how S's errors compare with each other arm's, None where there is nothing to."""
    titles = marked_titles(results)
    others = [arm for arm in results.arms if arm != _BASELINE]
    if _BASELINE not in results.arms or not others:
        return None
    rows = []
    for arm in others:
        difference = results.final_difference(_BASELINE, arm, "p_only", "error")
        ratio = results.final_ratio(_BASELINE, arm, "p_only", "error")
        closed = results.final_ratio(_BASELINE, arm, "p_only", "error_gaussian")
        rows.append(
            [
                titles[arm],
                str(ratio.n),
                difference.format(100, 2),
                ratio_words(ratio),
                ratio_words(closed),
            ]
        )
    return TextTable(
        f"{titles[_BASELINE]} against the others, on P-only test examples",
        ["other arm", "n pairs", "difference, points", "ratio", "ratio, closed form"],
        rows,
        "Paired by seed. Difference: mean [95 % t interval]. Ratio of the means [95 % Fieller "
        "interval].",
    )


def findings(results: TheoryResults) -> list[str]:
    """Return what runs of the theory, or a phase diagram, show, in sentences."""
    return phase_findings(results) if results.is_phase else theory_findings(results)


def theory_findings(results: TheoryResults) -> list[str]:
    """Return one sentence for each comparison of interest."""
    if results.finished.empty:
        return [f"No run has finished: {results.status_words()}."]
    sentences = [_order(results, arm) for arm in results.arms if results.half_learned(arm, "P")]
    if {"L-S", "S"} <= set(results.arms):
        held = results.held_down()
        if held:
            sentences.append(
                "Before L-S is annealed, Q's second difference is at most "
                f"{100 * max(held.values()):.2g} % of S's at the same η·t "
                f"(largest of {len(held)} seeds, once S's exceeds a tenth of its final value)."
            )
    if "S" in results.arms:
        for arm in results.arms:
            if arm != "S":
                sentences.append(_gap(results, arm))
    statuses = {status for arm in results.arms for status in results.counts(arm)}
    if statuses != {"finished"}:
        more = "Those out of steps take a larger --algorithm.max_time."
        told = f"Not all runs have a result: {results.status_words()}."
        sentences.append(f"{told} {more}" if "out_of_steps" in statuses else told)
    return sentences


def phase_findings(results: TheoryResults) -> list[str]:
    """Return how a phase diagram's runs stand, and how many of its points say what."""
    grid = PhaseGrid.of(results)
    sentences = [f"{len(results.folders)} runs: {results.status_words()}."]
    for algorithm in THEORY_ARMS:
        found = [grid.first(at, algorithm) for at in grid.cells]
        known = [span for span in found if span is not None]
        if known:
            q = sum(span.low >= 0 < span.high for span in known)
            p = sum(span.low < 0 >= span.high for span in known)
            sentences.append(
                f"{THEORY_ARMS[algorithm]} learns Q first at {q} and P first at {p} of "
                f"{len(known)} points (half of the final margin)."
            )
    ratios = [ratio for at in grid.cells if (ratio := grid.ratio(at)).n > 1]
    if ratios:
        sides = [side_of(ratio, 1.0) for ratio in ratios]
        sentences.append(
            "Error on P-only test examples: S errs more often than L-S at "
            f"{sides.count('above')} of {len(ratios)} points, less often at "
            f"{sides.count('below')} (the ratio's interval lies on that side of 1)."
        )
    return sentences


def summary_table(results: TheoryResults) -> TextTable:
    """Return the table that says most: of a phase diagram, or of arms."""
    return phase_table(results) if results.is_phase else theory_final_table(results)


def _order(results: TheoryResults, arm: str) -> str:
    title = marked_titles(results)[arm]
    found = {p: _median(results, arm, p) for p in ("P", "Q")}
    if found["P"] is None or found["Q"] is None:
        missing = " and ".join(p for p in ("P", "Q") if found[p] is None)
        return f"{title} does not learn {missing} in every seed."
    first, second = sorted(found, key=lambda p: found[p] or 0.0)
    return (
        f"{title} learns {first} first, at η·t = {_short(found[first] or 0)}, and {second} at "
        f"{_short(found[second] or 0)} (half of the final margin, medians over seeds)."
    )


def _median(results: TheoryResults, arm: str, pattern: Pattern) -> float | None:
    times = list(results.half_learned(arm, pattern).values())
    known = [time for time in times if time is not None]
    return median(known) if known and len(known) == len(times) else None


def _gap(results: TheoryResults, arm: str) -> str:
    titles = marked_titles(results)
    ratio = results.final_ratio("S", arm, "p_only", "error")
    what = f"Error on P-only test examples, ratio of {titles['S']} to {titles[arm]}"
    if not ratio.n:
        return f"{what}: no pairs of finished runs."
    text = f"{what}: {ratio_words(ratio)}, n = {ratio.n} pair{'s' * (ratio.n != 1)}"
    if why := why_inconclusive(ratio):
        return f"{text}; {why}."
    said = {"above": "S errs more often", "below": "S errs less often"}
    return f"{text}: {said.get(side_of(ratio, 1.0), 'inconclusive')}."
