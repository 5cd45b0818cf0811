"""``docs/shortcuts.md`` and its pictures, from the records in ``results/shortcuts``.

``python -m studies.pages`` writes them; ``python -m studies.shortcuts.measure`` makes the records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import plotly.graph_objects as go

from learnorder.report.parts import Point, add_points
from learnorder.report.score_words import ScoreWords
from learnorder.report.style import LineStyle, layout, log_axis
from learnorder.runs.opening import open_runs
from learnorder.runs.results import TaskResults
from learnorder.statistics import (
    SHARE,
    SHARE_DIFFERENCE,
    Measured,
    Verdict,
    adjusted_p,
    estimate,
    measure_difference,
    p_words,
    paired_difference,
    range_of,
    verdict,
)
from learnorder.statistics.verdicts import VERDICT_WORDS
from studies.common import Page, fill_template, image, markdown, title_of
from studies.shortcuts.measure import EXPERIMENTS, Shortcut, longer_name, name_of, noise_name

TEMPLATE = Path(__file__).with_name("shortcuts.md.in")
QUANTITIES = {
    "worst_group_accuracy": ("worst group", "above"),
    "reliance": ("reliance", "below"),
    "accuracy": ("accuracy", "above"),
}
"""What is compared with the small LR, and the side that the claim is on."""
_LAYER_QUANTITIES = {"worst_group_accuracy": "worst group", "attribute_reliance": "reliance"}
"""Scores of retrained last layers, and their headings."""
_STYLES = {
    "accuracy": LineStyle("#000000", "solid"),
    "worst_group_accuracy": LineStyle("#D55E00", "dash"),
    "reliance": LineStyle("#0072B2", "dot"),
}


@dataclass(frozen=True)
class Compared:
    """An arm against the small LR.

    Attributes:
        measured: The difference by quantity, paired by seed.
        verdicts: The verdict by quantity.
    """

    measured: Mapping[str, Measured]
    verdicts: Mapping[str, Verdict]


def compared(shortcut: Shortcut, results: TaskResults, arm: str) -> Compared:
    """Compare an arm with the small LR."""
    small, measured, verdicts = name_of(shortcut.rates[0], shortcut.rates[0]), {}, {}
    for quantity, (_, side) in QUANTITIES.items():
        values = [results.final(name, "validation", quantity) for name in (arm, small)]
        own, reference = values
        measured[quantity] = measure_difference(own, reference, within=range_of(quantity))
        verdicts[quantity] = verdict(measured[quantity], "above" if side == "above" else "below")
    return Compared(measured, verdicts)


def large_arm(shortcut: Shortcut, results: TaskResults) -> str:
    """Return the arm of the largest learning rate at which no run diverged."""
    small = shortcut.rates[0]
    names = [name_of(rate, small) for rate in shortcut.rates[1:]]
    complete = [name for name in names if not results.lost(name)]
    return complete[-1] if complete else names[0]


def statements(found: Mapping[str, TaskResults]) -> str:
    """Return the comparisons of the large LR and of noise with the small LR, in Markdown."""
    cells: dict[tuple[str, str, str], tuple[Measured, Verdict]] = {}
    arms: dict[tuple[str, str], str] = {}
    for name, results in found.items():
        shortcut = EXPERIMENTS[name]
        small = shortcut.rates[0]
        for kind, arm in (("large", large_arm(shortcut, results)), ("noise", noise_name(small))):
            arms[name, kind] = arm
            against = compared(shortcut, results, arm)
            for quantity in QUANTITIES:
                cells[name, kind, quantity] = (
                    against.measured[quantity],
                    against.verdicts[quantity],
                )
    adjusted = dict(
        zip(cells, adjusted_p([measured for measured, _ in cells.values()]), strict=True)
    )
    lines = []
    for (name, kind), arm in arms.items():
        line = [EXPERIMENTS[name].title, arm]
        for quantity in QUANTITIES:
            measured, judged = cells[name, kind, quantity]
            p = p_words(adjusted[name, kind, quantity])
            line.append(
                f"{VERDICT_WORDS[judged]}<br>{measured.estimate.format(100)}<br>p (Holm) {p}"
            )
        lines.append(line)
    columns = ["experiment", "arm, against the small LR"]
    columns += ["worst group rises", "reliance falls", "accuracy rises"]
    return markdown(columns, lines)


def arms_table(shortcut: Shortcut, results: TaskResults) -> str:
    """Return the final numbers of each arm, in Markdown."""
    groups = results.groups()
    assert groups is not None
    lines = []
    for arm in shortcut.arms():
        cells = [
            ScoreWords(q).number(results.final_estimate(arm, "validation", q)) for q in QUANTITIES
        ]
        own = [ScoreWords("accuracy").number(groups.final(arm, group)) for group in groups.sizes]
        n = ", ".join(
            filter(None, [str(results.counts(arm).get("finished", 0)), results.lost(arm)])
        )
        lines.append([arm, n, *cells, *own])
    names = [f"{name} ({trained:,}, {held:,})" for name, (trained, held) in groups.sizes.items()]
    return markdown(["arm", "n", *(words for words, _ in QUANTITIES.values()), *names], lines)


def layers_table(shortcut: Shortcut, results: TaskResults) -> str:
    """Return worst group and reliance with retrained last layers, in Markdown, if there are any."""
    if not shortcut.retrained:
        return ""
    lines = []
    for arm in shortcut.arms():
        cells = list[str]()
        for quantity in _LAYER_QUANTITIES:
            before, _ = results.last_layer_scores(arm, quantity, "group")
            cells.append(estimate(list(before.values()), within=range_of(quantity)).format(100))
            for balance in ("class", "group"):
                _, after = results.last_layer_scores(arm, quantity, balance)
                cells.append(estimate(list(after.values()), within=range_of(quantity)).format(100))
        lines.append([arm, str(len(results.last_layers(arm))), *cells])
    columns = ["arm", "n"]
    for words in _LAYER_QUANTITIES.values():
        columns += [f"{words}, as trained", "balanced over classes", "balanced over groups"]
    return (
        "\nWith the last layer fitted anew on one half of the validation texts and measured on the "
        "other, and the reverse:\n\n" + markdown(columns, lines) + "\n"
    )


def layer_numbers(found: Mapping[str, TaskResults]) -> dict[str, str]:
    """Return the numbers on retrained last layers in the text of the page."""
    name = "text_bag_layers"
    shortcut, results = EXPERIMENTS[name], found[name]
    small, large = name_of(shortcut.rates[0], shortcut.rates[0]), large_arm(shortcut, results)
    filled, after = dict[str, str](), dict[str, dict[int, float]]()
    for key, arm in {"small": small, "large": large}.items():
        before, after[key] = results.last_layer_scores(arm, "worst_group_accuracy", "group")
        for when, scores in (("before", before), ("after", after[key])):
            e = estimate(list(scores.values()), within=SHARE)
            filled[f"{key}_{when}"] = ScoreWords("accuracy").value(e)
    change = paired_difference(after["large"], after["small"], within=SHARE_DIFFERENCE)
    return {**filled, "layers_gain": change.format(100)}


def figure(shortcut: Shortcut, results: TaskResults) -> go.Figure:
    """Return accuracy, worst group and reliance over the learning rate."""
    drawn, small = go.Figure(), shortcut.rates[0]
    for quantity, style in _STYLES.items():
        points = {
            rate: Point(
                results.final(name_of(rate, small), "validation", quantity),
                range_of(quantity),
                results.lost(name_of(rate, small)),
            )
            for rate in shortcut.rates
        }
        add_points(drawn, points, QUANTITIES[quantity][0], style, 100, log_x=True)
    layout(drawn, shortcut.title, "initial learning rate, annealed to the smallest", "%", 340)
    drawn.update_xaxes(log_axis(shortcut.rates))
    return drawn.update_layout(hovermode="closest", margin={"b": 80})


def numbers(found: Mapping[str, TaskResults]) -> dict[str, str]:
    """Return the numbers in the text of the page."""
    groups = found["text_bag"].groups()
    assert groups is not None
    small = EXPERIMENTS["text_bag"].rates[0]
    long, large = longer_name(small, 20), large_arm(EXPERIMENTS["text_bag"], found["text_bag"])
    filled = {"texts": f"{sum(trained for trained, _ in groups.sizes.values()):,}"}
    for key, arm in {"small_train": name_of(small, small), "long_train": long}.items():
        fitted = found["text_bag"].final_estimate(arm, "train", "accuracy")
        filled[key] = ScoreWords("accuracy").value(fitted)
    transformer = EXPERIMENTS["text_transformer"]
    fitted = found["text_transformer"].final_estimate(
        name_of(transformer.rates[0], transformer.rates[0]), "train", "accuracy"
    )
    filled["transformer_train"] = ScoreWords("accuracy").value(fitted)
    names = {
        "bag": "text_bag", "again": "text_bag_again", "bag90": "text_bag_90",
        "sgd": "text_bag_sgd", "transformer": "text_transformer",
        "colour": "colour_mlp", "dominoes": "dominoes_mlp",
        "colour_wrn": "colour_wrn", "dominoes_wrn": "dominoes_wrn",
    }  # fmt: skip
    for short, quantity in {"worst": "worst_group_accuracy", "reliance": "reliance"}.items():
        for key, name in names.items():
            arm = large_arm(EXPERIMENTS[name], found[name])
            measured = compared(EXPERIMENTS[name], found[name], arm).measured[quantity]
            filled[f"{key}_{short}"] = measured.estimate.format(100)
        control = found["text_bag"].final_difference(large, long, "validation", quantity)
        filled[f"control_{short}"] = control.format(100)
        for name in ("colour_wrn", "dominoes_wrn"):
            noise = noise_name(EXPERIMENTS[name].rates[0])
            measured = compared(EXPERIMENTS[name], found[name], noise).measured[quantity]
            filled[f"{name}_noise_{short}"] = measured.estimate.format(100)
    most = max(
        abs(measured.estimate.mean)
        for name, results in found.items()
        if name not in ("colour_wrn", "dominoes_wrn")
        for measured in compared(
            EXPERIMENTS[name], results, noise_name(EXPERIMENTS[name].rates[0])
        ).measured.values()
    )
    return {**filled, **layer_numbers(found), "noise_most": f"{100 * most:.1f}"}


def page(runs: Path) -> Page:
    """Return the page and its pictures; ``runs`` has the run folders unpacked from ``results``."""
    found: dict[str, TaskResults] = {}
    for name in EXPERIMENTS:
        if (folder := runs / "shortcuts" / name).exists():
            results = open_runs(folder, of=TaskResults)
            found[name] = results
    figures = {f"shortcuts-{n}": figure(EXPERIMENTS[n], found[n]) for n in found}
    sections = [
        f"## {EXPERIMENTS[name].title[0].upper()}{EXPERIMENTS[name].title[1:]}\n\n"
        + image(f"shortcuts-{name}", title_of(figures[f"shortcuts-{name}"]))
        + "\n"
        + arms_table(EXPERIMENTS[name], results)
        + "\n"
        + layers_table(EXPERIMENTS[name], results)
        for name, results in found.items()
    ]
    stated = numbers(found)
    filled = {**stated, "statements": statements(found), "sections": "\n".join(sections)}
    marks = {name: stated[name] for name in ("colour_wrn_worst", "dominoes_wrn_worst")}
    return Page(
        texts={"docs/shortcuts.md": fill_template(TEMPLATE, filled)},
        marks={"README.md": marks},
        pictures=figures,
    )
