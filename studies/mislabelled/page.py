"""``docs/mislabelled.md`` and its pictures, from the records in ``results/mislabelled``.

``python -m studies.pages`` writes them; ``studies.mislabelled.measure`` makes the records.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import plotly.graph_objects as go

from learnorder.report.parts import Point, add_points
from learnorder.report.style import layout, line_styles
from learnorder.statistics import (
    SHARE,
    Measured,
    adjusted_p,
    estimate,
    measure_difference,
    p_words,
    side_of,
)
from studies.common import RESULTS, Page, fill_template, image, markdown
from studies.mislabelled.tasks import TASKS, Task

TEMPLATE = Path(__file__).with_name("mislabelled.md.in")
RANKINGS = {
    "aum": "AUM",
    "confidence": "confidence",
    "first_learned": "first learned, then forgetting",
    "forgetting": "forgetting events",
    "last_loss": "loss in the last epoch",
    "cleanlab_training": "cleanlab, training outputs",
}
"""Rankings that are compared with cleanlab out of sample, with their titles."""
DRAWN = ("aum", "confidence", "first_learned", "last_loss")
"""Rankings in the figures."""
_WORDS = {
    "above": "significantly higher than",
    "below": "significantly lower than",
    "inconclusive": "not distinguishable from",
}
_GAINS = {"above": "better", "below": "worse", "inconclusive": "inconclusive"}
Rows = list[dict[str, float]]


def by_seed(rows: Rows, rate: float, name: str) -> dict[int, float]:
    """Return a measured number of the runs at a learning rate, by seed."""
    return {int(row["seed"]): row[name] for row in rows if row["rate"] == rate}


def differences(task: Task, rows: Rows) -> dict[str, Measured]:
    """Return the precision of each ranking minus that of cleanlab out of sample, paired."""
    other = by_seed(rows, task.rate, "cleanlab")
    return {
        name: measure_difference(by_seed(rows, task.rate, name), other, within=SHARE)
        for name in RANKINGS
    }


def gains(task: Task, rows: Rows) -> dict[str, Measured]:
    """Return each ranking's precision at the largest learning rate minus at the smallest."""
    small, *_, large = task.rates
    return {
        name: measure_difference(
            by_seed(rows, large, name), by_seed(rows, small, name), within=SHARE
        )
        for name in RANKINGS
    }


def comparison_table(records: dict[str, Rows]) -> str:
    """Return the precision of each ranking beside cleanlab's, in Markdown."""
    measured = {name: differences(TASKS[name], rows) for name, rows in records.items()}
    every = [each for of_task in measured.values() for each in of_task.values()]
    adjusted = iter(adjusted_p(every))
    lines = []
    for name, of_task in measured.items():
        task, rows = TASKS[name], records[name]
        best = estimate([*by_seed(rows, task.rate, "cleanlab").values()], within=SHARE)
        lines.append([task.name, "cleanlab, out of sample", best.format(100), "", "", str(best.n)])
        for ranking, difference in of_task.items():
            values = by_seed(rows, task.rate, ranking)
            mean = estimate([*values.values()], within=SHARE).format(100)
            lines.append([
                "", RANKINGS[ranking], mean, difference.estimate.format(100),
                p_words(next(adjusted)), str(len(values)),
            ])  # fmt: skip
    columns = ["", "ranking", "precision, %", "minus cleanlab's, points", "p (Holm)", "n"]
    return markdown(columns, lines)


def rate_table(records: dict[str, Rows]) -> str:
    """Return the precision of each ranking at each learning rate, in Markdown."""
    measured = {name: gains(TASKS[name], rows) for name, rows in records.items()}
    every = [each for of_task in measured.values() for each in of_task.values()]
    adjusted = iter(adjusted_p(every))
    lines = []
    for name, of_task in measured.items():
        task, rows = TASKS[name], records[name]
        for number, (ranking, gain) in enumerate(of_task.items()):
            means = [
                estimate([*by_seed(rows, rate, ranking).values()], within=SHARE).format(100)
                for rate in task.rates
            ]
            title = f"{task.name}: {', '.join(f'{rate:g}' for rate in task.rates)}"
            lines.append([
                "" if number else title, RANKINGS[ranking], *means, gain.estimate.format(100),
                p_words(next(adjusted)), str(gain.estimate.n),
            ])  # fmt: skip
    columns = [
        "learning rates", "ranking", "small", "medium", "large", "large − small, points",
        "p (Holm)", "n",
    ]  # fmt: skip
    return markdown(columns, lines)


def issues_table(records: dict[str, Rows]) -> str:
    """Return what cleanlab's ``find_label_issues`` reports, in Markdown."""
    lines = []
    for name, rows in records.items():
        task = TASKS[name]
        values = [
            estimate([*by_seed(rows, task.rate, f"issues_{each}").values()])
            for each in ("precision", "recall", "size")
        ]
        shown = [each.format(100) for each in values[:2]]
        lines.append([task.name, *shown, values[2].format(digits=0), str(values[2].n)])
    return markdown(["", "precision, %", "recall, %", "examples reported", "n"], lines)


def settings_table(records: dict[str, Rows]) -> str:
    """Return the settings of each task and how well its network does, in Markdown."""
    lines = []
    for name, rows in records.items():
        task = TASKS[name]
        accuracy = estimate([*by_seed(rows, task.rate, "accuracy").values()], within=SHARE)
        lines.append([
            task.title, f"{task.epochs}", f"{task.batch}", f"{task.rate:g}",
            accuracy.format(100), str(accuracy.n),
        ])  # fmt: skip
    columns = ["", "epochs", "batch size", "learning rate", "accuracy out of sample, %", "n"]
    return markdown(columns, lines)


def drawn(task: Task, rows: Rows) -> go.Figure:
    """Return the precision of rankings over the learning rate, and of cleanlab at one."""
    figure, styles = go.Figure(), line_styles([*DRAWN, "cleanlab"])
    for name in DRAWN:
        points = {rate: Point(by_seed(rows, rate, name), SHARE) for rate in task.rates}
        add_points(figure, points, RANKINGS[name], styles[name], 100, log_x=True)
    other = {task.rate: Point(by_seed(rows, task.rate, "cleanlab"), SHARE)}
    add_points(
        figure, other, "cleanlab, out of sample", styles["cleanlab"], 100, log_x=True,
        span=math.log10(task.rates[-1] / task.rates[0]),
    )  # fmt: skip
    layout(figure, task.title, "learning rate", "precision, %", 380)
    ticks = [f"{rate:g}" for rate in task.rates]
    figure.update_xaxes(type="log", tickvals=list(task.rates), ticktext=ticks)
    return figure.update_layout(hovermode="closest", margin={"b": 110})


def verdict(records: dict[str, Rows]) -> str:
    """Return how AUM compares with cleanlab out of sample on each task, in sentences."""
    items = []
    for name, rows in records.items():
        task = TASKS[name]
        mean = estimate([*by_seed(rows, task.rate, "aum").values()], within=SHARE)
        difference = differences(task, rows)["aum"].estimate
        words = _WORDS[side_of(difference)]
        items.append(
            f"- **{task.name}**: AUM has a precision of {mean.format(100)} %, {words} cleanlab's "
            f"(by {difference.format(100)} points, n = {difference.n})."
        )
    return "\n".join(items)


def rate_verdict(records: dict[str, Rows]) -> str:
    """Return whether the largest learning rate is better than the smallest, in sentences."""
    items = []
    for name, rows in records.items():
        task = TASKS[name]
        small, *_, large = task.rates
        measured = gains(task, rows)
        found = [
            f"{RANKINGS[ranking]} {measured[ranking].estimate.format(100)} points "
            f"({_GAINS[side_of(measured[ranking].estimate)]})"
            for ranking in ("aum", "confidence", "last_loss")
        ]
        items.append(f"- **{task.name}**, {large:g} against {small:g}: {', '.join(found)}.")
    return "\n".join(items)


def page() -> Page:
    """Return the page and its pictures, from the records."""
    folder = RESULTS / "mislabelled"
    records: dict[str, Rows] = {
        name: json.loads(path.read_text())
        for name in TASKS
        if (path := folder / f"{name}.json").exists()
    }
    pictures = {f"mislabelled-{name}": drawn(TASKS[name], rows) for name, rows in records.items()}
    alt = "precision of each ranking over the learning rate"
    filled = {
        "settings": settings_table(records),
        "comparison": comparison_table(records),
        "issues": issues_table(records),
        "rates": rate_table(records),
        "verdict": verdict(records),
        "rate_verdict": rate_verdict(records),
        "pictures": "\n".join(
            image(f"mislabelled-{name}", f"{TASKS[name].title}: {alt}") for name in records
        ),
    }
    return Page(
        texts={"docs/mislabelled.md": fill_template(TEMPLATE, filled)},
        pictures=pictures,
    )
