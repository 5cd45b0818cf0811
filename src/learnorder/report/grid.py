"""A sweep on images as a plane or a row: who is learned first, and what it costs, over settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import plotly.graph_objects as go

from learnorder.report.parts import (
    ONE_SIDED,
    TWO_SIDED,
    ColorScale,
    add_estimates,
    heat_map,
    times_scale,
    times_words,
)
from learnorder.report.phase import in_order
from learnorder.report.style import figure_text, layout, line_styles
from learnorder.report.titles import ARM_WORDS
from learnorder.results import Results
from learnorder.statistics import Estimate, estimate

Row = dict[str, str | float]
"""A finished run: its arm, the settings varied, seed, and what it ended with."""

_QUANTITIES = {
    "patch_only": ("patch_only", "accuracy", "Final accuracy, pattern alone"),
    "clean": ("clean", "accuracy", "Final accuracy, clean images"),
    "reliance": ("conflict", "reliance", "Final reliance on the pattern"),
}
GRID_TITLES = {
    "first": "Who is learned first",
    **{k: title for k, (_, _, title) in _QUANTITIES.items()},
}


def sweep_rows(results: Results) -> list[Row]:
    """Return what each finished run of a sweep ended with.

    Returns:
        For each run its labels (arm, and the settings varied), its seed, ``first`` (see
        :meth:`~learnorder.results.Results.order_ratio`), ``patch_only``, ``clean`` and
        ``reliance``, as far as they were measured.
    """
    rows: dict[tuple[str, int], Row] = {}
    measured: dict[str, dict[str, dict[int, float]]] = {}
    patched = results.has_patch()
    names = _QUANTITIES if patched else {"clean": _QUANTITIES["clean"]}
    for arm in [] if results.finished.empty else results.arms:
        measured[arm] = {n: results.final(arm, s, q) for n, (s, q, _) in names.items()}
        if patched:
            measured[arm]["first"] = results.order_ratio(arm)
        for name, by_seed in measured[arm].items():
            for seed, value in by_seed.items():
                row = rows.setdefault((arm, seed), {**results.labels(arm), "seed": seed})
                row[name] = value
    return list(rows.values())


@dataclass(frozen=True)
class SweepGrid:
    """A sweep over one or two settings.

    Attributes:
        axes: The one or two settings varied, each with those that vary together with it.
        values: Of each axis, in order.
        cells: By treatment (large, small, …), point and quantity, its mean over seeds.
    """

    axes: tuple[str, ...]
    values: tuple[list[str], ...]
    cells: dict[str, dict[tuple[str, ...], dict[str, Estimate]]]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> SweepGrid | None:
        """Find the grid in rows of a sweep; None where one or two settings do not make it.

        Settings that vary together, as a learning rate and the factor that anneals it, are one
        axis, with the values of the first.
        """
        measured = {"seed", "arm", *GRID_TITLES}
        names = dict.fromkeys(name for row in rows for name in row if name not in measured)
        columns = {n: [str(row.get(n, "")) for row in rows] for n in names}
        axes = dict[str, list[str]]()
        """Settings, and those that vary together with each."""
        for name in names:
            if len(set(columns[name])) > 1:
                together = [axis for axis in axes if _follows(columns[name], columns[axis])]
                if together:
                    axes[together[0]].append(name)
                else:
                    axes[name] = []
        if not 1 <= len(axes) <= 2:
            return None
        found: dict[str, dict[tuple[str, ...], dict[str, dict[int, float]]]] = {}
        for row in rows:
            cell = found.setdefault(str(row.get("arm", "")), {})
            at = cell.setdefault(tuple(str(row.get(axis, "")) for axis in axes), {})
            for name in GRID_TITLES:
                if name in row:
                    by_seed = at.setdefault(name, {})
                    if int(row["seed"]) in by_seed:
                        return None  # two runs of a seed at one point: something else varies
                    by_seed[int(row["seed"])] = float(row[name])
        cells = {
            treatment: {
                at: {name: estimate(list(v.values())) for name, v in quantities.items()}
                for at, quantities in points.items()
            }
            for treatment, points in found.items()
        }
        titles = (_axis_title(axis, others) for axis, others in axes.items())
        return cls(tuple(titles), tuple(in_order(columns[axis]) for axis in axes), cells)

    def quantities(self) -> list[str]:
        """Return what was measured, in the order shown."""
        there = {n for points in self.cells.values() for at in points.values() for n in at}
        return [name for name in GRID_TITLES if name in there]

    def figures(self) -> list[go.Figure]:
        """Return a figure for each quantity: lines over one setting, or heat maps over two."""
        if len(self.axes) == 1:
            return [_row(self, name) for name in self.quantities()]
        return [
            _plane(self, treatment, name) for treatment in self.cells for name in self.quantities()
        ]


def _axis_title(axis: str, together: Sequence[str]) -> str:
    """Return an axis's setting, with those of other sections that vary with it.

    >>> _axis_title("learning_rate.initial", ["learning_rate.step_factor", "noise.shared"])
    'learning_rate.initial, noise.shared'
    """
    section = axis.partition(".")[0]
    return ", ".join([axis, *(name for name in together if name.partition(".")[0] != section)])


def _follows(setting: list[str], axis: list[str]) -> bool:
    """Whether a setting has one value for each value of an axis."""
    return len(set(axis)) == len(set(zip(axis, setting, strict=True)))


def _plane(grid: SweepGrid, treatment: str, name: str) -> go.Figure:
    """Return a quantity of one treatment over two settings, as a heat map."""
    xs, ys = grid.values
    found = {
        (x, y): quantities[name]
        for (x, y), quantities in grid.cells[treatment].items()
        if name in quantities
    }
    cells = {at: e.mean if e.n else None for at, e in found.items()}
    if name == "first":
        scale = times_scale(cells.values(), "pattern first", "content first", "how many times")
        text = {at: times_words(mean, "pattern", "content") for at, mean in cells.items()}
        unmeasured = [(x, y) for x, y in grid.cells[treatment] if (x, y) not in found]
        text |= dict.fromkeys(unmeasured, "neither")
    else:
        values = [value for value in cells.values() if value is not None]
        text = {at: _two_lines(e) for at, e in found.items()}
        scale = _share_scale(name, values)
    figure = heat_map(xs, ys, cells, text, scale)
    words = ARM_WORDS.get(treatment, treatment)
    title = f"{GRID_TITLES[name]}: {words}" if treatment else GRID_TITLES[name]
    return layout(figure, title, grid.axes[0], grid.axes[1], 150 + 52 * len(ys))


def _two_lines(e: Estimate) -> str:
    return e.format(100).replace(" [", "<br>[") if e.n else "–"


def _share_scale(name: str, values: list[float]) -> ColorScale:
    """Return the colours of a share: whole for what is learned or relied on, fitted for clean."""
    if name == "clean":
        low, high = min(values), max(max(values), min(values) + 0.01)
        ticks = (low, (low + high) / 2, high)
    else:
        low, high, ticks = 0.0, 1.0, (0.0, 0.5, 1.0)
    digits = 0 if high - low > 0.05 else 1
    words = tuple(f"{100 * tick:.{digits}f} %" for tick in ticks)
    return ColorScale(low, high, "", ticks, words, ONE_SIDED if name == "clean" else _PALE)


_PALE = ((0.0, TWO_SIDED[1][1]), (1.0, "#E69F00"))


def _row(grid: SweepGrid, name: str) -> go.Figure:
    """Return a quantity of every treatment over one setting, as lines."""
    (values,) = grid.values
    figure, treatments = go.Figure(), list(grid.cells)
    styles = line_styles(treatments)
    for treatment, points in grid.cells.items():
        means = {
            float(place): points[value,][name]
            for place, value in enumerate(values)
            if name in points.get((value,), {})
        }
        words = ARM_WORDS.get(treatment, treatment)
        scale = 1.0 if name == "first" else 100.0
        add_estimates(figure, means, words, styles[treatment], scale)
    unit = "epoch of pattern / content" if name == "first" else "%"
    layout(figure, GRID_TITLES[name], grid.axes[0], unit, 340)
    shown = [figure_text(value.strip("[]")) for value in values]  # an anneal's one epoch: [20]
    figure.update_xaxes(tickvals=list(range(len(values))), ticktext=shown)
    if name == "first":
        ticks = [-1.0, -0.699, -0.301, 0.0, 0.301, 0.699, 1.0]
        figure.update_yaxes(tickvals=ticks, ticktext=["1/10", "1/5", "1/2", "1", "2", "5", "10"])
        figure.add_hline(y=0, line={"width": 1, "dash": "dot"}, opacity=0.6)
    return figure.update_layout(hovermode="closest", margin={"b": 84})
