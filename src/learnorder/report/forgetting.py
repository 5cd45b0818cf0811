"""Gain on a new task and forgetting of an old one, on pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from learnorder.report.comparisons import why_no_verdict
from learnorder.report.content import Section, TextTable
from learnorder.report.parts import Point, add_points, error_bars, make_room
from learnorder.report.score_words import ScoreWords
from learnorder.report.setting_titles import setting_titles
from learnorder.report.style import LineStyle, figure_text, layout, line_styles, log_axis
from learnorder.report.tables import counted
from learnorder.report.titles import arm_columns, marked_titles
from learnorder.runs.forgetting import NEW, Forgetting
from learnorder.statistics import Estimate, range_of, side_of

RATE = "learning_rate.initial"
"""The setting on the axis of the figures."""
MOST_LINES = 8
"""Most lines that are drawn."""

Lines = Mapping[str, Mapping[float, str]]
"""Arms by learning rate, of each line of a figure."""


def forgetting_sections(forgetting: Forgetting, arms: Sequence[str], lines: Lines) -> list[Section]:
    """Return the section about gain and forgetting; none if no run of the arms has finished.

    Args:
        forgetting: What is gained and forgotten.
        arms: Names of the arms, in the order of the table.
        lines: The arms over the learning rate; a single learning rate is not drawn.
    """
    shown = [arm for arm in arms if forgetting.after(arm)]
    if not shown:
        return []
    measured = {
        name: {rate: arm for rate, arm in sorted(by_rate.items()) if arm in shown}
        for name, by_rate in lines.items()
    }
    drawn = {name: by_rate for name, by_rate in measured.items() if by_rate}
    figures = []
    if any(len(by_rate) > 1 for by_rate in drawn.values()) and len(drawn) <= MOST_LINES:
        figures = [trade_off(forgetting, drawn), *over_rates(forgetting, drawn)]
    table = forgetting_table(forgetting, shown)
    return [Section("Gained and kept", _note(forgetting), wide=figures, last=table)]


def _note(forgetting: Forgetting) -> str:
    new, old = ScoreWords(forgetting.new_score).name, ScoreWords(forgetting.score).name
    return (
        f"Gain: the final validation {new} against that before training. Forgetting: the {old} on "
        f"{forgetting.name} ({forgetting.examples:,} examples, never trained on) before training "
        "against the final one. Positive: better on the new task, worse on the old one. Paired by "
        "seed: mean [95 % t interval]; the intervals cover seeds, not the choice of examples. A "
        "dot is a seed."
    )


def forgetting_table(forgetting: Forgetting, arms: Sequence[str]) -> TextTable:
    """Return gain, final scores and forgetting: a row for each arm."""
    new, old = ScoreWords(forgetting.new_score), ScoreWords(forgetting.score)
    headings, cells = arm_columns(forgetting.results)
    columns = [
        *headings,
        "n",
        f"new task: {new.heading}",
        f"gain, {new.unit}",
        f"{forgetting.name}: {old.heading}",
        f"forgetting, {old.unit}",
    ]
    results = forgetting.results
    rows = [
        [
            *cells[arm],
            counted(results, arm),
            new.number(results.final_estimate(arm, NEW, forgetting.new_score)),
            new.number(forgetting.gain(arm)),
            old.number(forgetting.kept(arm)),
            old.number(forgetting.forgetting(arm)),
        ]
        for arm in arms
    ]
    return TextTable("", columns, rows, "")


def lines_of(results: Any) -> dict[str, dict[float, str]]:
    """Return the arms by learning rate: a line for each combination of the other settings varied.

    Args:
        results: The runs of a sweep.
    """
    others = {
        arm: {name: value for name, value in results.labels(arm).items() if name != RATE}
        for arm in results.arms
    }
    names = list(dict.fromkeys(name for by_name in others.values() for name in by_name))
    varied = [n for n in names if len({by_name.get(n) for by_name in others.values()}) > 1]
    titles = setting_titles(varied)
    lines = dict[str, dict[float, str]]()
    for folder in results.folders:
        arm, rate = results.arm_of(folder), folder.config.learning_rate.initial
        words = (f"{titles[name]} {others[arm].get(name, '–')}" for name in varied)
        by_rate = lines.setdefault(", ".join(words) or "all arms", {})
        if by_rate.setdefault(rate, arm) != arm:  # they differ in a setting without a label
            lines.setdefault(arm, {})[rate] = arm
    return lines


def over_rates(forgetting: Forgetting, lines: Lines) -> list[go.Figure]:
    """Return gain and forgetting over the learning rate, a figure each, a line for each arm."""
    new, old = forgetting.new_score, forgetting.score
    return [
        _over_rates(forgetting, lines, forgetting.gains, new, "gain on the new task"),
        _over_rates(forgetting, lines, forgetting.losses, old, f"forgetting of {forgetting.name}"),
    ]


def _over_rates(
    forgetting: Forgetting,
    lines: Lines,
    by_seed: Callable[[str], dict[int, float]],
    score: str,
    title: str,
) -> go.Figure:
    figure, words = go.Figure(), ScoreWords(score)
    within, styles = range_of(score).difference(), line_styles(list(lines))
    for name, by_rate in lines.items():
        points = {
            rate: Point(by_seed(arm), within, forgetting.results.lost(arm))
            for rate, arm in by_rate.items()
        }
        add_points(figure, points, name, styles[name], words.scale, log_x=True)
    layout(figure, "", "initial learning rate", f"{title}, {words.unit}", 360)
    figure.update_xaxes(log_axis(rate for by_rate in lines.values() for rate in by_rate))
    return _finished(figure, lines)


def trade_off(forgetting: Forgetting, lines: Lines) -> go.Figure:
    """Return the gain over the forgetting: a line for each arm, a point for each learning rate."""
    figure, styles = go.Figure(), line_styles(list(lines))
    new, old = ScoreWords(forgetting.new_score), ScoreWords(forgetting.score)
    for name, by_rate in lines.items():
        _add_trade_off(figure, forgetting, name, by_rate, styles[name])
    layout(
        figure,
        "",
        f"forgetting of {forgetting.name}, {old.unit}",
        f"gain on the new task, {new.unit}",
        420,
    )
    figure.add_vline(x=0, line={"width": 1, "dash": "dot"}, opacity=0.6)
    figure.add_hline(y=0, line={"width": 1, "dash": "dot"}, opacity=0.6)
    return _finished(figure, lines)


def _add_trade_off(
    figure: go.Figure,
    forgetting: Forgetting,
    name: str,
    by_rate: Mapping[float, str],
    style: LineStyle,
) -> None:
    new, old = (ScoreWords(s).scale for s in (forgetting.new_score, forgetting.score))
    gains = [forgetting.gain(arm) for arm in by_rate.values()]
    losses = [forgetting.forgetting(arm) for arm in by_rate.values()]
    lost = [forgetting.results.lost(arm) for arm in by_rate.values()]
    label = figure_text(name)
    figure.add_scatter(
        x=[old * e.mean for e in losses], y=[new * e.mean for e in gains], name=label,
        mode="lines+markers+text", legendgroup=label,
        text=[f"{rate:g}" for rate in by_rate], textposition="top left",
        textfont={"size": 11, "color": style.color},
        line={"color": style.color, "dash": style.dash, "width": 1.5},
        marker={
            "color": style.color, "size": 8, "line": {"width": 1.5, "color": style.color},
            "symbol": ["circle-open" if words else "circle" for words in lost],
        },
        error_x=error_bars(losses, style.color, old), error_y=error_bars(gains, style.color, new),
        customdata=[
            "; ".join(filter(None, [f"{r:g}: gain {g.format(new, 3)}, forgetting "
                                    f"{f.format(old, 3)}", words]))
            for r, g, f, words in zip(by_rate, gains, losses, lost, strict=True)
        ],
        hovertemplate="%{customdata}",
    )  # fmt: skip
    dots = [
        (rate, seed, loss, forgetting.gains(arm)[seed])
        for rate, arm in by_rate.items()
        for seed, loss in forgetting.losses(arm).items()
    ]
    figure.add_scatter(
        x=[old * loss for _, _, loss, _ in dots], y=[new * gain for *_, gain in dots],
        mode="markers", name=label, legendgroup=label, showlegend=False,
        customdata=[f"{rate:g}, seed {seed}" for rate, seed, *_ in dots],
        hovertemplate="%{customdata}",
        marker={"color": style.color, "size": 5, "opacity": 0.4},
    )  # fmt: skip


def _finished(figure: go.Figure, lines: Lines) -> go.Figure:
    rows = (len(lines) - 1) // 3 + 1
    figure.update_layout(
        hovermode="closest", margin={"t": 20, "b": 60 + 22 * rows}, showlegend=len(lines) > 1
    )
    return make_room(figure)


def forgetting_words(
    forgetting: Forgetting, arms: Sequence[str], titles: Mapping[str, str] | None = None
) -> list[str]:
    """Return in sentences which arm gains most, and which forgets less without gaining less.

    Args:
        forgetting: What is gained and forgotten.
        arms: The arms to compare.
        titles: The arms in words; None takes their titles.
    """
    titles = marked_titles(forgetting.results) if titles is None else titles
    arms = [arm for arm in arms if forgetting.after(arm)]
    if not arms:
        return []
    if len(arms) == 1:
        return [_arm_words(forgetting, arms[0], titles[arms[0]])]
    candidates = [arm for arm in arms if not forgetting.results.lost(arm)] or arms
    best = max(candidates, key=lambda arm: forgetting.gain(arm).mean)
    sentences = [_arm_words(forgetting, best, f"Largest gain: {titles[best]}. It")]
    gains = {arm: forgetting.gain_difference(arm, best) for arm in arms if arm != best}
    whys = {arm: why_no_verdict(forgetting.results, e, arm, best) for arm, e in gains.items()}
    compared = {arm: e for arm, e in gains.items() if not whys[arm]}
    if left_out := len(gains) - len(compared):
        sentences.append(
            f"Its gain is not compared with that of {left_out} of {len(gains)} other arms: "
            f"{', '.join(dict.fromkeys(filter(None, whys.values())))}."
        )
    if compared:
        none = "Of the rest, no arm" if left_out else "No arm"
        sentences.append(_gentle_words(forgetting, best, compared, titles, none))
    return sentences


def _gentle_words(
    forgetting: Forgetting,
    best: str,
    gains: Mapping[str, Estimate],
    titles: Mapping[str, str],
    none: str,
) -> str:
    """Return which arm forgets least at a gain that is not significantly smaller.

    Args:
        forgetting: What is gained and forgotten.
        best: The arm with the largest gain.
        gains: The gain of each other arm less that of the best.
        titles: The arms in words.
        none: Begins the sentence if there is no such arm.
    """
    as_good = [arm for arm, gain in gains.items() if side_of(gain) == "inconclusive"]
    gentle = min(as_good, key=lambda arm: forgetting.forgetting(arm).mean, default=best)
    if forgetting.forgetting(gentle).mean >= forgetting.forgetting(best).mean:
        return (
            f"{none} that forgets less gains as much: each other gain is significantly smaller, or "
            "comes with as much forgetting."
        )
    old, new = ScoreWords(forgetting.score), ScoreWords(forgetting.new_score)
    less = forgetting.forgetting_difference(gentle, best)
    shown = "significantly less" if side_of(less) == "below" else "less, but inconclusively"
    title = f"Least forgetting at a gain not significantly smaller: {titles[gentle]}. It"
    return (
        f"{_arm_words(forgetting, gentle, title)} Against the largest gain it forgets {shown}, by "
        f"{old.difference(-less)}, and gains {_more_or_less(gains[gentle], new)}. The arms are "
        "chosen and measured on the same seeds."
    )


def _more_or_less(e: Estimate, words: ScoreWords) -> str:
    if e.mean < 0:
        return f"{words.difference(-e)} less"
    return f"{words.difference(e)} more"


def _arm_words(forgetting: Forgetting, arm: str, title: str) -> str:
    new, old = ScoreWords(forgetting.new_score), ScoreWords(forgetting.score)
    gain, lost, kept = forgetting.gain(arm), forgetting.forgetting(arm), forgetting.kept(arm)
    support = [f"n = {gain.n}", why_no_verdict(forgetting.results, gain, arm)]
    direction = "forgets" if lost.mean >= 0 else "improves by"
    return (
        f"{title} gains {new.difference(gain)} of {new.name} on the new task and {direction} "
        f"{old.difference(lost if lost.mean >= 0 else -lost)} of {old.name} on "
        f"{forgetting.name}, ending at {old.value(kept)} ({'; '.join(filter(None, support))})."
    )
