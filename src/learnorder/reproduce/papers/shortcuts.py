"""Tasks with a known shortcut: digits whose colour, or a second digit, suggests their class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from learnorder.config.settings import DataConfig
from learnorder.data.images import load_images
from learnorder.models import MLP, WideResNet
from learnorder.seeding import generator
from learnorder.training.groups import Groups
from learnorder.training.task import Task

Network = Literal["mlp", "wrn"]
COLOURS = ("red", "blue")
_HELD_OUT = 0.4
"""Share of the digits that is held out."""


def coloured(
    network: Network = "wrn",
    correlation: float = 0.95,
    noise: float = 0.0,
    draw: int = 0,
    source: str = "digits",
) -> Task:
    """Return the task: whether a digit is 5 or more; its colour suggests it.

    Args:
        network: wrn (WRN-10-1) or mlp.
        correlation: Share of the training images whose colour suggests their class.
        noise: Share of the labels flipped at random, in training only.
        draw: Which digits are held out, and the colours.
        source: digits, or the location of other images of ten digits, e.g. MNIST.
    """
    images, names = _digits(source)
    labels = (names >= 5).long()
    order = torch.randperm(len(images), generator=generator(draw, "digits"))
    held = order[: round(_HELD_OUT * len(order))]
    kept = order[len(held) :]
    drawing = generator(draw, "colours")
    agrees = torch.rand(len(kept), generator=drawing) < correlation
    colour = torch.where(agrees, labels[kept], 1 - labels[kept])
    flipped = torch.rand(len(kept), generator=drawing) < noise
    targets = torch.where(flipped, 1 - labels[kept], labels[kept])
    held_colour = torch.randint(0, 2, (len(held),), generator=drawing)
    groups = Groups(
        [COLOURS[c] for c in colour.tolist()],
        [COLOURS[c] for c in held_colour.tolist()],
        name="colour",
        class_names=("0 to 4", "5 to 9"),
    )
    return Task(
        model=_network(network, channels=3, size=_size(images)),
        train=TensorDataset(_paint(images[kept], colour), targets),
        validation=TensorDataset(_paint(images[held], held_colour), labels[held]),
        groups=groups,
    )


def dominoes(
    network: Network = "wrn", correlation: float = 0.95, draw: int = 0, source: str = "digits"
) -> Task:
    """Return the task: whether the lower digit is even; the upper, 0 or 1, suggests it.

    The upper digit is the easy shortcut, as in Shah et al., *The Pitfalls of Simplicity Bias in
    Neural Networks*, NeurIPS 2020.

    Args:
        network: wrn (WRN-10-1) or mlp.
        correlation: Share of the training images whose upper digit suggests their class.
        draw: Which digits are held out, and the pairs.
        source: As for :func:`coloured`.
    """
    images, names = _digits(source)
    order = torch.randperm(len(images), generator=generator(draw, "digits"))
    split = round(_HELD_OUT * len(order))
    drawing, parts = generator(draw, "pairs"), []
    for chosen, share in ((order[split:], correlation), (order[:split], 0.5)):
        lower = chosen[(names[chosen] > 1)]
        labels = 1 - names[lower] % 2
        agrees = torch.rand(len(lower), generator=drawing) < share
        shortcut = torch.where(agrees, labels, 1 - labels)
        uppers = [chosen[names[chosen] == digit] for digit in (0, 1)]
        upper = torch.stack(
            [
                uppers[digit][int(torch.randint(len(uppers[digit]), (), generator=drawing))]
                for digit in shortcut.tolist()
            ]
        )
        pairs = torch.cat([images[upper], images[lower]], dim=1).unsqueeze(1)
        parts.append(((pairs - 0.3) / 0.38, labels, [str(digit) for digit in shortcut.tolist()]))
    (train, targets, uppers_trained), (held, held_targets, uppers_held) = parts
    groups = Groups(uppers_trained, uppers_held, name="upper digit", class_names=("odd", "even"))
    return Task(
        model=_network(network, channels=1, size=_size(train)),
        train=TensorDataset(train, targets),
        validation=TensorDataset(held, held_targets),
        groups=groups,
    )


def _digits(source: str) -> tuple[Tensor, Tensor]:
    """Return grey images of digits, float [N, H, W] in [0, 1], and which digit each is."""
    if source == "digits":
        from sklearn.datasets import load_digits

        bunch = load_digits()
        images = torch.tensor(bunch.images, dtype=torch.float32) / 16  # pyright: ignore
        return images, torch.tensor(bunch.target)  # pyright: ignore
    train = load_images(DataConfig(source=source)).train
    return train.pixels.float().mean(dim=3) / 255, train.labels


def _size(images: Tensor) -> tuple[int, int]:
    return (images.shape[-2], images.shape[-1])


def _paint(images: Tensor, colour: Tensor) -> Tensor:
    """Return digits in red or blue, float [N, 3, H, W], normalised."""
    painted = torch.zeros(len(images), 3, *images.shape[1:])
    painted[torch.arange(len(images)), 2 * colour] = images
    return (painted - 0.15) / 0.3


def _network(name: Network, channels: int, size: tuple[int, int]) -> Callable[[], nn.Module]:
    if name == "mlp":
        return lambda: MLP(num_classes=2, in_channels=channels, image_size=size, widths=[256, 256])
    return lambda: WideResNet(num_classes=2, in_channels=channels, depth=10, widen_factor=1)
