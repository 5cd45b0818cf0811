"""Flip 10 % of the labels of known data sets, and look for the flipped ones.

``python -m studies.mislabelled.measure`` writes ``results/mislabelled/TASK.json`` for each task.
The same command continues where it stopped. ``--choose`` prints what the learning rates were chosen
by, on seeds from 1000 on. cleanlab is needed beside the project's dependencies: ``pip install
cleanlab``. The data of the tasks on texts and on CIFAR-10 lie in ``data``; a task without
its data is skipped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from learnorder import LearningOrder
from learnorder.seeding import derive_seed, generator, random_state_kept
from studies.common import RESULTS
from studies.mislabelled.tasks import TASKS, Task

SHARE, FOLDS, CHOICE_SEEDS = 0.1, 5, range(1000, 1003)
Array = NDArray[Any]


@dataclass(frozen=True)
class Noisy:
    """A task with flipped labels.

    Attributes:
        inputs: Inputs, [N, ...].
        labels: Given labels, int64 [N].
        flipped: Whether each was flipped, bool [N].
        classes: Number of classes.
    """

    inputs: Tensor
    labels: Tensor
    flipped: Array
    classes: int


def flip(inputs: Tensor, labels: Tensor, seed: int) -> Noisy:
    """Flip a tenth of the labels, each to another class, with equal probabilities."""
    drawing, classes = generator(seed, "flips"), int(labels.max()) + 1
    chosen = torch.randperm(len(labels), generator=drawing)[: round(SHARE * len(labels))]
    shift = torch.randint(1, classes, (len(chosen),), generator=drawing)
    given = labels.clone()
    given[chosen] = (labels[chosen] + shift) % classes
    return Noisy(inputs, given, (given != labels).numpy(), classes)


def train(
    task: Task, data: Noisy, rate: float, seed: int, order: LearningOrder | None, rows: Tensor
) -> tuple[nn.Module, Array]:
    """Train on some rows; return the network, and each row's loss in the last epoch, [N]."""
    with random_state_kept():
        torch.manual_seed(derive_seed(seed, "model"))
        model = task.model(data.inputs, data.classes)
    optimizer = task.optimizer(model.parameters(), rate)
    losses = np.zeros(len(data.labels))
    for epoch in range(1, task.epochs + 1):
        drawn = torch.randperm(len(rows), generator=generator(seed, "order", epoch))
        for index in rows[drawn].split(task.batch):
            logits, labels = model(data.inputs[index]), data.labels[index]
            loss = F.cross_entropy(logits, labels, reduction="none")
            optimizer.zero_grad()
            loss.mean().backward()
            optimizer.step()
            losses[index.numpy()] = loss.detach().numpy()
            if order is not None:
                order.update(index, logits, labels, epoch=epoch)
    return model, losses


@torch.no_grad()
def probabilities(model: nn.Module, inputs: Tensor) -> Array:
    """Return class probabilities in evaluation mode, float64 [N, C]."""
    model.eval()
    outputs = [model(part).double().softmax(1) for part in inputs.split(500)]
    return torch.cat(outputs).numpy()


def out_of_sample(task: Task, data: Noisy, rate: float, seed: int) -> Array:
    """Return probabilities of each example by networks trained without it, [N, C]."""
    found = np.zeros((len(data.labels), data.classes))
    for fold, predicted in held_out(task, data, rate, seed):
        found[fold] = predicted
    return found


def held_out(task: Task, data: Noisy, rate: float, seed: int) -> Iterator[tuple[Array, Array]]:
    """Return the examples of each fold, and their probabilities by a network trained without."""
    shuffled = torch.randperm(len(data.labels), generator=generator(seed, "folds"))
    for number, fold in enumerate(shuffled.chunk(FOLDS)):
        rest = shuffled[~torch.isin(shuffled, fold)]
        model, _ = train(task, data, rate, derive_seed(seed, "fold", number), None, rest)
        yield fold.numpy(), probabilities(model, data.inputs[fold])


def suspicions(order: LearningOrder, losses: Array) -> dict[str, Array]:
    """Return how suspicious each example is by each ranking of training dynamics, [N]."""
    last, forgotten = order.epochs, order.forgetting_events
    never = order.first_learned == 0
    first = np.where(never, last + 1, order.first_learned)
    return {
        "aum": -order.aum,
        "confidence": -order.confidence,
        "first_learned": first + forgotten / (last + 1),
        "forgetting": np.where(never, last, forgotten),
        "last_loss": losses,
    }


def precision(suspicion: Array, flipped: Array) -> float:
    """Return the share of flipped labels among the k most suspicious, for k flipped labels.

    Of examples with equal suspicion at the end of the k, the expected share counts.

    >>> precision(np.array([3.0, 1.0, 1.0, 0.0]), np.array([True, True, False, False]))
    0.75
    """
    k = int(flipped.sum())
    threshold = np.sort(suspicion)[-k]
    above, tied = suspicion > threshold, suspicion == threshold
    return float((flipped[above].sum() + flipped[tied].mean() * (k - above.sum())) / k)


def by_cleanlab(data: Noisy, predicted: Array) -> tuple[Array, dict[str, float]]:
    """Return suspicion by cleanlab, and the precision, recall and size of the set that it reports.

    Args:
        data: The data.
        predicted: Class probabilities, [N, C].
    """
    try:
        from cleanlab.filter import find_label_issues  # pyright: ignore[reportMissingImports]
        from cleanlab.rank import get_label_quality_scores  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise SystemExit(f"{error}. This study needs cleanlab: pip install cleanlab") from None
    labels = data.labels.numpy()
    issues = find_label_issues(labels, predicted, n_jobs=1)
    hits = float((issues & data.flipped).sum())
    found = {
        "precision": hits / max(int(issues.sum()), 1),
        "recall": hits / int(data.flipped.sum()),
        "size": float(issues.sum()),
    }
    return -get_label_quality_scores(labels, predicted), found


def measured(task: Task, data: Noisy, rate: float, seed: int) -> dict[str, float]:
    """Return the precision of each ranking, and accuracies."""
    order = LearningOrder(len(data.labels), dynamics=True)
    every = torch.arange(len(data.labels))
    model, losses = train(task, data, rate, seed, order, every)
    scores = suspicions(order, losses)
    scores["cleanlab_training"], _ = by_cleanlab(data, probabilities(model, data.inputs))
    found = {name: precision(each, data.flipped) for name, each in scores.items()}
    return {**found, "fitted": float((order.learned_for_good > 0).mean())}


def compared(task: Task, data: Noisy, rate: float, seed: int) -> dict[str, float]:
    """Return the same, with cleanlab out of sample."""
    predicted = out_of_sample(task, data, rate, seed)
    scores, issues = by_cleanlab(data, predicted)
    right = predicted.argmax(1) == data.labels.numpy()
    return {
        **measured(task, data, rate, seed),
        "cleanlab": precision(scores, data.flipped),
        **{f"issues_{name}": value for name, value in issues.items()},
        "accuracy": float(right.mean()),
    }


def runs(task: Task, done: list[dict[str, float]]) -> Iterator[dict[str, float]]:
    """Return a row for each seed and learning rate that is not done."""
    known = {(row["seed"], row["rate"]) for row in done}
    examples = task.load()
    for seed in range(task.seeds):
        data = flip(*examples, seed)
        for rate in task.rates:
            if (seed, rate) not in known:
                made = compared if rate == task.rate else measured
                yield {"seed": seed, "rate": rate, **made(task, data, rate, seed)}


def choose(task: Task) -> None:
    """Print the accuracy on a held-out fifth, on given labels, at each learning rate."""
    examples = task.load()
    for rate in task.rates:
        found = list[float]()
        for seed in CHOICE_SEEDS:
            data = flip(*examples, seed)
            fold, predicted = next(held_out(task, data, rate, seed))
            found.append(float((predicted.argmax(1) == data.labels.numpy()[fold]).mean()))
        print(f"{task.title}: {rate:g} has {fmean(found):.4f} of {found}", flush=True)


def main() -> None:
    """Measure the tasks named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(TASKS), help="Tasks; default: all.")
    parser.add_argument("--choose", action="store_true", help="Print what settings are chosen by.")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for name in arguments.names:
        task = TASKS[name]
        if task.needs is not None and not task.needs.exists():
            print(f"{name} is skipped: there is no {task.needs}.")
        elif arguments.choose:
            choose(task)
        else:
            path = RESULTS / "mislabelled" / f"{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            rows: list[dict[str, float]] = json.loads(path.read_text()) if path.exists() else []
            for row in runs(task, list(rows)):
                rows = sorted([*rows, row], key=lambda row: (row["seed"], row["rate"]))
                path.write_text(json.dumps(rows, indent=1) + "\n")
                print(f"{name}: seed {row['seed']}, learning rate {row['rate']}", flush=True)


if __name__ == "__main__":
    main()
