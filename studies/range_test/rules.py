"""The choice of the range test's rule, on other tasks than those of the evaluation.

``python -m studies.range_test.rules`` makes, on each task below, four range tests of five restarts
and a grid of learning rates at full length, annealed as by ``advise`` and constant. It writes
``results/advice/range_test_rules.json`` (half an hour on two busy cores, CIFAR-10 in
``data/cifar10``). No task shares training and validation images, network and optimiser with those
of ``studies/advice/measure.py``.

The cost of a pick is the accuracy of the grid's best learning rate minus that of the pick, with
accuracy interpolated linearly in log η. The default is the rule and smoothing with the lowest mean
cost over tasks of the median pick, annealed, among those with a pick on every task. ``--table``
prints the record.

In addition to the rules of ``learnorder.advise.range_rules`` there are ``slide`` and ``per_rate``,
as described by fastai and Lightning. Slide moves left from the right end while the slope differs
from that 15 steps back by more than 0.005; per_rate is the steepest slope over η, not log η.
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
from learnorder.config.settings import DataConfig, ModelConfig
from learnorder.config.training import TrainingConfig
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
    """Return the tasks on which the rule is chosen."""
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
    """Train once at full length; return the final accuracy, None if the run diverged."""
    name, rate, schedule, seed = job
    search = tasks()[name]
    end = rate if schedule == "constant" else search.rates()[0]
    config = search.training_run(Candidate(rate, search.plateau), end, search.training.epochs, seed)
    with arithmetic(1):
        made = make_problem(config)
        trainer = Trainer(config, lambda place: made(seed, place))
        outcome = trainer.run(lambda _: False, lambda _: None)
    return trainer.records.last("clean", "accuracy") if outcome.status == "finished" else None


def tested(job: tuple[str, int]) -> dict[str, Any]:
    """Make one range test of five restarts."""
    name, first = job
    search = tasks()[name]
    config = search.training_run(
        Candidate(search.rates()[0], search.plateau), search.rates()[0], 2, 0
    )
    with arithmetic(1):
        test = range_test(config.training, make_problem(config), seeds=range(first, first + 5))
    return asdict(test)


def measure(workers: int) -> dict[str, Any]:
    """Make the range tests and the grids."""
    record: dict[str, Any] = {}
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
            record[name] = {"grid": grid, "range_tests": tests}
            RECORD.write_text(json.dumps(record) + "\n")
            print(f"{name} done", flush=True)
    return record


def curve(grid: list[dict[str, Any]], schedule: Schedule) -> dict[float, float]:
    """Return mean accuracy by learning rate, with 0 for diverged runs.

    Learning rates up to the smallest of a search are not annealed, and so are in both schedules.
    """
    annealed = {run["rate"] for run in grid if run["schedule"] == "annealed"}
    scores: dict[float, list[float]] = {}
    for run in grid:
        if run["schedule"] == (schedule if run["rate"] in annealed else "constant"):
            scores.setdefault(run["rate"], []).append(run["accuracy"] or 0.0)
    return {rate: fmean(scores[rate]) for rate in sorted(scores)}


def cost(grid: list[dict[str, Any]], rate: float, schedule: Schedule) -> float:
    """Return the cost of a pick in accuracy, relative to the best of the annealed grid."""
    accuracies = curve(grid, schedule)
    logs = [math.log(grid_rate) for grid_rate in accuracies]
    accuracy = float(np.interp(math.log(rate), logs, list(accuracies.values())))
    return max(curve(grid, "annealed").values()) - accuracy


def picks(test: dict[str, Any], rule: str, share: float) -> list[float | None]:
    """Return the pick of each restart."""
    picked = []
    for restart in test["restarts"]:
        kept = [
            (rate, loss)
            for rate, loss in zip(restart["rates"], restart["losses"], strict=True)
            if loss is not None
        ]
        rates, losses = zip(*kept, strict=True)
        picked.append(range_rules.pick(rates, losses, RULES[rule], share))
    return picked


def median(picks: list[float | None]) -> float | None:
    """Return the median pick, as in a range test."""
    return range_rules.middle(sorted(pick for pick in picks if pick is not None), len(picks))


def table(record: dict[str, Any]) -> list[list[str]]:
    """Return costs in points by rule and smoothing: the mean over tasks, then each task."""
    rows = []
    for rule, share in itertools.product(RULES, SHARES):
        costs: dict[Schedule, list[float]] = {"annealed": [], "constant": []}
        no_median, no_pick, by_task = 0, 0, []
        for task in record.values():
            tests = [picks(test, rule, share) for test in task["range_tests"]]
            medians = [median(test) for test in tests]
            no_pick += sum(pick is None for test in tests for pick in test)
            picked = [pick for pick in medians if pick is not None]
            no_median += len(medians) - len(picked)
            for schedule, values in costs.items():
                if picked:
                    values.append(fmean(cost(task["grid"], p, schedule) for p in picked))
            by_task.append(f"{100 * costs['annealed'][-1]:.1f}" if picked else "–")
        means = [f"{100 * fmean(values):.1f}" if values else "–" for values in costs.values()]
        rows.append([rule, f"{share:g}", *means, str(no_median), str(no_pick), *by_task])
    return sorted(rows, key=lambda row: (row[4] != "0", float(row[2]) if row[2] != "–" else 99))


def main() -> None:
    """Measure, or print the record."""
    parser = argparse.ArgumentParser(description="Choose the rule of the range test.")
    parser.add_argument("--table", action="store_true", help="Only print the record.")
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    record = json.loads(RECORD.read_text()) if arguments.table else measure(arguments.workers)
    header = ["rule", "smoothing", "annealed", "constant", "no median", "no pick", *record]
    for row in [header, *table(record)]:
        print("  ".join(f"{cell:>10}" for cell in row))


if __name__ == "__main__":
    main()
