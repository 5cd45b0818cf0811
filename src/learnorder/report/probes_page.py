"""The page of several probes side by side: does the account carry over from one to the next?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import plotly.graph_objects as go

from learnorder.claims import VERDICT_WORDS
from learnorder.probe import Carried, Probed, carried
from learnorder.report.content import Content, Link, Section, TextTable
from learnorder.report.page import write_page
from learnorder.report.parts import arm_axis
from learnorder.report.style import layout, line_styles

_TREATMENTS = {"annealed": "large LR, annealed", "noise": "small LR + noise"}
_QUANTITIES = {
    "order": ("content before pattern", "Order, against the small LR", "log₁₀ of epochs"),
    "clean": ("clean accuracy", "Clean accuracy, against the small LR", "points"),
    "reliance": ("reliance", "Reliance on the pattern, against the small LR", "points"),
}


def write_probes(probed: Mapping[str, Probed], path: Path | str) -> Path:
    """Write the page of several probes, whose own pages lie in folders of their names."""
    return write_page(probes_content(probed), path)


def probes_content(probed: Mapping[str, Probed]) -> Content:
    """Return what the page shows."""
    table = probes_table(probed)
    figures = [figure for quantity in _QUANTITIES if (figure := _forest(probed, quantity))]
    return Content(
        title="What is learned first, probe by probe?",
        findings=probes_findings(probed),
        asked=[("Probes", str(len(probed))), ("Settings", ", ".join(probed))],
        sections=[Section(table.title, table=table), Section("In pictures", wide=figures)],
        origins=[],
    )


def probes_findings(probed: Mapping[str, Probed]) -> list[str]:
    """Return in how many of the probes each statement holds."""
    verdicts: dict[str, list[str]] = {}
    for one in probed.values():
        for each in carried(one):
            name = f"{_TREATMENTS[each.treatment]}: {_QUANTITIES[each.quantity][0]}"
            verdicts.setdefault(name, []).append(each.verdict)
    return [
        f"{name[0].upper()}{name[1:]} is as the paper says in {found.count('holds')} of "
        f"{len(found)} probes, the other way round in {found.count('does_not_hold')}, undecided "
        f"in {found.count('undecided')}."
        for name, found in verdicts.items()
    ]


def probes_table(probed: Mapping[str, Probed]) -> TextTable:
    """Return what every probe found, a row for each treatment."""
    rows = []
    for name, one in probed.items():
        calibration = one.calibration
        faint = "" if calibration.memorised is not False else ", not memorised"
        found = {(each.treatment, each.quantity): each for each in carried(one)}
        for treatment, words in _TREATMENTS.items():
            of_quantity = [found.get((treatment, quantity)) for quantity in _QUANTITIES]
            if any(of_quantity):
                rate = one.largest() if treatment == "annealed" else one.probe.rates[0]
                rows.append([
                    Link(name, f"{name}/report.html"), f"{calibration.contrast:g}{faint}",
                    f"{words}, LR {rate:g}", *map(_cell, of_quantity),
                ])  # fmt: skip
    columns = ["probe", "contrast", "arm", *(short for short, _, _ in _QUANTITIES.values())]
    return TextTable(
        "Against the small learning rate",
        columns,
        rows,
        "Mean difference [95 % interval], paired by seed, and whether it is as the paper says. "
        "Each probe's pattern has the contrast that its own calibration took.",
        wrap=True,
    )


def _cell(each: Carried | None) -> str:
    return "–" if each is None else f"{each.measured.shown()}: {VERDICT_WORDS[each.verdict]}"


def _forest(probed: Mapping[str, Probed], quantity: str) -> go.Figure | None:
    """Return the differences in one quantity, a row for each probe; None where there are none."""
    _, title, unit = _QUANTITIES[quantity]
    styles, names = line_styles(list(_TREATMENTS)), list(probed)
    figure = go.Figure()
    for place, (treatment, words) in enumerate(_TREATMENTS.items()):
        found = {
            row: each.measured
            for row, one in enumerate(probed.values())
            for each in carried(one)
            if (each.treatment, each.quantity) == (treatment, quantity) and each.measured.estimate.n
        }
        if not found:
            continue
        estimates = {row: one.estimate for row, one in found.items()}
        scale = next(iter(found.values())).unit.scale
        figure.add_scatter(
            x=[scale * e.mean for e in estimates.values()],
            y=[row + 0.3 * place - 0.15 for row in estimates],
            name=words, mode="markers",
            marker={"color": styles[treatment].color, "size": 9,
                    "symbol": ("circle", "diamond")[place]},
            customdata=[one.shown() for one in found.values()],
            hovertemplate="%{customdata}",
            error_x={
                "type": "data", "symmetric": False, "color": styles[treatment].color,
                "array": [scale * (e.high - e.mean) if e.n > 1 else 0 for e in estimates.values()],
                "arrayminus": [
                    scale * (e.mean - e.low) if e.n > 1 else 0 for e in estimates.values()
                ],
            },
        )  # fmt: skip
    if not figure.data:
        return None
    layout(figure, title, unit, "", height=150 + 46 * len(names))
    figure.update_layout(hovermode="closest")
    figure.add_vline(x=0, line={"width": 1, "dash": "dot", "color": "#888888"})
    arm_axis(figure, names)
    return figure
