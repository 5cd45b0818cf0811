"""Which arms a page compares, and the comparisons of a score in sentences."""

from __future__ import annotations

from typing import Any

from learnorder.report.score_words import ScoreWords
from learnorder.report.titles import marked_titles
from learnorder.runs.results import RunSet, ScriptResults, TaskResults
from learnorder.statistics import FEWEST_SEEDS, Estimate, side_of, why_inconclusive

MOST_COMPARED = 4
"""The largest number of arms that are compared in sentences."""

BASELINE = "small"
"""The preferred baseline."""

VERDICT_NOTE = f"A verdict needs at least {FEWEST_SEEDS} seeds and a result of every run."
"""Said below tables of comparisons."""


def why_no_verdict(results: RunSet[Any], compared: Estimate, *arms: str) -> str:
    """Return why there is no verdict on a comparison; an empty string if there can be one.

    The three rules are those of :mod:`learnorder.statistics.verdicts`.

    Args:
        results: The runs.
        compared: The difference or the ratio.
        arms: The arms compared.
    """
    if any(results.lost(arm) for arm in arms):
        return "a verdict needs a result of every run"
    return why_inconclusive(compared)


def baselines(results: RunSet[Any]) -> dict[str, str]:
    """Return the baseline of each other arm.

    If several arms, such as large and small, share each combination of settings, each is compared
    with one of the same settings. Otherwise all arms are compared with one baseline.
    """
    arms, by_settings = results.arms, dict[str, dict[str, str]]()
    for arm in arms:
        labels = results.labels(arm)
        name = labels.pop("arm", "")
        by_settings.setdefault(repr(labels), {})[name] = arm
    groups = list(by_settings.values())
    comparable = sum(map(len, groups)) == len(arms) and min(map(len, groups)) > 1
    if BASELINE in arms or not comparable:
        baseline = BASELINE if BASELINE in arms else arms[0]
        return {arm: baseline for arm in arms if arm != baseline}
    pairs = dict[str, str]()
    for group in groups:
        baseline = group.get(BASELINE) or next(iter(group.values()))
        pairs |= {arm: baseline for arm in group.values() if arm != baseline}
    return pairs


def pairs_words(n: int) -> str:
    """Return the number of pairs in words.

    >>> pairs_words(1), pairs_words(6)
    ('n = 1 pair', 'n = 6 pairs')
    """
    return f"n = {n} pair{'s' * (n != 1)}"


def score_findings(results: TaskResults | ScriptResults, set_: str) -> list[str]:
    """Return by how much each arm ends better or worse than its baseline, in sentences.

    There is none for more than ``MOST_COMPARED`` arms.

    Args:
        results: The runs.
        set_: The set that the score is measured on, e.g. validation.
    """
    if not results.has_finished or len(results.arms) > MOST_COMPARED:
        return []
    (name, higher_is_better), titles = results.score(), marked_titles(results)
    words, sentences = ScoreWords(name), []
    for arm, baseline in baselines(results).items():
        e = results.final_difference(arm, baseline, set_, name)
        e = e if higher_is_better else -e
        if e.n == 0:
            continue
        pairs, why = pairs_words(e.n), why_no_verdict(results, e, arm, baseline)
        if not why and side_of(e) == "inconclusive":
            said = f"the difference between {titles[arm]} and {titles[baseline]} is inconclusive"
            said += f" ({words.difference(e)}, {pairs})"
        else:
            said = f"{titles[arm]} ends {words.gain(e)} than {titles[baseline]}"
            said += f" ({'; '.join(filter(None, [pairs, why]))})"
        sentences.append(f"Final {set_} {words.name}: {said}.")
    return sentences
