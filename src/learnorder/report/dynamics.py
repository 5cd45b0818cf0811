"""The training dynamics of examples on pages of runs: data maps, groups, and lists of examples."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from learnorder.report.content import Key, Section, TextTable
from learnorder.report.data_map import BINS, counted, map_figure
from learnorder.report.examples import example_lists, list_section
from learnorder.report.tables import median_epoch
from learnorder.report.thumbnails import shown_example
from learnorder.report.titles import MOST_ARMS, marked_titles
from learnorder.runs.descriptions import ImagesDescription
from learnorder.runs.dynamics import KeptDynamics
from learnorder.runs.judged import judged_by
from learnorder.runs.results import PatternRuns
from learnorder.statistics import SHARE, Estimate, estimate

if TYPE_CHECKING:
    import pandas as pd

_MOST_MAPS = 4
"""Most arms with a data map; of more, the best arm has one."""
_POINTS = 3000
"""Points of all data maps of a page together."""
_LISTED = 8
"""Examples in each list."""
_MEASURED = (
    "Each example is predicted once in an epoch, in training mode and before the update of its "
    "batch; this costs no further pass over the data. One is left out where the last batch would "
    "have no other."
)


def dynamics_sections(results: PatternRuns[Any]) -> list[Section]:
    """Return the sections about the training dynamics; none if no finished run has kept them."""
    kept = KeptDynamics.of(results)
    if kept is None:
        return []
    arms, titles = list(kept.by_arm), marked_titles(results)
    best = _best(results, arms)
    drawn = arms if len(arms) <= _MOST_MAPS else [best]
    means = {arm: _predicted(kept.mean(arm)) for arm in drawn}
    means = {arm: mean for arm, mean in means.items() if not mean.empty}
    if best not in means:
        return []
    most = _POINTS // len(means)
    figures = [
        map_figure(mean, titles[arm] if len(arms) > 1 else "Data map", most, 380)
        for arm, mean in means.items()
    ]
    widest = max(float(mean["variability"].to_numpy().max()) for mean in means.values())
    for figure in figures:  # the same axis in all
        figure.update_xaxes(range=[0, max(1.05 * widest, 0.01)])
    note = (
        f"{_MEASURED} Each point is a training example ({counted(len(means[best]), most)} are "
        "drawn), with means over the seeds: easy examples are at the top left, ambiguous ones at "
        "the right, hard and mislabelled ones at the bottom left. The colour is the share of "
        "epochs in which it was correct. results.dynamics() has all examples."
    )
    if len(arms) > _MOST_MAPS:
        note += f" The map is that of the arm with the best final score, {titles[best]}."
    legend: Key = [(f"correct in {name}" if end else name, color, "") for name, end, color in BINS]
    table = _summary(kept, arms, titles)
    sections = [
        Section("Training dynamics", note, "dynamics", table=table, key=legend, panels=figures)
    ]
    sections += _groups(kept, arms, titles)
    return [*sections, *_lists(results, kept, means[best], titles[best] if len(arms) > 1 else "")]


def _best(results: PatternRuns[Any], arms: list[str]) -> str:
    """Return the arm with the best mean final score."""
    set_, quantity, higher = judged_by(results.folders[0])
    sign = 1 if higher else -1
    return max(arms, key=lambda arm: sign * results.final_estimate(arm, set_, quantity).mean)


def _predicted(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the examples with a finite prediction."""
    return frame.iloc[np.flatnonzero(frame["confidence"].notna())]


def _summary(kept: KeptDynamics, arms: list[str], titles: dict[str, str]) -> TextTable:
    """Return the shares of examples that were never learned or were forgotten, by arm."""
    rows = []
    for arm in arms:
        frames = {seed: _predicted(frame) for seed, frame in kept.by_arm[arm].items()}
        never = _never(frames)
        forgotten = _share(frame["forgetting_events"].to_numpy() > 0 for frame in frames.values())
        confidence = [frame["confidence"].to_numpy().mean() for frame in frames.values()]
        first = {seed: _median_first(frame) for seed, frame in frames.items()}
        rows.append(
            [
                titles[arm],
                str(len(frames)),
                median_epoch(first),
                never.format(100),
                forgotten.format(100),
                estimate(confidence, within=SHARE).format(1, 3),
            ]
        )
    columns = ["arm", "n", "first learned", "never learned, %", "forgotten, %", "confidence"]
    note = (
        "First learned: the epoch by which half of the training examples have been correct at "
        "least once, median over n seeds. Never learned: never correct. Forgotten: changed from "
        "correct to wrong at least once. Confidence: the mean probability of the given label over "
        "all epochs. The last three are means over seeds [95 % t interval]."
    )
    return TextTable("", columns, rows, note)


def _never(frames: Mapping[int, pd.DataFrame]) -> Estimate:
    """Return the mean over seeds of the share of examples that were never correct."""
    return _share(frame["first_learned"].to_numpy() == 0 for frame in frames.values())


def _share(which: Iterable[NDArray[np.bool_]]) -> Estimate:
    """Return the mean over seeds of the share of examples."""
    return estimate([float(each.mean()) for each in which], within=SHARE)


def _median_first(frame: pd.DataFrame) -> float | None:
    """Return the median epoch first learned, with never after all others; None for never."""
    first = frame["first_learned"].to_numpy(dtype=float)
    middle = float(np.median(np.where(first > 0, first, np.inf))) if len(first) else math.inf
    return None if math.isinf(middle) else middle


def _groups(kept: KeptDynamics, arms: list[str], titles: dict[str, str]) -> list[Section]:
    """Return the section about the known groups; none without them."""
    first = _predicted(next(iter(kept.by_arm[arms[0]].values())))
    names = [str(name) for name in first["group"].dropna().unique()]
    if not names or len(arms) > MOST_ARMS:
        return []
    sizes = first["group"].value_counts()
    rows = []
    for name in sorted(names):
        cells = []
        for arm in arms:
            frames = {s: _predicted(frame) for s, frame in kept.by_arm[arm].items()}
            own = {
                s: frame.iloc[np.flatnonzero(frame["group"] == name)] for s, frame in frames.items()
            }
            epoch = median_epoch({seed: _median_first(frame) for seed, frame in own.items()})
            cells.append(f"{epoch} ({100 * _never(own).mean:.1f} %)")
        rows.append([f"{name} ({sizes[name]:,})", *cells])
    note = (
        "The epoch by which half of the group's training examples have been correct at least once "
        "(median over seeds); in brackets, the share of them that never was (mean over seeds). "
        "After the name of a group: its number of training examples."
    )
    columns = ["group", *(titles[arm] for arm in arms)]
    table = TextTable("", columns, rows, note)
    return [Section("When each group's examples are first learned", table=table)]


def _lists(
    results: PatternRuns[Any], kept: KeptDynamics, mean: pd.DataFrame, arm: str
) -> list[Section]:
    """Return the lists of examples worth a look, by the means over an arm's seeds."""
    described = next(iter(results.described.values()), None)
    names = list(described.classes) if isinstance(described, ImagesDescription) else []
    frame = mean.assign(label=[_label(int(label), names) for label in mean["label"]])
    grouped = bool(frame["group"].notna().any())
    lists = example_lists(frame, _LISTED)
    listed = {i for each in lists for i in each.rows.head(_LISTED).index}
    found = {index: kept.shown[index] for index in sorted(listed) if index in kept.shown}
    cells = {index: shown_example(value, index) for index, value in found.items()}
    of = f"Means over the seeds{f' of {arm}' if arm else ''}; first learned: the median. "
    return [
        list_section(replace(each, note=of + each.note), cells, grouped, _LISTED) for each in lists
    ]


def _label(label: int, names: list[str]) -> str:
    """Return the name of a class, or its number."""
    return names[label] if 0 <= label < len(names) else str(label)
