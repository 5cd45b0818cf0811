"""``docs/advice.md``, its pictures and README's table, from the records in ``results/advice``.

``python -m studies.pages`` writes them; ``studies.advice.measure``, ``studies.range_test.measure``
and ``studies.range_test.rules`` make the records.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import plotly.graph_objects as go

from learnorder.advise.phrases import ARM_VERDICT_WORDS, comparisons
from learnorder.advise.result import Advice, Rung
from learnorder.advise.settings import Candidate, LRSearch
from learnorder.advise.words import advice_findings
from learnorder.report.parts import Point, add_points, make_room
from learnorder.report.style import LineStyle, layout
from learnorder.statistics import SHARE, Estimate, adjusted_p, p_words
from studies.advice.measure import Judged, searches
from studies.common import RESULTS, Page, fill_template, image, markdown
from studies.range_test.page import finder_table, picked, readme_table, rules_table, verdict

TEMPLATE = Path(__file__).with_name("advice.md.in")
TITLES = {
    "digits_wrn": "WRN-10-1, SGD, digits",
    "digits_mlp_adamw": "MLP, AdamW, digits",
    "cifar_wrn": "WRN-16-1, SGD, CIFAR-10",
}
Record = dict[str, Any]


def by_rate(judged: Judged, record: Record) -> dict[float, Point]:
    """Return final accuracy of the grid, by learning rate."""
    found = {}
    for arm in record["grid"]["arms"]:
        lost = judged.seeds - arm["n"]
        words = f"{lost} of {judged.seeds} diverged" if lost else ""
        found[arm["learning_rate"]] = Point(_keyed(arm["by_seed"]), SHARE, words)
    return found


def _keyed(by_seed: dict[str, float]) -> dict[int, float]:
    return {int(seed): value for seed, value in by_seed.items()}


def advice_of(search: LRSearch, found: Record) -> Advice:
    """Return the advice of a recorded search, without its range test."""
    arms = {
        Candidate(arm["learning_rate"], arm["plateau"], arm["noise"]): _keyed(arm["by_seed"])
        for arm in found["arms"]
    }
    rungs = tuple(
        Rung(
            rung["epochs"],
            tuple(rung["seeds"]),
            {float(rate): _keyed(scores) for rate, scores in rung["scores"].items()},
            tuple(rung["kept"]),
            found["score"],
        )
        for rung in found["rungs"]
    )
    better = found["higher_is_better"]
    return Advice(search, found["score"], better, rungs, arms, None, "", (), ())


def _difference(numbers: Record, sign: int = 1) -> str:
    if numbers["mean"] is None:
        return "diverged"
    low, high = (float("nan") if numbers[k] is None else numbers[k] for k in ("low", "high"))
    e = Estimate(numbers["mean"], low, high, numbers["n"])
    return (e if sign > 0 else -e).format(100)


def cost(found: Record, epochs: int) -> float:
    """Return the cost of a search, in runs of full length."""
    screened = sum(
        rung["epochs"] * len(rung["seeds"]) * len(rung["scores"]) for rung in found["rungs"][:-1]
    )
    full = len(found["rungs"][-1]["seeds"]) * len(found["arms"])
    return screened / epochs + full


def summary(known: dict[str, Judged], records: dict[str, Record]) -> str:
    """Return a row for each search, in Markdown."""
    lines = []
    for name, record in records.items():
        epochs = known[name].search.training.epochs
        for number, found in enumerate(record["searches"]):
            judged = found["judged"]
            regret = {**judged, "mean": judged["regret"]}
            lines.append([
                TITLES[name] if not number else "",
                f"{found['learning_rate']:g}",
                ", ".join(f"{rate:g}" for rate in found["band"]),
                "–" if judged["regret"] is None else _difference(regret),
                _alike(found),
                f"{cost(found, epochs):.0f}",
            ])  # fmt: skip
    columns = ["", "advised", "band", "regret, points", "pairs alike", "full runs trained"]
    return markdown(columns, lines)


def _alike(found: Record) -> str:
    return ", ".join(f"{each['agree']} of {each['pairs']}" for each in found["ranks"])


def compared(advices: list[Advice]) -> str:
    """Return plateaus and noise of each search, in Markdown; p is adjusted over all of them."""
    chosen = [
        (number, name, advice, arm, baseline)
        for number, advice in enumerate(advices, start=1)
        for name, arm, baseline in comparisons(advice)
        if "epoch" in name or "noise" in name
    ]
    measured = [advice.compare(arm, baseline) for _, _, advice, arm, baseline in chosen]
    lines = [
        [
            str(number), name, each.estimate.format(100), str(each.estimate.n),
            ARM_VERDICT_WORDS[advice.verdict(arm, baseline)], p_words(p),
        ]
        for (number, name, advice, arm, baseline), each, p in zip(
            chosen, measured, adjusted_p(measured), strict=True
        )
    ]  # fmt: skip
    return markdown(["search", "comparison", "better by, points", "n", "", "p (Holm)"], lines)


def drawn(name: str, judged: Judged, record: Record, picks: list[float | None]) -> go.Figure:
    """Return the grid with the recommendations of the searches and the picks of range tests."""
    figure, found = go.Figure(), by_rate(judged, record)
    style = LineStyle("#0072B2", "solid")
    add_points(figure, found, "every learning rate in full", style, 100, log_x=True)
    low, high = (100 * end for end in height(found))
    room = 0.05 * (high - low)
    marks = {
        "advised": ("circle", "#009E73", [one["learning_rate"] for one in record["searches"]]),
        "range test's pick": ("diamond", "#D55E00", picks),
    }  # fmt: skip
    ends, edge = (min(found), max(found)), min(found) / 1.5
    for place, (words, (symbol, color, rates)) in enumerate(marks.items()):
        at = [rate for rate in rates if rate is not None]
        below = [rate < ends[0] for rate in at]
        figure.add_scatter(
            x=[edge if far else rate for rate, far in zip(at, below, strict=True)],
            y=[low - (1 + place) * room] * len(at), name=words, mode="markers+text",
            text=[f"{rate:.1g}" if far else "" for rate, far in zip(at, below, strict=True)],
            textposition="middle right",
            marker={
                "symbol": ["triangle-left" if far else symbol for far in below],
                "size": 10, "color": color, "opacity": 0.6,
            },
        )  # fmt: skip
    layout(figure, TITLES[name], "initial learning rate", "final accuracy, %", 380)
    ticks = list(found)
    figure.update_xaxes(
        type="log", tickvals=ticks, ticktext=[f"{rate:.2g}" for rate in ticks],
        range=[math.log10(edge) - 0.12, math.log10(ends[1]) + 0.12],
    )  # fmt: skip
    figure.update_yaxes(range=[low - 3 * room, high + room])
    return make_room(figure.update_layout(hovermode="closest", margin={"b": 90}))


def height(found: dict[float, Point]) -> tuple[float, float]:
    """Return the limits of the axis; a learning rate far below all others is cut off."""
    falling = sorted((p for p in found.values() if p.values), key=lambda p: -p.estimate.mean)
    best, *others, worst = (point.estimate.mean for point in falling)
    if best - worst > 5 * (best - others[-1]):
        falling = falling[:-1]
    ends = [(p.estimate.low, p.estimate.high, *p.values.values()) for p in falling]
    return min(map(min, ends)), max(map(max, ends))


def section(name: str, judged: Judged, record: Record) -> str:
    """Return the section on the searches of one task, in Markdown."""
    data, training = judged.search.data, judged.search.training
    advices = [advice_of(judged.search, found) for found in record["searches"]]
    described = (
        f"{data.train_examples:,} images, {training.epochs} epochs, batch size "
        f"{training.batch_size}, {training.optimizer}, weight decay {training.weight_decay:g}. The "
        f"grid has {judged.seeds} seeds; each search {judged.search.seeds} at full length and "
        f"{judged.search.screening_seeds} on each shorter rung."
    )
    parts = [f"## {TITLES[name]}\n", described + "\n"]
    parts.append(image(f"advice-{name}", f"{TITLES[name]}: final accuracy over the learning rate"))
    parts.append(compared(advices) + "\n")
    findings = (f"> - {finding}" for finding in advice_findings(advices[0]))
    parts += ["The findings in the report of the first search:\n", *findings, ""]
    return "\n".join(parts)


def page() -> Page:
    """Return the page and its pictures, from the records."""
    known, folder = searches(), RESULTS / "advice"
    found: dict[str, Record] = {
        name: json.loads(path.read_text())
        for name in known
        if (path := folder / f"{name}.json").exists()
    }
    tests = json.loads((folder / "range_tests.json").read_text())
    rules = json.loads((folder / "range_test_rules.json").read_text())
    sections = [section(name, known[name], record) for name, record in found.items()]
    filled = {
        "summary": summary(known, found),
        "finder": finder_table(TITLES, tests),
        "verdict": verdict(TITLES, tests),
        "rules": rules_table(rules),
        "advice": "\n".join(sections),
    }
    return Page(
        texts={"docs/advice.md": fill_template(TEMPLATE, filled)},
        marks={"README.md": {"advice": readme_table(TITLES, tests)}},
        pictures={
            f"advice-{name}": drawn(name, known[name], record, picked(tests[name]))
            for name, record in found.items()
        },
    )
