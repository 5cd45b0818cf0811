"""A sweep on images over one or two settings: the order of learning, and final values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import plotly.graph_objects as go

from learnorder.config.arm_titles import ARM_WORDS
from learnorder.report.orders import add_orders, in_order, median_words, span_color, times_scale
from learnorder.report.parts import (
    ONE_SIDED,
    TWO_SIDED,
    ColorScale,
    Point,
    add_points,
    annotate_above,
    heat_map,
    make_room,
)
from learnorder.report.setting_titles import setting_title
from learnorder.report.style import figure_text, layout, line_styles
from learnorder.runs.results import PatternRuns
from learnorder.statistics import Estimate, Span, median_span, range_of
from learnorder.statistics.learned import CONTENT_LEVELS, is_undertrained, order_ratio

Row = dict[str, str | float]
"""A run: its arm, varied settings, seed and measurements."""

_QUANTITIES = {
    "patch_only": ("patch_only", "accuracy", "Final accuracy, pattern alone"),
    "clean": ("clean", "accuracy", "Final accuracy, clean {noun}"),
    "reliance": ("conflict", "reliance", "Final reliance on the pattern"),
}
GRID_TITLES = {
    "first": "Order of learning",
    **{name: title for name, (_, _, title) in _QUANTITIES.items()},
}
_CONTENT_AT = {
    level: f"content_at_{100 * fraction:.0f}" for level, fraction in CONTENT_LEVELS.items()
}
_RECORDED = "as recorded"
"""The only content level of rows from versions without several levels."""
MEASURED = (
    "seed", "diverged", "chance", "epochs", "pattern_at", *_CONTENT_AT.values(),
    "first", "first_bound", *_QUANTITIES,
)  # fmt: skip
"""Columns besides labels. Epochs that were never reached are absent; rows of diverged runs have
only ``diverged``."""


def sweep_rows(results: PatternRuns[Any]) -> list[Row]:
    """Return the final measurements of each finished run of a sweep, and a row for diverged runs.

    Returns:
        For each finished run, as far as measured: its labels (arm and varied settings), seed,
        length in ``epochs``, final ``patch_only``, ``clean`` and ``reliance`` in [0, 1], and the
        epochs ``pattern_at``, ``content_at_25``, ``_50`` and ``_75`` at which the pattern and the
        levels of the content are learned (absent if never).
    """
    rows: list[Row] = []
    patched = results.has_patch()
    names = _QUANTITIES if patched else {"clean": _QUANTITIES["clean"]}
    for arm in results.arms if results.has_finished else []:
        columns = {n: results.final(arm, s, q) for n, (s, q, _) in names.items()}
        if patched:
            columns["pattern_at"] = _reached(results.learned(arm, "patch"))
            for level, name in _CONTENT_AT.items():
                columns[name] = _reached(results.learned(arm, "content", CONTENT_LEVELS[level]))
        for seed in columns["clean"]:
            values = {name: by_seed[seed] for name, by_seed in columns.items() if seed in by_seed}
            shared = {"epochs": float(results.epochs(arm))} if patched else {}
            if (chance := results.chance()) is not None:
                shared["chance"] = chance
            rows.append({**results.labels(arm), "seed": seed, **shared, **values})
    rows += [
        {**results.labels(results.arm_of(f)), "seed": f.config.seed, "diverged": 1.0}
        for f in results.folders
        if f.read_status() == "diverged"
    ]
    return rows


def _reached(epochs: Mapping[int, int | None]) -> dict[int, float]:
    return {seed: float(epoch) for seed, epoch in epochs.items() if epoch is not None}


def row_orders(row: Row) -> dict[str, Span]:
    """Return the order by content level: log10(epoch of the pattern / epoch of the content).

    Rows from versions that did not record epochs have ``first`` at one level, and ``first_bound``:
    low if the true value is at least that, high if it is at most that, both if neither was learned.
    """
    if "epochs" in row:
        epochs = int(row["epochs"])
        pattern = _epoch(row, "pattern_at")
        return {
            level: order_ratio(pattern, _epoch(row, name), epochs)
            for level, name in _CONTENT_AT.items()
        }
    bound = row.get("first_bound")
    if bound == "both":
        return {_RECORDED: Span(-math.inf, math.inf)}
    if (first := row.get("first")) is None:
        return {}
    low, high = (-math.inf if bound == "high" else first, math.inf if bound == "low" else first)
    return {_RECORDED: Span(float(low), float(high))}


def _epoch(row: Row, name: str) -> int | None:
    return None if (epoch := row.get(name)) is None else int(epoch)


@dataclass
class Cell:
    """The runs of an arm at one point of the grid.

    Attributes:
        finals: Final values by quantity and seed.
        orders: Orders of learning (:func:`row_orders`) by content level and seed; the first level
            is the primary one.
        diverged: Seeds whose run diverged.
        chance: Accuracy of a random guess, None if unknown.
    """

    finals: dict[str, dict[int, float]] = field(default_factory=dict)
    orders: dict[str, dict[int, Span]] = field(default_factory=dict)
    diverged: set[int] = field(default_factory=set)
    chance: float | None = None

    def add(self, row: Row) -> bool:
        """Add a run; return False if there is another of the same seed."""
        seed = int(row["seed"])
        if "diverged" in row:
            self.diverged.add(seed)
            return True
        for name in _QUANTITIES.keys() & row.keys():
            by_seed = self.finals.setdefault(name, {})
            if seed in by_seed:
                return False
            by_seed[seed] = float(row[name])
        if "chance" in row:
            self.chance = float(row["chance"])
        for level, order in row_orders(row).items():
            self.orders.setdefault(level, {})[seed] = order
        return True

    def order(self) -> dict[int, Span]:
        """Return the order of learning at the primary level, by seed."""
        return next(iter(self.orders.values()), {})

    def order_words(self) -> str:
        """Return the median order of learning over seeds, in words, a line for each level."""
        words = {
            level: median_words(by_seed.values(), "pattern", "content")
            for level, by_seed in self.orders.items()
        }
        first, *others = words.items()
        return "<br>".join([first[1], *(f"{level}: {order}" for level, order in others)])

    def point(self, name: str) -> Point:
        """Return the final values of a quantity."""
        within = range_of("reliance" if name == "reliance" else "accuracy")
        label = "undertrained" if name == "reliance" and self.undertrained() else ""
        return Point(self.finals.get(name, {}), within, self.lost(), label)

    def undertrained(self) -> bool:
        """Whether the runs, on average, learn neither the content nor the pattern."""
        means = [self.finals.get(name, {}).values() for name in ("clean", "patch_only")]
        if self.chance is None or not all(means):
            return False
        clean, patch = map(fmean, means)
        return is_undertrained(clean, patch, self.chance)

    def lost(self) -> str:
        """Return the number of diverged runs, e.g. "1 of 5 diverged"; empty if there are none."""
        if not self.diverged:
            return ""
        return f"{len(self.diverged)} of {self.seeds()} diverged"

    def seeds(self) -> int:
        """Return the number of seeds."""
        finished = max((len(by_seed) for by_seed in self.finals.values()), default=0)
        return finished + len(self.diverged)


@dataclass(frozen=True)
class SweepGrid:
    """A sweep over one or two settings.

    Attributes:
        axes: The varied settings, each with those that vary together with it.
        values: The values of each axis, in order.
        cells: Cells by arm (large, small, …) and point.
        noun: What the data are, in titles: images or examples.
    """

    axes: tuple[str, ...]
    values: tuple[list[str], ...]
    cells: dict[str, dict[tuple[str, ...], Cell]]
    noun: str = "images"

    @classmethod
    def of(cls, rows: Sequence[Row], noun: str = "images") -> SweepGrid | None:
        """Return the grid of a sweep's rows; None if it does not have one or two axes.

        Settings that vary together, e.g. a learning rate and the factor of its anneal, form one
        axis, with the values of the first.
        """
        measured = {"arm", *MEASURED}
        names = dict.fromkeys(name for row in rows for name in row if name not in measured)
        columns = {n: [str(row.get(n, "")) for row in rows] for n in names}
        axes = dict[str, list[str]]()
        for name in names:
            if len(set(columns[name])) > 1:
                together = [axis for axis in axes if _follows(columns[name], columns[axis])]
                if together:
                    axes[together[0]].append(name)
                else:
                    axes[name] = []
        if not 1 <= len(axes) <= 2:
            return None
        cells: dict[str, dict[tuple[str, ...], Cell]] = {}
        for row in rows:
            points = cells.setdefault(str(row.get("arm", "")), {})
            at = tuple(str(row.get(axis, "")) for axis in axes)
            if not points.setdefault(at, Cell()).add(row):
                return None  # two runs of a seed at one point: something else varies
        titles = (_axis_title(axis, others) for axis, others in axes.items())
        return cls(tuple(titles), tuple(in_order(columns[axis]) for axis in axes), cells, noun)

    def quantities(self) -> list[str]:
        """Return the names of the measured quantities, in the order of the page."""
        cells = [cell for points in self.cells.values() for cell in points.values()]
        measured = {name for cell in cells for name in cell.finals}
        measured |= {"first"} if any(cell.orders for cell in cells) else set()
        return [name for name in GRID_TITLES if name in measured]

    def title(self, name: str) -> str:
        """Return the title of a quantity."""
        return GRID_TITLES[name].format(noun=self.noun)

    def figures(self) -> list[go.Figure]:
        """Return figures of all quantities: line plots over one setting, heat maps over two."""
        if len(self.axes) == 1:
            return [_row(self, name) for name in self.quantities()]
        return [_plane(self, arm, name) for arm in self.cells for name in self.quantities()]


def _axis_title(axis: str, together: Sequence[str]) -> str:
    """Return the setting of an axis, with those of other sections that vary with it.

    >>> _axis_title("learning_rate.initial", ["learning_rate.step_factor", "noise.shared"])
    'learning_rate.initial, noise.shared'
    """
    section = axis.partition(".")[0]
    return ", ".join([axis, *(name for name in together if name.partition(".")[0] != section)])


def _axis_words(axis: str) -> str:
    """Return the titles of the settings along an axis."""
    return ", ".join(map(setting_title, axis.split(", ")))


def _follows(setting: list[str], axis: list[str]) -> bool:
    """Whether each value of an axis has only one value of a setting."""
    return len(set(axis)) == len(set(zip(axis, setting, strict=True)))


def _plane(grid: SweepGrid, arm: str, name: str) -> go.Figure:
    """Return a heat map of one arm's quantity over two settings."""
    xs, ys = grid.values
    points = {(x, y): cell for (x, y), cell in grid.cells[arm].items()}
    if name == "first":
        known = {at: cell for at, cell in points.items() if cell.orders}
        medians = {at: median_span(cell.order().values()) for at, cell in known.items()}
        cells = {at: span_color(span) for at, span in medians.items()}
        text = {at: cell.order_words() for at, cell in known.items()}
        scale = times_scale(cells.values(), "pattern first", "content first", "how many times")
    else:
        estimates = {at: cell.point(name).estimate for at, cell in points.items()}
        cells = {at: e.mean if e.n else None for at, e in estimates.items()}
        text = {at: _two_lines(e) for at, e in estimates.items()}
        scale = _share_scale(name, [value for value in cells.values() if value is not None])
    for at, cell in points.items():
        notes = [cell.lost(), cell.point(name).label]
        if any(notes):
            text[at] = "<br>".join(filter(None, [text.get(at, "").strip("–"), *notes]))
    figure = heat_map(xs, ys, cells, text, scale)
    words = ARM_WORDS.get(arm, arm)
    title = f"{grid.title(name)}: {words}" if arm else grid.title(name)
    x, y = map(_axis_words, grid.axes)
    return layout(figure, title, x, y, 150 + 56 * len(ys))


def _two_lines(e: Estimate) -> str:
    mean, _, interval = e.format(100).partition(" ")
    return "<br>".join(filter(None, [mean, interval]))


def _share_scale(name: str, values: list[float]) -> ColorScale:
    """Return the colours of a share: from 0 to 100 %, for clean accuracy over its range."""
    if name == "clean":
        low, high = min(values), max(max(values), min(values) + 0.01)
        ticks = (low, (low + high) / 2, high)
    else:
        low, high, ticks = 0.0, 1.0, (0.0, 0.5, 1.0)
    digits = 0 if high - low > 0.05 else 1
    words = tuple(f"{100 * tick:.{digits}f} %" for tick in ticks)
    return ColorScale(low, high, "", ticks, words, ONE_SIDED if name == "clean" else _PALE)


_PALE = ((0.0, TWO_SIDED[1][1]), (1.0, "#E69F00"))


_ARM_OFFSET = 0.14
"""Offset between arms along the axis, to avoid overlap."""


def _row(grid: SweepGrid, name: str) -> go.Figure:
    """Return a line plot of all arms' quantity over one setting."""
    (values,) = grid.values
    figure, arms = go.Figure(), list(grid.cells)
    styles = line_styles(arms)
    for place, (arm, points) in enumerate(grid.cells.items()):
        offset = _ARM_OFFSET * (place - (len(arms) - 1) / 2)
        cells = {i + offset: points[v,] for i, v in enumerate(values) if (v,) in points}
        words = ARM_WORDS.get(arm, arm)
        if name == "first":
            orders = {x: cell.order() for x, cell in cells.items() if cell.orders}
            add_orders(figure, orders, words, styles[arm])
            lost = {x: cell.lost() for x, cell in cells.items()}
            annotate_above(figure, lost, styles[arm].color)
        else:
            finals = {x: cell.point(name) for x, cell in cells.items()}
            add_points(figure, finals, words, styles[arm], 100.0)
    unit = "epoch of pattern / epoch of content" if name == "first" else "%"
    layout(figure, grid.title(name), _axis_words(grid.axes[0]), unit, 340)
    labels = [figure_text(value.strip("[]")) for value in values]  # [20] is the epoch of an anneal
    figure.update_xaxes(tickvals=list(range(len(values))), ticktext=labels)
    if name == "first":
        factors = (1, 2, 5, 10, 20, 50)
        ticks = [-math.log10(f) for f in factors[:0:-1]] + [math.log10(f) for f in factors]
        words = [f"1/{f}" for f in factors[:0:-1]] + [str(f) for f in factors]
        figure.update_yaxes(tickvals=ticks, ticktext=words)
        figure.add_hline(y=0, line={"width": 1, "dash": "dot"}, opacity=0.6)
    return make_room(figure.update_layout(hovermode="closest", margin={"b": 84}))
