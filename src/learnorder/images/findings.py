"""The findings of a page: comparisons of arms in sentences, with their intervals."""

from __future__ import annotations

import math

from learnorder.report.comparisons import (
    MOST_COMPARED,
    baselines,
    pairs_words,
    why_no_verdict,
)
from learnorder.report.groups import group_findings
from learnorder.report.last_layers import group_balanced_words
from learnorder.report.tables import median_epoch
from learnorder.report.titles import marked_titles
from learnorder.runs.results import Results
from learnorder.statistics import PER_CENT, POINTS, Estimate, side_of


def findings(results: Results) -> list[str]:
    """Return scores over known groups, the order of learning, and comparisons of arms, in words."""
    if not results.has_finished:
        return [f"No run has finished: {results.status_words()}."]
    sentences = group_findings(
        results.groups(), lambda arm, title: group_balanced_words(results, arm, title)
    )
    if len(results.arms) > MOST_COMPARED:
        return [*sentences, _highest(results)]
    sentences += [_patch_order(results)] if results.has_patch() else []
    quantities = {"Final accuracy on clean images": ("clean", "accuracy")}
    if results.has_patch():
        quantities["Final reliance on the pattern"] = ("conflict", "reliance")
    titles = marked_titles(results)
    for arm, baseline in baselines(results).items():
        for name, (set_, quantity) in quantities.items():
            difference = results.final_difference(arm, baseline, set_, quantity)
            why = why_no_verdict(results, difference, arm, baseline)
            sentences.append(_compared(titles[arm], titles[baseline], name, difference, why))
    return sentences


def _highest(results: Results) -> str:
    """Return the best of many arms, with a warning about selection."""
    finals = {arm: results.final_estimate(arm, "clean", "accuracy") for arm in results.arms}
    candidates = [arm for arm in results.arms if not results.lost(arm)] or results.arms
    best = max(candidates, key=lambda arm: finals[arm].mean if finals[arm].n else -math.inf)
    return (
        f"Of {len(results.arms)} settings, {marked_titles(results)[best]} has the highest final "
        f"accuracy on clean images: {PER_CENT.show(finals[best])}, n = {finals[best].n}. The best "
        "of many is partly due to chance: test it on other seeds."
    )


def _patch_order(results: Results) -> str:
    parts, titles = [], marked_titles(results)
    for arm in results.arms:
        epochs = results.learned(arm, "patch")
        if not epochs:
            continue
        reached = sum(epoch is not None for epoch in epochs.values())
        middle = median_epoch(epochs)
        when = "never" if middle == "never" else f"at epoch {middle}"
        seeds = f" (learned in {reached} of {len(epochs)} seeds)" if reached < len(epochs) else ""
        parts.append(f"{titles[arm]} {when}{seeds}")
    level = results.pattern_level()
    share = "" if level is None else f"{100 * level:.3g} % on the pattern alone, "
    return f"When the patch is learned ({share}median over seeds): {'; '.join(parts)}."


def _compared(arm: str, baseline: str, name: str, difference: Estimate, why: str) -> str:
    pairs = pairs_words(difference.n)
    numbers = f"{POINTS.show(difference)}, {pairs}"
    if why:
        return f"{name}, {arm} − {baseline}: {numbers}; {why}."
    side = side_of(difference)
    if side == "above":
        return f"{name}: {arm} ends above {baseline} by {numbers}."
    if side == "below":
        return f"{name}: {arm} ends below {baseline} by {POINTS.show(-difference)}, {pairs}."
    return f"{name}: the difference between {arm} and {baseline} is inconclusive ({numbers})."
