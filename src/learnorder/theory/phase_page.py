"""The phase diagram: runs of the theory over a grid of two settings."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from learnorder.config.arm_titles import THEORY_ARMS
from learnorder.errors import RunFolderError
from learnorder.report.comparisons import why_no_verdict
from learnorder.report.content import TextTable
from learnorder.report.orders import in_order, median_words
from learnorder.report.setting_titles import setting_title
from learnorder.runs.arms import AXES, BETWEEN_AXES
from learnorder.statistics import Estimate, Measured, Span, Unit, median_span, ratio_p
from learnorder.theory.results import TheoryResults


@dataclass(frozen=True)
class PhaseGrid:
    """The arms of the results, by their place in the grid.

    Attributes:
        results: The runs.
        x_name: Setting along the horizontal axis.
        y_name: Setting along the vertical axis.
        xs: Values of the horizontal setting, as in the labels of the runs.
        ys: Values of the vertical setting.
        cells: {(x, y): {algorithm: arm name}}; empty for a cell without runs.
    """

    results: TheoryResults
    x_name: str
    y_name: str
    xs: list[str]
    ys: list[str]
    cells: dict[tuple[str, str], dict[str, str]]

    @classmethod
    def of(cls, results: TheoryResults) -> PhaseGrid:
        """Build the grid from the labels of the runs.

        Raises:
            RunFolderError: The runs are not those of one phase diagram.
        """
        axes = {folder.labels.get(AXES, "") for folder in results.folders}
        if len(axes) != 1 or BETWEEN_AXES not in (names := axes.pop()):
            raise RunFolderError("These runs are not from a single `learnorder theory phase`.")
        x_name, y_name = names.split(BETWEEN_AXES)
        cells: dict[tuple[str, str], dict[str, str]] = {}
        for arm in results.arms:
            labels = results.labels(arm)
            cell = cells.setdefault((labels[x_name], labels[y_name]), {})
            if labels["arm"] in cell:
                raise RunFolderError(
                    "These runs are from several phase diagrams. Give the folder of one."
                )
            cell[labels["arm"]] = arm
        xs, ys = (in_order([at[axis] for at in cells]) for axis in (0, 1))
        for x in xs:
            for y in ys:
                cells.setdefault((x, y), {})
        return cls(results, x_name, y_name, xs, ys, cells)

    def orders(self, at: tuple[str, str], algorithm: str) -> list[Span]:
        """Return log10(P's half-margin time / Q's) of each seed; positive if Q is first.

        A pattern that is never learned counts as later, by an unknown factor.
        """
        if (arm := self.cells[at].get(algorithm)) is None:
            return []
        p, q = (self.results.half_learned(arm, pattern) for pattern in ("P", "Q"))
        return [_order(p[seed], q[seed]) for seed in p.keys() & q.keys()]

    def first(self, at: tuple[str, str], algorithm: str) -> Span | None:
        """Return the median of :meth:`orders`; None if there are none."""
        orders = self.orders(at, algorithm)
        return median_span(orders) if orders else None

    def ratio(self, at: tuple[str, str]) -> Estimate:
        """Return the P-only error ratio S / L-S."""
        arms = self.cells[at]
        if "S" not in arms or "L-S" not in arms:
            return Estimate(math.nan, math.nan, math.nan, 0)
        return self.results.final_ratio(arms["S"], arms["L-S"], "p_only", "error")

    def measured(self, at: tuple[str, str]) -> Measured:
        """Return the ratio compared with 1; without a p-value if there can be no verdict."""
        ratio, arms = self.ratio(at), self.cells[at]
        if not ratio.n or why_no_verdict(self.results, ratio, arms["S"], arms["L-S"]):
            return Measured(ratio, 1.0, Unit(""))
        s, large = (self.results.final(arms[name], "p_only", "error") for name in ("S", "L-S"))
        return Measured(ratio, 1.0, Unit(""), p=ratio_p(s, large, 1.0))

    def runs(self, at: tuple[str, str]) -> str:
        """Return the status of the runs at a point, in words."""
        return self.results.status_words(self.cells[at].values())


def _order(p: float | None, q: float | None) -> Span:
    """Return log10(p/q); an open interval if a time is None (never)."""
    if p is None or q is None:
        return Span(-math.inf if q is None else 0.0, math.inf if p is None else 0.0)
    return Span.at(math.log10(p / q))


def ratio_words(e: Estimate) -> str:
    """Return a ratio and its interval as text.

    >>> ratio_words(Estimate(6.3, 2.8, math.inf, 3))
    '6.3 [2.8, ∞]'
    """
    if e.n == 0 or math.isnan(e.mean):
        return "–"
    shown = [_short(value) for value in (e.mean, e.low, e.high)]
    if math.isinf(e.low) and e.low > 0:
        return "∞ (none below)"
    if e.identical:
        return f"{shown[0]} ({e.n} equal values)"
    return shown[0] if e.n < 2 else f"{shown[0]} [{shown[1]}, {shown[2]}]"


def _short(value: float) -> str:
    text = f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"
    return text.replace("inf", "∞").replace("-", "−")


def phase_table(results: TheoryResults) -> TextTable:
    """Return a phase diagram as a table with one row per point."""
    grid = PhaseGrid.of(results)
    algorithms = [a for a in THEORY_ARMS if any(a in arms for arms in grid.cells.values())]
    rows = [
        [
            *at,
            *(median_words(grid.orders(at, algorithm), "P", "Q") for algorithm in algorithms),
            *(_errors(grid, at, algorithm) for algorithm in algorithms),
            ratio_words(grid.ratio(at)),
            grid.runs(at),
        ]
        for at in itertools.product(grid.xs, grid.ys)
    ]
    return TextTable(
        "Point by point",
        [
            *map(setting_title, (grid.x_name, grid.y_name)),
            *(f"first by {algorithm}" for algorithm in algorithms),
            *(f"P-only error of {algorithm}, %" for algorithm in algorithms),
            "S / L-S",
            "runs",
        ],
        rows,
        "First: the pattern whose mean margin, on test examples with only that pattern, reaches "
        "half its final value first, and how many times earlier, median over seeds. Errors: mean "
        "over seeds [95 % t interval]; their ratio with Fieller's interval. Dash: no finished run.",
    )


def _errors(grid: PhaseGrid, at: tuple[str, str], algorithm: str) -> str:
    arm = grid.cells[at].get(algorithm)
    return "–" if arm is None else percent(grid.results, arm)


def percent(results: TheoryResults, arm: str, set_: str = "p_only") -> str:
    """Return a final error in per cent, or its 95 % upper bound if there was no mistake."""
    error = results.final_estimate(arm, set_, "error")
    examples = results.examples(arm, set_, "error")
    if error.n and error.mean == 0 and examples:
        return f"< {_rounded_up(300 / examples)}"
    return percent_words(error)


def _rounded_up(value: float) -> str:
    """Return a value rounded up to one digit.

    >>> _rounded_up(0.015), _rounded_up(0.003)
    ('0.02', '0.003')
    """
    unit = 10 ** math.floor(math.log10(value))
    return f"{math.ceil(value / unit - 1e-9) * unit:.1g}"


def percent_words(e: Estimate) -> str:
    """Return an error in per cent, with more digits if it is tiny."""
    return e.format(100, 6 if 0 < e.mean < 5e-5 else 3)
