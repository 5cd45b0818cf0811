"""Write every page, table and picture of README and docs that comes from records.

``python -m studies.pages`` needs Chromium and the extra ``test``; ``--text`` leaves the pictures as
they are, and needs neither. ``tests/test_pages.py`` fails where a page and its records disagree.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

from studies.advice.page import page as advice_page
from studies.advice_vs_peers.page import page as advice_vs_peers_page
from studies.common import RESULTS, ROOT, Page, fill_marks
from studies.finetuning.page import page as finetuning_page
from studies.growth.page import page as growth_page
from studies.mislabelled.page import page as mislabelled_page
from studies.papers.page import page as papers_page
from studies.precision.page import page as precision_page
from studies.probe.page import page as probe_page
from studies.records import unpacked
from studies.reproduce.page import page as reproduce_page
from studies.ridge.page import page as ridge_page
from studies.shortcuts.page import page as shortcuts_page
from studies.theory.page import page as theory_page


def pages(runs: Path) -> list[Page]:
    """Return what all studies write; ``runs`` has the run folders unpacked from ``results``."""
    return [
        reproduce_page(runs),
        theory_page(runs),
        advice_page(),
        advice_vs_peers_page(),
        probe_page(),
        mislabelled_page(),
        finetuning_page(runs),
        shortcuts_page(runs),
        ridge_page(),
        precision_page(runs),
        papers_page(runs),
        growth_page(),
    ]


def texts(pages: Iterable[Page]) -> dict[str, str]:
    """Return whole texts of files, by path below the root: those made, and those with marks."""
    found = dict[str, str]()
    for page in pages:
        found |= page.texts
        for path, values in page.marks.items():
            text = found.get(path) or (ROOT / path).read_text(encoding="utf-8")
            found[path] = fill_marks(text, values)
    return found


def main() -> None:
    """Write the texts, then the pictures."""
    parser = argparse.ArgumentParser(description="Write pages and pictures from the records.")
    parser.add_argument("--text", action="store_true", help="Leave the pictures as they are.")
    text_only = parser.parse_args().text
    with unpacked(RESULTS) as runs:
        found = pages(runs)
        for path, text in texts(found).items():
            (ROOT / path).write_text(text, encoding="utf-8")
        if not text_only:
            from studies.pictures import draw

            draw({name: picture for page in found for name, picture in page.pictures.items()})


if __name__ == "__main__":
    main()
