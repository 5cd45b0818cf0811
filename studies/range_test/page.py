"""The cost of following a range test, as tables for ``docs/advice.md`` and README, from records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

from learnorder.statistics import (
    SHARE,
    Estimate,
    Measured,
    adjusted_p,
    measure_difference,
    p_words,
    side_of,
    why_inconclusive,
)
from studies.common import markdown
from studies.range_test.rules import table

Record = dict[str, Any]
_POINT = 0.01
"""Negligible difference in accuracy."""


def by_seed(record: Record, rate: float, schedule: str) -> dict[int, float]:
    """Return the final accuracies of a learning rate, by seed."""
    arm = next(
        arm for arm in record["followed"] if (arm["rate"], arm["schedule"]) == (rate, schedule)
    )
    return {int(seed): value for seed, value in arm["by_seed"].items()}


def picked(record: Record) -> list[float | None]:
    """Return the median pick of each search's range test."""
    return [test["medians"][test["rule"]] for test in record["range_tests"]]


def pick_words(test: Record) -> str:
    """Return a range test's median pick and the range of its restarts' picks."""
    median = test["medians"][test["rule"]]
    picks = sorted(rate for rate in test["picks"][test["rule"]] if rate is not None)
    if median is None:
        return f"none ({len(picks)} of {len(test['restarts'])} restarts)"
    return f"{median:.2g} ({picks[0]:.2g} to {picks[-1]:.2g})"


def mean_of(arms: Iterable[dict[int, float]]) -> dict[int, float]:
    """Return the mean over arms by seed, for the seeds that all arms share."""
    arms = list(arms)
    shared = set.intersection(*(set(arm) for arm in arms)) if arms else set()
    return {seed: fmean(arm[seed] for arm in arms) for seed in sorted(shared)}


def costs(record: Record, chosen: Sequence[int]) -> list[Measured]:
    """Return the mean costs of following the picks of searches, paired by seed.

    The picks, annealed and constant, are compared with the searches' advice, then with the grid's
    best.
    """
    picks, advised = picked(record), record["advised"]
    rates = [(i, rate) for i in chosen if (rate := picks[i]) is not None]
    followed = {
        schedule: mean_of(by_seed(record, rate, schedule) for _, rate in rates)
        for schedule in ("annealed", "constant")
    }
    bases = (
        mean_of(by_seed(record, advised[i], "annealed") for i, _ in rates),
        by_seed(record, record["best"], "annealed"),
    )
    return [
        measure_difference(base, arm, within=SHARE) for base in bases for arm in followed.values()
    ]


def finder_table(titles: dict[str, str], records: dict[str, Record]) -> str:
    """Return the costs for each search and for all searches of a task, in Markdown."""
    rows, measured = [], []
    for name, record in records.items():
        tests = record["range_tests"]
        for number, test in enumerate(tests):
            rows.append([
                titles[name] if not number else "", pick_words(test),
                f"{record['advised'][number]:g}",
            ])  # fmt: skip
            measured.append(costs(record, [number]))
        picks = picked(record)
        count = sum(rate is not None for rate in picks)
        rows.append(["", f"all {count} that pick" if count < len(picks) else f"all {count}", ""])
        measured.append(costs(record, range(len(tests))))
    adjusted = iter(adjusted_p([cost for row_costs in measured for cost in row_costs]))
    for row, row_costs in zip(rows, measured, strict=True):
        row += [cost.estimate.format(100) for cost in row_costs]
        row.append(str(row_costs[0].estimate.n))
        row.append(", ".join(p_words(next(adjusted)) for _ in row_costs))
    columns = [
        "", "range test's pick (its restarts)", "advised", "annealed, against the advice",
        "constant, against the advice", "annealed, against the best", "constant, against the best",
        "n", "p (Holm)",
    ]  # fmt: skip
    return markdown(columns, rows)


def verdict(titles: dict[str, str], records: dict[str, Record]) -> str:
    """Return the comparison of picks and advice for each task, in sentences."""
    sentences = []
    for name, record in records.items():
        picks = picked(record)
        none, count = picks.count(None), len(picks)
        annealed, constant, *_ = costs(record, range(count))
        lost = sum(arm["n"] - len(arm["by_seed"]) for arm in record["followed"])
        words = (
            f"**{titles[name]}**: compared with the advice, the picks are "
            f"{_compared(annealed.estimate)} if annealed, and {_compared(constant.estimate)} if "
            "constant."
        )
        words += f" {none} of {count} range tests have no pick." if none else ""
        words += f" {lost} runs diverged, and their seeds are left out." if lost else ""
        sentences.append(words)
    return "\n\n".join(sentences)


def _compared(cost: Estimate) -> str:
    """Return the conclusion from a cost's interval, in words."""
    inconclusive = "neither significantly better nor worse"
    words = {"above": "worse", "below": "better", "inconclusive": inconclusive}[side_of(cost)]
    if words == inconclusive and not why_inconclusive(cost) and cost.high <= _POINT:
        words = "at most one point worse"
    return f"{words} (cost: {cost.format(100)} points, n = {cost.n})"


def rules_table(record: Record) -> str:
    """Return the cost of each rule on the tasks used to choose it, in Markdown."""
    rows, seen = [], set[str]()
    for rule, share, annealed, constant, none, _, *each in table(record):
        if rule not in seen:  # only the smoothing with the lowest cost
            rows.append([rule, share, annealed, constant, none, *each])
        seen.add(rule)
    columns = ["rule", "smoothing", "annealed", "constant", "no pick", *record]
    return markdown(columns, rows)


def readme_table(titles: dict[str, str], records: dict[str, Record]) -> str:
    """Return README's table of advised learning rates and range tests' picks, in Markdown."""
    rows = []
    for name, record in records.items():
        picks = picked(record)
        measured = costs(record, range(len(picks)))
        rows.append([
            titles[name],
            f"{record['best']:g}",
            _listed(record["advised"]),
            _listed(picks),
            *(cost.estimate.format(100) for cost in measured[:2]),
            str(measured[0].estimate.n),
        ])  # fmt: skip
    columns = [
        "", "grid's best", "advised", "range tests' picks", "cost if annealed", "cost if constant",
        "n",
    ]  # fmt: skip
    return markdown(columns, rows)


def _listed(rates: Iterable[float | None]) -> str:
    """Return distinct learning rates in ascending order, and the number without a pick."""
    rates = list(rates)
    distinct = sorted({float(f"{rate:.2g}") for rate in rates if rate is not None})
    none = rates.count(None)
    words = [f"{rate:g}" for rate in distinct] + [f"nothing ({none} of {len(rates)})"] * bool(none)
    return ", ".join(words)
