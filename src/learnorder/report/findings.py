"""What results say, in sentences that go no further than their intervals."""

from __future__ import annotations

from statistics import median

from learnorder.report.tables import arm_title
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
        reached = [epoch for epoch in found.values() if epoch is not None]
        if len(reached) == len(found) and reached:
            parts.append(f"{arm_title(arm)} at epoch {median(reached):g}")
        elif len(reached) > len(found) / 2:
            parts.append(
                f"{arm_title(arm)} at epoch {median(reached):g} in {len(reached)} of "
                f"{len(found)} seeds"
            )
        elif found:
            parts.append(f"{arm_title(arm)} in {len(reached)} of {len(found)} seeds only")
    return "The patch is learned (90 % on the pattern alone, median over seeds) by " + (
        "; by ".join(parts) + "."
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
