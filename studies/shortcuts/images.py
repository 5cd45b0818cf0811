"""Digits with a known shortcut: their colour, or a second digit beside them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import learnorder
from learnorder.models import MLP, WideResNet
from learnorder.seeding import generator

COLOURS = ("red", "blue")
_EVALUATED = 0.4
"""Share of the digits held out."""


def digits() -> tuple[Tensor, Tensor]:
    """Return scikit-learn's digits, float [N, 8, 8] in [0, 1], and whether each is 5 or more."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = torch.tensor(bunch.images, dtype=torch.float32) / 16  # pyright: ignore
    return images, torch.tensor(bunch.target >= 5).long()  # pyright: ignore


def coloured(
    network: str = "wrn", correlation: float = 0.95, noise: float = 0.0, draw: int = 0
) -> learnorder.Task:
    """Return the task: whether a digit is 5 or more; its colour suggests it.

    Args:
        network: wrn or mlp.
        correlation: Share of the training images whose colour suggests their class.
        noise: Share of the labels flipped at random, in training only.
        draw: Which digits are held out, and the colours.
    """
    images, labels = digits()
    order = torch.randperm(len(images), generator=generator(draw, "digits"))
    held = order[: round(_EVALUATED * len(order))]
    kept = order[len(held) :]
    drawing = generator(draw, "colours")
    agrees = torch.rand(len(kept), generator=drawing) < correlation
    colour = torch.where(agrees, labels[kept], 1 - labels[kept])
    flipped = torch.rand(len(kept), generator=drawing) < noise
    targets = torch.where(flipped, 1 - labels[kept], labels[kept])
    held_colour = torch.randint(0, 2, (len(held),), generator=drawing)
    groups = learnorder.Groups(
        [COLOURS[c] for c in colour.tolist()],
        [COLOURS[c] for c in held_colour.tolist()],
        name="colour",
        class_names=("0 to 4", "5 to 9"),
    )
    return learnorder.Task(
        model=lambda: _network(network, channels=3, size=(8, 8)),
        train=TensorDataset(_paint(images[kept], colour), targets),
        validation=TensorDataset(_paint(images[held], held_colour), labels[held]),
        groups=groups,
    )


def dominoes(network: str = "wrn", correlation: float = 0.95, draw: int = 0) -> learnorder.Task:
    """Return the task: whether the lower digit is even; the upper, 0 or 1, suggests it.

    The upper digit is the easy shortcut, as in Shah et al., *The Pitfalls of Simplicity Bias in
    Neural Networks*, NeurIPS 2020.

    Args:
        network: wrn or mlp.
        correlation: Share of the training images whose upper digit suggests their class.
        draw: Which digits are held out, and the pairs.
    """
    from sklearn.datasets import load_digits

    images, _ = digits()
    names = torch.tensor(load_digits().target)  # pyright: ignore
    order = torch.randperm(len(images), generator=generator(draw, "digits"))
    split = round(_EVALUATED * len(order))
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
    groups = learnorder.Groups(
        uppers_trained, uppers_held, name="upper digit", class_names=("odd", "even")
    )
    return learnorder.Task(
        model=lambda: _network(network, channels=1, size=(16, 8)),
        train=TensorDataset(train, targets),
        validation=TensorDataset(held, held_targets),
        groups=groups,
    )


def _paint(images: Tensor, colour: Tensor) -> Tensor:
    """Return digits in red or blue, float [N, 3, 8, 8], normalised."""
    painted = torch.zeros(len(images), 3, 8, 8)
    painted[torch.arange(len(images)), 2 * colour] = images
    return (painted - 0.15) / 0.3


def _network(name: str, channels: int, size: tuple[int, int]) -> nn.Module:
    if name == "mlp":
        return MLP(num_classes=2, in_channels=channels, image_size=size, widths=[256, 256])
    return WideResNet(num_classes=2, in_channels=channels, depth=10, widen_factor=1)
