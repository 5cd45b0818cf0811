"""The page of several probes side by side: does the account carry over from one to the next?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import plotly.graph_objects as go

from learnorder.execution.log_lines import phase
from learnorder.images.page import asked_of
from learnorder.probe import ProbeResult, Statement, statements
from learnorder.probe.page import write_probe
from learnorder.report.content import Content, Link, Section, TextTable, address
from learnorder.report.page import write_page
from learnorder.report.parts import arm_axis, error_bars
from learnorder.report.style import layout, line_styles
from learnorder.runs.results import Results
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
    """Write the pages of several probes: report.html of them all, and each in a folder of its name.

    Returns:
        The path of the page of them all.
    """
    for name, result in results.items():
        write_probe(result, Path(folder) / name)
    return write_page(probes_content(results), Path(folder) / "report.html")


def probes_content(results: Mapping[str, ProbeResult]) -> Content:
    """Return what the page shows."""
    tried, table = _statements(results), probes_table(results)
    figures = [figure for quantity in _QUANTITIES if (figure := _forest(tried, quantity))]
    runs = Results([folder for one in results.values() for folder in one.results.folders])
    return Content(
        title="What is learned first, probe by probe?",
        findings=[*_findings(tried), f"Runs of the arms: {runs.status_words()}."],
        asked=[("Probes", ", ".join(results)), *asked_of(runs)],
        sections=[Section(table.title, table=table), Section("In pictures", wide=figures)],
        origins=[],
    )


Statements = dict[tuple[str, str], Statement]
"""What holds for a probe, by arm and quantity."""


def _statements(results: Mapping[str, ProbeResult]) -> dict[str, Statements]:
    return {
        name: {(each.arm, each.quantity): each for each in statements(one)}
        for name, one in results.items()
    }


def _findings(tried: Mapping[str, Statements]) -> list[str]:
    """Return in how many of the probes each statement holds."""
    by_name: dict[str, list[Statement]] = {}
    for own in tried.values():
        for each in own.values():
            name = f"{_ARMS[each.arm]}: {_QUANTITIES[each.quantity][0]}"
            by_name.setdefault(name, []).append(each)
    sentences = []
    for name, found in by_name.items():
        verdicts = [each.verdict for each in found]
        few = sum(
            each.verdict != "undecided" and each.measured.estimate.n < FEWEST_HEADLINE
            for each in found
        )
        sentences.append(
            f"{name[0].upper()}{name[1:]} is as the paper says in {verdicts.count('holds')} of "
            f"{len(found)} probes, the other way round in {verdicts.count('does_not_hold')}, "
            f"undecided in {verdicts.count('undecided')}"
            + (f"; {few} of these rest on fewer than {FEWEST_HEADLINE} seeds." if few else ".")
        )
    return sentences


def probes_table(results: Mapping[str, ProbeResult]) -> TextTable:
    """Return what every probe found, a row for each arm."""
    rows, tried = [], _statements(results)
    keys = [(name, key) for name, own in tried.items() for key in own]
    adjusted = dict(
        zip(keys, adjusted_p([tried[name][key].measured for name, key in keys]), strict=True)
    )
    for name, one in results.items():
        calibration = one.calibration
        for arm, words in _ARMS.items():
            chosen = [(arm, quantity) for quantity in _QUANTITIES]
            if any(key in tried[name] for key in chosen):
                rate = one.largest() if arm == "annealed" else one.probe.rates[0]
                rows.append([
                    Link(name, address(f"{name}/report.html")), f"{calibration.contrast:g}",
                    f"{words}, LR {rate:g}",
                    *(_cell(tried[name].get(key), adjusted.get((name, key))) for key in chosen),
                ])  # fmt: skip
    columns = ["probe", "contrast", "arm", *(short for short, _, _ in _QUANTITIES.values())]
    return TextTable(
        "Against the small learning rate",
        columns,
        rows,
        "Mean difference [95 % interval], paired by seed, and whether it is as the paper says; "
        f"where a run never learns pattern or content, the share of seeds. A verdict takes "
        f"{FEWEST_SEEDS} seeds, a sign test or an interval without spread {FEWEST_ALIKE}. "
        f"{HOLM_NOTE} Each probe's pattern has the contrast that its own calibration took.",
        wrap=True,
    )


def _cell(each: Statement | None, p: float | None) -> str:
    if each is None or p is None:
        return "–"
    shown = f"{each.measured.shown()}, n = {each.measured.estimate.n}"
    why = f" ({each.reason})" if each.reason else ""
    return f"{VERDICT_WORDS[each.verdict]}{why}: {shown}; p (Holm) {p_words(p)}"


def _forest(tried: Mapping[str, Statements], quantity: str) -> go.Figure | None:
    """Return the differences in one quantity, a row for each probe; None where there are none.

    Sign tests of the order, whose scale is another, are left out.
    """
    _, title, unit = _QUANTITIES[quantity]
    styles, names = line_styles(list(_ARMS)), list(tried)
    figure = go.Figure()
    for place, (arm, words) in enumerate(_ARMS.items()):
        every = (own.get((arm, quantity)) for own in tried.values())
        found = {
            row: each.measured
            for row, each in enumerate(every)
            if each and each.measured.estimate.n and each.measured.bound == 0
        }
        if not found:
            continue
        estimates = [one.estimate for one in found.values()]
        color, scale = styles[arm].color, next(iter(found.values())).unit.scale
        places = {row: row + 0.36 * place - 0.2 for row in found}
        dots = [(row, s, v) for row, one in found.items() for s, v in one.by_seed.items()]
        figure.add_scatter(
            x=[scale * value for _, _, value in dots],
            y=[places[row] + 0.14 for row, _, _ in dots],
            customdata=[f"{words}, seed {seed}" for _, seed, _ in dots],
            hovertemplate="%{x:.3g}, %{customdata}<extra></extra>",
            mode="markers", showlegend=False,
            marker={"color": color, "size": 5, "opacity": 0.55},
        )  # fmt: skip
        figure.add_scatter(
            x=[scale * e.mean for e in estimates],
            y=list(places.values()),
            name=words, mode="markers",
            marker={"color": color, "size": 9, "symbol": ("circle", "diamond")[place]},
            customdata=[one.shown() for one in found.values()],
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
