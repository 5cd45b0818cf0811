"""Tasks with a simple feature, along which classes are separated linearly, beside complex ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from learnorder.reproduce.papers.groups import AS_TRAINED, LINEAR_SHUFFLED, SLABS_SHUFFLED
from learnorder.reproduce.papers.tasks import Labelled
from learnorder.seeding import generator
from learnorder.training.groups import Groups
from learnorder.training.task import Task

_MARGIN = 0.1
"""Half of the gap between classes in each coordinate."""
_MIDDLE = 0.75
"""Share of class 0 in the middle slab; the others are in the outer ones."""


def linear_and_slabs(
    right: float = 1.0,
    dimensions: int = 20,
    examples: int = 10_000,
    held_out: int = 2_000,
    width: int = 100,
    draw: int = 0,
) -> Task:
    """Return two classes that differ linearly in one coordinate and by slabs in all others.

    Coordinates are in [−1, 1] and independent given the class. The first one has the sign of the
    class, and an absolute value of at least 0.1. Each other one is in one of five slabs, which are
    0.2 apart and belong to the classes 0, 1, 0, 1, 0: linear functions of it are no better than
    chance. Of the held-out examples a third is as trained; in a third the linear coordinate is that
    of another example, and in a third all slab coordinates are.

    Args:
        right: Share of the examples whose linear coordinate has the sign of their class: at 1 each
            feature predicts the class, at 0.5 the linear one says nothing.
        dimensions: Number of coordinates.
        examples: Number of training examples.
        held_out: Number of examples in each group of the held-out ones.
        width: Units of each of the perceptron's two hidden layers.
        draw: Seed of the examples.
    """
    drawing = generator(draw, "linear and slabs")
    train = _drawn(examples, dimensions, right, drawing)
    parts = {
        name: _drawn(held_out, dimensions, right, drawing)
        for name in (AS_TRAINED, LINEAR_SHUFFLED, SLABS_SHUFFLED)
    }
    for name, columns in ((LINEAR_SHUFFLED, slice(0, 1)), (SLABS_SHUFFLED, slice(1, None))):
        values = parts[name][0]
        others = torch.randperm(held_out, generator=drawing)
        values[:, columns] = values[others, columns]
    inputs, labels = (torch.cat(tensors) for tensors in zip(*parts.values(), strict=True))
    trained = [AS_TRAINED] * examples
    names = [name for name in parts for _ in range(held_out)]
    return Task(
        model=lambda: _perceptron(dimensions, width),
        train=TensorDataset(*train),
        validation=TensorDataset(inputs, labels),
        groups=Groups(trained, names, name="features", spurious=False, allow_unseen=True),
    )


def _drawn(count: int, dimensions: int, right: float, drawing: torch.Generator) -> Labelled:
    """Return examples, float [count, dimensions], with their classes."""
    labels = torch.randint(0, 2, (count,), generator=drawing)
    size = _MARGIN + (1 - _MARGIN) * torch.rand(count, 1, generator=drawing)
    correct = torch.rand(count, 1, generator=drawing) < right
    linear = torch.where(correct, 1.0, -1.0) * (2 * labels.view(-1, 1) - 1) * size
    return torch.cat((linear, _slabs(labels, dimensions - 1, drawing)), dim=1), labels


def _slabs(labels: Tensor, count: int, drawing: torch.Generator) -> Tensor:
    """Return slab coordinates for classes [B], float [B, count]."""
    shape = (len(labels), count)
    middle = torch.rand(shape, generator=drawing) < _MIDDLE
    side = 2 * torch.randint(0, 2, shape, generator=drawing) - 1
    away = torch.where(labels.view(-1, 1) == 1, 1, torch.where(middle, 0, 2))
    thickness = (2 - 8 * _MARGIN) / 5
    within = thickness * (torch.rand(shape, generator=drawing) - 0.5)
    return side * away * (thickness + 2 * _MARGIN) + within


def _perceptron(inputs: int, width: int) -> nn.Module:
    """Return a perceptron with two hidden layers and two outputs."""
    return nn.Sequential(
        nn.Linear(inputs, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, 2),
    )
