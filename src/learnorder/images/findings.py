"""What results say, in sentences that go no further than their intervals."""

from __future__ import annotations

import math
from typing import Any

from learnorder.report.tables import median_epoch
from learnorder.report.titles import marked_titles
from learnorder.runs.results import Results, RunSet
from learnorder.statistics import Estimate, side_of, why_inconclusive
from learnorder.statistics.learned import PATCH_LEVEL

MOST_COMPARED = 4
"""More arms than this are not compared in sentences."""

BASELINE = "small"
"""The arm that the others are compared with, where it is among them."""


def baselines(results: RunSet[Any]) -> dict[str, str]:
    """Return the arm that each other arm is compared with.

    Where several arms, as large and small, were tried at the same settings, that is one of
    them: each is compared at its own settings. Else one arm is compared with all others.
    """
    arms, by_settings = results.arms, dict[str, dict[str, str]]()
    for arm in arms:
        labels = results.labels(arm)
        name = labels.pop("arm", "")
        by_settings.setdefault(repr(labels), {})[name] = arm
    groups = list(by_settings.values())
    told_apart = sum(map(len, groups)) == len(arms) and min(map(len, groups)) > 1
    if BASELINE in arms or not told_apart:
        one = BASELINE if BASELINE in arms else arms[0]
        return {arm: one for arm in arms if arm != one}
    found = dict[str, str]()
    for group in groups:
        first = group.get(BASELINE) or next(iter(group.values()))
        found |= {arm: first for arm in group.values() if arm != first}
    return found


def findings(results: Results) -> list[str]:
    """Return one sentence for each comparison of interest."""
    if results.finished.empty:
        return [f"No run has finished: {results.status_words()}."]
    if len(results.arms) > MOST_COMPARED:
        return [_highest(results)]
    sentences = [_patch_order(results)] if results.has_patch() else []
    compared = {"final accuracy on clean images": ("clean", "accuracy")}
    if results.has_patch():
        compared["final reliance on the pattern"] = ("conflict", "reliance")
    titles = marked_titles(results)
    for arm, baseline in baselines(results).items():
        for what, (set_, quantity) in compared.items():
            difference = results.final_difference(arm, baseline, set_, quantity)
            lost = bool(results.lost(arm) or results.lost(baseline))
            sentences.append(_compared(titles[arm], titles[baseline], what, difference, lost))
    return sentences


def _highest(results: Results) -> str:
    """Name the best of many, which is not yet a finding."""
    found = {arm: results.final_estimate(arm, "clean", "accuracy") for arm in results.arms}
    whole = [arm for arm in results.arms if not results.lost(arm)] or results.arms
    best = max(whole, key=lambda arm: found[arm].mean if found[arm].n else -math.inf)
    return (
        f"Of {len(results.arms)} settings, {marked_titles(results)[best]} has the highest final "
        f"accuracy on clean images: {found[best].format(100)} %, n = {found[best].n}. The best of "
        "many is in part chance: test it on other seeds."
    )


def _patch_order(results: Results) -> str:
    parts, titles = [], marked_titles(results)
    for arm in results.arms:
        found = results.learned(arm, "patch")
        if not found:
            continue
        reached = sum(epoch is not None for epoch in found.values())
        middle = median_epoch(found)
        when = "never" if middle == "never" else f"at epoch {middle}"
        some = f" ({reached} of {len(found)} seeds do)" if reached < len(found) else ""
        parts.append(f"{titles[arm]} {when}{some}")
    return (
        f"When the patch is learned ({100 * PATCH_LEVEL:.0f} % on the pattern alone, median over "
        f"seeds): {'; '.join(parts)}."
    )


def _compared(first: str, second: str, what: str, difference: Estimate, lost: bool) -> str:
    pairs = f"n = {difference.n} pair{'s' * (difference.n != 1)}"
    what = what.capitalize()
    numbers = f"{difference.format(100)} points, {pairs}"
    why = "inconclusive, as a run diverged" if lost else why_inconclusive(difference)
    if why:
        return f"{what}, {first} − {second}: {numbers}; {why}."
    lies = side_of(difference)
    if lies == "above":
        return f"{what}: {first} ends above {second} by {numbers}."
    if lies == "below":
        return (
            f"{what}: {first} ends below {second} by {(-difference).format(100)} points, {pairs}."
        )
    return f"{what}: the difference between {first} and {second} is inconclusive ({numbers})."
