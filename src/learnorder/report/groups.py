"""Known groups of examples on pages: groups × arms, and scores over the learning rate."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from learnorder.report.content import Section, TextTable
from learnorder.report.parts import Point, add_points, make_room
from learnorder.report.score_words import ScoreWords
from learnorder.report.seed_cells import SeedCells
from learnorder.report.style import LineStyle, layout, line_styles, log_axis
from learnorder.report.tables import median_epoch
from learnorder.report.titles import MOST_ARMS, marked_titles
from learnorder.runs.known_groups import LEVEL, KnownGroups
from learnorder.runs.run_set import NetworkRuns
from learnorder.statistics import FEWEST_SEEDS, SHARE, estimate, range_of
from learnorder.statistics.learned import on_the_way

_ALL = LineStyle("#000000", "solid")
_MOST_LINES = 8
"""Most groups that are drawn; the worst ones are."""
_FEW = 30
"""Evaluated examples below which a group is marked as small."""


def arms_by_rate(results: NetworkRuns[Any]) -> dict[float, str]:
    """Return the arms by initial learning rate; empty if they differ in other settings too."""
    rates = {
        folder.config.learning_rate.initial: results.arm_of(folder) for folder in results.folders
    }
    return dict(sorted(rates.items())) if len(rates) == len(results.arms) else {}


def group_findings(
    groups: KnownGroups | None, further: Callable[[str, str], list[str]] = lambda *_: []
) -> list[str]:
    """Return each arm's scores over the groups, in sentences; none for many arms.

    Args:
        groups: The groups.
        further: Returns more sentences about an arm, from its name and title.
    """
    if groups is None or len(groups.results.arms) > MOST_ARMS:
        return []
    titles = marked_titles(groups.results)
    return [
        sentence
        for arm in groups.results.arms
        if groups.results.final(arm, groups.evaluated, groups.score)
        for sentence in (group_words(groups, arm, titles[arm]), *further(arm, titles[arm]))
    ]


def group_sections(
    groups: KnownGroups, arms: Sequence[str], rates: Mapping[float, str]
) -> list[Section]:
    """Return the sections about known groups.

    Args:
        groups: The groups.
        arms: Names of the arms, in the order of the table.
        rates: The arms over the learning rate, by learning rate; fewer than two are not drawn.
    """
    shown = [arm for arm in arms if groups.results.final(arm, groups.evaluated, groups.score)]
    if not shown:
        return []
    title, note = f"Groups by {groups.attribute}", _note(groups)
    figures = [over_rates(groups, rates)] if len(rates) > 1 else []
    table = group_table(groups, shown) if len(shown) <= MOST_ARMS else overall_table(groups, shown)
    sections = [Section(title, note, wide=figures, last=table)]
    if (learned := learned_table(groups, shown)) is not None and len(shown) <= MOST_ARMS:
        sections.append(Section(learned.title, table=learned))
    return sections


def _note(groups: KnownGroups) -> str:
    """Return what is measured, and what the intervals cover."""
    score = ScoreWords(groups.score).name
    note = (
        f"Final {score} on {groups.evaluated_noun}; mean over seeds [95 % interval]. "
        f"The gap is the {score} of all {groups.noun} less that of the worst group."
    )
    if groups.spurious:
        note += (
            f" Reliance: within each class, accuracy where the {groups.attribute} suggests the "
            "class, as it does most often in the training data, less the accuracy where it "
            "suggests another; 0 if the network ignores it, 100 if it follows nothing else."
        )
    if range_of(groups.score) == SHARE:
        note += (
            " The intervals of groups cover seeds and the choice of the group's examples, those "
            "over all groups only seeds."
        )
    if any(evaluated < _FEW for _, evaluated in groups.sizes.values()):
        note += (
            f" A group with fewer than {_FEW} {groups.evaluated_noun} is marked *: its interval is "
            "wide, and the worst group tends to be a small one by chance."
        )
    return note


def group_table(groups: KnownGroups, arms: Sequence[str]) -> TextTable:
    """Return the final scores: a row for each quantity and group, a column for each arm."""
    titles, seeds = marked_titles(groups.results), SeedCells(groups.results)
    rows = [[f"all {groups.noun}", *_cells(groups, arms, groups.score, seeds)]]
    for quantity in groups.overall():
        name = ScoreWords(quantity).name
        of = f" on the {groups.attribute}" if quantity == "reliance" else ""
        rows.append([name + of, *_cells(groups, arms, quantity, seeds)])
    for group in groups.sizes:
        cells = [_group_cell(groups, arm, group, seeds) for arm in arms]
        rows.append([_group_words(groups, group), *cells])
    note = f"In brackets after a group: its training and its {groups.evaluated_noun}."
    unit = " (%)" if ScoreWords(groups.score).unit == "points" else ""
    return TextTable("", [f"group{unit}", *(titles[arm] for arm in arms)], rows, note)


def _group_words(groups: KnownGroups, group: str) -> str:
    trained, evaluated = groups.sizes[group]
    return f"{group} ({trained:,}, {evaluated:,}{'*' * (evaluated < _FEW)})"


def _cells(groups: KnownGroups, arms: Sequence[str], quantity: str, seeds: SeedCells) -> list[str]:
    """Return a quantity over all examples by arm."""
    words = ScoreWords(quantity)
    return [seeds.final(arm, groups.evaluated, quantity, words) for arm in arms]


def _group_cell(groups: KnownGroups, arm: str, group: str, seeds: SeedCells) -> str:
    """Return the final score of a group in an arm."""
    words = ScoreWords(groups.score)
    mean = words.number(groups.final(arm, group))
    return seeds.shown(mean, arm, groups.by_seed(arm, group), words.one)


def overall_table(groups: KnownGroups, arms: Sequence[str]) -> TextTable:
    """Return the final scores over all groups: a row for each arm."""
    titles, quantities = marked_titles(groups.results), [groups.score, *groups.overall()]
    columns = ["arm", *(ScoreWords(q).heading for q in quantities), "worst group"]
    rows, seeds = [], SeedCells(groups.results)
    for arm in arms:
        cells = [_cells(groups, [arm], quantity, seeds)[0] for quantity in quantities]
        rows.append([titles[arm], *cells, worst_group(groups, arm)])
    return TextTable("", columns, rows, "")


def worst_group(groups: KnownGroups, arm: str) -> str:
    """Return the group with the worst mean score of an arm."""
    sign = 1 if groups.higher_is_better else -1
    return min(groups.sizes, key=lambda group: sign * groups.final(arm, group).mean)


def learned_table(groups: KnownGroups, arms: Sequence[str]) -> TextTable | None:
    """Return the epoch from which on each group is learned; None if accuracy is not measured."""
    if groups.chance is None or groups.score != "accuracy":
        return None
    titles = marked_titles(groups.results)
    rows = []
    for group in groups.sizes:
        cells = [_epoch_words(groups.learned(arm, group)) for arm in arms]
        rows.append([_group_words(groups, group), *cells])
    level = 100 * on_the_way(groups.chance, LEVEL)
    return TextTable(
        "When each group is learned",
        ["group", *(titles[arm] for arm in arms)],
        rows,
        f"Epoch from which on the group's accuracy on {groups.evaluated_noun} stays at {level:.3g} "
        "% or more, halfway from chance to perfect: median over seeds; never: it ends below. "
        "In brackets: the seeds that learn it, if not all do. The first such epoch alone would "
        "mislead, as a network that predicts one class for all is perfect on its groups.",
    )


def _epoch_words(epochs: Mapping[int, int | None]) -> str:
    learned = sum(epoch is not None for epoch in epochs.values())
    words = median_epoch(epochs)
    return words if learned in (0, len(epochs)) else f"{words} ({learned} of {len(epochs)} seeds)"


def over_rates(groups: KnownGroups, rates: Mapping[float, str]) -> go.Figure:
    """Return final scores over the learning rate: all examples, and each group.

    Args:
        groups: The groups; of more than eight, the eight that are worst at the best arm are drawn.
        rates: Arms by learning rate.
    """
    figure, words = go.Figure(), ScoreWords(groups.score)
    drawn = _worst_first(groups, list(rates.values()))[:_MOST_LINES]
    styles = line_styles(drawn)
    within = groups.results.range_of(groups.score)

    def points(by_seed: Any, examples: int | None = None) -> dict[float, Point]:
        lost = groups.results.lost
        return {
            rate: Point(by_seed(arm), within, lost(arm), examples=examples)
            for rate, arm in rates.items()
        }

    for group in drawn:
        size = groups.sizes[group][1] if within == SHARE else None
        of_group = points(lambda arm, group=group: groups.by_seed(arm, group), size)
        name = _group_words(groups, group)
        add_points(figure, of_group, name, styles[group], words.scale, log_x=True, notes=False)
    score, set_ = groups.score, groups.evaluated
    everything = points(lambda arm: groups.results.final(arm, set_, score))
    add_points(figure, everything, "all", _ALL, words.scale, log_x=True)
    layout(figure, "", "initial learning rate", f"final {words.heading}", 420)
    figure.update_xaxes(log_axis(rates))
    rows = len(drawn) // 3 + 1
    figure.update_layout(hovermode="closest", margin={"t": 20, "b": 60 + 22 * rows})
    return make_room(figure.update_layout(height=400 + 22 * rows))


def _worst_first(groups: KnownGroups, arms: Sequence[str]) -> list[str]:
    """Return the groups by their mean score over some arms, the worst first."""
    sign = 1 if groups.higher_is_better else -1

    def mean(group: str) -> float:
        values = [v for arm in arms for v in groups.by_seed(arm, group).values()]
        return sign * estimate(values).mean

    return sorted(groups.sizes, key=mean)


def group_words(groups: KnownGroups, arm: str, title: str) -> str:
    """Return an arm's scores over the groups, in a sentence.

    Args:
        groups: The groups.
        arm: The arm.
        title: The arm in words.
    """
    set_, worst = groups.evaluated, worst_group(groups, arm)
    quantities = dict.fromkeys([groups.score, *groups.overall()])
    values = {q: groups.results.final_estimate(arm, set_, q) for q in quantities}
    score, lowest, gap, *rest = (ScoreWords(q).value(e) for q, e in values.items())
    sentence = (
        f"{title}: {ScoreWords(groups.score).name} {score} on all {groups.noun} and {lowest} on "
        f"the worst group, most often {worst} ({groups.sizes[worst][1]:,} "
        f"{groups.evaluated_noun}); gap {gap}"
    )
    if rest:
        sentence += f"; reliance on the {groups.attribute} {rest[0]}"
    n = values[groups.score].n
    few = f"; {n} seeds are too few for a verdict" if n < FEWEST_SEEDS else ""
    return f"{sentence} (n = {n}{few})."
