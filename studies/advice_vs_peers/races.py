"""The racing search beside the one without a race, for the page: regret, cost and verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import pyarrow.parquet as pq

from learnorder.statistics import POSITIVE, Measured, adjusted_p, estimate, p_words
from studies.advice_vs_peers.benchmarks import BENCHMARKS
from studies.advice_vs_peers.groups import GROUPS, group
from studies.advice_vs_peers.racing import RACES
from studies.advice_vs_peers.regret import Judged, Sample
from studies.common import markdown

TITLES = {
    "before": "without a race",
    "race": "race (default)",
    "race_former": "race, rungs as before",
    "race_quarter": "race, `--keep 0.25`",
    "race_half": "race, `--keep 0.5`",
    "race_2_short": "race, `--screening_seeds 2`",
    "race_3_seeds": "`--seeds 3`, one look",
}
CHOSEN_ON = ("cells", "texts", "digits_vit")
"""The tasks that the settings of the race were chosen on."""


def _rows(one: Judged) -> list[dict[str, Any]]:
    rows = pq.read_table(RACES).to_pylist()
    return [row for row in rows if (row["task"], row["target"]) == (one.name, one.target)]


def _sample(one: Judged, rows: Sequence[dict[str, Any]], kind: str) -> Sample:
    """Return the regrets of the searches of a kind."""
    groups = []
    for number in range(GROUPS + 1):
        truth = one.table.truth(group(BENCHMARKS[one.name], one.name, number).truth)
        own = [row for row in rows if (row["search_of"], row["group"]) == (kind, number)]
        groups.append(tuple(max(truth.values()) - truth[row["rate"]] for row in own))
    return Sample(groups[0], tuple(groups[1:]))


def _mean(rows: Sequence[dict[str, Any]], kind: str, *names: str) -> float:
    """Return the mean over the searches of a kind on all seeds of the sum of some counts."""
    own = [row for row in rows if (row["search_of"], row["group"]) == (kind, 0)]
    return fmean(sum(float(row[name]) for name in names) for row in own)


def race_tables(found: Sequence[Judged], titles: Sequence[str]) -> dict[str, str]:
    """Return the tables of the section on racing, and numbers in its prose, by name."""
    rows = [_rows(one) for one in found]
    samples = {
        kind: [_sample(one, own, kind) for one, own in zip(found, rows, strict=True)]
        for kind in TITLES
    }
    gaps = {
        kind: [a.minus(b).measured() for a, b in zip(own, samples["before"], strict=True)]
        for kind, own in samples.items()
        if kind != "before"
    }
    adjusted = adjusted_p([gap for own in gaps.values() for gap in own])
    p = {kind: adjusted[n * len(found) : (n + 1) * len(found)] for n, kind in enumerate(gaps)}
    ratios = {
        kind: [_mean(own, kind, "full_runs_all") / _mean(own, "before", "full_runs_all")
               for own in rows]
        for kind in TITLES
    }  # fmt: skip
    held = [n for n, one in enumerate(found) if one.name not in CHOSEN_ON]
    return {
        "races": _summary(rows, samples, gaps, ratios),
        "races_held": _summary(
            [rows[n] for n in held],
            {kind: [own[n] for n in held] for kind, own in samples.items()},
            {kind: [own[n] for n in held] for kind, own in gaps.items()},
            {kind: [own[n] for n in held] for kind, own in ratios.items()},
        ),
        "races_by_task": _by_task(titles, rows, samples, gaps["race"], p["race"]),
        "race_ratio": f"{100 * fmean(ratios['race']):.0f} %",
        "race_ratio_held": f"{100 * fmean(ratios['race'][n] for n in held):.0f} %",
        "race_gap": _over([gap.estimate.mean for gap in gaps["race"]]),
        "race_gap_held": _over([gaps["race"][n].estimate.mean for n in held]),
        "race_significant": str(sum(each < 0.05 for each in p["race"])),
        "race_count": str(len(found)), "race_tests": str(len(adjusted)),
    }  # fmt: skip


def _over(values: Sequence[float]) -> str:
    """Return the mean over tasks and targets with its t interval, in points."""
    return estimate(values).format(100, 2)


def _summary(
    rows: Sequence[list[dict[str, Any]]],
    samples: dict[str, list[Sample]],
    gaps: dict[str, list[Measured]],
    ratios: dict[str, list[float]],
) -> str:
    verdicts = ("worse", "as_good", "better", "undecided", "diverged")
    lines = []
    for kind, title in TITLES.items():
        per = {
            name: fmean(_mean(own, kind, name) for own in rows)
            for name in ("full_runs", "full_runs_all", "undecided", "band_has_best")
        }
        arms = fmean(_mean(own, kind, *verdicts) for own in rows)
        false = fmean(_mean(own, kind, "false_worse", "false_as_good") for own in rows)
        own = estimate([fmean(each.own) for each in samples[kind]], within=POSITIVE)
        gap = "–" if kind == "before" else _over([each.estimate.mean for each in gaps[kind]])
        lines.append([
            title, own.format(100, 2), gap, f"{per['full_runs']:.1f}",
            f"{per['full_runs_all']:.1f}", f"{100 * fmean(ratios[kind]):.0f} %", f"{arms:.1f}",
            f"{per['undecided']:.1f}", f"{false:.3f}", f"{100 * per['band_has_best']:.0f} %",
        ])  # fmt: skip
    columns = [
        "", "regret", "minus without", "full runs, rates", "full runs, all arms", "cost",
        "verdicts", "inconclusive", "wrong", "best in the band",
    ]  # fmt: skip
    return markdown(columns, lines)


def _by_task(
    titles: Sequence[str],
    rows: Sequence[list[dict[str, Any]]],
    samples: dict[str, list[Sample]],
    gaps: Sequence[Measured],
    p: Sequence[float],
) -> str:
    lines = []
    for n, title in enumerate(titles):
        cells = [title]
        for kind in ("before", "race"):
            cells += [
                f"{100 * fmean(samples[kind][n].own):.2f}",
                f"{_mean(rows[n], kind, 'full_runs_all'):.1f}",
            ]
        lines.append([*cells, gaps[n].estimate.format(100, 2), p_words(p[n])])
    columns = [
        "", "regret, without", "full runs", "regret, race", "full runs", "difference", "p (Holm)",
    ]  # fmt: skip
    return markdown(columns, lines)
