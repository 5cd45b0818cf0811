"""Execute planned runs, and write their report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from learnorder.config.settings import RunConfig
from learnorder.execution.how import Execution
from learnorder.images import patch, plain
from learnorder.images.experiment import ImageExperiment
from learnorder.theory.config import TheoryConfig

if TYPE_CHECKING:
    from learnorder.execution.driver import Plan
    from learnorder.runs.results import Results
    from learnorder.theory.results import TheoryResults


IMAGE_SCALES: dict[str, Mapping[str, Callable[[], ImageExperiment]]] = {
    "patch": patch.SCALES,
    "plain": plain.SCALES,
}
"""The recipes of the experiments on images, by experiment and scale."""


def run_planned(plans: Mapping[str, Plan], out: Path, execution: Execution) -> Any:
    """Make planned runs of any one kind below ``out``, with their report; return their results."""
    return _run(plans, out, out, execution)


@overload
def _run(
    plans: Mapping[str, Plan[RunConfig]], out: Path, page: Path, execution: Execution
) -> Results: ...


@overload
def _run(
    plans: Mapping[str, Plan[TheoryConfig]], out: Path, page: Path, execution: Execution
) -> TheoryResults: ...


def _run(plans: Mapping[str, Plan[Any]], out: Path, page: Path, execution: Execution) -> Any:
    """Make the planned runs below ``out`` and write report.html to the folder ``page``."""
    from learnorder.execution.driver import run_plans
    from learnorder.report import write_report
    from learnorder.runs.opening import results_of

    results = results_of(run_plans(plans, out, execution))
    write_report(results, page / "report.html")
    return results
