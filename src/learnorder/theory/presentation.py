"""Presentation of runs of the theory: page, figures, and table in a terminal."""

from learnorder.theory.figures import FIGURES
from learnorder.theory.page import theory_content as content
from learnorder.theory.page import theory_setup as setup
from learnorder.theory.tables import findings, summary_table

__all__ = ["FIGURES", "content", "findings", "setup", "summary_table"]
