"""Pictures and tables of the theory's pages, from the records in ``results/theory``.

``python -m studies.pages`` writes them. ``python -m studies.theory.measure`` and the commands in
``results/README.md`` produce the records.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import plotly.graph_objects as go

import learnorder
from learnorder.report.content import TextTable
from learnorder.report.page import write_report
from learnorder.report.style import layout
from learnorder.statistics import POSITIVE, SHARE, Estimate, estimate, ratio_of_means
from learnorder.theory.phase_page import percent_words, ratio_words
from learnorder.theory.results import TheoryResults
from learnorder.theory.tables import theory_final_table, theory_order_table, theory_ratio_table
from studies.common import RESULTS, Page, Shot, markdown

BLUE, ORANGE, GREEN, GREY, PINK = "#0072B2", "#D55E00", "#009E73", "#777777", "#CC79A7"
ARMS = {"L-S": (BLUE, "solid", "circle"), "S": (ORANGE, "dash", "square")}
Row = dict[str, str]


def read(name: str) -> list[Row]:
    """Return the rows of a measurement."""
    with (RESULTS / "theory" / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def by_seed(rows: Iterable[Row], column: str) -> dict[int, float]:
    """Return a column of finished runs, by seed."""
    return {int(r["seed"]): float(r[column]) for r in rows if r[column]}


def noted(table: TextTable) -> str:
    """Return a table in Markdown, with its note."""
    return f"{markdown(table.columns, table.rows)}\n\n{table.note}\n"


def line(
    figure: go.Figure,
    x: list[float],
    estimates: list[Estimate],
    name: str,
    style: tuple[str, str, str],
) -> None:
    """Draw means over x with their intervals."""
    color, dash, symbol = style
    points = [(a, e) for a, e in zip(x, estimates, strict=True) if e.n and e.mean > 0]
    figure.add_scatter(
        x=[a for a, _ in points], y=[e.mean for _, e in points], name=name, mode="lines+markers",
        line={"color": color, "dash": dash, "width": 2},
        marker={"color": color, "symbol": symbol, "size": 8},
        error_y={
            "type": "data", "symmetric": False, "color": color, "thickness": 1.2, "width": 3,
            "array": [e.high - e.mean if e.n > 1 else 0 for _, e in points],
            "arrayminus": [
                min(e.mean - e.low, 0.8 * e.mean) if e.n > 1 else 0 for _, e in points
            ],
        },
    )  # fmt: skip


def log_axes(figure: go.Figure, title: str, x: str, y: str, ticks: list[float] | None) -> None:
    """Finish a figure with two logarithmic axes."""
    layout(figure, title, x, y, height=380)
    figure.update_xaxes(type="log", exponentformat="power")
    traces: Any = figure.data
    shown = [v for trace in traces for v in trace.y or () if v]
    fine = max(shown) / min(shown) < 100
    figure.update_yaxes(type="log", exponentformat="power", dtick="D2" if fine else 1)
    if ticks:
        figure.update_xaxes(tickvals=ticks, ticktext=[_tick(t) for t in ticks])
    figure.update_layout(showlegend=True, paper_bgcolor="white", margin={"b": 84, "l": 70})


def width_figure() -> go.Figure:
    """Return the relative difference between the network and its limit against the width."""
    figure, rows = go.Figure(), read("width")
    styles = {
        ("separate", "0.0"): (BLUE, "solid", "circle"),
        ("separate", "1.5"): (ORANGE, "dash", "square"),
        ("convolution", "0.0"): (GREEN, "dot", "diamond"),
        ("convolution", "1.5"): (PINK, "dashdot", "x"),
    }
    widths = sorted({int(r["m"]) for r in rows})
    for (kind, sigma), style in styles.items():
        estimates = [
            estimate(
                [
                    float(r["relative_difference"])
                    for r in rows
                    if (r["kind"], r["sigma"], int(r["m"])) == (kind, sigma, m)
                ],
                within=POSITIVE,
            )
            for m in widths
        ]
        name = kind + (", noise before the activations" if sigma != "0.0" else "")
        line(figure, [float(m) for m in widths], estimates, name, style)
    figure.add_scatter(
        x=[widths[0], widths[-1]], y=[0.05, 0.05 * (widths[0] / widths[-1]) ** 0.5],
        mode="lines", line={"color": GREY, "width": 1}, name="slope −1/2",
    )  # fmt: skip
    title = "The network approaches its limit"
    log_axes(figure, title, "width m", "relative difference of f", [float(m) for m in widths])
    return figure


def error_figure(name: str, setting: str, title: str, x: str) -> go.Figure:
    """Return the P-only error of both algorithms against a setting, sampled and closed form."""
    figure, rows = go.Figure(), read(name)
    values = sorted({float(r[setting]) for r in rows})
    for arm, style in ARMS.items():
        for column, words in (("error", ""), ("error_gaussian", ", closed form")):
            estimates = [
                estimate(
                    list(
                        by_seed(
                            [r for r in rows if r["arm"] == arm and float(r[setting]) == v], column
                        ).values()
                    ),
                    within=SHARE,
                )
                for v in values
            ]
            scaled = [
                replace(e, mean=100 * e.mean, low=100 * e.low, high=100 * e.high) for e in estimates
            ]
            color, _, symbol = style
            shown = style if column == "error" else (color, "dot", f"{symbol}-open")
            line(figure, values, scaled, f"{arm}{words}", shown)
    log_axes(figure, title, x, "error on P-only test examples, %", values)
    return figure


def _tick(value: float) -> str:
    """Return a setting's value, rounded: κ of a run differs slightly, as N is an integer."""
    return f"{value:,g}" if value > 10 else f"{value:.2g}"


def _rates(ratio: float) -> str:
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2g}"


def dependence_table(name: str, setting: str, heading: str) -> TextTable:
    """Return errors and their ratio by the values of a setting."""
    rows, lines, errors = read(name), [], {}
    for value in sorted({float(r[setting]) for r in rows}):
        runs = {a: [r for r in rows if r["arm"] == a and float(r[setting]) == value] for a in ARMS}
        errors = {a: by_seed(runs[a], "error") for a in ARMS}
        closed = {a: by_seed(runs[a], "error_gaussian") for a in ARMS}
        halves = {
            a: {p: list(by_seed(runs[a], f"{p}_half").values()) for p in ("p", "q")} for a in ARMS
        }
        first = []
        for arm in ARMS:
            p, q = (median(halves[arm][k]) if halves[arm][k] else math.nan for k in ("p", "q"))
            factor = max(p / q, q / p) if p == p and q == q else math.nan
            first.append("–" if factor != factor else f"{'Q' if q < p else 'P'} {factor:.1f}×")
        d, r, s, p0 = (float(runs["S"][0][k]) for k in ("d", "r", "s", "p0"))
        lines.append(
            [
                _tick(value), _rates(s * s * r * d * (1 - p0) / 80), ", ".join(first),
                *(percent_words(estimate(list(errors[a].values()), within=SHARE)) for a in ARMS),
                ratio_words(ratio_of_means(closed["S"], closed["L-S"], within=POSITIVE)),
            ]
        )  # fmt: skip
    return TextTable(
        "",
        [heading, "rates", "first by L-S, S", "L-S, %", "S, %", "S / L-S"],
        lines,
        f"{len(errors['S'])} seeds. Rates: s²rd(1 − p0)/80. First: pattern that reaches half its "
        "final margin first, and how many times earlier, medians over seeds. P-only test error in "
        "per cent at the end of training, mean [95 % t interval], 100,000 examples per seed; ratio "
        "of the means in closed form [95 % Fieller interval].",
    )  # fmt: skip


def slopes() -> str:
    """Return slopes of log error against log κ and log d, fitted to the means in closed form."""
    lines = []
    for name, setting, words in (("kappa", "kappa", "κ"), ("d", "d", "d")):
        rows = read(name)
        for arm in ARMS:
            x, y = [], []
            for value in sorted({float(r[setting]) for r in rows}):
                runs = [r for r in rows if r["arm"] == arm and float(r[setting]) == value]
                errors = by_seed(runs, "error_gaussian")
                if errors:
                    x.append(math.log(value))
                    y.append(math.log(math.fsum(errors.values()) / len(errors)))
            slope, half = _slope(x, y)
            lines.append([arm, words, f"{slope:.2f} ± {half:.2f}".replace("-", "−"), str(len(x))])
    table = TextTable(
        "", ["arm", "against", "slope", "points"], lines,
        "Least-squares fit to the logarithms of the mean closed-form errors, ± half-width of its "
        "95 % interval. A slope does not mean that the curve is a power law.",
    )  # fmt: skip
    return noted(table)


def _slope(x: list[float], y: list[float]) -> tuple[float, float]:
    from scipy.stats import linregress, t

    fit: Any = linregress(x, y)
    return fit.slope, fit.stderr * float(t.ppf(0.975, len(x) - 2))


def scaling_figure() -> go.Figure:
    """Return the ratio of P's to Q's learning time under S in the paper's scaling, against d."""
    figure, rows = go.Figure(), read("scaling")
    styles = {"1.0": (BLUE, "solid", "circle"), "0.5": (ORANGE, "dash", "square")}
    for kappa, style in styles.items():
        for how in ("population", "full"):
            chosen = [
                r for r in rows
                if (r["dynamics"], r["kappa"], r["arm"]) == (how, kappa, "S") and r["t_q"]
            ]  # fmt: skip
            if chosen and how == "population":
                x = [float(r["d"]) for r in chosen]
                estimates = [
                    Estimate(float(r["t_p"]) / float(r["t_q"]), math.nan, math.nan, 1)
                    for r in chosen
                ]
                words = f"κ = {kappa}: times to a margin of 1/2"
                line(figure, x, estimates, words, style)
            rate = [
                r for r in rows
                if (r["dynamics"], r["kappa"], r["arm"]) == (how, kappa, "S")
            ]  # fmt: skip
            rates: dict[float, list[float]] = {}
            for r in rate:
                rates.setdefault(float(r["d"]), []).append(float(r["q_rate"]) / float(r["p_rate"]))
            color, _, symbol = style
            words = f"κ = {kappa}: initial rates" + (", full runs" if how == "full" else "")
            line(
                figure, list(rates), [estimate(v, within=POSITIVE) for v in rates.values()], words,
                (color, "dot", f"{symbol}-open" if how == "population" else "star"),
            )  # fmt: skip
    figure.add_hline(y=1, line={"width": 1, "color": GREY})
    title = "The paper's own scaling: how much earlier S learns Q"
    log_axes(figure, title, "d", "P's time / Q's time", None)
    figure.update_xaxes(dtick=2)
    figure.update_layout(height=440, margin={"b": 130})
    return figure


def finite_table() -> TextTable:
    """Return when Q is learned at several widths."""
    rows, lines = read("finite"), []
    for m in ("200", "2000", "20000", "limit"):
        cells = [f"m_V = {int(m):,}" if m != "limit" else "infinite width"]
        for eta in ("0.01", "0.3"):
            runs = [r for r in rows if (r["eta"], r["m_V"]) == (eta, m)]
            learned = [float(r["q_learned"]) for r in runs if r["q_learned"]]
            until = max(float(r["end"]) for r in runs)
            if len(learned) < len(runs):
                cells.append(f"{len(learned)} of {len(runs)} seeds by {until:,.0f}")
            else:
                cells.append(f"{median(learned):,.0f} ({min(learned):,.0f}–{max(learned):,.0f})")
        cells.append(
            f"{median(float(r['p_margin_half']) for r in rows if r['m_V'] == m and r['p_margin_half']):,.0f}"  # noqa: E501
        )
        lines.append(cells)
    return TextTable(
        "", ["width", "Q learned, η = 0.01", "Q learned, η = 0.3", "P's margin 1/2"], lines,
        "η·t from which accuracy on Q-only examples stays above 95 %, median over 5 seeds (range).",
    )  # fmt: skip


def page(runs: Path) -> Page:
    """Return the page, from the records and from the runs unpacked from ``results``."""
    gap, phase, convolution, convolution_w = (
        learnorder.open_runs(runs / "theory" / name, of=TheoryResults)
        for name in ("gap", "phase", "convolution", "convolution_w")
    )
    ratios = theory_ratio_table(gap)
    assert ratios is not None
    tables = {
        "gap": noted(theory_final_table(gap)) + "\n" + noted(ratios),
        "order": noted(theory_order_table(gap)),
        "convolution": noted(theory_final_table(convolution)),
        "convolution_w": noted(theory_final_table(convolution_w)),
        "kappa_wide": noted(dependence_table("kappa_wide", "kappa", "κ")),
        "kappa": noted(dependence_table("kappa", "kappa", "κ")),
        "d": noted(dependence_table("d", "d", "d")),
        "separation": noted(dependence_table("separation", "s", "s")),
        "slopes": slopes(),
        "finite": noted(finite_table()),
    }
    separation = "The gap closes with the separation of time scales"
    return Page(
        texts={f"docs/explanation/tables/{name}.md": text for name, text in tables.items()},
        pictures={
            "theory-curves": Shot(partial(write_report, gap), ".legend, .panels"),
            "theory-order": Shot(partial(write_report, gap), ".wide:last-of-type .figure"),
            "theory-phase": Shot(partial(write_report, phase), ".wide .figure"),
            "theory-width": width_figure(),
            "theory-kappa": error_figure("kappa", "kappa", "Error against κ, p0 = κ²/2", "κ"),
            "theory-d": error_figure("d", "d", "Error against d, κ = 1, p0 = 1/2", "d"),
            "theory-separation": error_figure("separation", "s", separation, "s"),
            "theory-scaling": scaling_figure(),
        },
    )
