"""The verdicts in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnorder.cli import options
from learnorder.execution.settings import Execution
from learnorder.report.content import TextTable
from learnorder.report.terminal import print_table
from learnorder.reproduce.claim import Claim
from learnorder.reproduce.page import claims_table
from learnorder.reproduce.result import ReproductionResult
from learnorder.runs.plain_text import visible

if TYPE_CHECKING:
    from learnorder.execution.driver import Plan


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


def print_result(result: ReproductionResult, out: Path, *, judged_only: bool) -> int:
    """Print the verdicts, the place of the report, and runs without a result.

    Returns:
        The exit code: 1 if runs that should have been made have no result.
    """
    print_claims(result)
    print(visible(f"Report: {out / 'report.html'}"))
    if judged_only:
        return 0
    unfinished = [options.print_unfinished(r) for r in result.evidence.distinct().values()]
    return 1 if any(unfinished) else 0


def print_costs(
    experiments: Mapping[str, Mapping[str, Plan[Any]]],
    titles: Mapping[str, str],
    out: Path,
    execution: Execution,
) -> None:
    """Print the estimated cost of each experiment, and their total time.

    Args:
        experiments: The runs by experiment and folder.
        titles: Titles of the experiments.
        out: Folder of the experiments.
        execution: How the runs are executed.
    """
    from learnorder.execution.estimate import estimate_cost
    from learnorder.execution.log_lines import duration

    seconds = 0.0
    for name, plans in experiments.items():
        cost = estimate_cost(plans, out / name, execution)
        seconds += cost.seconds
        print(f"{titles[name]}: {cost}")
    print(f"All of them: about {duration(seconds)}.")
