"""The paper's claims as data, each with the test that decides it."""

from learnorder.claims.claim import (
    RESCALED_NOTE,
    VERDICT_WORDS,
    Claim,
    Judgement,
    Reproduced,
    judge,
)
from learnorder.claims.evidence import Evidence
from learnorder.claims.paper import CLAIMS, claims_named

__all__ = [
    "CLAIMS",
    "RESCALED_NOTE",
    "VERDICT_WORDS",
    "Claim",
    "Evidence",
    "Judgement",
    "Reproduced",
    "claims_named",
    "judge",
]
