"""The verdicts in a terminal."""

from __future__ import annotations

from learnorder.report.content import TextTable
from learnorder.report.terminal import print_table
from learnorder.reproduce.claim import ReproductionResult
from learnorder.reproduce.page import claims_table


def print_claims(result: ReproductionResult) -> None:
    """Print the verdict on each claim, and what it rests on."""
    found = claims_table(result)
    wanted = ("verdict", "p (Holm)", "claim", "measured", "holds if", "n")
    chosen = [name for name in wanted if name in found.columns]
    columns = [found.columns.index(name) for name in chosen]
    rows = [[row[i] for i in columns] for row in found.rows]
    note = "Mean [95 % interval] over n seeds; the report says what is measured."
    print_table(TextTable(found.title, chosen, rows, note, wrap=True))
