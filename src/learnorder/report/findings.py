"""What results say, in sentences that go no further than their intervals."""

from __future__ import annotations

from learnorder.order import PATCH_LEVEL
from learnorder.report.tables import arm_title, median_epoch
from learnorder.results import Results
from learnorder.statistics import Estimate

BASELINE = "small"
"""The arm that the others are compared with, where it is among them."""


def baseline_arm(results: Results) -> str:
    """Return the arm that differences are taken from."""
    return BASELINE if BASELINE in results.arms else results.arms[0]


def findings(results: Results) -> list[str]:
    """Return one sentence for each comparison of interest."""
    if results.finished.empty:
        return ["No run has finished yet."]
    sentences = []
    if results.has_patch():
        sentences.append(_patch_order(results))
    baseline = baseline_arm(results)
    for arm in results.arms:
        if arm == baseline:
            continue
        difference = results.final_difference(arm, baseline, "clean", "accuracy")
        sentences.append(_compared(arm, baseline, "final accuracy on clean images", difference))
        if results.has_patch():
            difference = results.final_difference(arm, baseline, "conflict", "reliance")
            sentences.append(_compared(arm, baseline, "final reliance on the pattern", difference))
    return sentences


def _patch_order(results: Results) -> str:
    parts = []
    for arm in results.arms:
        found = results.learned(arm, "patch")
        if not found:
            continue
        reached = sum(epoch is not None for epoch in found.values())
        middle = median_epoch(found)
        text = f"{arm_title(arm)} {'never' if middle == 'never' else f'at epoch {middle}'}"
        some = f" (in {reached} of {len(found)} seeds at all)" if reached < len(found) else ""
        parts.append(text + some)
    return (
        f"The patch is learned ({100 * PATCH_LEVEL:.0f} % on the pattern alone, median over seeds) "
        f"by {', by '.join(parts)}."
    )


def _compared(arm: str, baseline: str, what: str, difference: Estimate) -> str:
    pairs = f"n = {difference.n} pair{'s' * (difference.n != 1)}"
    first, second = arm_title(arm), arm_title(baseline)
    what = what.capitalize()
    numbers = f"{difference.format(100)} points, {pairs}"
    if difference.n < 2:
        return f"{what}, {first} − {second}: {numbers}; an interval needs two seeds."
    if difference.low > 0:
        return f"{what}: {first} ends above {second} by {numbers}."
    if difference.high < 0:
        return (
            f"{what}: {first} ends below {second} by {(-difference).format(100)} points, {pairs}."
        )
    return (
        f"{what}: no difference between {first} and {second} can be told from these runs "
        f"({numbers})."
    )
