"""The page of several probes side by side: in how many of them does each statement hold?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import plotly.graph_objects as go

from learnorder.execution.log_lines import phase
from learnorder.probe import ProbeResult, Statement, statements
from learnorder.probe.page import write_probe
from learnorder.report.content import Content, Link, Section, TextTable, address
from learnorder.report.page import write_page
from learnorder.report.parts import arm_axis, error_bars
from learnorder.report.style import layout, line_styles
from learnorder.statistics import (
    FEWEST_ALIKE,
    FEWEST_HEADLINE,
    FEWEST_SEEDS,
    HOLM_NOTE,
    adjusted_p,
    p_words,
)
from learnorder.statistics.verdicts import VERDICT_WORDS

_ARMS = {"annealed": "large LR, annealed", "noise": "small LR + noise"}
_QUANTITIES = {
    "order": ("content before pattern", "Order, against the small LR", "log₁₀ of epochs"),
    "clean": ("clean accuracy", "Clean accuracy, against the small LR", "points"),
    "reliance": ("reliance", "Reliance on the pattern, against the small LR", "points"),
}


@phase("drawing the page")
def write_probes(results: Mapping[str, ProbeResult], folder: Path | str) -> Path:
    """Write the page of each probe to its folder, and a common report.html; return its path."""
    for name, result in results.items():
        write_probe(result, Path(folder) / name)
    return write_page(probes_content(results), Path(folder) / "report.html")


def probes_content(results: Mapping[str, ProbeResult]) -> Content:
    """Return what the page shows."""
    by_probe, table = _statements(results), probes_table(results)
    figures = [figure for quantity in _QUANTITIES if (figure := _forest(by_probe, quantity))]
    first = next(iter(results.values())).results
    runs = type(first)([folder for result in results.values() for folder in result.results.folders])
    return Content(
        title="What is learned first, in each probe?",
        findings=[*_findings(by_probe), f"Runs of the arms: {runs.status_words()}."],
        setup=[("Probes", ", ".join(results)), *runs.setup()],
        lead=[Section("Differences from the small LR", wide=figures)],
        sections=[Section(table.title, table=table)],
        origins=[],
    )


Statements = dict[tuple[str, str], Statement]
"""The statements about a probe, by arm and quantity."""


def _statements(results: Mapping[str, ProbeResult]) -> dict[str, Statements]:
    return {
        name: {(statement.arm, statement.quantity): statement for statement in statements(result)}
        for name, result in results.items()
    }


def _findings(by_probe: Mapping[str, Statements]) -> list[str]:
    """Return in how many of the probes each statement holds."""
    by_name: dict[str, list[Statement]] = {}
    for of_probe in by_probe.values():
        for statement in of_probe.values():
            name = f"{_ARMS[statement.arm]}: {_QUANTITIES[statement.quantity][0]}"
            by_name.setdefault(name, []).append(statement)
    sentences = []
    for name, group in by_name.items():
        verdicts = [statement.verdict for statement in group]
        few = sum(
            statement.verdict != "undecided" and statement.measured.estimate.n < FEWEST_HEADLINE
            for statement in group
        )
        sentences.append(
            f"{name[0].upper()}{name[1:]} agrees with the paper in {verdicts.count('holds')} of "
            f"{len(group)} probes, contradicts it in {verdicts.count('does_not_hold')}, and is "
            f"undecided in {verdicts.count('undecided')}"
            + (f"; {few} of the verdicts have fewer than {FEWEST_HEADLINE} seeds." if few else ".")
        )
    return sentences


def probes_table(results: Mapping[str, ProbeResult]) -> TextTable:
    """Return the statements about every probe, a row for each arm."""
    rows, by_probe = [], _statements(results)
    keys = [(name, key) for name, of_probe in by_probe.items() for key in of_probe]
    adjusted = dict(
        zip(keys, adjusted_p([by_probe[name][key].measured for name, key in keys]), strict=True)
    )
    for name, result in results.items():
        for arm, words in _ARMS.items():
            chosen = [(arm, quantity) for quantity in _QUANTITIES]
            if any(key in by_probe[name] for key in chosen):
                rate = result.largest() if arm == "annealed" else result.probe.rates[0]
                rows.append([
                    Link(name, address(f"{name}/report.html")),
                    f"{result.calibration.contrast:g}",
                    f"{words}, LR {rate:g}",
                    *(_cell(by_probe[name].get(key), adjusted.get((name, key))) for key in chosen),
                ])  # fmt: skip
    columns = ["probe", "contrast", "arm", *(short for short, _, _ in _QUANTITIES.values())]
    return TextTable(
        "Against the small learning rate",
        columns,
        rows,
        "Mean difference [95 % interval], paired by seed, and whether it agrees with the paper; "
        "if a run never learns pattern or content, the share of seeds. A verdict needs at least "
        f"{FEWEST_SEEDS} seeds; a sign test or identical values, {FEWEST_ALIKE}. "
        f"{HOLM_NOTE} Each probe's pattern has the contrast of its own calibration.",
        wrap=True,
    )


def _cell(statement: Statement | None, p: float | None) -> str:
    if statement is None or p is None:
        return "–"
    shown = f"{statement.measured.shown()}, n = {statement.measured.estimate.n}"
    why = f" ({statement.reason})" if statement.reason else ""
    return f"{VERDICT_WORDS[statement.verdict]}{why}: {shown}; p (Holm) {p_words(p)}"


def _forest(by_probe: Mapping[str, Statements], quantity: str) -> go.Figure | None:
    """Return a forest plot of the differences in one quantity, or None if there are none.

    Sign tests of the order are left out, because they have another scale.
    """
    _, title, unit = _QUANTITIES[quantity]
    styles, names = line_styles(list(_ARMS)), list(by_probe)
    figure = go.Figure()
    for index, (arm, words) in enumerate(_ARMS.items()):
        compared = (of_probe.get((arm, quantity)) for of_probe in by_probe.values())
        differences = {
            row: statement.measured
            for row, statement in enumerate(compared)
            if statement and statement.measured.estimate.n and statement.measured.bound == 0
        }
        if not differences:
            continue
        estimates = [difference.estimate for difference in differences.values()]
        color, scale = styles[arm].color, next(iter(differences.values())).unit.scale
        heights = {row: row + 0.36 * index - 0.2 for row in differences}
        dots = [(row, s, v) for row, d in differences.items() for s, v in d.by_seed.items()]
        figure.add_scatter(
            x=[scale * value for _, _, value in dots],
            y=[heights[row] + 0.14 for row, _, _ in dots],
            customdata=[f"{words}, seed {seed}" for _, seed, _ in dots],
            hovertemplate="%{x:.3g}, %{customdata}<extra></extra>",
            mode="markers", showlegend=False,
            marker={"color": color, "size": 5, "opacity": 0.55},
        )  # fmt: skip
        figure.add_scatter(
            x=[scale * e.mean for e in estimates],
            y=list(heights.values()),
            name=words, mode="markers",
            marker={"color": color, "size": 9, "symbol": ("circle", "diamond")[index]},
            customdata=[difference.shown() for difference in differences.values()],
            hovertemplate="%{customdata}",
            error_x=error_bars(estimates, color, scale),
        )  # fmt: skip
    if not figure.data:
        return None
    layout(figure, title, unit, "", height=150 + 64 * len(names))
    figure.update_layout(hovermode="closest")
    figure.add_vline(x=0, line={"width": 1, "dash": "dot", "color": "#888888"})
    arm_axis(figure, names)
    return figure
