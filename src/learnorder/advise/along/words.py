"""The findings about learning rates along a setting, in sentences."""

from __future__ import annotations

import math

from learnorder.advise.along.optimum import Optimum
from learnorder.advise.along.references import references_for
from learnorder.advise.along.result import AlongResult, rate_interval
from learnorder.report.setting_titles import setting_title
from learnorder.statistics import Estimate, side_of


def along_findings(result: AlongResult) -> list[str]:
    """Return the findings in sentences."""
    parts = (_drift, _bounds, optimum_findings, _prediction, _references, lost_findings)
    return [sentence for part in parts for sentence in part(result)]


def optimum_findings(result: AlongResult) -> list[str]:
    """Return the optima, and what keeps them from lying on a power law, in sentences."""
    parts = (_optima, _open, _lopsided, _bend)
    return [sentence for part in parts for sentence in part(result)]


def value_words(result: AlongResult, value: float) -> str:
    """Return a value with the setting's title, e.g. "width 64" or "10 epochs"."""
    shown, title = number_words(value), setting_title(result.setting)
    return f"{shown} {title}" if title == "epochs" else f"{title} {shown}"


def number_words(value: float) -> str:
    """Return a value of a setting, with commas.

    >>> number_words(4096), number_words(0.0005), number_words(1234567)
    ('4,096', '0.0005', '1,234,567')
    """
    return f"{value:,}" if isinstance(value, int) else f"{value:,g}"


def factor_words(result: AlongResult) -> str:
    """Return the factor with each doubling, e.g. "×0.70 [0.61, 0.80]"; – if there is none."""
    return "–" if result.drift is None else factor_interval(result.drift.factor)


def known_factor(result: AlongResult) -> Estimate | None:
    """Return the factor with its interval, which also covers the tops of lopsided curves."""
    if result.drift is None:
        return None
    e, bounds = result.drift.factor, result.shape_bounds()
    if bounds is None:
        return e
    return Estimate(e.mean, min(e.low, bounds[0]), max(e.high, bounds[1]), e.n)


def factor_interval(e: Estimate) -> str:
    """Return a factor with its interval.

    >>> factor_interval(Estimate(0.7, 0.61, 0.804, 5)), factor_interval(Estimate(1.0, 0, 20, 5))
    ('×0.70 [0.61, 0.80]', '×1.00 [–, 20.00]')
    """
    low, high = (factor_text(end)[1:] or "–" for end in (e.low, e.high))
    return f"{factor_text(e.mean)} [{low}, {high}]"


def factor_text(x: float) -> str:
    """Return a factor; an empty string if it is 0 or ∞.

    >>> factor_text(0.5), factor_text(0.0123)
    ('×0.50', '×0.012')
    """
    if not 0 < x < math.inf:
        return ""
    return f"×{x:.2f}" if 0.1 <= x < 100 else f"×{x:.2g}"


def standing_words(result: AlongResult, value: float) -> str:
    """Return why there is no optimum at a value, or between which learning rates it lies."""
    optimum = result.optima[value]
    if optimum.lopsided:
        return "lopsided: the top may be anywhere between the neighbours of the best"
    return {
        "inside": "",
        "smallest": "the best is the smallest: the optimum may be smaller",
        "largest": "the best is the largest: the optimum may be larger",
        "tied": "the best and its neighbours have the same mean",
        "diverged": "the best or a neighbour has runs without a score",
    }[optimum.standing]


def _drift(result: AlongResult) -> list[str]:
    """Return whether the optimum moves."""
    title, drift = setting_title(result.setting), result.drift
    if drift is None:
        return [
            "Whether the best learning rate moves is not determined: only "
            f"{sum(each.standing == 'inside' for each in result.optima.values())} of "
            f"{len(result.values)} optima lie inside the grid of learning rates, and a slope needs "
            "two."
        ]
    shown, e = factor_words(result), drift.factor
    ends = f"{number_words(drift.values[0])} to {number_words(drift.values[-1])}"
    span = f"{title} {ends}, n = {e.n} seeds"
    if not drift.bounded:
        return [
            f"Whether the best learning rate moves is not determined: {shown} with each doubling "
            f"of {title} ({span}). The scores near the optimum are too flat for their spread over "
            "seeds: more seeds are needed, or learning rates farther apart."
        ]
    known = known_factor(result)
    assert known is not None
    side = side_of(known, 1.0)
    if side == "inconclusive" and side_of(e, 1.0) != side:
        return [
            f"Whether the best learning rate moves is not determined: {shown} with each doubling "
            f"of {title} ({span}), but the curves are too lopsided to say where their tops are."
        ]
    if side == "inconclusive":
        return [
            f"No drift found: with each doubling of {title} the best learning rate changes by "
            f"{shown}, which includes ×1 ({span})."
        ]
    word, bounds, also = "falls" if side == "below" else "rises", result.shape_bounds(), ""
    if bounds is not None:
        low, high = map(factor_text, bounds)
        also = f" Lopsided curves leave it between {low} and {high}."
    return [
        f"The best learning rate {word} with {title}: {shown} with each doubling ({span}).{also}"
    ]  # fmt: skip


def _bounds(result: AlongResult) -> list[str]:
    """Return the bound of the drift, if an optimum is not inside the grid."""
    if all(each.standing == "inside" for each in result.optima.values()):
        return []
    low, high = result.factor_bounds()
    if result.drift is not None:  # a bound that is inside the interval
        e = result.drift.factor
        low, high = low if low > e.low else 0.0, high if high < e.high else math.inf
    ends = [f"at least {factor_text(low)}"] * (low > 0)
    ends += [f"at most {factor_text(high)}"] * (high < math.inf)
    if not ends:
        return []
    return [
        f"With the other values too, the factor with each doubling is {' and '.join(ends)}. This "
        "bound is from the learning rates that are significantly worse than the best at each "
        "value, and holds if the score has a single peak over the learning rate and the optimum "
        "follows a power law."
    ]


def _optima(result: AlongResult) -> list[str]:
    """Return the optimum at each value that has one."""
    shown = [
        f"{rate_interval(optimum.at)} at {value_words(result, value)}"
        for value, optimum in result.optima.items()
        if optimum.standing == "inside"
    ]
    return [f"Optimum: {'; '.join(shown)}."] if shown else []


def _open(result: AlongResult) -> list[str]:
    """Return the values without an optimum, and what is known of it."""
    sentences = list[str]()
    for value, optimum in result.optima.items():
        if optimum.standing == "inside":
            continue
        remedy = {
            "smallest": " Add smaller learning rates, in a new folder: all runs are annealed to "
                        "the smallest.",
            "largest": " Add larger learning rates: the same folder can have more.",
        }.get(optimum.standing, "")  # fmt: skip
        sentences.append(
            f"No optimum at {value_words(result, value)}, and it is not in the slope: "
            f"{standing_words(result, value)}. {between_words(optimum)}{remedy}"
        )
    return sentences


def between_words(optimum: Optimum) -> str:
    """Return between which learning rates an optimum lies, if the score has a single peak."""
    ends = [f"above {optimum.above:g}"] * (optimum.above > 0)
    ends += [f"below {optimum.below:g}"] * (optimum.below < math.inf)
    if not ends:
        return "No learning rate is significantly worse, so nothing bounds it."
    return f"If the score has a single peak, it is {' and '.join(ends)}."


def _lopsided(result: AlongResult) -> list[str]:
    """Return the values at which the parabola does not have the shape of the scores."""
    bounds = result.shape_bounds()
    if bounds is None:
        return []
    values = [value_words(result, v) for v, each in result.optima.items() if each.lopsided]
    low, high = map(factor_text, bounds)
    return [
        f"The score falls much more steeply on one side of its top at {', '.join(values)}. There "
        "the vertex is near the middle between two learning rates wherever the top is, and no "
        "interval here covers that. With these tops anywhere between the neighbours of the best, "
        f"the factor with each doubling is between {low} and {high}. Learning rates closer "
        "together narrow it."
    ]


def _bend(result: AlongResult) -> list[str]:
    """Return whether the optima deviate from a power law."""
    drift = result.drift
    if drift is None:
        return []
    if drift.bend is None:
        return ["Two values cannot show whether the optimum follows a power law."]
    if not bends(result):
        return []
    side = side_of(drift.bend)
    way = "upwards" if side == "above" else "downwards"
    return [
        f"The optima do not follow a power law: on logarithmic axes their line bends {way} "
        f"(coefficient {drift.bend.format(digits=3)} of the square). Its slope is an average over "
        "these values, and nothing is extrapolated from it."
    ]


def bends(result: AlongResult) -> bool:
    """Return whether the optima significantly deviate from a power law, not by their shape."""
    drift = result.drift
    if drift is None or drift.bend is None or result.shape_bounds() is not None:
        return False
    return side_of(drift.bend) != "inconclusive"


def extrapolates(result: AlongResult) -> bool:
    """Return whether the power law may be used beyond the values."""
    return result.drift is not None and not bends(result) and result.shape_bounds() is None


def _prediction(result: AlongResult) -> list[str]:
    value = result.settings.predict
    if value is None:
        return []
    at = value_words(result, value)
    predicted = result.predict(value) if extrapolates(result) else None
    if predicted is None:
        why = "it needs two optima"
        if result.drift is not None:
            why = "the optima do not follow one" if bends(result) else "curves are lopsided"
        return [f"Nothing is predicted for {at} by a power law: {why}."]
    if not (predicted.low > 0 and predicted.high < math.inf):
        return [f"Nothing is predicted for {at}: the drift is too uncertain."]
    return [
        f"Extrapolated to {at}: {rate_interval(predicted)}. This is a factor of "
        f"{value / result.values[-1]:.3g} beyond the runs, and right only if the same power law "
        "holds there, which these runs cannot show. The interval covers seeds alone."
    ]


def _references(result: AlongResult) -> list[str]:
    """Return how the drift compares with published rules."""
    rules, e = references_for(result.settings.search, result.setting), known_factor(result)
    if e is None or not (e.low > 0 and e.high < math.inf) or not rules:
        return []
    parts = [
        f"{factor_text(rule.factor)} ({rule.name}) is "
        f"{'inside' if e.low <= rule.factor <= e.high else 'outside'}"
        for rule in rules
    ]
    between = "interval" if result.shape_bounds() is None else "bounds"
    return [
        f"Published rules beside the {between} of the factor: {'; '.join(parts)}. They are limits "
        "of very large networks or simplifications of training; finite networks differ."
    ]


def lost_findings(result: AlongResult) -> list[str]:
    """Return the learning rates with runs without a score."""
    sentences = []
    for value in result.values:
        lost = [
            f"{rate:g} ({words})"
            for rate in result.learning_rates()
            if (words := result.diverged_words(value, rate))
        ]
        if lost:
            reason = next(iter(result.reasons.get(value, {}).values()), "")
            why = f" The first reason: {reason}." if reason else ""
            sentences.append(f"At {value_words(result, value)}: {', '.join(lost)}.{why}")
    return sentences
