"""The cost of following a range test, relative to the advice and to the grid's best.

``python -m studies.range_test.measure`` makes a range test for each search of
``studies/advice/measure.py``, starting at the search's first seed. It trains the picks on seeds
that no search used, annealed as by ``advise`` and constant, and writes
``results/advice/range_tests.json``. Runs are in ``runs/range_test``. If interrupted, the same
command continues. The advised learning rates and the grid's best are taken from the records in
``results/advice`` and trained on the same seeds as the picks, so all comparisons are paired.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from learnorder.advise.plans import make_problem
from learnorder.advise.range_rules import RULE, RULES
from learnorder.advise.range_test import RESTARTS, range_test
from learnorder.advise.settings import Candidate, LRSearch
from learnorder.execution.driver import Plan, run_plans
from learnorder.runs import RunFolder, require_ended
from learnorder.runs.execute import arithmetic
from learnorder.runs.judged import final_score
from studies.advice.measure import Judged, searches
from studies.common import RESULTS, ROOT, names_chosen

RECORD = RESULTS / "advice" / "range_tests.json"
SEEDS = {"cifar_wrn": 5}
"""Number of seeds for the picks, if not that of the search's evaluation."""


def tested(search: LRSearch) -> dict[str, Any]:
    """Return the range test of a search, and the picks of each rule."""
    smallest = search.rates()[0]
    config = search.training_run(Candidate(smallest, search.plateau), smallest, 2, 0)
    first = search.first_seed
    with arithmetic(1):
        test = range_test(
            config.training, make_problem(config), seeds=range(first, first + RESTARTS)
        )
    picks = {rule: [restart.pick(rule) for restart in test.restarts] for rule in RULES}
    medians = {rule: test.median(rule) for rule in RULES}
    return {"rule": RULE, "picks": picks, "medians": medians, **asdict(test)}


def followed(judged: Judged, arms: set[tuple[float, str]], name: str) -> list[dict[str, Any]]:
    """Train learning rates at full length, annealed or constant; return their accuracies."""
    search, plans = judged.grid(), dict[str, Plan]()
    smallest, epochs = search.rates()[0], search.training.epochs
    seeds = range(search.first_seed, search.first_seed + SEEDS.get(name, judged.seeds))
    named = {arm: f"{arm[0]:.4g}-{arm[1]}" for arm in sorted(arms)}
    for (rate, schedule), folder in named.items():
        end = rate if schedule == "constant" else smallest
        for seed in seeds:
            config = search.training_run(Candidate(rate, search.plateau), end, epochs, seed)
            labels = {"experiment": "advise", "arm": schedule, "learning_rate.initial": f"{rate:g}"}
            plans[f"{folder}-seed{seed}"] = Plan(config, labels)
    folders = run_plans(plans, ROOT / "runs" / "range_test" / name, title=name)
    require_ended(folders, "so there is nothing to compare it by")
    by_plan: dict[str, RunFolder] = dict(zip(plans, folders, strict=True))
    results = []
    for (rate, schedule), folder in named.items():
        ended = {seed: by_plan[f"{folder}-seed{seed}"] for seed in seeds}
        scores = {
            s: final_score(run) for s, run in ended.items() if run.read_status() == "finished"
        }
        results.append({"rate": rate, "schedule": schedule, "n": len(seeds), "by_seed": scores})
    return results


def measured(name: str, judged: Judged, record: dict[str, Any]) -> dict[str, Any]:
    """Return range tests, and the accuracies of their picks, the advice and the grid's best."""
    tests = [tested(search) for search in judged.repeated()]
    best = max(record["grid"]["arms"], key=lambda arm: arm["mean"] or 0)["learning_rate"]
    picks = {rate for test in tests if (rate := test["medians"][RULE]) is not None}
    advised = [search["learning_rate"] for search in record["searches"]]
    arms = {(rate, schedule) for rate in picks for schedule in ("annealed", "constant")}
    arms |= {(rate, "annealed") for rate in (best, *advised)}
    return {
        "best": best,
        "advised": advised,
        "range_tests": tests,
        "followed": followed(judged, arms, name),
    }


def main() -> None:
    """Measure the searches named on the command line."""
    known = searches()
    for name in names_chosen(known, __doc__):
        path: Path = RESULTS / "advice" / f"{name}.json"
        record = json.loads(RECORD.read_text()) if RECORD.exists() else {}
        record[name] = measured(name, known[name], json.loads(path.read_text()))
        RECORD.write_text(json.dumps(record) + "\n")
        print(f"{name} measured", flush=True)


if __name__ == "__main__":
    main()
