"""The data map of a learning order: confidence over variability."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
import torch

from learnorder.errors import ConfigError, DataError
from learnorder.report.style import figure_text, layout
from learnorder.seeding import generator
from learnorder.toolkit.learning_order import LearningOrder

if TYPE_CHECKING:
    import pandas as pd

BINS = (
    ("never", 0.0, "#D55E00"),
    ("up to 25 %", 0.25, "#E69F00"),
    ("up to 50 %", 0.5, "#999999"),
    ("up to 75 %", 0.75, "#56B4E9"),
    ("up to 100 %", 1.0, "#0072B2"),
)
"""Bins of correctness: name, upper end, colour."""
_SYMBOLS = ("circle", "diamond", "cross", "triangle-up", "square", "x")


def data_map(order: LearningOrder, *, most: int = 3000, symbols: bool = False) -> go.Figure:
    """Return the data map of a learning order (Swayamdipta et al., *Dataset Cartography*, 2020).

    Each example is a point: its variability (x), its confidence (y), and in colour how often it was
    correct. Easy examples are at the top left, ambiguous ones at the right, and hard ones, among
    them many with wrong labels, at the bottom left.

    Args:
        order: A learning order with ``dynamics=True``.
        most: Largest number of points. Of more examples, a uniform sample is drawn, the same at
            every call; the title has both numbers.
        symbols: Whether groups have symbols, at most six of them.

    Raises:
        ConfigError: The order has no dynamics, ``most`` is below 1, or there are more than six
            groups for symbols.
        DataError: No finite prediction was recorded.
    """
    if most < 1:
        raise ConfigError("most", most, "Give 1 point or more.")
    if symbols and len(order.group_names) > len(_SYMBOLS):
        raise ConfigError(
            "symbols", symbols, f"There are {len(order.group_names)} groups, but 6 symbols."
        )
    known = np.isfinite(order.confidence).ravel()
    frame = order.frame().iloc[np.flatnonzero(known)]
    if frame.empty:
        raise DataError("No finite prediction was recorded, so there is nothing to draw.")
    named = order.group_names if len(order.group_names) > 1 else []
    frame = frame if named else frame.assign(group=None)
    what = "tokens" if frame.index.nlevels > 1 else "examples"
    title = f"Data map, {counted(len(frame), most)} {what}"
    figure = map_figure(frame, title, most, 560, symbols=named if symbols else ())
    return figure.update_layout(margin={"b": 110}, legend={"title": {"text": "correct in"}})


def counted(total: int, most: int) -> str:
    """Return the number of points that are drawn of some examples.

    >>> counted(5_000, 3_000), counted(200, 3_000)
    ('3,000 of 5,000', '200')
    """
    return f"{most:,} of {total:,}" if total > most else f"{total:,}"


def map_figure(
    frame: pd.DataFrame,
    title: str,
    most: int,
    height: int,
    *,
    symbols: Sequence[object] = (),
) -> go.Figure:
    """Return the data map of a table of examples.

    Args:
        frame: A row for each example, with its group (None without groups), confidence,
            variability, correctness and aum.
        title: Title.
        most: Largest number of points; see :func:`data_map`.
        height: Height in pixels.
        symbols: Groups that have symbols.
    """
    total = len(frame)
    if total > most:
        drawn = torch.randperm(total, generator=generator(0, "data_map"))[:most]
        frame = frame.iloc[np.sort(drawn.numpy())]
    figure = go.Figure()
    for part in _parts(frame, symbols):
        figure.add_scatter(**part)
    x, y = "variability (standard deviation)", "confidence (mean probability)"
    layout(figure, title, x, y, height)
    figure.update_xaxes(rangemode="tozero")
    figure.update_yaxes(range=[-0.03, 1.03])
    return figure.update_layout(hovermode="closest")


def _parts(frame: pd.DataFrame, symbols: Sequence[object]) -> Iterator[dict[str, object]]:
    """Return the points of each bin and symbol, and the entries of the legend."""
    bins = np.searchsorted([end for _, end, _ in BINS], frame["correctness"], side="left")
    groups = dict(zip(symbols, _SYMBOLS, strict=False))
    for number, (name, _, color) in enumerate(BINS):
        yield _entry(name, color, "circle")
        chosen = frame.iloc[np.flatnonzero(bins == number)]
        yield {
            "x": chosen["variability"], "y": chosen["confidence"], "mode": "markers",
            "name": name, "legendgroup": name, "showlegend": False,
            "customdata": [*_hover(chosen)], "hovertemplate": "%{customdata}<extra></extra>",
            "marker": {
                "color": color, "size": 6, "opacity": 0.6,
                "symbol": [groups.get(group, "circle") for group in chosen["group"]],
            },
        }  # fmt: skip
    for group, symbol in groups.items():
        yield _entry(figure_text(group), "#777777", symbol)


def _entry(name: str, color: str, symbol: str) -> dict[str, object]:
    """Return an entry of the legend: a point that is not drawn."""
    marker = {"color": color, "size": 9, "symbol": symbol}
    return {
        "x": [None], "y": [None], "mode": "markers", "name": name, "legendgroup": name,
        "marker": marker,
    }  # fmt: skip


def _hover(frame: pd.DataFrame) -> Iterator[str]:
    """Return the text of each point."""
    for key, row in zip(frame.index, frame.to_dict("records"), strict=True):
        index = f"{key[0]}, position {key[1]}" if isinstance(key, tuple) else f"{key}"
        group = [] if row["group"] is None else [figure_text(row["group"])]
        lines = [f"index {index}", *group]
        lines.append(f"confidence {row['confidence']:.2f}, variability {row['variability']:.2f}")
        lines.append(f"correct in {100 * row['correctness']:.0f} %, AUM {row['aum']:.2f}")
        yield "<br>".join(lines)
