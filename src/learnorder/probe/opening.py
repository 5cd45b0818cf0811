"""Read the results of probes from their folders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from learnorder.probe.record import not_retrained
from learnorder.probe.result import Calibration, ProbeResult
from learnorder.probe.run import arm_plans, calibration_plans, read_calibration
from learnorder.probe.settings import Probe
from learnorder.runs import existing_runs
from learnorder.runs.experiment import settings_as
from learnorder.runs.opening import results_of

_ANY_SIZE = (32, 32)
"""Image size in pixels; the names of runs do not depend on it."""


@dataclass(frozen=True)
class _Probes:
    """The settings of several probes in experiment.json."""

    probes: dict[str, Probe]


def open_probe(folder: Path, settings: dict[str, Any]) -> ProbeResult:
    """Return the result of a probe, from its runs.

    Raises:
        RunFolderError: Its settings are from another version, or runs are missing or unfinished.
        ConfigError: No contrast was memorised; see :func:`~learnorder.probe.result.calibrate`.
    """
    return _open(folder, settings_as(Probe, settings, folder))


def open_probes(folder: Path, settings: dict[str, Any]) -> Mapping[str, ProbeResult]:
    """Return the results of the probes of a sweep, by the names of their folders."""
    probes = settings_as(_Probes, settings, folder).probes
    return {name: _open(folder / name, probe) for name, probe in probes.items()}


def _open(folder: Path, probe: Probe) -> ProbeResult:
    calibration = Calibration({}, probe.tried()[0])
    if len(probe.tried()) > 1:
        plans = calibration_plans(probe, _ANY_SIZE)
        calibration = read_calibration(probe, existing_runs(folder / "calibration", plans))
    plans = arm_plans(probe, calibration.contrast, _ANY_SIZE)
    results = results_of(existing_runs(folder / "arms", plans))
    return ProbeResult(probe, calibration, results, not_retrained(folder))
