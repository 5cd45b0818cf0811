"""What it costs to follow the learning order of a million examples.

``python benchmarks/order.py`` updates a :class:`~learnorder.LearningOrder` once with each of
10⁶ examples, in shuffled batches, beside the argmax of the same logits, which any accuracy needs;
then, with and without training dynamics, with each of 200,000 examples of 100 classes. Last, it
trains a task with and without ``training.dynamics``, epochs in turn: the median ratio of the
processor time of training, the end of the epoch included.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from itertools import pairwise
from statistics import median

import torch
from torch import nn
from torch.utils.data import TensorDataset

from common import finish, paired, seconds
from learnorder import LearningOrder, Task
from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.schedules import Schedule
from learnorder.training.task_problem import task_trainer

EXAMPLES, BATCH, CLASSES = 1_000_000, 256, 10
MANY, LARGE, HUNDRED = 200_000, 512, 100
"""Examples, batch size and classes of the update with training dynamics."""
TRAINED, ROUNDS = 20_000, 15
"""Examples of an epoch of a task, and pairs of epochs."""
SIZES = {"32-64-10": (32, 64, 10), "784-512-512-10": (784, 512, 512, 10)}
"""Widths of the perceptrons that are trained."""


def dynamics() -> tuple[float, float, float]:
    """Return ns per example without and with training dynamics, and bytes kept of each."""
    drawing = torch.Generator().manual_seed(0)
    batches = torch.randperm(MANY, generator=drawing).split(LARGE)
    logits = torch.randn(LARGE, HUNDRED, generator=drawing)
    labels = torch.randint(0, HUNDRED, (LARGE,), generator=drawing)
    plain, full = LearningOrder(MANY), LearningOrder(MANY, dynamics=True)

    def follow(order: LearningOrder) -> None:
        for index in batches:
            order.update(index, logits[: len(index)], labels[: len(index)])

    without, with_ = paired(lambda: follow(plain), lambda: follow(full), 5)
    kept = full.state_dict()["dynamics"]
    size = kept.nelement() * kept.element_size() / MANY
    return without / MANY * 1e9, with_ / MANY * 1e9, size


def perceptron(widths: tuple[int, ...]) -> nn.Module:
    """Return a perceptron with ReLU."""
    layers = list[nn.Module]()
    for a, b in pairwise(widths):
        layers += [nn.Linear(a, b), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def epochs_of(widths: tuple[int, ...], batch_size: int, *, kept: bool) -> Callable[[int], float]:
    """Return a function that trains an epoch and returns its processor time."""
    drawing = torch.Generator().manual_seed(0)
    inputs = torch.randn(TRAINED, widths[0], generator=drawing)
    classes = torch.randint(0, widths[-1], (TRAINED,), generator=drawing)
    data = TensorDataset(inputs, classes)
    task = Task(lambda: perceptron(widths), data, TensorDataset(inputs[:10], classes[:10]))
    training = TrainingConfig(epochs=ROUNDS + 1, batch_size=batch_size, dynamics=kept)
    trainer = task_trainer(TaskRunConfig(TaskConfig("a:b"), training, Schedule(0.01)), task)

    def epoch(number: int) -> float:
        ended = list[int]()
        started = time.process_time()
        outcome = trainer.run(
            stop=lambda t: t.epoch > number, epoch_ended=lambda t: ended.append(t.epoch)
        )
        assert outcome.status in ("interrupted", "finished"), outcome
        return time.process_time() - started

    return epoch


def step_ratio(widths: tuple[int, ...], batch_size: int) -> float:
    """Return the time of an epoch with training dynamics over that without."""
    without, with_ = (epochs_of(widths, batch_size, kept=kept) for kept in (False, True))
    pairs = [(with_(number), without(number)) for number in range(1, ROUNDS + 1)]
    return median(a / b for a, b in pairs[1:])


def main() -> None:
    """Measure, and print the numbers."""
    torch.set_num_threads(1)
    drawing = torch.Generator().manual_seed(0)
    batches = torch.randperm(EXAMPLES, generator=drawing).split(BATCH)
    logits = torch.randn(BATCH, CLASSES, generator=drawing)
    labels = torch.randint(0, CLASSES, (BATCH,), generator=drawing)
    order = LearningOrder(EXAMPLES, groups=torch.arange(EXAMPLES) % 10)

    def follow() -> None:
        for index in batches:
            order.update(index, logits[: len(index)], labels[: len(index)])

    def argmax() -> None:
        for index in batches:
            (logits[: len(index)].argmax(1) == labels[: len(index)]).sum().item()

    follow()
    rounds = [(seconds(follow), seconds(argmax)) for _ in range(5)]
    update, bare = (sorted(times)[2] / EXAMPLES * 1e9 for times in zip(*rounds, strict=True))
    kept = sum(tensor.nelement() * tensor.element_size() for tensor in order.state_dict().values())
    groups = 4 * EXAMPLES  # each example's group, which a checkpoint leaves out
    without, with_, size = dynamics()
    rows = [
        ("an update with its argmax", f"{update:.0f} ns an example"),
        ("the argmax and count alone", f"{bare:.0f} ns an example"),
        ("kept of an example", f"{(kept + groups) / EXAMPLES:.1f} bytes"),
        (f"an update, batches of {LARGE} of {HUNDRED} classes", f"{without:.0f} ns an example"),
        ("the same with training dynamics", f"{with_:.0f} ns an example"),
        ("kept for training dynamics", f"{size:.1f} bytes"),
    ]
    ratios = {
        (name, batch): step_ratio(widths, batch)
        for name, widths in SIZES.items()
        for batch in (32, 128)
    }
    rows += [
        (f"a task with training dynamics, perceptron {name}, batches of {batch}",
         f"{ratio:.3f} times the processor time")
        for (name, batch), ratio in ratios.items()
    ]  # fmt: skip
    title = f"Learning order of {EXAMPLES:,} examples, batches of {BATCH}, one thread"
    figures = {
        "update_ns_per_example": update,
        "bytes_per_example": (kept + groups) / EXAMPLES,
        "update_over_argmax": update / bare,
        "plain_ns_per_example": without,
        "dynamics_ns_per_example": with_,
        "dynamics_over_plain": with_ / without,
        "dynamics_bytes_per_example": size,
        **{f"task_{name}_{batch}_ratio": ratio for (name, batch), ratio in ratios.items()},
    }
    finish(title, rows, figures)


if __name__ == "__main__":
    sys.exit(main())
