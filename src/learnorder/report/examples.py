"""The page of examples that are worth a look: mislabelled, never learned, forgotten, late."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from learnorder.errors import ConfigError, DataError
from learnorder.report.content import Content, Picture, Quoted, Section, TextTable
from learnorder.report.data_map import data_map
from learnorder.report.page import render_page
from learnorder.report.thumbnails import LONGEST_TEXT, escaped, shown_example
from learnorder.runs.files import atomic_write
from learnorder.toolkit.correct import Array
from learnorder.toolkit.learning_order import LearningOrder

if TYPE_CHECKING:
    import pandas as pd

_MOST = 1000
"""The largest number of examples in a list of the page."""
_NUMBERS = {
    "first_learned": "first learned", "forgetting_events": "times forgotten",
    "confidence": "confidence", "correctness": "correct", "aum": "AUM",
}  # fmt: skip
"""Columns of the tables, with their titles."""
_MEANINGS = {
    "first learned": "The first epoch in which the example was correct.",
    "times forgotten": "How often it changed from correct to wrong.",
    "confidence": "The mean probability of its label.",
    "correct": "The share of its predictions that were correct.",
    "AUM": "The mean of its label's logit minus the largest other logit.",
}


@dataclass(frozen=True)
class ExampleList:
    """A list of examples.

    Attributes:
        name: Name in the CSV file.
        title: Heading.
        note: What it contains, and in which order.
        rows: Rows of the frame, the most remarkable first.
    """

    name: str
    title: str
    note: str
    rows: pd.DataFrame


def write_examples(
    order: LearningOrder,
    folder: Path | str,
    *,
    show: Callable[[int], object] | None = None,
    labels: Sequence[object] | Tensor | Array | None = None,
    most: int = 50,
) -> Path:
    """Write lists of examples worth a look, as a page ``examples.html`` and as ``examples.csv``.

    The lists are: suspected label errors (the lowest AUM, of an order with ``dynamics=True``),
    those never learned, those forgotten most often, and those learned last. Both files have the
    same examples; :meth:`LearningOrder.frame` has all. The page is one file that opens offline.

    Args:
        order: The learning order.
        folder: Gets the files; it is created if needed. Existing files are replaced.
        show: Returns what to show of an example, from its index: a text (of which the page has 300
            characters, the CSV file all), a PIL image, or pixels as a uint8 tensor or array.
        labels: The given label of each example, [N], as names or numbers; with positions also
            [N, P].
        most: Length of each list, up to 1000. The page says how many there are.

    Returns:
        The path of the page.

    Raises:
        ConfigError: ``most`` is out of range, or the number of labels is not that of examples.
        DataError: Nothing was recorded, or ``show`` returned something else. Nothing is written.
    """
    if not 1 <= most <= _MOST:
        raise ConfigError("most", most, f"Give 1 to {_MOST} examples for each list.")
    frame = _labelled(order, labels)
    seen = _sorted(frame, frame["epochs_seen"] > 0)
    if seen.empty:
        raise DataError("No example was recorded: train first, with order.update in the loop.")
    lists = example_lists(seen, most)
    values = dict[int, object]()
    if show is not None:
        indices = {index for each in lists for index in _indices(each.rows.head(most))}
        shown = {index: show(index) for index in sorted(indices)}
        values = {i: escaped(v) if isinstance(v, str) else v for i, v in shown.items()}
    page = render_page(_content(order, frame, lists, values, most))
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_write(folder / "examples.csv") as temporary:
        _table(lists, values, most).to_csv(temporary, index=False)
    with atomic_write(folder / "examples.html") as temporary:
        temporary.write_text(page, encoding="utf-8", errors="backslashreplace")
    return folder / "examples.html"


def _labelled(
    order: LearningOrder, labels: Sequence[object] | Tensor | Array | None
) -> pd.DataFrame:
    """Return the frame of an order, with the labels as a column if there are any."""
    frame = order.frame()
    if labels is None:
        return frame
    given = labels.tolist() if isinstance(labels, Tensor | np.ndarray) else list(labels)
    if len(given) != order.num_examples:
        remedy = f"Give one for each of the {order.num_examples} examples."
        raise ConfigError("labels", f"{len(given)} of them", remedy)
    positions = len(frame) // order.num_examples
    each = [label if isinstance(label, list) else [label] * positions for label in given]
    if any(len(row) != positions for row in each):
        raise ConfigError("labels", "lists of labels", f"Give [N], or [N, {positions}].")
    frame.insert(1, "label", [label for row in each for label in row])
    return frame


def example_lists(seen: pd.DataFrame, most: int) -> list[ExampleList]:
    """Return the lists, each with all its examples.

    Args:
        seen: The frame of a learning order, without examples that were never recorded.
        most: Number of examples of a list that are shown.
    """
    lists = []
    if "aum" in seen:
        known = _sorted(seen, seen["aum"].notna(), "aum")
        note = (
            f"The {min(most, len(known)):,} examples with the lowest AUM, lowest first. Hard and "
            "ambiguous examples also have a low AUM: compare the label with the example."
        )
        lists.append(
            ExampleList("suspected_error", "Suspected label errors", note, known.head(most))
        )
    never = _sorted(seen, seen["first_learned"] == 0, "aum" if "aum" in seen else None)
    note = f"Never correct: {_counted(never, seen, most)}."
    lists.append(ExampleList("never_learned", "Never learned", note, never))
    forgotten = _sorted(seen, seen["forgetting_events"] > 0, "forgetting_events", falling=True)
    note = f"Changed from correct to wrong: {_counted(forgotten, seen, most)}, most often first."
    lists.append(ExampleList("forgotten", "Forgotten most often", note, forgotten))
    late = _sorted(seen, seen["first_learned"] > 1, "first_learned", falling=True)
    note = f"First correct after epoch 1: {_counted(late, seen, most)}, the last first."
    lists.append(ExampleList("learned_late", "Learned late", note, late))
    return lists


def _sorted(
    rows: pd.DataFrame, which: Any, by: str | None = None, *, falling: bool = False
) -> pd.DataFrame:
    """Return some rows, sorted by a column if one is named; equal ones keep their order."""
    chosen = rows.iloc[np.flatnonzero(which)]
    if by is None:
        return chosen
    return chosen.sort_values(by=by, ascending=not falling, kind="stable")


def _counted(rows: pd.DataFrame, seen: pd.DataFrame, most: int) -> str:
    counted = f"{len(rows):,} of {len(seen):,}"
    return f"{counted}; {most:,} are shown" if len(rows) > most else counted


def _indices(rows: pd.DataFrame) -> list[int]:
    return rows.index.get_level_values("index").to_numpy().tolist()


def _table(lists: list[ExampleList], values: dict[int, object], most: int) -> pd.DataFrame:
    """Return the examples of all lists, in rows with the name of their list and their rank."""
    import pandas as pd

    parts = []
    for each in lists:
        rows = each.rows.head(most).reset_index()
        rows.insert(0, "list", each.name)
        rows.insert(1, "rank", np.arange(1, len(rows) + 1))
        if any(isinstance(value, str) for value in values.values()):
            texts = (values[index] for index in rows["index"])
            rows["text"] = [text if isinstance(text, str) else "" for text in texts]
        parts.append(rows)
    return pd.concat(parts, ignore_index=True)


def _content(
    order: LearningOrder,
    frame: pd.DataFrame,
    lists: list[ExampleList],
    values: dict[int, object],
    most: int,
) -> Content:
    """Return the page."""
    cells = {index: shown_example(value, index) for index, value in values.items()}
    several = len(order.group_names) > 1
    seen = int(np.count_nonzero(frame["epochs_seen"]))
    what = "tokens" if frame.index.nlevels > 1 else "examples"
    recorded = f"{seen:,} of {len(frame):,} {what}, {order.epochs:,} epochs"
    setup = [("recorded", recorded)]
    setup += [(t, _MEANINGS[t]) for name, t in _NUMBERS.items() if name in frame]
    if any(len(value) > LONGEST_TEXT for value in values.values() if isinstance(value, str)):
        setup.append(("texts", f"The first {LONGEST_TEXT} characters; examples.csv has all."))
    sections = [list_section(each, cells, several, most) for each in lists]
    if order.has_dynamics and np.isfinite(order.confidence).any():
        note = "Easy examples are at the top left, ambiguous ones at the right, hard and "
        note += "mislabelled ones at the bottom left."
        figure = data_map(order)
        sections.append(Section("Data map", note, anchor="map", wide=[figure]))
    return Content(
        title=f"{what.capitalize()} worth a look",
        findings=[*_findings(lists, seen, what)],
        setup=setup,
        sections=sections,
        origins=[],
    )


def _findings(lists: list[ExampleList], seen: int, what: str) -> Iterator[str]:
    count = {each.name: len(each.rows) for each in lists}
    yield f"{count['never_learned']:,} of {seen:,} {what} were never learned."
    yield f"{count['forgotten']:,} were forgotten at least once."
    if "suspected_error" not in count:
        yield "Label errors are suspected by AUM, which LearningOrder(n, dynamics=True) records."


def list_section(
    each: ExampleList, cells: Mapping[int, Quoted], several: bool, most: int
) -> Section:
    """Return a list as a section of a page.

    Args:
        each: The list.
        cells: What is shown of examples, by index.
        several: Whether there are several groups.
        most: Length of the list.
    """
    rows = each.rows.head(most)
    names = [name for name in _NUMBERS if name in rows]
    columns = ["index", *(["example"] if cells else []), *(["group"] if several else [])]
    columns += ["label"] if "label" in rows else []
    table = [
        [
            _index_text(key),
            *([cells.get(index, "")] if cells else []),
            *([Quoted(row["group"])] if several else []),
            *([Quoted(row["label"])] if "label" in rows else []),
            *(_number(name, row[name]) for name in names),
        ]
        for index, (key, row) in zip(_indices(rows), rows.iterrows(), strict=True)
    ]
    columns += [_NUMBERS[name] for name in names]
    pictures = any(isinstance(cell, Picture) for cell in cells.values())
    drawn = TextTable("", columns, table, "", wrap=bool(cells) and not pictures)
    anchor = each.name.replace("_", "-")
    return Section(each.title, each.note, anchor, last=None if rows.empty else drawn)


def _index_text(key: Any) -> str:
    return f"{key[0]}, position {key[1]}" if isinstance(key, tuple) else f"{key}"


def _number(name: str, value: Any) -> str:
    """Return a number for display; a dash for never, and for what is not known."""
    if value != value or (name == "first_learned" and value == 0):
        return "–"
    if name == "correctness":
        return f"{100 * value:.0f} %"
    counts = name in ("first_learned", "forgetting_events")
    text = f"{value:.{0 if value == int(value) else 1}f}" if counts else f"{value:.2f}"
    return text.replace("-", "−")
