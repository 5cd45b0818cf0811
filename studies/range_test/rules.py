"""Which rule picks best from a range test? Decided on data that do not judge it.

``python -m studies.range_test.rules`` makes, on each task below, four range tests of five restarts
and a grid of learning rates at full length, annealed as ``advise`` anneals and constant, and writes
``results/advice/range_test_rules.json`` (half an hour on two busy cores, CIFAR-10 in
``data/cifar10``). No task shares training and validation images, network and optimiser with those
that ``studies/advice/measure.py`` judges by.

The cost of a pick is the accuracy of the best learning rate of the grid less that at the pick, in
which accuracy is taken as linear in log η between the grid's learning rates. The default is the
rule and the smoothing with the least cost, mean over tasks, of the median pick when it is annealed,
among those that pick something on every task. ``--table`` prints what was recorded.

Beside the rules of ``learnorder.advise.range_rules``: ``slide`` and ``per_rate`` as fastai and
Lightning describe theirs. Slide walks from the right while the slope differs from that 15 steps
back by more than 0.005 of loss; per_rate is the steepest fall over η itself, not log η.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from statistics import fmean
from typing import Any, Literal

import numpy as np

from learnorder.advise import range_rules
from learnorder.advise.plans import make_problem
from learnorder.advise.range_test import range_test
from learnorder.advise.settings import Candidate, LRSearch
from learnorder.config.settings import DataConfig, ModelConfig, TrainingConfig
from learnorder.runs.execute import arithmetic
from learnorder.training.trainer import Trainer
from studies.common import DATA, RESULTS

RECORD = RESULTS / "advice" / "range_test_rules.json"
SGD = (0.0001, 0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
ADAMW = (1e-6, 1e-5, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
SHARES = (0.8, 0.9, 0.95, 0.98)
GRID_SEEDS = {"cifar_wrn": range(10_000, 10_002)}
Schedule = Literal["annealed", "constant"]


def _slide(logs: np.ndarray, losses: np.ndarray) -> float | None:
    slopes, right = np.gradient(losses), len(losses) - 1
    left = right - 15
    while left >= 0 and abs(slopes[right] - slopes[left]) > 0.005:
        left, right = left - 1, right - 1
    return float(logs[left + 1]) if 0 <= left + 1 < len(logs) else None


def _per_rate(logs: np.ndarray, losses: np.ndarray) -> float | None:
    place = int(np.gradient(losses, np.exp(logs)).argmin())
    return float(logs[place]) if 0 < place < len(logs) - 1 else None


RULES: dict[str, Callable[[np.ndarray, np.ndarray], float | None]] = {
    **range_rules.RULES, "slide": _slide, "per_rate": _per_rate,
}  # fmt: skip


def tasks() -> dict[str, LRSearch]:
    """Return what the rule is chosen on."""
    digits = LRSearch(
        data=DataConfig(
            train_examples=600, evaluate_on="validation", validation_share=0.4, subset_seed=5
        ),
        training=TrainingConfig(epochs=20, batch_size=32),
        learning_rates=SGD[3:],
    )
    adamw = replace(digits.training, optimizer="AdamW", weight_decay=0.01)
    cifar = DataConfig(
        source=DATA, train_examples=2000, evaluation_examples=2000,
        resolution=16, evaluate_on="validation", validation_share=0.1, subset_seed=7,
    )  # fmt: skip
    return {
        "digits_mlp": replace(digits, model=ModelConfig("MLP", {"widths": [256, 256]})),
        "digits_convnet_adamw": replace(
            digits, model=ModelConfig("ConvNet", {}), training=adamw, learning_rates=ADAMW[2:]
        ),
        "digits_vit_adamw": replace(
            digits, model=ModelConfig("ViT", {}), training=adamw, learning_rates=ADAMW[2:]
        ),
        "digits_convnet": replace(digits, model=ModelConfig("ConvNet", {})),
        "cifar_mlp": replace(
            digits, data=cifar, model=ModelConfig("MLP", {"widths": [256, 256]}),
            training=replace(digits.training, batch_size=64),
        ),
        "cifar_wrn": replace(
            digits, data=cifar, model=ModelConfig("WideResNet", {"depth": 10, "widen_factor": 1}),
            training=TrainingConfig(epochs=12, batch_size=64),
        ),
    }  # fmt: skip


def final_accuracy(job: tuple[str, float, Schedule, int]) -> float | None:
    """Train once at full length; return the accuracy at its end, None where it diverged."""
    name, rate, schedule, seed = job
    search = tasks()[name]
    end = rate if schedule == "constant" else search.rates()[0]
    config = search.run(Candidate(rate, search.plateau), end, search.training.epochs, seed)
    with arithmetic(1):
        made = make_problem(config)
        trainer = Trainer(config, lambda place: made(seed, place))
        outcome = trainer.run(lambda _: False, lambda _: None)
    return trainer.records.last("clean", "accuracy") if outcome.status == "finished" else None


def tested(job: tuple[str, int]) -> dict[str, Any]:
    """Make one range test of five restarts."""
    name, first = job
    search = tasks()[name]
    config = search.run(Candidate(search.rates()[0], search.plateau), search.rates()[0], 2, 0)
    with arithmetic(1):
        found = range_test(config.training, make_problem(config), seeds=range(first, first + 5))
    return asdict(found)


def measure(workers: int) -> dict[str, Any]:
    """Make the range tests and the grids."""
    found: dict[str, Any] = {}
    with ProcessPoolExecutor(workers) as pool:
        for name, search in tasks().items():
            ladder = SGD if search.training.optimizer == "SGD" else ADAMW
            arms = [(rate, "constant") for rate in ladder]
            arms += [(rate, "annealed") for rate in ladder if rate > search.rates()[0]]
            seeds = GRID_SEEDS.get(name, range(10_000, 10_004))
            jobs = [(name, *arm, seed) for arm in arms for seed in seeds]
            tests = list(pool.map(tested, [(name, first) for first in (0, 100, 200, 300)]))
            scores = pool.map(final_accuracy, jobs)
            grid = [
                {"rate": rate, "schedule": schedule, "seed": seed, "accuracy": score}
                for (_, rate, schedule, seed), score in zip(jobs, scores, strict=True)
            ]
            found[name] = {"grid": grid, "range_tests": tests}
            RECORD.write_text(json.dumps(found) + "\n")
            print(f"{name} done", flush=True)
    return found


def curve(grid: list[dict[str, Any]], schedule: Schedule) -> dict[float, float]:
    """Return mean accuracy by learning rate; a run that diverged has none, taken as 0.

    What is at or below the smallest of a search is held throughout, and so is in both schedules.
    """
    annealed = {run["rate"] for run in grid if run["schedule"] == "annealed"}
    found: dict[float, list[float]] = {}
    for run in grid:
        if run["schedule"] == (schedule if run["rate"] in annealed else "constant"):
            found.setdefault(run["rate"], []).append(run["accuracy"] or 0.0)
    return {rate: fmean(found[rate]) for rate in sorted(found)}


def cost(grid: list[dict[str, Any]], rate: float, schedule: Schedule) -> float:
    """Return what following a pick costs in accuracy, against the best of the annealed grid."""
    followed = curve(grid, schedule)
    logs = [math.log(each) for each in followed]
    at = float(np.interp(math.log(rate), logs, list(followed.values())))
    return max(curve(grid, "annealed").values()) - at


def picks(test: dict[str, Any], rule: str, share: float) -> list[float | None]:
    """Return each restart's pick."""
    found = []
    for restart in test["restarts"]:
        kept = [
            (rate, loss)
            for rate, loss in zip(restart["rates"], restart["losses"], strict=True)
            if loss is not None
        ]
        rates, losses = zip(*kept, strict=True)
        found.append(range_rules.pick(rates, losses, RULES[rule], share))
    return found


def median(found: list[float | None]) -> float | None:
    """Return the median pick as a range test has it."""
    return range_rules.middle(sorted(each for each in found if each is not None), len(found))


def table(record: dict[str, Any]) -> list[list[str]]:
    """Return costs in points by rule and smoothing: the mean over tasks, then each task."""
    rows = []
    for rule, share in itertools.product(RULES, SHARES):
        costs: dict[Schedule, list[float]] = {"annealed": [], "constant": []}
        none, single, each = 0, 0, []
        for found in record.values():
            picked = [picks(test, rule, share) for test in found["range_tests"]]
            medians = [median(each_test) for each_test in picked]
            single += sum(pick is None for each_test in picked for pick in each_test)
            chosen = [pick for pick in medians if pick is not None]
            none += len(medians) - len(chosen)
            for schedule, values in costs.items():
                values += (
                    [fmean(cost(found["grid"], p, schedule) for p in chosen)] if chosen else []
                )
            each.append(f"{100 * costs['annealed'][-1]:.1f}" if chosen else "–")
        means = [f"{100 * fmean(values):.1f}" if values else "–" for values in costs.values()]
        rows.append([rule, f"{share:g}", *means, str(none), str(single), *each])
    return sorted(rows, key=lambda row: (row[4] != "0", float(row[2]) if row[2] != "–" else 99))


def main() -> None:
    """Measure, or print what was measured."""
    parser = argparse.ArgumentParser(description="Choose the rule of the range test.")
    parser.add_argument("--table", action="store_true", help="Only print what is recorded.")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    record = json.loads(RECORD.read_text()) if asked.table else measure(asked.workers)
    header = ["rule", "smoothing", "annealed", "constant", "no median", "no pick", *record]
    for row in [header, *table(record)]:
        print("  ".join(f"{cell:>10}" for cell in row))


if __name__ == "__main__":
    main()
