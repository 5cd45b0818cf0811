"""A small language, of which a model predicts the next token."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from learnorder.seeding import generator
from learnorder.training.task import Task

_TEACHER = 64
"""Hidden units of the teacher."""
_EMBEDDED = 32
"""Length of the embedding of a token that the model learns."""


def trigrams(
    tokens: int = 64,
    width: int = 256,
    triples: int = 256_000,
    shown: int = 12_800,
    draw: int = 0,
) -> Task:
    """Return the prediction of a token from the two before it, by a perceptron.

    Of n tokens, the k-th has the probability p(k) ∝ 1/k (Zipf's law). After two independent tokens
    a and b the next one is j with p(j | a, b) ∝ exp(s_b f_j(a, b)), where f is a random teacher
    with one hidden layer. The certainty s_b is uniform in [0, 4], so that after some tokens few
    others are likely, and after some nearly all are. The loss is at least the mean entropy of
    p(j | a, b) up to chance: 2.5 of log 64 ≈ 4.2 nats for 64
    tokens and draw 0.

    An epoch shows triples drawn at random from all of them, with replacement.

    Args:
        tokens: Number of tokens n.
        width: Units of the hidden layer.
        triples: Number of training triples.
        shown: Number of triples that an epoch shows.
        draw: Seed of the language and of the triples.
    """
    drawing = generator(draw, "language")
    followers = _followers(tokens, drawing)
    frequency = 1 / torch.arange(1, tokens + 1)

    def drawn(count: int) -> tuple[Tensor, Tensor]:
        pairs = torch.multinomial(frequency, 2 * count, replacement=True, generator=drawing)
        first, second = pairs.view(2, count)
        following = torch.multinomial(followers[first, second], 1, generator=drawing).squeeze(1)
        return torch.stack((first, second), dim=1), following

    return Task(
        model=lambda: nn.Sequential(
            nn.Embedding(tokens, _EMBEDDED),
            nn.Flatten(),
            nn.Linear(2 * _EMBEDDED, width),
            nn.ReLU(),
            nn.Linear(width, tokens),
        ),
        train=TensorDataset(*drawn(triples)),
        validation=TensorDataset(*drawn(shown // 2)),
        sampler=lambda order: torch.randint(triples, (shown,), generator=order),
    )


def _followers(tokens: int, drawing: torch.Generator) -> Tensor:
    """Return p(j | a, b), float [n, n, n] over a, b and j."""
    first, second = torch.randn(2, tokens, _TEACHER, generator=drawing)
    hidden = (first[:, None] + second).relu()
    last = torch.randn(_TEACHER, tokens, generator=drawing) / math.sqrt(_TEACHER)
    certainty = 4 * torch.rand(tokens, 1, generator=drawing)
    return (certainty * (hidden @ last)).softmax(2)
