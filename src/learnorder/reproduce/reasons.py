"""Why some claims cannot be expected to hold on digits, in sentences with the results' numbers."""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean

from learnorder.reproduce.claim import Judgement
from learnorder.reproduce.evidence import Evidence
from learnorder.reproduce.measures import Value
from learnorder.statistics.learned import PATCH_LEVEL

_EASY = 0.9
"""Mean final accuracy from which a task counts as easy."""


def reason(judgement: Judgement, evidence: Evidence, scale: str) -> str:
    """Return why a claim that does not hold cannot be expected to; empty if nothing is known.

    Reasons are known for scale demo on digits.
    """
    if judgement.verdict == "holds" or not judgement.has_runs or scale != "demo":
        return ""
    explain = _REASONS.get(judgement.claim.name)
    return explain(judgement, evidence) if explain and _on_digits(judgement, evidence) else ""


def _on_digits(judgement: Judgement, evidence: Evidence) -> bool:
    return all(
        (results := evidence.images(experiment)) is not None
        and all(folder.config.data.source == "digits" for folder in results.folders)
        for experiment, _ in judgement.claim.needs
    )


def _too_easy(_: Judgement, evidence: Evidence) -> str:
    """Return how little is left to gain without the patch; empty if there is more."""
    results = evidence.images("plain")
    assert results is not None
    finals = [Value("plain", arm).by_seed(evidence) for arm in results.arms]
    lowest = min((fmean(values.values()) for values in finals if values), default=0.0)
    if lowest < _EASY:
        return ""
    return (
        "Digits without the patch are too easy for this claim: the lowest mean final accuracy of "
        f"an arm is {_per_cent(lowest)}, so little is left to gain. --scale laptop tests it on "
        "CIFAR-10."
    )


def _too_short(_: Judgement, evidence: Evidence) -> str:
    """Return how far the large arm learns the patch after its anneal; empty if all or nothing."""
    before, after = (
        Value("patch", "large", "patch_only", when=when).by_seed(evidence)
        for when in ("before_anneal", "final")
    )
    if not before or not after:
        return ""
    start, end = fmean(before.values()), fmean(after.values())
    if not start < end < PATCH_LEVEL:
        return ""
    return (
        "The demo is too short: mean accuracy on the pattern alone rises after the anneal, from "
        f"{_per_cent(start)} to {_per_cent(end)}, but training ends before it reaches "
        f"{_per_cent(PATCH_LEVEL)}."
    )


def _near_the_bound(judgement: Judgement, _: Evidence) -> str:
    """Return the highest patch-only accuracy before the anneal; empty if it is below the bound."""
    highest = max(judgement.measured.by_seed.values(), default=0.0)
    if not highest > judgement.measured.bound:
        return ""
    return (
        "Some runs start to learn the patch before the anneal: their highest accuracy on the "
        f"pattern alone is {_per_cent(highest)}."
    )


def _per_cent(share: float) -> str:
    return f"{100 * share:.3g} %"


_REASONS: dict[str, Callable[[Judgement, Evidence], str]] = {
    "final-accuracy": _too_easy,
    "final-accuracy-annealed": _too_easy,
    "noise-accuracy": _too_easy,
    "large-learns-patch-after-anneal": _too_short,
    "large-ignores-patch": _near_the_bound,
    "noise-ignores-patch": _near_the_bound,
}
"""By claim."""
