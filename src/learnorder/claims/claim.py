"""A claim of the paper as data, and the verdict on it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from learnorder.claims.evidence import Evidence
from learnorder.claims.measures import Measure, Measured, Need

Verdict = Literal["holds", "does_not_hold", "undecided"]

VERDICT_WORDS: dict[Verdict, str] = {
    "holds": "✓ holds",
    "does_not_hold": "✗ does not hold",
    "undecided": "? undecided",
}


@dataclass(frozen=True)
class Claim:
    """What the paper says, and what decides whether it holds; named before the runs are made.

    A claim *holds* where the two-sided 95 % interval of its measure lies wholly on its side of the
    bound, *does not hold* where it lies wholly on the other, and is *undecided* else.

    Attributes:
        name: As ``--only`` takes it.
        says: The claim.
        source: Where it stands in the paper; "–" for what the paper does not report.
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

    def decides(self) -> str:
        """What decides, in words."""
        return f"{self.measure.words()}: its interval lies wholly {self.side} the bound"


@dataclass(frozen=True)
class Judgement:
    """A claim judged on evidence.

    Attributes:
        claim: The claim.
        verdict: holds, does_not_hold or undecided.
        measured: What decided it.
        also: What stands beside it, in the claim's order.
    """

    claim: Claim
    verdict: Verdict
    measured: Measured
    also: tuple[Measured, ...]

    def shown(self) -> str:
        """Return the estimate with its interval and unit."""
        return self.measured.unit.show(self.measured.estimate)

    def bound(self) -> str:
        """Return the bound in the unit of the estimate."""
        unit = self.measured.unit
        return f"{self.measured.bound * unit.scale:.4g} {unit.name}".rstrip()

    def to_dict(self) -> dict[str, Any]:
        """Return what ``claims.json`` has of it; numbers in the named unit, null where absent."""
        beside = zip(self.claim.also, self.also, strict=True)
        return {
            "claim": self.claim.name,
            "says": self.claim.says,
            "source": self.claim.source,
            "verdict": self.verdict,
            **_numbers(self.measured),
            "decided_by": f"interval wholly {self.claim.side} {self.bound()}",
            "measure": self.claim.measure.words(),
            "reported": self.claim.reported,
            "reported_checked": self.claim.checked,
            "by_seed": {
                str(seed): _number(value * self.measured.unit.scale)
                for seed, value in self.measured.by_seed.items()
            },
            "note": self.measured.note,
            "also": [{"measure": m.words(), **_numbers(found)} for m, found in beside],
        }


def judge(claim: Claim, evidence: Evidence) -> Judgement:
    """Measure a claim and compare its interval with its bound."""
    found = claim.measure.measured(evidence)
    also = tuple(measure.measured(evidence) for measure in claim.also)
    return Judgement(claim, verdict(found, claim.side), found, also)


def verdict(found: Measured, side: Literal["above", "below"]) -> Verdict:
    """Return what an interval says of a claim that it lies on one side of its bound.

    >>> from learnorder.claims.measures import POINTS
    >>> from learnorder.statistics import Estimate
    >>> verdict(Measured(Estimate(0.03, 0.01, 0.05, 5), 0.0, POINTS), "above")
    'holds'
    >>> verdict(Measured(Estimate(0.03, -0.01, 0.07, 5), 0.0, POINTS), "above")
    'undecided'
    """
    e, bound = found.estimate, found.bound
    if e.n < 2 or any(math.isnan(value) for value in (e.low, e.high, bound)):
        return "undecided"
    if e.low > bound:
        return "holds" if side == "above" else "does_not_hold"
    if e.high < bound:
        return "holds" if side == "below" else "does_not_hold"
    return "undecided"


def _numbers(found: Measured) -> dict[str, Any]:
    e, scale = found.estimate, found.unit.scale
    return {
        "estimate": _number(e.mean * scale),
        "interval": [_number(e.low * scale), _number(e.high * scale)],
        "n": e.n,
        "unit": found.unit.name,
    }


def _number(value: float) -> float | None:
    """Return six significant digits; null where JSON has no number."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


@dataclass(frozen=True)
class Reproduced:
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
        raise KeyError(
            f"{name!r} was not judged; there are {[j.claim.name for j in self.judgements]}."
        )

    def counts(self) -> dict[Verdict, int]:
        """Return how many claims have each verdict."""
        found = [judgement.verdict for judgement in self.judgements]
        return {verdict: found.count(verdict) for verdict in VERDICT_WORDS}

    def to_list(self) -> list[dict[str, Any]]:
        """Return what ``claims.json`` has."""
        return [{**judgement.to_dict(), "scale": self.scale} for judgement in self.judgements]
