"""A claim of the paper as data, and the verdict on it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from learnorder.config.arm_titles import ARM_WORDS
from learnorder.reproduce.evidence import Evidence, Need
from learnorder.reproduce.measures import Measure
from learnorder.runs.html_table import html_list, html_table
from learnorder.runs.results import WITHOUT_RESULT
from learnorder.statistics import (
    FEWEST_HEADLINE,
    Measured,
    Verdict,
    adjusted_p,
    verdict,
    why_inconclusive,
)
from learnorder.statistics.verdicts import VERDICT_WORDS

RESCALED = ("theory", "kappa", "convolution")
"""Experiments in which the half that Q is in is scaled up, s = 1000 where the paper has s = 1."""
RESCALED_NOTE = (
    "† Rescaled: s = 1000, where the theorems have s = 1. In their scaling the order appears only "
    "from d ≈ 6·10⁷ (κ = 0.5) or 7·10⁸ (κ = 1) on."
)

NOT_RUN = "– not run"
"""In place of the verdict on a claim whose runs were not made."""


@dataclass(frozen=True)
class Claim:
    """What the paper says, and what decides whether it holds.

    A claim *holds* where the two-sided 95 % interval of its measure lies wholly on its side of the
    bound, *does not hold* where it lies wholly on the other, and is *undecided* else: by the rules
    of :mod:`learnorder.statistics.verdicts`.

    Attributes:
        name: As ``--only`` takes it.
        says: The claim.
        source: Where it stands in the paper; begins with "–" for what the paper does not claim.
        measure: What decides.
        side: Of the measure's bound.
        figure: The experiment and the name of its figure that shows it.
        reported: The paper's value, "–" where it gives none.
        checked: Whether that value could be checked against a copy of the paper.
        also: Measures that stand beside it and decide nothing.
    """

    name: str
    says: str
    source: str
    measure: Measure
    side: Literal["above", "below"]
    figure: tuple[str, str]
    reported: str = "–"
    checked: bool = False
    also: tuple[Measure, ...] = ()

    @property
    def needs(self) -> tuple[Need, ...]:
        """The experiments and arms that deciding it takes; what stands beside it may lack some."""
        return self.measure.needs

    @property
    def rescaled(self) -> bool:
        """Whether it is about the theory, whose runs are outside the paper's own scaling."""
        return any(experiment in RESCALED for experiment, _ in self.needs)

    def marked(self) -> str:
        """Return the claim, with a dagger where its runs are rescaled."""
        return f"{self.says} †" if self.rescaled else self.says

    def decides(self) -> str:
        """What decides, in words."""
        measure = self.measure
        return f"{measure.words()}: holds if wholly {self.side} {measure.bound_words()}"


@dataclass(frozen=True)
class Judgement:
    """A claim judged on evidence.

    Attributes:
        claim: The claim.
        verdict: holds, does_not_hold or undecided.
        measured: What decided it.
        also: What stands beside it, in the claim's order.
        reason: Why it is undecided, where the interval does not say so; else empty.
        made: Whether runs of every arm that it needs are there.
    """

    claim: Claim
    verdict: Verdict
    measured: Measured
    also: tuple[Measured, ...]
    reason: str = ""
    made: bool = True

    def verdict_words(self) -> str:
        """Return the verdict as pages say it."""
        return VERDICT_WORDS[self.verdict] if self.made else NOT_RUN

    def headline(self) -> str:
        """Return the verdict as a headline says it: undecided on fewer than five seeds."""
        few = self.measured.estimate.n < FEWEST_HEADLINE
        return VERDICT_WORDS["undecided"] if few and self.made else self.verdict_words()

    def shown(self) -> str:
        """Return the estimate with its interval and unit; beside a level, on how many seeds."""
        shown, on = self.measured.shown(), self.counted()
        return f"{shown} ({on})" if on else shown

    def counted(self) -> str:
        """Return on how many seeds a value is on the claim's side of a level, e.g. of 20 %.

        A mean says little where seeds end either far above a level or far below. Empty where the
        claim compares two arms: its bound is 0.
        """
        found, side = self.measured, self.claim.side
        if not found.by_seed or not found.bound or math.isnan(found.bound):
            return ""
        values = found.by_seed.values()
        there = sum(v > found.bound if side == "above" else v < found.bound for v in values)
        return f"{there} of {len(values)} seeds {side} {self.bound()}"

    def bound(self) -> str:
        """Return the bound in the unit of the estimate."""
        unit = self.measured.unit
        return f"{self.measured.bound * unit.scale:.4g} {unit.name}".rstrip()

    def to_dict(self) -> dict[str, Any]:
        """Return what ``claims.json`` has of it.

        Numbers are in the named unit, null where nothing was measured; an interval without an end
        has "inf" or "-inf" there.
        """
        beside = zip(self.claim.also, self.also, strict=True)
        return {
            "claim": self.claim.name,
            "says": self.claim.says,
            "source": self.claim.source,
            "verdict": self.verdict,
            **_numbers(self.measured),
            "bound": _number(self.measured.bound * self.measured.unit.scale),
            "side": self.claim.side,
            "p": _number(self.measured.p),
            "measure": self.claim.measure.words(),
            "reason": self.reason,
            "reported": self.claim.reported,
            "reported_checked": self.claim.checked,
            "by_seed": {
                str(seed): _number(value * self.measured.unit.scale)
                for seed, value in self.measured.by_seed.items()
            },
            "also": [{"measure": m.words(), **_numbers(found)} for m, found in beside],
        }


def judge(claim: Claim, evidence: Evidence) -> Judgement:
    """Measure a claim and compare its interval with its bound."""
    found = claim.measure.measured(evidence)
    also = tuple(measure.measured(evidence) for measure in claim.also)
    if not evidence.has(claim.needs):
        reason = "not all of its runs were made"
        return Judgement(claim, "undecided", found, also, reason, made=False)
    unfinished = evidence.unfinished(claim.needs)
    left_out = _left_out(unfinished)
    statuses = {status for counts in unfinished.values() for status in counts}
    if statuses & {*WITHOUT_RESULT}:
        return Judgement(claim, "undecided", replace(found, p=math.nan), also, left_out)
    decided = verdict(found, claim.side)
    if decided != "undecided":
        return Judgement(claim, decided, found, also, left_out)
    reasons = [left_out] if left_out else []
    if why := why_inconclusive(found.estimate):
        reasons.append(why)
    elif math.isnan(found.bound):
        reasons.append("it has no bound")
    return Judgement(claim, decided, found, also, "; ".join(reasons))


def _left_out(unfinished: Mapping[Need, Mapping[str, int]]) -> str:
    """Return which runs are not in the numbers, in words; empty where all are."""
    parts = [
        f"{n} {status.replace('_', ' ')} of {ARM_WORDS[arm]}"
        for (_, arm), counts in unfinished.items()
        for status, n in counts.items()
    ]
    return f"left out: {', '.join(parts)}" if parts else ""


def _numbers(found: Measured) -> dict[str, Any]:
    e, scale = found.estimate, found.unit.scale
    return {
        "estimate": _number(e.mean * scale),
        "interval": [_number(e.low * scale), _number(e.high * scale)],
        "n": e.n,
        "unit": found.unit.name,
        "note": found.note,
    }


def _number(value: float) -> float | str | None:
    """Return six significant digits; null for what was not measured, a word for the infinite."""
    if math.isnan(value):
        return None
    return str(value) if math.isinf(value) else float(f"{value:.6g}")


@dataclass(frozen=True)
class ReproductionResult:
    """The verdicts of one reproduction.

    Attributes:
        evidence: The results by experiment.
        judgements: One for each claim, in the paper's order.
        scale: Name of the recipe.
    """

    evidence: Evidence
    judgements: tuple[Judgement, ...]
    scale: str

    def __getitem__(self, name: str) -> Judgement:
        for judgement in self.judgements:
            if judgement.claim.name == name:
                return judgement
        judged = [judgement.claim.name for judgement in self.judgements]
        raise KeyError(f"{name!r} was not judged; there are {judged}.")

    def findings(self) -> list[str]:
        """Return how many claims hold and what speaks against the others, in sentences."""
        from learnorder.reproduce.page import summary

        return summary(self)

    def _repr_html_(self) -> str:
        rows = [
            [j.claim.marked(), j.verdict_words(), j.shown(), f"{j.claim.side} {j.bound()}"]
            for j in self.judgements
        ]
        note = (
            "A claim holds if its 95 % interval over seeds lies wholly on that side of the bound."
        )
        return html_list(self.findings()) + html_table(
            "Claims of the paper", ["claim", "verdict", "estimate", "holds if"], rows, note
        )

    def counts(self) -> dict[Verdict, int]:
        """Return how many of the claims whose runs were made have each verdict."""
        found = [judgement.verdict for judgement in self.judgements if judgement.made]
        return {each: found.count(each) for each in VERDICT_WORDS}

    def adjusted(self) -> list[float]:
        """Return the p-value of each judgement, adjusted for their number (Holm)."""
        return adjusted_p([judgement.measured for judgement in self.judgements])

    def to_list(self) -> list[dict[str, Any]]:
        """Return what ``claims.json`` has."""
        return [
            {**judgement.to_dict(), "p_holm": _number(p), "scale": self.scale}
            for judgement, p in zip(self.judgements, self.adjusted(), strict=True)
        ]

    def to_json(self) -> str:
        """Return the text of ``claims.json``."""
        return json.dumps(self.to_list(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
