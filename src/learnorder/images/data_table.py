"""The decoded images: counts by class, conversions, and skipped files."""

from __future__ import annotations

from collections.abc import Mapping

from learnorder.images.sheets import read_sheet
from learnorder.report.content import Section, TextTable
from learnorder.runs.descriptions import ImagesDescription
from learnorder.runs.results import Results

_MOST_CLASSES = 20
_SHEET = "images.png"
_GALLERY_NOTE = (
    "The first images of the first classes, as decoded, at the training resolution or at 64 "
    "pixels, whichever is smaller."
)


def data_section(results: Results) -> Section | None:
    """Return the data of the first run that describes them, with some images; None if none does."""
    pairs = results.described.items()
    described = [(folder, d) for folder, d in pairs if isinstance(d, ImagesDescription)]
    folder, data = next(((f, d) for f, d in described if d.classes), (None, None))
    if folder is None or data is None:
        return None
    same = all(other == data for _, other in described)
    table = data_table(data, "" if same else "Of the first run. ")
    if not data.shown or not folder.file(_SHEET).exists():
        return Section(table.title, table=table)
    gallery = read_sheet(folder, _SHEET, data.shown)
    return Section(table.title, _GALLERY_NOTE, table=table, gallery=gallery)


def data_table(data: ImagesDescription, prefix: str = "") -> TextTable:
    """Return the number of images by class, with :func:`reading_words` in the note."""
    classes = list(data.classes.items())
    rows = [[name, f"{train:,}", f"{test:,}"] for name, (train, test) in classes[:_MOST_CLASSES]]
    if rest := classes[_MOST_CLASSES:]:
        totals = (f"{sum(counts[i] for _, counts in rest):,}" for i in (0, 1))
        rows.append([f"{len(rest)} more", *totals])
    return TextTable(
        "Images by class",
        ["class", "training", "evaluation"],
        rows,
        prefix + reading_words(data),
    )


def reading_words(data: ImagesDescription) -> str:
    """Return the files' sizes and modes, conversions, skipped files and duplicates, in words."""
    parts = [
        f"File sizes: {_sizes(data.sizes)}." if data.sizes else "",
        f"File modes: {_counts(data.modes)}." if data.modes else "",
        f"Converted as image viewers do: {_counts(data.converted)}." if data.converted else "",
        f"Skipped: {_counts(data.skipped)}." if data.skipped else "Nothing was skipped.",
        _duplicate_words(data),
    ]
    return " ".join(filter(None, parts))


def _duplicate_words(data: ImagesDescription) -> str:
    """Return the number of evaluation images that are also training images, if counted."""
    if data.repeated is None:
        return ""
    if not data.repeated:
        return "No evaluation image is pixel for pixel a training image."
    words = (
        f"{data.repeated:,} of the {data.evaluation_examples:,} evaluation images "
        f"{'is' if data.repeated == 1 else 'are'} pixel for pixel also in the training set"
    )
    if data.relabeled:
        has = "has" if data.relabeled == 1 else "have"
        words += f"; {data.relabeled:,} of them {has} another label there"
    return f"{words}. Remove these duplicates, or accuracy partly measures memorisation."


def _sizes(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{size} ({n:,})" for size, n in counts.items())


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n:,} {name}" for name, n in counts.items() if n)
