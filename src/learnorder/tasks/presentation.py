"""The presentation of task runs: their page, and their table in a terminal."""

from collections.abc import Callable, Mapping
from typing import Any

from learnorder.tasks.page import score_table as summary_table
from learnorder.tasks.page import task_content as content
from learnorder.tasks.page import task_findings as findings
from learnorder.tasks.page import task_setup as setup

__all__ = ["FIGURES", "content", "findings", "setup", "summary_table"]

FIGURES: Mapping[str, Callable[..., Any]] = {}
"""Task runs have no named figures."""
