"""A small language for networks of several widths, with learning rates scaled as in μP or not."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import AdamW

from learnorder.reproduce.papers.language import trigrams
from learnorder.training.task import Task

Decay = Literal["standard", "independent"]
_EMBEDDED = 32


class NormedMLP(nn.Module):
    """Perceptron on two tokens with two hidden layers, each normalised before its ReLU.

    Hidden weights begin as N(0, 1 / fan-in), those of the last layer as 0. There are no biases, and
    the norms have no parameters.

    Args:
        tokens: Number of tokens.
        width: Units of each hidden layer.
    """

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, _EMBEDDED)
        self.first = nn.Linear(2 * _EMBEDDED, width, bias=False)
        self.second = nn.Linear(width, width, bias=False)
        self.last = nn.Linear(width, tokens, bias=False)
        for layer in (self.first, self.second):
            nn.init.normal_(layer.weight, std=1 / math.sqrt(layer.in_features))
        nn.init.zeros_(self.last.weight)

    def forward(self, pairs: Tensor) -> Tensor:
        """Map pairs of tokens [B, 2] to logits [B, tokens]."""
        values = self.embedding(pairs).flatten(1)
        for layer in (self.first, self.second):
            values = layer(values)
            values = F.layer_norm(values, values.shape[1:]).relu()
        return self.last(values)

    def by_width(self) -> tuple[list[Tensor], list[Tensor]]:
        """Return the weights whose fan-in is not the width, and those whose fan-in it is."""
        return (
            [self.embedding.weight, self.first.weight], [self.second.weight, self.last.weight],
        )  # fmt: skip


def language_of_width(
    width: int = 32,
    base: int = 32,
    scaled: bool = True,
    decay: Decay = "independent",
    weight_decay: float = 0.1,
    tokens: int = 64,
    shown: int = 6400,
    draw: int = 0,
) -> Task:
    """Return the prediction of the next token by a :class:`NormedMLP`, trained by AdamW.

    With m = width / base, LR η and weight decay λ, weights whose fan-in is the width have

        η / m and λ      with ``scaled`` and standard decay,
        η / m and λ m    with ``scaled`` and independent decay, which keeps the product η λ,
        η and λ          otherwise,

    and the others η and λ. The first two are the learning rates of μP for Adam. A step multiplies
    weights by 1 minus the product of the two.

    Args:
        width: Units of each hidden layer.
        base: The width at which all of these are the same.
        scaled: Whether learning rates fall with the width.
        decay: standard or independent.
        weight_decay: λ.
        tokens: As for :func:`~learnorder.reproduce.papers.language.trigrams`.
        shown: As there.
        draw: As there.
    """
    factor = width / base if scaled else 1.0
    task = trigrams(tokens=tokens, shown=shown, draw=draw)
    kept = factor if decay == "independent" else 1.0
    return replace(
        task,
        model=lambda: NormedMLP(tokens, width),
        optimizer=_adamw(factor, weight_decay, weight_decay * kept),
    )


def _adamw(factor: float, decay: float, scaled_decay: float) -> Callable[[nn.Module, float], AdamW]:
    """Return a function that makes AdamW with LRs divided by a factor where the width is fan-in."""

    def make(network: nn.Module, learning_rate: float) -> AdamW:
        assert isinstance(network, NormedMLP)
        fixed, scaled = network.by_width()
        groups = [
            {"params": fixed, "lr": learning_rate, "weight_decay": decay},
            {"params": scaled, "lr": learning_rate / factor, "weight_decay": scaled_decay},
        ]
        return AdamW(groups)

    return make
