"""Presentation of runs on images: page, figures, and table in a terminal."""

from learnorder.images.figures import FIGURES
from learnorder.images.findings import findings
from learnorder.images.page import image_content as content
from learnorder.images.page import image_setup as setup
from learnorder.report.tables import final_table as summary_table

__all__ = ["FIGURES", "content", "findings", "setup", "summary_table"]
