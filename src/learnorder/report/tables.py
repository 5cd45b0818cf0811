"""Tables of results, for pages and the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean, median
from typing import Any

from learnorder.report.comparisons import VERDICT_NOTE
from learnorder.report.content import Anchor, TextTable
from learnorder.report.last_layers import last_layer_table as last_layer_table
from learnorder.report.score_words import ScoreWords
from learnorder.report.seed_cells import SeedCells, run_anchor
from learnorder.report.titles import arm_columns, arm_titles, marked_titles
from learnorder.runs import RunFolder
from learnorder.runs.results import WITHOUT_RESULT, NetworkRuns, PatternRuns, RunSet
from learnorder.statistics.learned import CONTENT_LEVELS, on_the_way

_PER_CENT = ScoreWords("accuracy")


def final_table(results: PatternRuns[Any]) -> TextTable:
    """Return accuracies after the last epoch, and reliance, by arm."""
    quantities = results.quantities()
    headings, cells = arm_columns(results)
    columns = [*headings, "n", *(title for _, _, title in quantities)]
    rows, seeds = [], SeedCells(results)
    for arm in results.arms:
        n = counted(results, arm) + ", undertrained" * results.undertrained(arm)
        numbers = [seeds.final(arm, s, q, _PER_CENT) for s, q, _ in quantities]
        rows.append([*cells[arm], n, *numbers])
    note = (
        "Per cent after the last epoch: mean over n seeds [95 % t interval; none for one value or "
        "equal values]."
    )
    if any(results.undertrained(arm) for arm in results.arms):
        note += (
            " Undertrained: learned neither the content (¼ of the way from chance to perfect) nor "
            "the pattern. The reliance of such an arm is not evidence of robustness."
        )
    return TextTable("Final accuracy", columns, rows, note)


def final_scores(
    results: NetworkRuns[Any], headings: Mapping[tuple[str, str], str], when: str
) -> TextTable:
    """Return scores and losses at the end, by arm.

    Args:
        results: The runs.
        headings: Heading of the column of each set and quantity, with %s for the quantity's words.
        when: When they are measured, for the note.
    """
    words = {key: ScoreWords(key[1]) for key in headings}
    names, cells = arm_columns(results)
    columns = [*names, "n", *(heading % words[key].heading for key, heading in headings.items())]
    rows, seeds = [], SeedCells(results)
    for arm in results.arms:
        numbers = [seeds.final(arm, *key, shown) for key, shown in words.items()]
        rows.append([*cells[arm], counted(results, arm), *numbers])
    note = f"{when}: mean over n seeds [95 % t interval]; none for one value or equal values."
    return TextTable("Final scores", columns, rows, note)


def difference_table(results: PatternRuns[Any], baselines: Mapping[str, str]) -> TextTable:
    """Return paired differences between arms and their baselines.

    Args:
        results: The runs.
        baselines: The baseline of each arm.
    """
    titles = marked_titles(results)
    quantities, several = results.quantities(), len(set(baselines.values())) > 1
    rows, seeds = [], SeedCells(results)
    for arm, baseline in baselines.items():
        n = len(seeds.pairs(arm, baseline, *quantities[0][:2]))
        title = _pair(titles[arm], titles[baseline]) if several else titles[arm]
        cells = [seeds.difference(arm, baseline, s, q, _PER_CENT) for s, q, _ in quantities]
        rows.append([title, str(n), *cells])
    first = titles[next(iter(baselines.values()))]
    return TextTable(
        "Difference at the same settings" if several else f"Difference from {first}",
        ["arm", "n pairs", *(title for _, _, title in quantities)],
        rows,
        "Percentage points, paired by seed: mean [95 % t interval]. The intervals are not adjusted "
        "for their number: on average, 5 % of them do not contain the true difference. "
        f"{VERDICT_NOTE}",
    )


def _pair(arm: str, baseline: str) -> str:
    """Return the title of a difference between two arms at the same settings.

    >>> _pair("large LR, contrast 0.6", "small LR, contrast 0.6")
    'large LR − small LR, contrast 0.6'
    """
    (name, _, settings), other = arm.partition(", "), baseline.partition(", ")[0]
    return f"{name} − {other}, {settings}"


def order_table(results: PatternRuns[Any]) -> TextTable:
    """Return the epochs at which each arm learned the levels of the content, and the patch."""
    titles, chance = marked_titles(results), results.chance()
    columns, epochs = ["arm"], dict[str, list[Mapping[int, int | None]]]()
    for arm in results.arms:
        epochs[arm] = [results.learned(arm, "content", f) for f in CONTENT_LEVELS.values()]
    for words, fraction in CONTENT_LEVELS.items():
        level = "" if chance is None else f" ≥ {100 * on_the_way(chance, fraction):.3g} %"
        columns.append(f"content at {words} (clean{level})")
    if results.has_patch():
        what = "patch (patch only" if results.noun == "images" else "pattern (pattern alone"
        level = results.pattern_level()
        columns.append(f"{what})" if level is None else f"{what} ≥ {100 * level:.3g} %)")
        for arm in results.arms:
            epochs[arm].append(results.learned(arm, "patch"))
    rows = [[titles[arm], *map(_epochs, epochs[arm])] for arm in results.arms]
    return TextTable(
        "Epoch of learning",
        columns,
        rows,
        "First epoch at the level: median over seeds (range of the seeds that reach it). The "
        f"content has three levels, at {', '.join(CONTENT_LEVELS)} of the way from chance to "
        "perfect. They are the same for all arms; the first is the primary one.",
    )


def median_epoch(epochs: Mapping[int, int | None] | Mapping[int, float | None]) -> str:
    """Return the median epoch over seeds, with None (never) later than all epochs.

    >>> median_epoch({0: 3, 1: None, 2: 5}), median_epoch({0: 3, 1: None, 2: None})
    ('5', 'never')
    """
    middle = median(math.inf if epoch is None else epoch for epoch in epochs.values())
    return "never" if math.isinf(middle) else f"{middle:g}"


def _epochs(epochs: Mapping[int, int | None]) -> str:
    """Return the median epoch, with the range and number of the seeds that reach the level."""
    if not epochs:
        return "–"
    reached = sorted(epoch for epoch in epochs.values() if epoch is not None)
    spread = "–".join(dict.fromkeys(str(epoch) for epoch in (reached[:1] + reached[-1:])))
    if len(reached) < len(epochs):
        limits = f": {spread}" if reached else ""
        return f"{median_epoch(epochs)} ({len(reached)} of {len(epochs)} seeds{limits})"
    return median_epoch(epochs) + (f" ({spread})" if reached[0] != reached[-1] else "")


def share_table(results: PatternRuns[Any]) -> TextTable:
    """Return the measured share of each group in the training examples."""
    titles = marked_titles(results)
    rows = []
    for arm in results.arms:
        row = [titles[arm]]
        for group in ("clean", "patch_only", "both"):
            shares = [e.mean for e in results.curve(arm, "train", "share", group).values()]
            row.append(f"{100 * fmean(shares):.1f}" if shares else "–")
        rows.append(row)
    return TextTable(
        "Training examples",
        ["arm", "clean", "pattern alone", "image with pattern"],
        rows,
        "Per cent of the training examples, over all epochs and seeds.",
    )


def run_table(results: RunSet[Any], prefix: str = "") -> TextTable:
    """Return the status and time of each run.

    Args:
        results: The runs.
        prefix: Begins the anchors of the runs; different for each table of a page.
    """
    titles = arm_titles(results)
    rows = []
    for index, folder in enumerate(results.folders):
        manifest = folder.read_manifest()
        status = manifest["status"] + (f": {manifest['reason']}" if manifest["reason"] else "")
        seconds = seconds_of(folder)
        rows.append(
            [
                Anchor(folder.name, run_anchor(index, prefix)),
                titles[results.arm_of(folder)],
                str(folder.config.seed),
                status,
                "" if seconds is None else f"{seconds:.{0 if seconds >= 10 else 1}f}",
            ]
        )
    return TextTable("Runs", ["folder", "arm", "seed", "status", "seconds"], rows, "")


def seconds_of(folder: RunFolder[Any]) -> float | None:
    """Return the training and evaluation time of a run in seconds; None if not recorded."""
    timings = folder.timings()
    if timings is None:
        return folder.read_manifest()["seconds"]
    return sum(sum(timings[n].to_pylist()) for n in ("train_seconds", "evaluation_seconds"))


def counted(results: RunSet[Any], arm: str) -> str:
    """Return the number of an arm's finished runs, and of others by status.

    For example "3, 2 of 5 diverged".
    """
    counts, lost = results.counts(arm), results.lost(arm)
    others = [
        f"{count} {status.replace('_', ' ')}"
        for status, count in counts.items()
        if status not in ("finished", *WITHOUT_RESULT)
    ]
    return ", ".join([str(counts.get("finished", 0)), *([lost] if lost else []), *others])
