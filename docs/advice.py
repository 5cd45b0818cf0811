"""Write ``docs/advice.md`` and its pictures from the records in ``results/advice``.

``python docs/advice.py`` needs Chromium and the extra ``test``; ``python docs/measure_advise.py``
makes the records.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from figures import launch, markdown, photograph
from measure_advise import Judged, searches
from playwright.sync_api import Browser, sync_playwright

from learnorder.report.advice_words import STANDING_WORDS
from learnorder.report.parts import add_estimates
from learnorder.report.style import LineStyle, layout
from learnorder.statistics import SHARE, Estimate, estimate

ROOT = Path(__file__).parents[1]
STATIC = ROOT / "docs" / "_static"
TITLES = {
    "digits_wrn": "WRN-10-1, SGD, digits",
    "digits_mlp_adamw": "MLP, AdamW, digits",
    "cifar_wrn": "WRN-16-1, SGD, CIFAR-10",
}
Record = dict[str, Any]


def by_rate(record: Record) -> dict[float, Estimate]:
    """Return final accuracy of the grid, by learning rate."""
    return {arm["learning_rate"]: _estimate(arm) for arm in record["grid"]["arms"] if arm["n"]}


def _estimate(numbers: Record) -> Estimate:
    return estimate(list(numbers["by_seed"].values()), within=SHARE)


def _difference(numbers: Record, sign: int = 1) -> str:
    if numbers["mean"] is None:
        return "diverged"
    low, high = (float("nan") if numbers[k] is None else numbers[k] for k in ("low", "high"))
    e = Estimate(numbers["mean"], low, high, numbers["n"])
    return (e if sign > 0 else -e).format(100)


def cost(found: Record, epochs: int) -> float:
    """Return what a search trained, in runs of full length."""
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
            judged, pick = found["judged"], found["range_test_pick"]
            regret = {**judged, "mean": judged["regret"]}
            lines.append([
                TITLES[name] if not number else "",
                f"{found['learning_rate']:g}",
                ", ".join(f"{rate:g}" for rate in found["band"]),
                "–" if judged["regret"] is None else _difference(regret),
                "–" if pick is None else f"{pick:.2g}",
                _picked(found),
                _alike(found),
                f"{cost(found, epochs):.0f}",
            ])  # fmt: skip
    columns = ["", "advised", "band", "regret, points", "range test's pick",
               "its cost, points", "pairs alike", "full runs trained"]  # fmt: skip
    return markdown(columns, lines)


def _picked(found: Record) -> str:
    """Return what the range test's pick costs, from a search's own comparison."""
    for compared in found["compared"]:
        if compared["says"].startswith("range test"):
            standing = STANDING_WORDS[compared["standing"]]
            return f"{_difference(compared['better_by'], -1)}, {standing}"
    return "on the grid"


def _alike(found: Record) -> str:
    return ", ".join(f"{each['agree']} of {each['pairs']}" for each in found["ranks"])


def compared(record: Record) -> str:
    """Return phases and noise of each search, in Markdown."""
    lines = []
    for number, found in enumerate(record["searches"]):
        for one in found["compared"]:
            if "epoch" in one["says"] or "noise" in one["says"]:
                words = STANDING_WORDS[one["standing"]]
                lines.append([str(number + 1), one["says"], _difference(one["better_by"]), words])
    return markdown(["search", "compared", "better by, points", ""], lines)


def drawn(name: str, record: Record) -> go.Figure:
    """Return the grid, and on it what each search advised and what its range test picked."""
    figure, found = go.Figure(), by_rate(record)
    style = LineStyle("#0072B2", "solid")
    add_estimates(figure, found, "every learning rate in full", style, 100)
    low, high = (100 * end for end in height(found))
    room = 0.05 * (high - low)
    marks = {
        "advised": ("circle", "#009E73", [one["learning_rate"] for one in record["searches"]]),
        "range test's pick": (
            "diamond", "#D55E00", [one["range_test_pick"] for one in record["searches"]],
        ),
    }  # fmt: skip
    for place, (words, (symbol, color, rates)) in enumerate(marks.items()):
        at = [rate for rate in rates if rate is not None]
        figure.add_scatter(
            x=at, y=[low - (1 + place) * room] * len(at), name=words, mode="markers",
            marker={"symbol": symbol, "size": 10, "color": color, "opacity": 0.6},
        )  # fmt: skip
    layout(figure, TITLES[name], "initial learning rate", "final accuracy, %", 380)
    ends = (min(found), max(found))
    far = [r for _, _, rates in marks.values() for r in rates if r and not ends[0] <= r <= ends[1]]
    ticks = [*found, *far]
    figure.update_xaxes(type="log", tickvals=ticks, ticktext=[f"{rate:.2g}" for rate in ticks])
    figure.update_yaxes(range=[low - 3 * room, high + room])
    return figure.update_layout(hovermode="closest", margin={"b": 90})


def height(found: dict[float, Estimate]) -> tuple[float, float]:
    """Return the ends of the axis: a learning rate that ends far below all others is cut off."""
    falling = sorted(found.values(), key=lambda e: -e.mean)
    best, *others, worst = falling
    if best.mean - worst.mean > 5 * (best.mean - others[-1].mean):
        falling = falling[:-1]
    return min(e.low for e in falling), max(e.high for e in falling)


def section(browser: Browser, name: str, judged: Judged, record: Record) -> str:
    """Draw one, and return it as Markdown."""
    picture, training = f"advice-{name}.png", judged.search.training
    photograph(browser, drawn(name, record), STATIC / picture)
    data = judged.search.data
    described = (
        f"{data.train_examples:,} images, {training.epochs} epochs, batch size "
        f"{training.batch_size}, {training.optimizer}, weight decay {training.weight_decay:g}. The "
        f"grid has {judged.seeds} seeds; each search {judged.search.seeds} at full length and "
        f"{judged.search.screening_seeds} on each shorter rung."
    )
    alt = f"{TITLES[name]}: final accuracy over the learning rate"
    parts = [f"## {TITLES[name]}\n", described + "\n"]
    parts += [f"```{{image}} _static/{picture}\n:alt: {alt}\n```\n", compared(record) + "\n"]
    said = record["searches"][0]["findings"]
    parts += ["The first search said:\n", *(f"> - {sentence}" for sentence in said), ""]
    return "\n".join(parts)


def main() -> None:
    """Draw and write."""
    known = searches()
    paths = {name: ROOT / "results" / "advice" / f"{name}.json" for name in known}
    found = {name: json.loads(path.read_text()) for name, path in paths.items() if path.exists()}
    with sync_playwright() as playwright:
        browser = launch(playwright)
        sections = [section(browser, name, known[name], record) for name, record in found.items()]
        browser.close()
    text = (ROOT / "docs" / "advice.md.in").read_text(encoding="utf-8")
    for name, value in {"summary": summary(known, found), "advice": "\n".join(sections)}.items():
        text = text.replace(f"@{name}@", value)
    (ROOT / "docs" / "advice.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
