"""Figures, tables and the HTML page of results."""

from learnorder.advise.page import write_advice
from learnorder.probe.compare_page import write_probes
from learnorder.probe.page import write_probe
from learnorder.report.page import render, write_report
from learnorder.reproduce.page import write_claims

__all__ = [
    "render",
    "write_advice",
    "write_claims",
    "write_probe",
    "write_probes",
    "write_report",
]
