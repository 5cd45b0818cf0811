"""Training a user's ``Task`` against a plain PyTorch loop, on one thread.

``python benchmarks/task.py [--examples 200000] [--rounds 7]`` trains small models for an epoch and
evaluates them; with so little arithmetic the cost of the loop shows. Both sides have the same
model, optimiser and measurements. The plain loop uses ``DataLoader(shuffle=True)``; it seeds no
steps and cannot be continued. Ratios are of processor time, medians over pairs measured in turn;
``task_ratio`` is the largest.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset, TensorDataset

from common import as_in_runs, finish
from learnorder import Task
from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.schedules import Schedule
from learnorder.training.task_problem import task_trainer

FEATURES, HIDDEN, CLASSES = 32, 64, 10
VOCABULARY, LENGTH = 1_000, 16
RATE = 0.05


class Tokens(Dataset):
    """Sentences of random tokens; the class is the most frequent remainder of a token."""

    def __init__(self, examples: int, drawing: torch.Generator) -> None:
        self.ids = torch.randint(0, VOCABULARY, (examples, LENGTH), generator=drawing)
        kinds = F.one_hot(self.ids % CLASSES, CLASSES).sum(1)
        self.classes = kinds.argmax(1).tolist()

    def __len__(self) -> int:
        return len(self.classes)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"ids": self.ids[index], "labels": self.classes[index]}


class Pairs(Dataset):
    """Examples of tensors, one at a time: a user's data set of pairs."""

    def __init__(self, tensors: TensorDataset) -> None:
        self.inputs, self.targets = tensors.tensors

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.inputs[index], self.targets[index]


class Bag(nn.Module):
    """The mean embedding of a sentence, and a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.head = nn.EmbeddingBag(VOCABULARY, HIDDEN), nn.Linear(HIDDEN, CLASSES)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.embedding(ids))


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(FEATURES, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, CLASSES))


def random_tensors(examples: int, drawing: torch.Generator) -> TensorDataset:
    """Return Gaussian inputs, with the largest of some linear functions of them as the class."""
    inputs = torch.randn(examples, FEATURES, generator=drawing)
    teacher = torch.randn(FEATURES, CLASSES, generator=torch.Generator().manual_seed(1))
    return TensorDataset(inputs, (inputs @ teacher).argmax(1))


@dataclass(frozen=True)
class Case:
    """A model, its data and the batch size."""

    title: str
    model: Callable[[], nn.Module]
    train: Dataset
    validation: Dataset
    batch_size: int = 128


@dataclass(frozen=True)
class Cost:
    """What an epoch with its evaluation took, and the validation accuracy that it reached."""

    processor: float
    wall: float
    accuracy: float


def timed(epoch: Callable[[], float]) -> Cost:
    """Return the cost of an epoch that returns its accuracy."""
    processor, wall = time.process_time(), time.perf_counter()
    accuracy = epoch()
    return Cost(time.process_time() - processor, time.perf_counter() - wall, accuracy)


def ours(case: Case) -> Cost:
    """Train the case as a task."""
    task = Task(model=case.model, train=case.train, validation=case.validation)
    training = TrainingConfig(epochs=1, batch_size=case.batch_size)
    trainer = task_trainer(TaskRunConfig(TaskConfig("a:b"), training, Schedule(RATE)), task)

    def epoch() -> float:
        outcome = trainer.run(stop=lambda _: False, epoch_ended=lambda _: None)
        assert outcome.status == "finished", outcome
        return trainer.records.last("validation", "accuracy")

    return timed(epoch)


def plain(case: Case) -> Cost:
    """Train the case in a plain loop."""
    torch.manual_seed(0)
    model = case.model()
    optimizer = torch.optim.SGD(
        model.parameters(), lr=RATE, momentum=0.9, nesterov=True, weight_decay=5e-4, fused=True
    )
    batches = DataLoader(case.train, batch_size=case.batch_size, shuffle=True)
    held_out = DataLoader(case.validation, batch_size=case.batch_size)

    def epoch() -> float:
        model.train()
        sums = torch.zeros(2)
        for batch in batches:
            inputs, targets = parts(batch)
            optimizer.zero_grad()
            outputs = model(inputs)
            loss = F.cross_entropy(outputs, targets)
            loss.backward()
            optimizer.step()
            count(sums, outputs, targets, loss)
        model.eval()
        sums = torch.zeros(2)
        with torch.no_grad():
            for batch in held_out:
                inputs, targets = parts(batch)
                outputs = model(inputs)
                count(sums, outputs, targets, F.cross_entropy(outputs, targets))
        return float(sums[0]) / len(held_out.dataset)  # pyright: ignore[reportArgumentType]

    return timed(epoch)


def parts(batch: Any) -> tuple[Tensor, Tensor]:
    """Return the inputs and the targets of a batch of pairs or of sentences."""
    return (batch["ids"], batch["labels"]) if isinstance(batch, dict) else tuple(batch)


@torch.no_grad()
def count(sums: Tensor, outputs: Tensor, targets: Tensor, loss: Tensor) -> None:
    """Add a batch's correct predictions and its loss to their sums."""
    sums[0] += (outputs.argmax(1) == targets).sum()
    sums[1] += loss * len(targets)


def cases(examples: int) -> dict[str, Case]:
    """Return the cases by name."""
    drawing = torch.Generator().manual_seed(0)
    sizes = (examples, examples // 10)
    train, validation = (random_tensors(size, drawing) for size in sizes)
    sentences = Tokens(sizes[0], drawing), Tokens(sizes[1], drawing)
    pairs = Pairs(train), Pairs(validation)
    return {
        "tensors": Case("TensorDataset, MLP", perceptron, train, validation),
        "tensors_32": Case("TensorDataset, MLP, batches of 32", perceptron, train, validation, 32),
        "pairs": Case("a data set of pairs, MLP", perceptron, *pairs),
        "pairs_32": Case("a data set of pairs, MLP, batches of 32", perceptron, *pairs, 32),
        "tokens": Case("a data set of dicts of tokens, embedding bag", Bag, *sentences),
    }


def main() -> None:
    """Measure, and print the numbers."""
    as_in_runs()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=200_000, help="of an epoch")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=cases(10), nargs="+", help="some of the cases")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows, figures = [], {}
    for name, case in cases(arguments.examples).items():
        if arguments.only and name not in arguments.only:
            continue
        pairs = [(ours(case), plain(case)) for _ in range(arguments.rounds + 1)][1:]
        processor = median(a.processor / b.processor for a, b in pairs)
        wall = median(a.wall / b.wall for a, b in pairs)
        seconds = [median(cost.processor for cost in side) for side in zip(*pairs, strict=True)]
        accuracies = [side.accuracy for side in pairs[0]]
        rows.append((
            case.title,
            f"{processor:.2f} times the processor time, {wall:.2f} times the wall time "
            f"({seconds[0]:.2f} s and {seconds[1]:.2f} s of processor time; "
            f"accuracies {accuracies[0]:.1%} and {accuracies[1]:.1%})",
        ))  # fmt: skip
        figures |= {f"{name}_ratio": processor, f"{name}_wall_ratio": wall}
    worst = max(value for name, value in figures.items() if not name.endswith("_wall_ratio"))
    title = f"A task against a plain loop, {arguments.examples:,} examples, one thread"
    finish(title, rows, {"task_ratio": worst, **figures})


if __name__ == "__main__":
    sys.exit(main())
