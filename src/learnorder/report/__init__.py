"""Figures, tables and the HTML page of results."""

from learnorder.report.claims_page import write_claims
from learnorder.report.page import render, write_report

__all__ = ["render", "write_claims", "write_report"]
