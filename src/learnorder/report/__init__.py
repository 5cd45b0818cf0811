"""Figures, tables and the HTML page of results."""

from learnorder.report.page import render, write_report

__all__ = ["render", "write_report"]
