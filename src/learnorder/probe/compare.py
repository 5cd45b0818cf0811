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
        grid: Values by dotted name, as :func:`~learnorder.run_sweep` takes them.
        points: A list of settings, as there.
        seeds: Of every probe's arms.

    Raises:
        ConfigError: A name that no setting has, or a value it does not take.
    """
    from learnorder.execution.grid import Grid, built_at

    own = {"seeds": len(seeds), "first_seed": seeds.start}
    settings = Grid(grid, points).settings(base, Probe())
    return {
        name: built_at(Probe, {**values, **own}, words)
        for name, (words, values) in settings.items()
    }


def probes_plans(probes: Mapping[str, Probe]) -> dict[str, Plan[RunConfig]]:
    """Return all runs of several probes: what a dry run measures."""
    return {f"{n}/{run}": p for n, probe in probes.items() for run, p in probe_plans(probe).items()}


def run_probes(
    probes: Mapping[str, Probe],
    out: Path | str = "runs/sweep",
    execution: Execution = Execution(),
) -> dict[str, ProbeResult]:
    """Run several probes: all calibrations side by side, then all arms.

    Each is made as :func:`~learnorder.run_probe` makes one.

    Args:
        probes: By the names that their folders get.
        out: Gets a folder for each, with its own report.html, and a page of them all.
        execution: How the runs are executed.

    Raises:
        RunFolderError: Probes that could not be made; those that could are done, and written.
        LearnOrderError: As :func:`~learnorder.run_probe`.
    """
    from learnorder.probe.compare_page import write_probes

    out = Path(out)
    settings = {"probes": {name: to_dict(probe) for name, probe in probes.items()}}
    found = make_probes(probes, out, execution, {out: Experiment("probes", settings)})
    made = {name: each for name, each in found.items() if isinstance(each, ProbeResult)}
    if made:
        write_probes(made, out)
    for name, each in found.items():
        if not isinstance(each, ProbeResult):
            left = f" The other {len(made)} are done: {out / 'report.html'}." if made else ""
            raise RunFolderError(f"{name}: {each}{left}")
    return made
