"""The result of a reproduction: the verdict on each claim of a paper."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

from learnorder.reproduce.claim import Judgement, number
from learnorder.reproduce.evidence import Evidence
from learnorder.reproduce.papers.literature.li2019 import PAPER as LI2019
from learnorder.reproduce.papers.paper import Paper
from learnorder.runs.experiment import findings_of
from learnorder.runs.html_table import html_list, html_table
from learnorder.statistics import Verdict, adjusted_p
from learnorder.statistics.verdicts import VERDICT_WORDS


@dataclass(frozen=True)
class ReproductionResult:
    """The verdicts on a paper's claims; ``result["final-accuracy"]`` is one :class:`Judgement`.

    Attributes:
        evidence: The results by experiment.
        judgements: One for each claim, in the paper's order.
        scale: Name of the recipe: demo, laptop, thin, paper, gpu or custom.
        paper: The paper.
    """

    evidence: Evidence
    judgements: tuple[Judgement, ...]
    scale: str
    paper: Paper = LI2019

    def __getitem__(self, name: str) -> Judgement:
        for judgement in self.judgements:
            if judgement.claim.name == name:
                return judgement
        judged = [judgement.claim.name for judgement in self.judgements]
        raise KeyError(f"{name!r} was not judged. Choose one of {judged}.")

    def findings(self) -> list[str]:
        """Return how many claims hold, and one sentence for each that does not."""
        return findings_of("reproduce", self)

    def _repr_html_(self) -> str:
        rows = [
            [j.claim.marked(), j.verdict_words(), j.shown(), f"{j.claim.side} {j.bound()}"]
            for j in self.judgements
        ]
        note = "A claim holds if its 95 % interval over seeds lies entirely on that side."
        return html_list(self.findings()) + html_table(
            f"Claims of {self.paper.subject}",
            ["claim", "verdict", "estimate", "holds if"],
            rows,
            note,
        )

    def counts(self) -> dict[Verdict, int]:
        """Return the number of claims with each verdict; claims without runs are not counted."""
        verdicts = [judgement.verdict for judgement in self.judgements if judgement.has_runs]
        return {v: verdicts.count(v) for v in VERDICT_WORDS}

    def adjusted(self) -> list[float]:
        """Return the p-value of each judgement, Holm-adjusted for the number of those with runs."""
        adjusted = iter(adjusted_p([each.measured for each in self.judgements if each.has_runs]))
        return [next(adjusted) if each.has_runs else math.nan for each in self.judgements]

    def to_list(self) -> list[dict[str, Any]]:
        """Return the content of ``claims.json``, an entry for each claim."""
        return [
            {
                "paper": self.paper.name,
                **judgement.to_dict(),
                "p_holm": number(p),
                "scale": self.scale,
            }
            for judgement, p in zip(self.judgements, self.adjusted(), strict=True)
        ]

    def to_json(self) -> str:
        """Return the text of ``claims.json``."""
        return json.dumps(self.to_list(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
