"""Execute planned runs and write their page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from learnorder.execution.settings import Execution

if TYPE_CHECKING:
    from learnorder.execution.driver import Plan
    from learnorder.runs.experiment import Experiment
    from learnorder.runs.results import RunSet

    ResultsT = TypeVar("ResultsT", bound=RunSet[Any])


def run_planned(
    plans: Mapping[str, Plan[Any]],
    out: Path,
    execution: Execution,
    *,
    of: type[ResultsT],
    experiment: Experiment | None = None,
    page: Path | None = None,
) -> ResultsT:
    """Make planned runs of one kind, write report.html, and return the results.

    Args:
        plans: The runs by folder name.
        out: Folder for the runs.
        execution: How the runs are executed.
        of: Type of the results.
        experiment: The content of experiment.json in ``out``; None writes none.
        page: Folder of report.html; None: ``out``.
    """
    from learnorder.execution.driver import run_plans
    from learnorder.report.page import write_report
    from learnorder.runs.opening import results_of

    experiments = {} if experiment is None else {out: experiment}
    results = results_of(run_plans(plans, out, execution, experiments=experiments))
    assert isinstance(results, of)
    write_report(results, (page or out) / "report.html")
    return results
