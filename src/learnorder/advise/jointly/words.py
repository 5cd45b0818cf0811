"""The findings about the best pair of two settings, in sentences."""

from __future__ import annotations

from collections.abc import Iterable

from learnorder.advise.along.references import references_for
from learnorder.advise.along.result import Pair
from learnorder.advise.along.words import (
    known_factor,
    lost_findings,
    number_words,
    optimum_findings,
)
from learnorder.advise.jointly.result import JointResult, slope_of
from learnorder.report.score_words import ScoreWords
from learnorder.report.setting_titles import setting_title
from learnorder.statistics import Estimate, side_of

_MOST_NAMED = 12
"""Most pairs that a sentence names."""


def joint_findings(result: JointResult) -> list[str]:
    """Return the findings in sentences."""
    sentences = [*_advice(result), *_end(result), *_band(result), *_ridge(result)]
    sentences += [*optimum_findings(result.searched), *lost_findings(result.searched)]
    return [*sentences, _cost(result)]


def pair_words(result: JointResult, pair: Pair) -> str:
    """Return a pair, e.g. "learning_rate 0.1 and weight_decay 0.001"."""
    value, rate = pair
    return f"learning_rate {rate:g} and {_name(result)} {number_words(value)}"


def _name(result: JointResult) -> str:
    return result.setting.rpartition(".")[2]


def _advice(result: JointResult) -> list[str]:
    """Return which pair to give, and by how much it is better than the baseline."""
    best, kept = pair_words(result, result.best()), pair_words(result, result.baseline)
    if (gain := result.gain()) is None:
        return [
            f"Keep {kept}: none of the {len(result.scores.by_arm)} pairs that were trained has a "
            "better mean."
        ]
    title, verdict = setting_title(result.setting), result.verdict()
    words = ScoreWords(result.searched.score)
    seeds = f"{len(result.settings.new_seeds)} new seeds"
    if verdict == "better":
        return [
            f"Use {best}: on {seeds}, this pair is {words.gain(gain)} than {kept}, the best at the "
            "baseline."
        ]
    lost = result.new_scores().diverged
    without = "have no score" if result.settings.along.search.is_script else "diverged"
    if verdict == "diverged":
        count = f"{lost(result.best())} of {len(result.settings.new_seeds)} runs"
        return [
            f"Keep {kept}: {best}, the best pair of the search, {without} in {count} on {seeds}."
        ]
    if verdict == "other_diverged":
        return [
            f"Nothing is advised: {kept}, the best at the baseline, {without} in "
            f"{lost(result.baseline)} runs on {seeds}, so {best} is not compared with it."
        ]
    if verdict == "worse":
        return [
            f"Keep {kept}: {best}, the best pair of the search, is {words.gain(gain)} on {seeds}."
        ]
    return [
        f"Keep {kept}: that tuning the {title} too makes a difference was not shown. On "
        f"{seeds}, {best}, the best pair of the search, is {words.gain(gain)}; "
        f"{_excluded(gain, words, result.new_scores().tolerance)}"
    ]


def _excluded(gain: Estimate, words: ScoreWords, tolerance: float) -> str:
    amount = words.amount(tolerance)
    if side_of(gain, tolerance) == "below":
        return f"a gain of {amount} or more is excluded."
    return f"a gain of {amount} or more is not excluded, and more seeds would tell."


def _end(result: JointResult) -> list[str]:
    """Return that the best value is at an end of those given."""
    value, values = result.best()[0], result.settings.along.values
    if value not in (values[0], values[-1]) or value == 0:
        return []
    end, way = ("smallest", "smaller") if value == values[0] else ("largest", "larger")
    return [
        f"The best pair has the {end} {setting_title(result.setting)} of those given: a {way} one "
        "may be better. The same folder can have more values."
    ]


def _band(result: JointResult) -> list[str]:
    """Return the pairs that are not significantly worse than the best, and those as good."""
    band, good, every = result.band(), result.as_good(), len(result.scores.by_arm)
    words, n = ScoreWords(result.searched.score), len(result.settings.search_seeds)
    named = f": {pairs_words(band)}" if len(band) <= _MOST_NAMED else ""
    return [
        f"In the search, {len(band)} of {every} pairs are not significantly worse than the best "
        f"(n = {n} seeds, paired){named}. Shown to be as good, to "
        f"{words.amount(result.scores.tolerance)}: {len(good)}, the best included."
    ]


def pairs_words(pairs: Iterable[Pair]) -> str:
    """Return pairs by value, the learning rates after it.

    >>> pairs_words([(0.001, 0.1), (0.001, 0.3), (0.003, 0.1)])
    '0.001 with 0.1, 0.3; 0.003 with 0.1'
    """
    by_value = dict[float, list[str]]()
    for value, rate in pairs:
        by_value.setdefault(value, []).append(f"{rate:g}")
    return "; ".join(f"{number_words(v)} with {', '.join(rates)}" for v, rates in by_value.items())


def _ridge(result: JointResult) -> list[str]:
    """Return the slope of the ridge, and which rules its interval includes."""
    found, title = result.searched, setting_title(result.setting)
    known, drift = known_factor(found), found.drift
    if known is None or drift is None:
        return [
            "The slope of the ridge is not determined: fewer than two optima lie inside the grid "
            "of learning rates."
        ]
    span = f"{number_words(drift.values[0])} to {number_words(drift.values[-1])}, n = {known.n}"
    if not drift.bounded:
        return [
            f"The slope of the ridge is not determined ({title} {span} seeds): the scores near the "
            "optima are too flat for their spread over seeds."
        ]
    slope = slope_of(known)
    rules = references_for(result.settings.along.search, result.setting)
    names = {0.0: ["no move"]}
    for rule in rules:
        each = round(slope_of(Estimate(rule.factor, 1, 1, 1)).mean, 9)
        names.setdefault(each, []).append(rule.name)
    includes = ", ".join(
        f"{'includes' if slope.low <= each <= slope.high else 'excludes'} "
        f"{signed(each)} ({'; '.join(rules_of)})"
        for each, rules_of in names.items()
    )
    return [
        f"Along the ridge, d log(learning rate)/d log({title}) is {slope.format(digits=2)} "
        f"({title} {span} seeds). The interval {includes}."
    ]


def signed(x: float) -> str:
    """Return a number with a minus sign.

    >>> signed(-1.0), signed(0.5)
    ('−1', '0.5')
    """
    return f"{x:.2g}".replace("-", "−")


def _cost(result: JointResult) -> str:
    runs, every = result.counts()
    return f"It took {runs} runs instead of {every} with every learning rate at every value."
