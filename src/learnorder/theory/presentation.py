"""How runs of the theory are shown: their page, their figures, their table in a terminal."""

from learnorder.theory.figures import FIGURES
from learnorder.theory.page import theory_content as content
from learnorder.theory.tables import findings, summary_table

__all__ = ["FIGURES", "content", "findings", "summary_table"]
