"""The effect of retraining last layers, on pages and in the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import fmean
from typing import Any

from learnorder.report.comparisons import VERDICT_NOTE, why_no_verdict
from learnorder.report.content import Section, TextTable
from learnorder.report.score_words import ScoreWords
from learnorder.report.titles import marked_titles
from learnorder.runs.last_layer import Balance, LastLayer
from learnorder.runs.results import PatternRuns
from learnorder.statistics import SHARE, estimate

_BALANCES: tuple[Balance, ...] = ("class", "group")
_BALANCED = {"class": "classes", "group": "groups"}


def last_layer_table(results: PatternRuns[Any]) -> TextTable | None:
    """Return the changes due to retraining the last layer; None if no run was retrained."""
    by_arm = {arm: list(results.last_layers(arm).values()) for arm in results.arms}
    layers = [layer for of_arm in by_arm.values() for layer in of_arm]
    if not layers:
        return None
    quantities = _quantities(results, layers)
    grouped = any(layer.group_balanced is not None for layer in layers)
    rows = [
        row
        for arm, of_arm in by_arm.items()
        for balance in _BALANCES
        if any(layer.retrained(balance) is not None for layer in of_arm)
        for row in [_row(results, arm, balance, list(quantities), grouped=grouped)]
    ]
    headings = ["arm", *(["balanced over"] if grouped else []), "n"]
    columns = [*headings, *(c for heading in quantities.values() for c in (heading, "change"))]
    return TextTable("Not learned, or learned but unused?", columns, rows, _note(layers))


def last_layer_sections(results: PatternRuns[Any]) -> list[Section]:
    """Return the section with the table; none if no run was retrained."""
    table = last_layer_table(results)
    return [] if table is None else [Section(table.title, table=table)]


def group_balanced_words(results: PatternRuns[Any], arm: str, title: str) -> list[str]:
    """Return an arm's scores of the worst group in a sentence; none if it was not retrained.

    Args:
        results: The runs.
        arm: The arm.
        title: The arm in words.
    """
    before, after = results.last_layer_scores(arm, "worst_group_accuracy", "group")
    if not before:
        return []
    words = ScoreWords("worst_group_accuracy")
    levels = [words.value(estimate(list(v.values()), within=SHARE)) for v in (before, after)]
    change = results.last_layer_change(arm, "worst_group_accuracy", "group")
    unseen = all(layer.unseen for layer in results.last_layers(arm).values())
    kind = "held-out" if unseen else "training"
    support = [f"n = {change.n}", why_no_verdict(results, change, arm)]
    return [
        f"{title}, with its last layer retrained on equally many {kind} {results.noun} of each "
        f"group: {words.name} {levels[1]} instead of {levels[0]}, {words.gain(change)} "
        f"({'; '.join(filter(None, support))})."
    ]


def _quantities(results: PatternRuns[Any], layers: Iterable[LastLayer]) -> dict[str, str]:
    """Return the scores that some run has, and their headings."""
    groups = results.groups()
    attribute = "attribute" if groups is None else groups.attribute
    headings = {
        "clean": "clean" if results.has_patch() else "accuracy",
        "content": f"content on conflict {results.noun}",
        "reliance": "reliance" if groups is None else "reliance on the pattern",
        "worst_group_accuracy": "worst group",
        "accuracy_gap": "gap",
        "attribute_reliance": f"reliance on the {attribute}",
    }
    scores = [layer.before for layer in layers]
    return {
        name: heading
        for name, heading in headings.items()
        if any(getattr(score, name) is not None for score in scores)
    }


def _row(
    results: PatternRuns[Any], arm: str, balance: Balance, quantities: list[str], *, grouped: bool
) -> list[str]:
    """Return the cells of an arm: each score before, and its change."""
    cells = []
    for name in quantities:
        before, _ = results.last_layer_scores(arm, name, balance)
        cells.append(f"{100 * fmean(before.values()):.1f}" if before else "–")
        cells.append(results.last_layer_change(arm, name, balance).format(100))
    n = results.last_layer_change(arm, "clean", balance).n
    over = [_BALANCED[balance]] if grouped else []
    return [marked_titles(results)[arm], *over, str(n), *cells]


def _note(layers: list[LastLayer]) -> str:
    """Return what was done and how to read the table."""
    scores = layers[0].before
    how = _how_images(layers) if layers[0].measured is None else _how_tasks(layers)
    note = (
        f"Only the last layer was retrained, {how} Per cent before retraining, and the change in "
        f"points, paired by seed: mean [95 % t interval]. {VERDICT_NOTE} If accuracy rises, the "
        "features contained more than the old layer used."
    )
    for value, name in ((scores.reliance, "pattern"), (scores.attribute_reliance, "attribute")):
        if value is not None:
            note += (
                f" If reliance on the {name} stays, the features themselves depend on the {name}."
            )
    if _by_group(layers):
        note += (
            " Layers balanced over groups were also tried with a penalty ten times weaker than the "
            "weakest for classes, so the balance is not their only difference."
        )
    return note + _refusals(layers)


def _how_images(layers: list[LastLayer]) -> str:
    seen = "that the network was not trained on" if all(a.unseen for a in layers) else (
        "that the network was trained on" if not any(a.unseen for a in layers) else
        "(training images in some runs)"
    )  # fmt: skip
    images = _numbers(layer.examples for layer in layers)
    without = " without the pattern" if layers[0].before.reliance is not None else ""
    by_group = _by_group(layers)
    text = f"on {images} images{without} {seen}, the same number of each class"
    if by_group:
        text += (
            f"; and on {_numbers(by_group)} of them, the same number of each group "
            f"({_SAMPLES}{_PENALTY})"
        )
    return f"{text}."


def _how_tasks(layers: list[LastLayer]) -> str:
    """Return how the layers of tasks were fitted and measured."""
    by_group = _by_group(layers)
    examples = _numbers(layer.examples for layer in layers)
    without = " without the pattern" if layers[0].before.reliance is not None else ""
    sizes = f"{examples} validation examples{without}, the same number of each class"
    if by_group:
        sizes += f", or {_numbers(by_group)}, the same number of each group"
    measured = _numbers(layer.measured or 0 for layer in layers)
    return (
        f"on {sizes} ({_SAMPLES}{_PENALTY if by_group else ''}). It was "
        f"measured on held-out examples: a layer fitted on one half of the {measured} validation "
        "examples predicts the other half, and the reverse."
    )


_SAMPLES = "the mean of layers fitted on up to ten random samples of this size"
_PENALTY = ", with the penalty that is best for the worst group"


def _by_group(layers: list[LastLayer]) -> list[int]:
    """Return on how many examples layers were fitted that are balanced over groups."""
    balanced = [a.group_balanced for a in layers if a.group_balanced is not None]
    return [b.examples for b in balanced if b.after is not None]


def _refusals(layers: list[LastLayer]) -> str:
    """Return which groups are too small to balance over."""
    balanced = [layer.group_balanced for layer in layers]
    refused = dict.fromkeys(b.refused for b in balanced if b is not None and b.refused)
    if not refused:
        return ""
    fewest = "2 of these images" if layers[0].measured is None else "4 validation examples"
    return (
        f" Not balanced over groups, which needs at least {fewest} of each: {'; '.join(refused)}."
    )


def _numbers(values: Iterable[int]) -> str:
    """Return the smallest and the largest of some numbers, e.g. "300 to 320"."""
    counts = sorted(set(values))
    return " to ".join(f"{n:,}" for n in dict.fromkeys((counts[0], counts[-1])))
