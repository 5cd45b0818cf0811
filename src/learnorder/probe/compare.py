"""Several probes side by side: a sweep of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from learnorder.config.settings import RunConfig
from learnorder.errors import RunFolderError
from learnorder.execution.settings import Execution
from learnorder.probe import ProbeResult, make_probes, probe_plans
from learnorder.probe.settings import Probe
from learnorder.runs.experiment import Experiment
from learnorder.values import to_dict

if TYPE_CHECKING:
    from learnorder.execution.driver import Plan


def sweep_probes(
    base: Mapping[str, Any],
    grid: Mapping[str, Sequence[object]],
    points: Sequence[Mapping[str, object]],
    seeds: range,
) -> dict[str, Probe]:
    """Return the probes of a grid or a list of settings, by name.

    Args:
        base: A probe as nested mappings.
        grid: Values by dotted name, as for :func:`~learnorder.run_sweep`.
        points: A list of settings, as for :func:`~learnorder.run_sweep`.
        seeds: Seeds of the arms of every probe.

    Raises:
        ConfigError: A setting does not exist or has an invalid value.
    """
    from learnorder.execution.grid import Grid, built_at

    seed_settings = {"seeds": len(seeds), "first_seed": seeds.start}
    settings = Grid(grid, points).settings(base, Probe())
    return {
        name: built_at(Probe, {**values, **seed_settings}, words)
        for name, (words, values) in settings.items()
    }


def probes_plans(probes: Mapping[str, Probe]) -> dict[str, Plan[RunConfig]]:
    """Return all runs of several probes, to estimate their cost."""
    return {f"{n}/{run}": p for n, probe in probes.items() for run, p in probe_plans(probe).items()}


def run_probes(
    probes: Mapping[str, Probe],
    out: Path | str = "runs/sweep",
    execution: Execution = Execution(),
) -> dict[str, ProbeResult]:
    """Run several probes: all calibrations in parallel, then all arms.

    Each probe is run as by :func:`~learnorder.run_probe`.

    Args:
        probes: The probes, by the names of their folders.
        out: Folder of the results: a folder with a report.html for each probe, and a common page.
        execution: How the runs are executed.

    Raises:
        RunFolderError: The calibration of a probe failed; the other probes are run and written.
        LearnOrderError: As :func:`~learnorder.run_probe`.
    """
    from learnorder.execution.precision import with_precision
    from learnorder.probe.compare_page import write_probes

    out = Path(out)
    probes = with_precision(probes, probes_plans, out, execution)
    settings = {"probes": {name: to_dict(probe) for name, probe in probes.items()}}
    outcomes = make_probes(probes, out, execution, {out: Experiment("probes", settings)})
    results = {name: each for name, each in outcomes.items() if isinstance(each, ProbeResult)}
    if results:
        write_probes(results, out)
    for name, outcome in outcomes.items():
        if not isinstance(outcome, ProbeResult):
            done = f" The other {len(results)} are done: {out / 'report.html'}." if results else ""
            raise RunFolderError(f"{name}: {outcome}{done}")
    return results
