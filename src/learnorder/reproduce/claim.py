"""A claim of a paper as data, and the verdict on it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from learnorder.config.arm_titles import ARM_WORDS
from learnorder.reproduce.evidence import Evidence, Need
from learnorder.reproduce.measures import Measure
from learnorder.runs.results import WITHOUT_RESULT
from learnorder.statistics import (
    FEWEST_HEADLINE,
    Measured,
    Verdict,
    verdict,
    why_inconclusive,
)
from learnorder.statistics.as_json import json_number
from learnorder.statistics.verdicts import VERDICT_WORDS

RESCALED = ("theory", "kappa", "steps", "convolution")
"""Experiments in which the coordinates of Q are scaled by s = 1000; the paper has s = 1."""
RESCALED_NOTE = (
    "† Rescaled: s = 1000, where the theorems have s = 1. In their scaling the order appears only "
    "from d ≈ 6·10⁷ (κ = 0.5) or 7·10⁸ (κ = 1) on."
)

NOT_RUN = "– not run"
"""Shown instead of a verdict if a claim lacks runs."""


@dataclass(frozen=True)
class Claim:
    """A claim of the paper and its test.

    A claim *holds* if the two-sided 95 % interval of its measure lies entirely on the claim's side
    of the bound, *does not hold* if it lies entirely on the other side, and is *undecided*
    otherwise; see :mod:`learnorder.statistics.verdicts`.

    Attributes:
        name: The name that ``--only`` takes.
        statement: The claim, as a sentence.
        source: The place in the paper; starts with "–" if the paper does not make this claim.
        measure: The primary measure, which is tested.
        side: The side of the measure's bound on which the claim holds.
        figure: The experiment and the name of the figure that shows the claim.
        reported: The paper's value, "–" if it reports none.
        checked: Whether that value was checked against a copy of the paper.
        also: Secondary measures. They are reported but do not affect the verdict.
        of: The claim that this is a test of, if several experiments test it; in the overview of all
            papers these share a row.
        with_diverged: Whether the measure takes diverged runs into account. Otherwise a diverged
            run makes the verdict undecided.
    """

    name: str
    statement: str
    source: str
    measure: Measure
    side: Literal["above", "below"]
    figure: tuple[str, str]
    reported: str = "–"
    checked: bool = False
    also: tuple[Measure, ...] = ()
    of: str = ""
    with_diverged: bool = False

    @property
    def needs(self) -> tuple[Need, ...]:
        """The experiments and arms of the primary measure."""
        return self.measure.needs

    @property
    def rescaled(self) -> bool:
        """Whether it is about the theory, whose runs do not use the paper's scaling."""
        return any(experiment in RESCALED for experiment, _ in self.needs)

    def marked(self) -> str:
        """Return the statement, with a dagger if the runs are rescaled."""
        return f"{self.statement} †" if self.rescaled else self.statement

    def criterion(self) -> str:
        """Return the measure and the condition under which the claim holds, in words."""
        measure = self.measure
        return f"{measure.words()}; holds if entirely {self.side} {measure.bound_words()}"


@dataclass(frozen=True)
class Judgement:
    """A claim with its verdict.

    Attributes:
        claim: The claim.
        verdict: holds, does_not_hold or undecided.
        measured: The value of the primary measure.
        also: The values of the secondary measures, in the claim's order.
        reason: Why the claim is undecided, unless the interval shows it, and which runs were left
            out; otherwise empty.
        has_runs: Whether every arm of the primary measure has runs.
    """

    claim: Claim
    verdict: Verdict
    measured: Measured
    also: tuple[Measured, ...]
    reason: str = ""
    has_runs: bool = True

    def verdict_words(self) -> str:
        """Return the verdict, or that the claim lacks runs."""
        return VERDICT_WORDS[self.verdict] if self.has_runs else NOT_RUN

    def headline(self) -> str:
        """Return the verdict for a headline: undecided with fewer than five seeds."""
        few = self.measured.estimate.n < FEWEST_HEADLINE
        return VERDICT_WORDS["undecided"] if few and self.has_runs else self.verdict_words()

    def shown(self) -> str:
        """Return the estimate, interval and unit; for a level also the number of seeds."""
        shown, seeds = self.measured.shown(), self.seed_count()
        return f"{shown} ({seeds})" if seeds else shown

    def seed_count(self) -> str:
        """Return the number of seeds on the claim's side of a level, e.g. of 20 %.

        The mean is not informative if some seeds end far above the level and others far below.
        Empty if the bound is 0, i.e. the claim compares two arms.
        """
        measured, side = self.measured, self.claim.side
        bound = measured.bound
        if not measured.by_seed or not bound or math.isnan(bound):
            return ""
        values = measured.by_seed.values()
        count = sum(value > bound if side == "above" else value < bound for value in values)
        return f"{count} of {len(values)} seeds {side} {self.bound()}"

    def bound(self) -> str:
        """Return the bound in the unit of the estimate."""
        return self.measured.unit.show_value(self.measured.bound)

    def to_dict(self) -> dict[str, Any]:
        """Return the entry of ``claims.json``.

        Numbers are in the given unit, null if nothing was measured.
        """
        secondary = zip(self.claim.also, self.also, strict=True)
        return {
            "claim": self.claim.name,
            "says": self.claim.statement,
            "source": self.claim.source,
            "verdict": self.verdict,
            **_numbers(self.measured),
            "bound": number(self.measured.bound * self.measured.unit.scale),
            "side": self.claim.side,
            "p": number(self.measured.p),
            "measure": self.claim.measure.words(),
            "reason": self.reason,
            "reported": self.claim.reported,
            "reported_checked": self.claim.checked,
            "by_seed": {
                str(seed): number(value * self.measured.unit.scale)
                for seed, value in self.measured.by_seed.items()
            },
            "also": [{"measure": m.words(), **_numbers(value)} for m, value in secondary],
        }


def judge(claim: Claim, evidence: Evidence) -> Judgement:
    """Measure a claim and compare its interval with its bound."""
    measured = claim.measure.measured(evidence)
    also = tuple(measure.measured(evidence) for measure in claim.also)
    if not evidence.has(claim.needs):
        reason = "some of its arms have no runs"
        return Judgement(claim, "undecided", measured, also, reason, has_runs=False)
    unfinished = evidence.unfinished(claim.needs)
    left_out = _left_out(unfinished)
    statuses = {status for counts in unfinished.values() for status in counts}
    if statuses & {*WITHOUT_RESULT} and not claim.with_diverged:
        return Judgement(claim, "undecided", replace(measured, p=math.nan), also, left_out)
    decision = verdict(measured, claim.side)
    if decision != "undecided":
        return Judgement(claim, decision, measured, also, left_out)
    reasons = [left_out] if left_out else []
    if why := why_inconclusive(measured.estimate):
        reasons.append(why)
    elif math.isnan(measured.bound):
        reasons.append("it has no bound")
    return Judgement(claim, decision, measured, also, "; ".join(reasons))


def _left_out(unfinished: Mapping[Need, Mapping[str, int]]) -> str:
    """Return the unfinished runs, which are left out of the measure, in words."""
    parts = [
        f"{n} {status.replace('_', ' ')} of {ARM_WORDS.get(arm, arm)}"
        for (_, arm), counts in unfinished.items()
        for status, n in counts.items()
    ]
    return f"left out: {', '.join(parts)}" if parts else ""


def _numbers(measured: Measured) -> dict[str, Any]:
    e, scale = measured.estimate, measured.unit.scale
    return {
        "estimate": number(e.mean * scale),
        "interval": [number(e.low * scale), number(e.high * scale)],
        "n": e.n,
        "unit": measured.unit.name,
        "note": measured.note,
    }


def number(value: float) -> float | str | None:
    """Return a number as in all JSON, with six significant digits."""
    return json_number(value, digits=6)
