"""The images as they were read: how many of each class, what was converted, what was left out."""

from __future__ import annotations

from collections.abc import Mapping

from learnorder.images.sheets import read_sheet
from learnorder.report.content import Section, TextTable
from learnorder.runs.kinds import ImagesDescription
from learnorder.runs.results import Results

_MOST_CLASSES = 20
_SHEET = "images.png"
_GALLERY_NOTE = (
    "The first images of the first classes as they were decoded, at the size that is trained on, "
    "or smaller where that is more than 64 pixels."
)


def data_section(results: Results) -> Section | None:
    """Return what the first run that says so has read, with some images; None where none does."""
    found = [(folder, folder.data()) for folder in results.folders]
    described = [(folder, d) for folder, d in found if isinstance(d, ImagesDescription)]
    folder, data = next(((f, d) for f, d in described if d.classes), (None, None))
    if folder is None or data is None:
        return None
    alike = all(each == data for _, each in described)
    table = data_table(data, "" if alike else "Of the first run. ")
    if not data.shown or not folder.file(_SHEET).exists():
        return Section(table.title, table=table)
    gallery = read_sheet(folder, _SHEET, data.shown)
    return Section(table.title, _GALLERY_NOTE, table=table, gallery=gallery)


def data_table(data: ImagesDescription, others: str = "") -> TextTable:
    """Return how many images of each class there are; its note says what was read and how."""
    shown = list(data.classes.items())
    rows = [[name, f"{train:,}", f"{judged:,}"] for name, (train, judged) in shown[:_MOST_CLASSES]]
    if rest := shown[_MOST_CLASSES:]:
        totals = (f"{sum(counts[i] for _, counts in rest):,}" for i in (0, 1))
        rows.append([f"{len(rest)} more", *totals])
    return TextTable(
        "The images as read",
        ["class", "trained on", "evaluated on"],
        rows,
        others + reading_words(data),
    )


def reading_words(data: ImagesDescription) -> str:
    """Return what was found in files, done to them and left out, in words."""
    parts = [
        f"Sizes of the files: {_sizes(data.sizes)}." if data.sizes else "",
        f"Modes of the files: {_counted(data.modes)}." if data.modes else "",
        f"Shown as a viewer does: {_counted(data.converted)}." if data.converted else "",
        f"Left out: {_counted(data.skipped)}." if data.skipped else "Nothing was left out.",
        _repeated_words(data),
    ]
    return " ".join(filter(None, parts))


def _repeated_words(data: ImagesDescription) -> str:
    """Return how many images evaluated on are also trained on, where the run has counted them."""
    if data.repeated is None:
        return ""
    if not data.repeated:
        return "No image evaluated on is also trained on, pixel for pixel."
    share = f"{data.repeated:,} of the {data.evaluation_examples:,} images evaluated on"
    one, other = data.repeated == 1, data.relabeled == 1
    words = f"{share} {'is' if one else 'are'} also trained on, pixel for pixel"
    if data.relabeled:
        words += f"; {data.relabeled:,} of them there {'has' if other else 'have'} another label"
    return f"{words}. Remove them from one of the two, or accuracy is in part that of memory."


def _sizes(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{size} ({n:,})" for size, n in counts.items())


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {what}" for what, n in counts.items() if n)
