"""The style of figures: colours that are safe for colour-blind readers, and the layout."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from dataclasses import dataclass

import plotly.graph_objects as go

from learnorder.runs.plain_text import visible

_PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C6D31", "#777777")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_SVG_DASHES = {
    "solid": "", "dash": "8 5", "dot": "2 3", "dashdot": "8 3 2 3", "longdash": "13 5",
    "longdashdot": "13 3 2 3",
}  # fmt: skip
_FIXED = {
    "large": 0, "small": 1, "small_noise": 2, "small_annealed": 3, "L-S": 0, "S": 1, "S+noise": 2,
}  # fmt: skip


@dataclass(frozen=True)
class LineStyle:
    """Colour and dash of an arm, the same in all figures."""

    color: str
    dash: str

    def svg_dashes(self) -> str:
        """The dash as an SVG stroke-dasharray."""
        return _SVG_DASHES[self.dash]

    def band(self) -> str:
        """The colour of the interval around the line."""
        red, green, blue = (int(self.color[i : i + 2], 16) for i in (1, 3, 5))
        return f"rgba({red},{green},{blue},0.18)"


def line_styles(arms: list[str]) -> dict[str, LineStyle]:
    """Return a style for each arm; those of the paper and the control have fixed styles."""
    taken = {_FIXED[arm] for arm in arms if arm in _FIXED}
    free = [i for i in range(len(arms) + len(_FIXED)) if i not in taken]
    styles = {}
    for arm in arms:
        index = _FIXED[arm] if arm in _FIXED else free.pop(0)
        styles[arm] = LineStyle(_PALETTE[index % len(_PALETTE)], _DASHES[index % len(_DASHES)])
    return styles


def figure_text(text: object) -> str:
    """Escape tags, entities and templates, so that plotly shows the text unchanged.

    >>> figure_text("<b>100 %{x}</b>")
    '&lt;b&gt;100 %&#123;x}&lt;/b&gt;'
    """
    return html.escape(visible(text), quote=False).replace("%{", "%&#123;")


def log_axis(values: Iterable[float]) -> dict[str, object]:
    """Return the settings of a logarithmic axis over positive values, with few ticks.

    >>> log_axis([0.3, 4000])["ticktext"]
    ['1', '10', '100', '1,000']
    >>> log_axis([0.01, 0.6])["ticktext"]
    ['0.01', '0.02', '0.05', '0.1', '0.2', '0.5']
    """
    logs = [math.log10(value) for value in values if 0 < value < math.inf] or [0.0]
    low, high = min(logs), max(logs)
    steps, every = ((1, 2, 5), 1) if high - low <= 2 else ((1,), math.ceil((high - low) / 6))
    powers = range(every * math.floor(low / every), math.ceil(high) + 1, every)
    ticks = [float(f"{step}e{power}") for power in powers for step in steps]
    shown = [t for t in ticks if low - 0.05 <= math.log10(t) <= high + 0.05]
    return {"type": "log", "tickvals": shown, "ticktext": [_tick(tick) for tick in shown]}


def _tick(value: float) -> str:
    power = round(math.log10(value))
    if -4 < power < 5:
        return f"{value:,.0f}" if value >= 1 else f"{value:g}"
    factor = f"{value / 10**power:.0f}·" if f"{value:.0e}"[0] != "1" else ""
    return f"{factor}10<sup>{power}</sup>".replace("-", "−")


_AXIS = {
    "showline": True, "linecolor": "#9aa2b1", "ticks": "outside", "tickcolor": "#9aa2b1",
    "zeroline": False,
}  # fmt: skip


def layout(figure: go.Figure, title: str, x: str, y: str, height: int = 320) -> go.Figure:
    """Set the title, axis titles and common style of a figure; texts are escaped.

    Its ground is white, so that it can be read in notebooks with a dark theme, too. Pages replace
    these colours by those of their own theme.
    """
    figure.update_layout(
        title={
            "text": figure_text(title),
            "x": 0,
            "xref": "paper",
            "xanchor": "left",
            "y": 1,
            "yref": "container",
            "yanchor": "top",
            "pad": {"t": 8},
            "font": {"size": 15},
        },
        height=height,
        margin={"l": 56, "r": 24, "t": 56, "b": 46},
        paper_bgcolor="white",
        plot_bgcolor="white",
        font={"family": "system-ui, sans-serif", "size": 13, "color": "#1d2330"},
        hovermode="x unified",
        legend={"orientation": "h", "yref": "container", "y": 0, "yanchor": "bottom", "x": 0},
    )
    figure.update_xaxes(
        title={"text": figure_text(x), "standoff": 6},
        showgrid=False,
        **_AXIS,
    )
    figure.update_yaxes(
        title={"text": figure_text(y), "standoff": 6},
        gridwidth=1,
        gridcolor="#e7eaef",
        **_AXIS,
    )
    return figure
