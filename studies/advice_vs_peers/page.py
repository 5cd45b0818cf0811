"""``docs/advice-vs-peers.md`` and its pictures, from the records in ``results/advice_vs_peers``.

``python -m studies.pages`` writes them. The records are made by ``studies.advice_vs_peers.measure``
(the tables), ``.finders``, ``.replay`` and ``.racing``, in this order; none of the peers' packages
is needed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from statistics import fmean, geometric_mean, median
from typing import Any

import pyarrow.parquet as pq

from learnorder.statistics import (
    POINTS,
    POSITIVE,
    REAL,
    Measured,
    Range,
    adjusted_p,
    estimate,
    measure_mean,
    p_words,
    side_of,
)
from studies.advice_vs_peers.figures import curves_figure, mean_scores, regret_figure, stops_figure
from studies.advice_vs_peers.groups import GROUPS
from studies.advice_vs_peers.measure import RECORDS
from studies.advice_vs_peers.races import race_tables
from studies.advice_vs_peers.regret import ADVICE, Judged, judged, measured_tasks
from studies.advice_vs_peers.table import Table
from studies.advice_vs_peers.words import CHOOSERS, SEARCHING, STOPPING
from studies.common import Page, fill_template, image, markdown, title_of

TEMPLATE = Path(__file__).with_name("advice-vs-peers.md.in")
BUDGETS = {"full": "the default search", "small": "a small search"}
SHOWN = ("cells", "cifar_convnet", "cifar_wrn")
"""The tasks whose scores over the epochs are drawn: the first one, and two on CIFAR-10."""
BELOW, ABOVE = 4, 3
"""Steps of the grid to the learning rates that are drawn besides the best one."""
RISKY = 0.5623
"""A learning rate of the cells at which many runs diverge."""
LOST = {
    **dict.fromkeys(("cells", "diabetes", "cifar_wrn"), STOPPING),
    **dict.fromkeys(("digits_vit", "cifar_wrn_adamw"), ("tpe_median",)),
}
"""The tasks and choosers whose share of searches that lost the best rate is in the prose."""
OPTUNA, RAY = "5.0.0", "2.60.0"
"""The versions that the searches in the records were made with."""
Key = tuple[str, str, str, str]
"""Task, target, budget, chooser."""


def title(one: Judged) -> str:
    """Return the title of a task, with what it is judged by if that is not the usual."""
    suffix = {"score": "", "worst_group": ", worst group"}[one.target]
    return f"{one.table.benchmark.title}{suffix}"


def differences(found: Sequence[Judged]) -> tuple[dict[Key, Measured], dict[Key, float]]:
    """Return the regret of each chooser minus that of the advice, and p-values after Holm.

    Choosers that do not search, and range tests, are compared with the default search.
    """
    measured = dict[Key, Measured]()
    for one in found:
        for name in CHOOSERS:
            for budget in BUDGETS if name in SEARCHING else ("full",):
                if name != ADVICE:
                    key = (one.name, one.target, budget, name)
                    measured[key] = one.against_advice(budget, name)
    adjusted = adjusted_p(list(measured.values()))
    return measured, dict(zip(measured, adjusted, strict=True))


def _thrown(one: Judged, budget: str, name: str) -> tuple[float, float | None] | None:
    """Return the share of searches that threw the best rate away, and where in the schedule."""
    rows = one.searches.get((budget, name), [])
    if not rows:
        return None
    places = [row["best_thrown_at"] for row in rows if row["best_thrown_at"] is not None]
    return len(places) / len(rows), fmean(places) if places else None


def thrown_words(one: Judged, budget: str, name: str) -> str:
    """Return "57 % at 8 %": how many searches threw the best rate away, and at which epoch."""
    if name not in SEARCHING:
        return "–"
    thrown = _thrown(one, budget, name)
    assert thrown is not None
    share, place = thrown
    return f"{100 * share:.0f} %" + ("" if place is None else f" at {100 * place:.0f} %")


def over_tasks(values: Sequence[float], within: Range = REAL) -> str:
    """Return the mean over tasks with its t interval over tasks, in points."""
    return estimate(values, within=within).format(100, 2)


def summary(
    found: Sequence[Judged], budget: str, measured: Mapping[Key, Measured], p: Mapping[Key, float]
) -> str:
    """Return the choosers over all tasks with a budget, in Markdown."""
    tasks = [one for one in found if one.target == "score"]
    rows = []
    for name, about in CHOOSERS.items():
        if name not in SEARCHING and budget != "full":
            continue
        own = [fmean(one.sample(budget, name).own) for one in tasks]
        advice = [fmean(one.sample(budget, ADVICE).own) for one in tasks]
        gaps = [a - b for a, b in zip(own, advice, strict=True)]
        keys = [(one.name, one.target, budget, name) for one in found]
        worse, better = (
            sum(side_of(measured[key].estimate) == side and p[key] < 0.05 for key in keys)
            if name != ADVICE
            else None
            for side in ("above", "below")
        )
        thrown = [_thrown(one, budget, name) for one in tasks]
        known = [share for one in thrown if one is not None for share in (one[0],)]
        rows.append([
            about.title, over_tasks(own, POSITIVE), "–" if name == ADVICE else over_tasks(gaps),
            "–" if worse is None else f"{worse} / {better}",
            f"{100 * fmean(known):.0f} %" if name in SEARCHING else "–",
            _cost(tasks, budget, name),
        ])  # fmt: skip
    columns = [
        "", "regret", "minus that of advise", f"worse / better, of {len(found)}",
        "threw the best rate away", "full runs",
    ]  # fmt: skip
    return markdown(columns, rows)


def _cost(tasks: Sequence[Judged], budget: str, name: str) -> str:
    """Return the mean epochs of a search in units of full runs."""
    costs = []
    for one in tasks:
        rows = one.searches.get((budget, name)) or one.searches.get(("none", name), [])
        if rows:
            costs.append(fmean(row["epochs"] for row in rows) / one.table.benchmark.epochs)
    return f"{fmean(costs):.1f}" if costs else "0"


def tasks_table(found: Sequence[Judged]) -> str:
    """Return the tasks, in Markdown."""
    rows = []
    for one in found:
        benchmark, truth = one.table.benchmark, one.table.truth()
        grid, best = benchmark.grid(), one.table.best()
        full = [
            run.seconds
            for (_, epochs, _), run in one.table.runs.items()
            if epochs == benchmark.epochs and run.finished
        ]
        near = [rate for rate in grid if truth[rate] > truth[best] - 0.01]
        cost = fmean(row["epochs"] for row in one.searches["full", ADVICE])
        rows.append([
            title(one), f"{grid[0]:.2g} to {grid[-1]:.2g} ({len(grid)})", str(benchmark.epochs),
            one.table.quantity.replace("_", " "), f"{100 * truth[best]:.1f}", f"{best:.2g}",
            f"{near[0]:.2g} to {near[-1]:.2g}",
            f"{benchmark.truth} / {benchmark.pool}", f"{median(full):.1f}",
            f"{median(full) * cost / benchmark.epochs / 60:.1f}",
        ])  # fmt: skip
    columns = [
        "", "learning rates", "epochs", "judged by", "best", "at", "within a point",
        "seeds: truth / pool", "seconds a run", "minutes a search",
    ]  # fmt: skip
    return markdown(columns, rows)


def task_table(one: Judged, measured: Mapping[Key, Measured], p: Mapping[Key, float]) -> str:
    """Return the regret of all choosers on a task, in Markdown."""
    rows = []
    for name, about in CHOOSERS.items():
        cells = [about.title]
        for budget in BUDGETS:
            if name not in SEARCHING and budget != "full":
                cells += ["–"] * 4
                continue
            key = (one.name, one.target, budget, name)
            cells.append(one.regret(budget, name).format(100, 2))
            cells.append("–" if name == ADVICE else measured[key].estimate.format(100, 2))
            cells.append("–" if name == ADVICE else p_words(p[key]))
            cells.append(thrown_words(one, budget, name))
        rows.append(cells)
    part = ["minus advise", "p (Holm)", "best thrown away"]
    return markdown(["", "regret", *part, "regret, small", *part], rows)


def pruning(found: Sequence[Judged], pruner: str, budget: str = "full") -> Measured:
    """Return Optuna's regret with a pruner minus that without, over tasks."""
    gaps = {
        number: fmean(one.sample(budget, pruner).minus(one.sample(budget, "tpe")).own)
        for number, one in enumerate(one for one in found if one.target == "score")
    }
    return measure_mean(gaps, 0.0, POINTS)


def significant(
    found: Sequence[Judged], measured: Mapping[Key, Measured], p: Mapping[Key, float]
) -> str:
    """Return the searches that differ significantly from the advice, in a sentence."""
    titles = {(one.name, one.target): title(one) for one in found}
    keys = [key for key in measured if key[3] in SEARCHING]
    listed = [
        f"{CHOOSERS[name].title} on {titles[task, target]} with {BUDGETS[budget]}, by "
        f"{measured[task, target, budget, name].estimate.format(100, 2)} points"
        for task, target, budget, name in keys
        if p[task, target, budget, name] < 0.05
    ]
    words = f"Of {len(keys)} comparisons of single tasks with the other searches, {len(listed)} "
    words += "is" if len(listed) == 1 else "are"
    return f"{words} significant{': ' if listed else ''}{'; '.join(listed)}"


def without_search(
    found: Sequence[Judged], measured: Mapping[Key, Measured], p: Mapping[Key, float]
) -> str:
    """Return on how many tasks a chooser without a search is significantly worse, in a sentence."""
    counts = []
    for name, about in CHOOSERS.items():
        if about.kind in ("none", "range"):
            keys = [(one.name, one.target, "full", name) for one in found]
            worse = sum(p[key] < 0.05 and measured[key].estimate.mean > 0 for key in keys)
            counts.append(f"{about.title} on {worse}")
    return (
        f"Of the {len(found)} tasks and targets, these are significantly worse than the default "
        f"search: {', '.join(counts)}. On the others the difference is not significant."
    )


def _next_larger(table: Table) -> float:
    """Return the learning rate of the grid above the best one."""
    grid = table.benchmark.grid()
    return grid[grid.index(table.best()) + 1]


def risks(found: Sequence[Judged]) -> dict[str, str]:
    """Return the numbers about learning rates that end well on some seeds only, by name."""
    by_name = {one.name: one for one in found if one.target == "score"}
    cells, tuned = by_name["cells"].table, by_name["finetuning"].table
    full = cells.benchmark.epochs
    runs = [run for (rate, epochs, _), run in cells.runs.items() if (rate, epochs) == (RISKY, full)]
    filled = dict[str, str]()
    for key, table in (("vit", by_name["digits_vit"].table), ("tuned", tuned)):
        truth, best = table.truth(), table.best()
        filled[f"{key}_rate"] = f"{_next_larger(table):.2g}"
        filled[f"{key}_drop"] = f"{100 * (truth[best] - truth[_next_larger(table)]):.0f}"
    seeds = (*tuned.benchmark.truth_seeds(), *tuned.benchmark.pool_seeds())
    finals = [tuned.final(_next_larger(tuned), seed) for seed in seeds]
    return filled | {
        "tuned_low": f"{100 * min(finals):.0f}",
        "tuned_high": f"{100 * max(finals):.0f}",
        "risky": f"{RISKY:.2g}",
        "lost": f"{sum(not run.finished for run in runs)} of {len(runs)}",
    }


def numbers(
    found: Sequence[Judged], measured: Mapping[Key, Measured], p: Mapping[Key, float]
) -> dict[str, str]:
    """Return the numbers in the page's prose, by name."""
    tasks = [one for one in found if one.target == "score"]
    filled = {
        "tasks": str(len(tasks)), "groups": str(GROUPS), "freedom": str(GROUPS - 1),
        "searches": str(len(found[0].searches["full", ADVICE])),
        "shortest": str(min(one.table.benchmark.epochs for one in found)),
        "longest": str(max(one.table.benchmark.epochs for one in found)),
        "optuna": OPTUNA, "ray": RAY,
        "median": pruning(found, "tpe_median").estimate.format(100, 2),
        "hyperband": pruning(found, "tpe_hyperband").estimate.format(100, 2),
        "significant": significant(found, measured, p),
        "without": without_search(found, measured, p),
        "comparisons": str(len(measured)),
        "intervals": str(len(measured) // len(found)),
    }  # fmt: skip
    for name in (ADVICE, "grid", "tpe", "learnorder_range"):
        own = [fmean(one.sample("full", name).own) for one in tasks]
        filled[f"regret_{name}"] = over_tasks(own, POSITIVE)
    for budget, name in product(BUDGETS, ("grid", "random", "tpe", "tpe_median", "asha")):
        gaps = [fmean(one.sample(budget, name).minus(one.sample(budget, ADVICE)).own)
                for one in tasks]  # fmt: skip
        filled[f"gap_{budget}_{name}"] = over_tasks(gaps)
    filled |= risks(found)
    for one in found:
        for name in LOST.get(one.name, ()):
            thrown = _thrown(one, "full", name)
            assert thrown is not None
            filled[f"{one.name}_{name}"] = f"{100 * thrown[0]:.0f} %"
    return filled


def direction_table(found: Sequence[Judged]) -> str:
    """Return how often the best rate was thrown away, and the way the choice errs, in Markdown."""
    names = (ADVICE, "tpe", *STOPPING)
    rows = []
    for one in found:
        cells = [title(one), f"{one.table.best():.2g}"]
        for name in names:
            chosen = [row["rate"] for row in one.searches["full", name] if row["rate"] is not None]
            factor = geometric_mean(chosen) / one.table.best()
            words = thrown_words(one, "full", name)
            cells.append(f"{words}; ×{factor:.2g}")
        rows.append(cells)
    return markdown(["", "best", *(CHOOSERS[name].title for name in names)], rows)


def rates_shown(one: Judged) -> tuple[float, float, float]:
    """Return a learning rate below the best one of a task, the best, and one above."""
    grid, best = one.table.benchmark.grid(), one.table.best()
    place = grid.index(best)
    return grid[max(0, place - BELOW)], best, grid[min(len(grid) - 1, place + ABOVE)]


def stops_table(shown: Sequence[Judged], stops: Sequence[Mapping[str, Any]]) -> str:
    """Return what the pruners do to the learning rates that are drawn, in Markdown."""
    rows = []
    for one in shown:
        for rate in rates_shown(one):
            cells = [title(one), f"{rate:.2g}", f"{100 * one.table.truth()[rate]:.1f}"]
            half = one.table.benchmark.epochs // 2
            cells.append(f"{100 * mean_scores(one, rate)[half - 1]:.1f}")
            for name in STOPPING:
                keys = (one.name, one.target, "full", name, rate)
                row = next(row for row in stops if _key(row) == keys)
                cells.append(f"{100 * row['by_half'] / row['trials']:.0f} %")
            rows.append(cells)
    columns = ["", "learning rate", "at the end", "before the anneal"]
    return markdown([*columns, *(CHOOSERS[name].title for name in STOPPING)], rows)


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    names = ("task", "target", "budget", "chooser", "learning_rate")
    return tuple(row[name] for name in names)


def page() -> Page:
    """Return the page and its pictures."""
    found = [judged(name, target) for name, target in measured_tasks()]
    measured, p = differences(found)
    titles = [title(one) for one in found]
    stops = pq.read_table(RECORDS / "stops.parquet").to_pylist()
    shown = [one for one in found if one.name in SHOWN]
    rates = [rates_shown(one) for one in shown]
    figures = {
        "advice-vs-peers-regret": regret_figure(found, titles, "full"),
        "advice-vs-peers-stops": stops_figure(found, titles, stops),
        "advice-vs-peers-curves": curves_figure(shown, [title(one) for one in shown], rates),
    }
    sections = [
        f"## {name[0].upper()}{name[1:]}\n\n{task_table(one, measured, p)}\n"
        for name, one in zip(titles, found, strict=True)
    ]
    filled = {
        **numbers(found, measured, p),
        **race_tables(found, titles),
        "table": tasks_table(found),
        "full": summary(found, "full", measured, p),
        "small": summary(found, "small", measured, p),
        "sections": "\n".join(sections),
        "directions": direction_table(found),
        "stops": stops_table(shown, stops),
        **{
            name.rpartition("-")[2] + "_picture": image(name, title_of(figure))
            for name, figure in figures.items()
        },
    }
    text = fill_template(TEMPLATE, filled)
    return Page(texts={"docs/advice-vs-peers.md": text}, pictures=figures)
