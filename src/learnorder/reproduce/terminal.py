"""The verdicts in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from learnorder.report.content import TextTable
from learnorder.report.terminal import print_table
from learnorder.reproduce.claim import Claim
from learnorder.reproduce.page import claims_table
from learnorder.reproduce.result import ReproductionResult


def print_claims(result: ReproductionResult) -> None:
    """Print the verdict on each claim, with its estimate and bound."""
    table = claims_table(result)
    wanted = ("verdict", "p (Holm)", "claim", "measured", "holds if", "n")
    names = [name for name in wanted if name in table.columns]
    columns = [table.columns.index(name) for name in names]
    rows = [[row[i] for i in columns] for row in table.rows]
    note = "Mean [95 % interval] over n seeds. The report describes each measure."
    print_table(TextTable(table.title, names, rows, note, wrap=True))


def list_claims(claims: Sequence[Claim]) -> str:
    """Return claims by name, with their source and their test."""
    return "\n".join(
        f"{claim.name}\n    {claim.statement} ({claim.source})\n    Test: {claim.criterion()}.\n"
        for claim in claims
    )
