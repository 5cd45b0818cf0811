"""The images as they were read: how many of each class, what was converted, what was left out."""

from __future__ import annotations

from collections.abc import Mapping

from learnorder.report.content import TextTable
from learnorder.results import Results
from learnorder.runs.kinds import ImagesDescription

_MOST_CLASSES = 20


def data_table(results: Results) -> TextTable | None:
    """Return what the first run that says so has read; None where none does."""
    found = [folder.data() for folder in results.folders]
    described = [data for data in found if isinstance(data, ImagesDescription)]
    data = next((each for each in described if each.classes), None)
    if data is None:
        return None
    shown = list(data.classes.items())
    rows = [[name, f"{train:,}", f"{judged:,}"] for name, (train, judged) in shown[:_MOST_CLASSES]]
    if rest := shown[_MOST_CLASSES:]:
        totals = (f"{sum(counts[i] for _, counts in rest):,}" for i in (0, 1))
        rows.append([f"{len(rest)} more", *totals])
    others = "" if all(each == data for each in described) else "Of the first run. "
    return TextTable(
        "The images as read",
        ["class", "trained on", "evaluated on"],
        rows,
        others + reading_words(data),
    )


def reading_words(data: ImagesDescription) -> str:
    """Return what was found in files, done to them and left out, in words."""
    parts = [
        f"Modes of the files: {_counted(data.modes)}." if data.modes else "",
        f"Shown as a viewer does: {_counted(data.converted)}." if data.converted else "",
        f"Left out: {_counted(data.skipped)}." if data.skipped else "Nothing was left out.",
    ]
    return " ".join(filter(None, parts))


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {what}" for what, n in counts.items() if n)
