"""Tables and findings of the theory."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median

from learnorder.config.arm_titles import THEORY_ARMS
from learnorder.report.comparisons import VERDICT_NOTE, pairs_words, why_no_verdict
from learnorder.report.content import TextTable
from learnorder.report.seed_cells import SeedCells
from learnorder.report.tables import counted
from learnorder.report.titles import arm_columns, marked_titles
from learnorder.statistics import FEWEST_SEEDS, adjusted_p, estimate, side_of
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
    rows, seeds = [], SeedCells(results)
    for arm in results.arms:
        row = [*cells[arm], counted(results, arm)]
        for set_ in ERROR_SETS:
            errors = results.final(arm, set_, "error")
            row.append(seeds.shown(percent(results, arm, set_), arm, errors, _one_error))
        if closed:
            mean = percent_words(results.final_estimate(arm, "p_only", "error_gaussian"))
            errors = results.final(arm, "p_only", "error_gaussian")
            row.insert(len(headings) + 2, seeds.shown(mean, arm, errors, _one_error))
        rows.append(row)
    note = (
        "Error in per cent of test examples of each kind, at the end of training: mean over n "
        "seeds [95 % t interval]. No mistake in M examples is shown as < 3/M, the 95 % upper "
        "bound. Q-only errors are exact."
    )
    if closed:
        note += " The closed form assumes that the output on P patterns is Gaussian."
    return TextTable("Final test error", columns, rows, note)


def _one_error(value: float) -> str:
    return percent_words(estimate([value]))


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
        "When each pattern was learned",
        ["arm", "P, half margin", "Q, half margin", f"P, {level}", f"Q, {level}", "annealed"],
        rows,
        "η·t, median over seeds (range). Half margin: the mean margin y·f on test examples with "
        f"only this pattern reaches half its final value. {level}: accuracy on them stays above "
        "this level. P's direction is learned at once, however small its margin.",
    )


def _times(times: Mapping[int, float | None]) -> str:
    if not times:
        return "–"
    reached = sorted(time for time in times.values() if time is not None)
    if len(reached) < len(times):
        return f"{len(reached)} of {len(times)} seeds"
    low, high = _short(reached[0]), _short(reached[-1])
    spread = f" ({low}–{high})" if low != high else ""
    return _short(median(reached)) + spread


def _short(time: float) -> str:
    return f"{time:,.0f}" if time >= 100 else f"{time:.3g}"


def theory_ratio_table(results: TheoryResults) -> TextTable | None:
    """Return S's P-only error compared with each other arm's; None without S or another arm."""
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
        f"{titles[_BASELINE]} compared with the other arms, on P-only test examples",
        ["other arm", "n pairs", "difference, points", "ratio", "ratio, closed form"],
        rows,
        "Paired by seed. Difference: mean [95 % t interval]. Ratio of the means [95 % Fieller "
        f"interval]. {VERDICT_NOTE}",
    )


def findings(results: TheoryResults) -> list[str]:
    """Return the findings of runs of the theory, or of a phase diagram, as sentences."""
    return phase_findings(results) if results.is_phase else theory_findings(results)


def theory_findings(results: TheoryResults) -> list[str]:
    """Return one sentence for each comparison of interest."""
    if not results.has_finished:
        return [f"No run has finished: {results.status_words()}."]
    sentences = [_order(results, arm) for arm in results.arms if results.half_learned(arm, "P")]
    if {"L-S", "S"} <= set(results.arms) and (ratios := results.second_difference_ratio()):
        sentences.append(
            "Before L-S is annealed, Q's second difference is at most "
            f"{100 * max(ratios.values()):.2g} % of S's at the same η·t "
            f"(largest of {len(ratios)} seeds, once S's exceeds a tenth of its final value)."
        )
    if "S" in results.arms:
        for arm in results.arms:
            if arm != "S":
                sentences.append(_gap(results, arm))
    statuses = {status for arm in results.arms for status in results.counts(arm)}
    if statuses != {"finished"}:
        unfinished = f"Not all runs have a result: {results.status_words()}."
        remedy = " For those out of steps, increase --algorithm.max_time."
        sentences.append(unfinished + remedy * ("out_of_steps" in statuses))
    return sentences


def phase_findings(results: TheoryResults) -> list[str]:
    """Return the number of points for each outcome, and the status of a phase diagram's runs."""
    grid = PhaseGrid.of(results)
    sentences = list[str]()
    for algorithm in THEORY_ARMS:
        spans = [grid.first(at, algorithm) for at in grid.cells]
        known = [span for span in spans if span is not None]
        if known:
            q = sum(span.low >= 0 < span.high for span in known)
            p = sum(span.low < 0 >= span.high for span in known)
            sentences.append(
                f"{THEORY_ARMS[algorithm]} learns Q first at {q} and P first at {p} of "
                f"{len(known)} points (half the final margin)."
            )
    return [*sentences, *_errs(grid), f"{len(results.folders)} runs: {results.status_words()}."]


def _errs(grid: PhaseGrid) -> list[str]:
    """Return at how many points S errs more often than L-S; none without enough seeds."""
    measures = [grid.measured(at) for at, arms in grid.cells.items() if arms]
    tested = sum(measured.estimate.n >= FEWEST_SEEDS for measured in measures)
    if not tested:
        return []
    sides = [
        side_of(each.estimate, each.bound)
        for each, p in zip(measures, adjusted_p(measures), strict=True)
        if p < 0.05
    ]
    return [
        f"Error on P-only test examples: of {tested} points with at least {FEWEST_SEEDS} "
        f"seeds, S errs more often than L-S at {sides.count('above')} and less often at "
        f"{sides.count('below')} (Fieller's test of the ratio, adjusted for the number of points "
        "by Holm: p < 0.05)."
    ]


def summary_table(results: TheoryResults) -> TextTable:
    """Return the main table: of the phase diagram, or of the final errors."""
    return phase_table(results) if results.is_phase else theory_final_table(results)


def _order(results: TheoryResults, arm: str) -> str:
    title = marked_titles(results)[arm]
    times = {p: _median(results, arm, p) for p in ("P", "Q")}
    if times["P"] is None or times["Q"] is None:
        missing = " and ".join(p for p in ("P", "Q") if times[p] is None)
        return f"{title} does not learn {missing} in every seed."
    first, second = sorted(times, key=lambda p: times[p] or 0.0)
    return (
        f"{title} learns {first} first, at η·t = {_short(times[first] or 0)}, and {second} at "
        f"{_short(times[second] or 0)} (half the final margin, medians over seeds)."
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
    text = f"{what}: {ratio_words(ratio)}, {pairs_words(ratio.n)}"
    if why := why_no_verdict(results, ratio, "S", arm):
        return f"{text}; {why}."
    verdicts = {"above": "S errs more often", "below": "S errs less often"}
    return f"{text}: {verdicts.get(side_of(ratio, 1.0), 'inconclusive')}."
