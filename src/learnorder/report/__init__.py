"""Figures, tables and the HTML page of results."""

from learnorder.report.advice_page import write_advice
from learnorder.report.claims_page import write_claims
from learnorder.report.page import render, write_report
from learnorder.report.probe_page import write_probe
from learnorder.report.probes_page import write_probes

__all__ = [
    "render",
    "write_advice",
    "write_claims",
    "write_probe",
    "write_probes",
    "write_report",
]
