"""Tables of results, as text: the page and the terminal show the same."""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import fmean, median
from typing import Any

from learnorder.report.content import TextTable
from learnorder.report.titles import arm_columns, arm_titles, marked_titles
from learnorder.runs import RunFolder
from learnorder.runs.results import WITHOUT_RESULT, Results, RunSet
from learnorder.statistics.learned import CONTENT_LEVELS, PATCH_LEVEL, on_the_way


def final_table(results: Results) -> TextTable:
    """Return accuracies after the last epoch, and reliance, by arm."""
    quantities = results.quantities()
    headings, cells = arm_columns(results)
    columns = [*headings, "n", *(title for _, _, title in quantities)]
    rows = []
    for arm in results.arms:
        estimates = [results.final_estimate(arm, s, q) for s, q, _ in quantities]
        n = counted(results, arm) + ", undertrained" * results.undertrained(arm)
        rows.append([*cells[arm], n, *(e.format(100) for e in estimates)])
    note = "Per cent, after the last epoch: mean over n seeds [95 % t interval]; one seed has none."
    if any(results.undertrained(arm) for arm in results.arms):
        note += (
            " Undertrained: ends with neither the content (at ¼ of the way from guessing to "
            "perfect) nor the pattern learned, so that its reliance says nothing of robustness."
        )
    return TextTable("Final accuracy", columns, rows, note)


def difference_table(results: Results, baselines: Mapping[str, str]) -> TextTable:
    """Return paired differences of arms from others.

    Args:
        results: Of the runs.
        baselines: What each arm is compared with.
    """
    titles = marked_titles(results)
    quantities, several = results.quantities(), len(set(baselines.values())) > 1
    rows = []
    for arm, baseline in baselines.items():
        found = [results.final_difference(arm, baseline, s, q) for s, q, _ in quantities]
        compared = _pair(titles[arm], titles[baseline]) if several else titles[arm]
        rows.append([compared, str(found[0].n), *(e.format(100) for e in found)])
    one = titles[next(iter(baselines.values()))]
    return TextTable(
        "Difference at the same settings" if several else f"Difference from {one}",
        ["arm", "n pairs", *(title for _, _, title in quantities)],
        rows,
        "Percentage points, paired by seed: mean [95 % t interval]. An interval without 0 is a "
        "difference at this level.",
    )


def _pair(arm: str, baseline: str) -> str:
    """Return words for two arms at the same settings.

    >>> _pair("large LR, contrast 0.6", "small LR, contrast 0.6")
    'large LR − small LR, contrast 0.6'
    """
    (one, _, settings), other = arm.partition(", "), baseline.partition(", ")[0]
    return f"{one} − {other}, {settings}"


def order_table(results: Results) -> TextTable:
    """Return when each arm learned the content, at each of its levels, and the patch."""
    titles, chance = marked_titles(results), results.chance()
    columns, found = ["arm"], dict[str, list[Mapping[int, int | None]]]()
    for arm in results.arms:
        found[arm] = [results.learned(arm, "content", f) for f in CONTENT_LEVELS.values()]
    for words, fraction in CONTENT_LEVELS.items():
        level = "" if chance is None else f" ≥ {100 * on_the_way(chance, fraction):.3g} %"
        columns.append(f"content at {words} (clean{level})")
    if results.has_patch():
        columns.append(f"patch (patch only ≥ {100 * PATCH_LEVEL:.0f} %)")
        for arm in results.arms:
            found[arm].append(results.learned(arm, "patch"))
    rows = [[titles[arm], *map(_epochs, found[arm])] for arm in results.arms]
    return TextTable(
        "When it was learned",
        columns,
        rows,
        "First epoch at the level: median over seeds (range of those that reach it). The content "
        f"has three levels, at {', '.join(CONTENT_LEVELS)} of the way from guessing to perfect, "
        "which depend on no arm; the first decides.",
    )


def last_layer_table(results: Results) -> TextTable | None:
    """Return what retraining the last layer changed, None where it was not done."""
    titles, rows, sizes = marked_titles(results), [], set[tuple[int, bool]]()
    quantities = ["clean", *(["content", "reliance"] if results.has_patch() else [])]
    for arm in results.arms:
        found = results.last_layers(arm)
        if not found:
            continue
        cells = []
        for name in quantities:
            before = fmean(getattr(one.before, name) for one in found.values())
            cells += [f"{100 * before:.1f}", results.last_layer_change(arm, name).format(100)]
        rows.append([titles[arm], str(len(found)), *cells])
        sizes |= {(one.examples, one.unseen) for one in found.values()}
    if not rows:
        return None
    headings = {"clean": "clean", "content": "content on conflict images", "reliance": "reliance"}
    columns = [c for name in quantities for c in (headings[name], "change")]
    counts = sorted({examples for examples, _ in sizes})
    images = " to ".join(f"{n:,}" for n in dict.fromkeys((counts[0], counts[-1])))
    seen = "that the network was not trained on" if all(u for _, u in sizes) else (
        "that the network was trained on" if not any(u for _, u in sizes) else
        "of which some runs had seen theirs"
    )  # fmt: skip
    return TextTable(
        "Learned, or only used?",
        ["arm", "n", *columns],
        rows,
        f"The last layer alone, retrained on {images} images without the pattern {seen}, as many "
        "of each class. Per cent before, and the change in points: paired by seed, mean [95 % t "
        "interval]. What the new layer reads from the same features was learned; where reliance "
        "stays, the features themselves follow the pattern.",
    )


def median_epoch(found: Mapping[int, int | None]) -> str:
    """Return the median over seeds, those that never get there counted as later than all.

    >>> median_epoch({0: 3, 1: None, 2: 5}), median_epoch({0: 3, 1: None, 2: None})
    ('5', 'never')
    """
    middle = median(math.inf if epoch is None else epoch for epoch in found.values())
    return "never" if math.isinf(middle) else f"{middle:g}"


def _epochs(found: Mapping[int, int | None]) -> str:
    """Median, range of those that got there, and how many did not."""
    if not found:
        return "–"
    reached = sorted(epoch for epoch in found.values() if epoch is not None)
    spread = "–".join(dict.fromkeys(str(epoch) for epoch in (reached[:1] + reached[-1:])))
    if len(reached) < len(found):
        some = f": {spread}" if reached else ""
        return f"{median_epoch(found)} ({len(reached)} of {len(found)} seeds{some})"
    return median_epoch(found) + (f" ({spread})" if reached[0] != reached[-1] else "")


def share_table(results: Results) -> TextTable:
    """Return the measured shares of the training examples in each group."""
    titles = marked_titles(results)
    rows = []
    for arm in results.arms:
        row = [titles[arm]]
        for group in ("clean", "patch_only", "both"):
            shares = [e.mean for e in results.curve(arm, "train", "share", group).values()]
            row.append(f"{100 * fmean(shares):.1f}" if shares else "–")
        rows.append(row)
    return TextTable(
        "What the training examples showed",
        ["arm", "clean", "pattern alone", "image with pattern"],
        rows,
        "Per cent of the examples, measured over all epochs and seeds.",
    )


def run_table(results: RunSet[Any]) -> TextTable:
    """Return each run's status and time."""
    titles = arm_titles(results)
    rows = []
    for folder in results.folders:
        manifest = folder.manifest
        status = manifest["status"] + (f": {manifest['reason']}" if manifest["reason"] else "")
        seconds = seconds_of(folder)
        rows.append(
            [
                folder.name,
                titles[results.arm_of(folder)],
                str(folder.config.seed),
                status,
                "" if seconds is None else f"{seconds:.{0 if seconds >= 10 else 1}f}",
            ]
        )
    return TextTable("Runs", ["folder", "arm", "seed", "status", "seconds"], rows, "")


def seconds_of(folder: RunFolder[Any]) -> float | None:
    """Return how long a run has computed, None where it has not said."""
    timings = folder.timings()
    if timings is None:
        return folder.manifest["seconds"]
    return sum(sum(timings[n].to_pylist()) for n in ("train_seconds", "evaluation_seconds"))


def counted(results: RunSet[Any], arm: str) -> str:
    """Return how many of an arm's runs have finished, and how the others stand.

    Those that diverged are said as a share of all: "3, 2 of 5 diverged".
    """
    counts, lost = results.counts(arm), results.lost(arm)
    others = [
        f"{count} {status.replace('_', ' ')}"
        for status, count in counts.items()
        if status not in ("finished", *WITHOUT_RESULT)
    ]
    return ", ".join([str(counts.get("finished", 0)), *([lost] if lost else []), *others])
