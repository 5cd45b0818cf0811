"""Probes that were made before, read again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from learnorder.probe.record import not_retrained
from learnorder.probe.result import Calibration, ProbeResult
from learnorder.probe.run import arm_plans, calibrated_by, calibration_plans
from learnorder.probe.settings import Probe
from learnorder.runs import existing_runs
from learnorder.runs.experiment import settings_as
from learnorder.runs.opening import results_of

_ANY_SIZE = (32, 32)
"""Of images: the names of runs do not depend on it."""


@dataclass(frozen=True)
class _Probes:
    """What experiment.json has of several probes."""

    probes: dict[str, Probe]


def open_probe(folder: Path, settings: dict[str, Any]) -> ProbeResult:
    """Return what a probe found, from its runs.

    Raises:
        RunFolderError: Its settings are of another version, or runs are missing or have not ended.
        ConfigError: No contrast was memorised; see :func:`~learnorder.probe.result.calibrate`.
    """
    return _open(folder, settings_as(Probe, settings, folder))


def open_probes(folder: Path, settings: dict[str, Any]) -> Mapping[str, ProbeResult]:
    """Return what the probes of a sweep found, by the names of their folders."""
    probes = settings_as(_Probes, settings, folder).probes
    return {name: _open(folder / name, probe) for name, probe in probes.items()}


def _open(folder: Path, probe: Probe) -> ProbeResult:
    calibration = Calibration({}, probe.contrasts[0])
    if len(probe.contrasts) > 1:
        names = calibration_plans(probe, _ANY_SIZE)
        calibration = calibrated_by(probe, existing_runs(folder / "calibration", names))
    names = arm_plans(probe, calibration.contrast, _ANY_SIZE)
    results = results_of(existing_runs(folder / "arms", names))
    return ProbeResult(probe, calibration, results, not_retrained(folder))
