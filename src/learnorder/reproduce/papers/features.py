"""Tasks with a strong feature in most examples and a weak one in all."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from learnorder.reproduce.papers.groups import BOTH, WEAK
from learnorder.reproduce.papers.tasks import (
    Labelled,
    Network,
    network_of,
    passes_over,
    split_images,
)
from learnorder.seeding import generator
from learnorder.training.groups import Groups
from learnorder.training.task import Task


class PatchNetwork(nn.Module):
    """A convolutional network with one hidden layer, as in theories of how features are learned.

    For patches x_p its two outputs are F_j = (1/m) Σ_r Σ_p ReLU(⟨w_jr, x_p⟩)², j = 0, 1, with
    w_jr ~ N(0, 0.05²).

    Args:
        size: Number of values of a patch.
        filters: Number m of filters of each output.
    """

    def __init__(self, size: int, filters: int = 8) -> None:
        super().__init__()
        self.filters = nn.Parameter(0.05 * torch.randn(2, filters, size))

    def forward(self, patches: Tensor) -> Tensor:
        """Map examples [B, P, size] of P patches to outputs [B, 2]."""
        hidden = torch.einsum("jms,bps->bjpm", self.filters, patches).relu()
        return hidden.square().mean(3).sum(2)


def signed_squared_error(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return ½ (F_1 − F_0 − y)² of each example [B], with y = 1 for label 1 and −1 for label 0.

    >>> signed_squared_error(torch.tensor([[1.0, 3.0], [1.0, 3.0]]), torch.tensor([1, 0]))
    tensor([0.5000, 4.5000])
    """
    return (outputs[:, 1] - outputs[:, 0] - (2 * labels - 1)).square() / 2


def patches(
    examples: int = 50,
    size: int = 500,
    share: float = 0.9,
    weak: float = 0.3,
    passes: int = 10,
    draw: int = 0,
) -> Task:
    """Return the data of the theory: two classes y = ±1, and three patches in each example.

    One patch is y u in a share of the training examples, else 0; one is y v; one is noise from
    N(0, I / size), orthogonal to u and v. The strong feature u has length 1, the weak one v less.
    Of the held-out examples half have both features, and half the weak one only.

    Args:
        examples: Number of training examples; ten times as many are held out.
        size: Number of values of a patch.
        share: Share of the training examples with the strong feature.
        weak: Length of the weak feature.
        passes: How often an epoch shows each example.
        draw: Seed of the examples.
    """
    drawing = generator(draw, "patches")

    def drawn(count: int, with_both: Tensor) -> Labelled:
        labels = torch.randint(0, 2, (count,), generator=drawing)
        signs = 2.0 * labels - 1
        values = torch.zeros(count, 3, size)
        values[:, 0, 0] = signs * with_both
        values[:, 1, 1] = signs * weak
        values[:, 2, 2:] = torch.randn(count, size - 2, generator=drawing) / math.sqrt(size)
        return values, labels

    trained, held = _first(examples, share), _first(10 * examples, 0.5)
    return Task(
        model=lambda: PatchNetwork(size),
        train=TensorDataset(*drawn(examples, trained)),
        validation=TensorDataset(*drawn(10 * examples, held)),
        loss=signed_squared_error,
        groups=_groups(trained, held),
        sampler=passes_over(examples, passes),
    )


def patterned_digits(
    network: Network = "mlp",
    share: float = 0.9,
    strength: float = 2.0,
    draw: int = 0,
    source: str = "digits",
    size: int | None = None,
    examples: int | None = None,
) -> Task:
    """Return the classification of images, above which stands a pattern of their class.

    The pattern, the strong feature, is as large as the image and random, ±strength at each pixel
    and channel. It stands above a share of the training images and half of the held-out images;
    above the others there is nothing. The image below is the weak feature.

    Args:
        network: mlp, convnet or wrn.
        share: Share of the training images with a pattern.
        strength: The absolute value of the pattern; that of the image's values has mean square 1.
        draw: Seed of the validation split and of the patterns.
        source: Location of the images.
        size: Height and width to which they are scaled; None keeps them.
        examples: Number of training images; None takes all.
    """
    train, validation, classes = split_images(source, draw, size, examples)
    drawing = generator(draw, "patterns of classes")
    shape = (classes, *train[0].shape[1:])
    patterns = strength * (2.0 * torch.randint(0, 2, shape, generator=drawing) - 1)

    def below_pattern(part: Labelled, with_both: Tensor) -> Labelled:
        images, labels = part
        return torch.cat((patterns[labels] * with_both.view(-1, 1, 1, 1), images), dim=2), labels

    counts = (len(train[1]), len(validation[1]))
    trained, held = (
        _first(count, part)[torch.randperm(count, generator=drawing)]
        for count, part in zip(counts, (share, 0.5), strict=True)
    )
    shown = below_pattern(train, trained)
    return Task(
        model=network_of(network, shown[0], classes),
        train=TensorDataset(*shown),
        validation=TensorDataset(*below_pattern(validation, held)),
        groups=_groups(trained, held),
    )


def _first(count: int, share: float) -> Tensor:
    """Return 1 for the first share of some examples and 0 for the others, float [count]."""
    return (torch.arange(count) < round(share * count)).float()


def _groups(trained: Tensor, held: Tensor) -> Groups:
    train, validation = (
        [BOTH if flag else WEAK for flag in part.tolist()] for part in (trained, held)
    )
    return Groups(train, validation, name="features", spurious=False)
