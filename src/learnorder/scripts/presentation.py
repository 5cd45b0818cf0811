"""The presentation of runs of a script: their page, and their table in a terminal."""

from collections.abc import Callable, Mapping
from typing import Any

from learnorder.scripts.page import score_table as summary_table
from learnorder.scripts.page import script_content as content
from learnorder.scripts.page import script_findings as findings
from learnorder.scripts.page import script_setup as setup

__all__ = ["FIGURES", "content", "findings", "setup", "summary_table"]

FIGURES: Mapping[str, Callable[..., Any]] = {}
"""Runs of a script have no named figures."""
