"""The command ``probe``: calibrate a pattern, train the arms, retrain last layers, report."""

from learnorder.probe.arms import ArmNumbers, largest_rate
from learnorder.probe.result import RATE, Calibration, ProbeResult
from learnorder.probe.run import make_probes, probe_plans, run_probe
from learnorder.probe.statements import Statement, judge_arms, statements

__all__ = [
    "RATE",
    "ArmNumbers",
    "Calibration",
    "ProbeResult",
    "Statement",
    "judge_arms",
    "largest_rate",
    "make_probes",
    "probe_plans",
    "run_probe",
    "statements",
]
