"""Rated texts in which the domain is a shortcut to the sentiment.

The texts are those of Hutto and Gilbert (VADER, ICWSM 2014), in ``data/sentiment``; the label is
the sign of the mean rating, without ratings between -0.5 and 0.5. In the training texts most tweets
are positive and most movie reviews negative; the validation texts have each domain and sentiment
equally often.
"""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import learnorder
from learnorder.errors import DataError
from learnorder.seeding import generator
from studies.common import ROOT

FOLDER = ROOT / "data" / "sentiment"
"""The texts, or a link to them."""
DOMAINS = {"tweet": "tweets.tsv", "review": "movieReviewSnippets.tsv"}
CLASSES = ("negative", "positive")
LENGTH = 48
"""Tokens of a text; longer ones are cut."""
_FEWEST_RATED = 0.5
_WORD = re.compile(r"[a-z']+|[!?.:;()]+")
_EVALUATED = 400
"""Validation texts of each domain and sentiment."""


def rated_lines(domain: str) -> list[tuple[str, bool]]:
    """Return the texts of a domain, as in its file, and whether each is positive.

    Raises:
        DataError: The file is not in ``data/sentiment``.
    """
    path = FOLDER / DOMAINS[domain]
    if not path.exists():
        raise DataError(f"{path}: missing. Link the rated texts to data/sentiment.")
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    rows = [line.split("\t", 2) for line in lines]
    return [
        (text, float(rating) > 0) for _, rating, text in rows if abs(float(rating)) >= _FEWEST_RATED
    ]


@lru_cache(maxsize=1)
def rated_texts() -> dict[tuple[str, int], list[str]]:
    """Return all texts by domain and class, with HTML entities as characters."""
    texts: dict[tuple[str, int], list[str]] = {}
    for domain in DOMAINS:
        for text, positive in rated_lines(domain):
            texts.setdefault((domain, int(positive)), []).append(html.unescape(text))
    return texts


def words_of(text: str) -> list[str]:
    """Return the words and marks of a text, in lower case.

    >>> words_of("Yay. Another good interview!!")
    ['yay', '.', 'another', 'good', 'interview', '!!']
    """
    return _WORD.findall(text.lower())[:LENGTH]


class Bag(nn.Module):
    """The mean of word embeddings, and a small network on it."""

    def __init__(self, vocabulary: int, width: int = 64) -> None:
        super().__init__()
        self.embedding = nn.EmbeddingBag(vocabulary, width, mode="mean", padding_idx=0)
        self.hidden, self.activation = nn.Linear(width, width), nn.ReLU()
        self.head = nn.Linear(width, len(CLASSES))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits, [B, 2], of token ids [B, T]; 0 is padding."""
        return self.head(self.activation(self.hidden(self.embedding(tokens))))


class Transformer(nn.Module):
    """A transformer encoder of two layers, and the mean over the tokens."""

    def __init__(self, vocabulary: int, width: int = 64) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width, padding_idx=0)
        self.position = nn.Parameter(0.02 * torch.randn(LENGTH, width))
        layer = nn.TransformerEncoderLayer(width, 4, 2 * width, 0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(width, len(CLASSES))

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits, [B, 2], of token ids [B, T]; 0 is padding."""
        padding = tokens == 0
        states = self.encoder(self.embedding(tokens) + self.position, src_key_padding_mask=padding)
        shown = (~padding).unsqueeze(2)
        return self.head((states * shown).sum(1) / shown.sum(1).clamp(min=1))


NETWORKS = {"bag": Bag, "transformer": Transformer}


def sentiment(
    network: str = "bag", correlation: float = 0.95, majority: int = 700, draw: int = 0
) -> learnorder.Task:
    """Return the task.

    Args:
        network: bag or transformer.
        correlation: Share of the training texts whose domain suggests their class.
        majority: Positive tweets, and negative reviews, in the training texts.
        draw: Which texts are drawn.
    """
    minority = round(majority * (1 - correlation) / correlation)
    texts, domains, labels = list[str](), list[str](), list[int]()
    held, held_domains, held_labels = list[str](), list[str](), list[int]()
    for (domain, label), members in rated_texts().items():
        order = torch.randperm(len(members), generator=generator(draw, "texts", domain, label))
        shuffled = [members[i] for i in order.tolist()]
        count = majority if (domain == "tweet") == (label == 1) else minority
        held += shuffled[:_EVALUATED]
        texts += shuffled[_EVALUATED : _EVALUATED + count]
        domains += [domain] * count
        labels += [label] * count
        held_domains += [domain] * _EVALUATED
        held_labels += [label] * _EVALUATED
    vocabulary = vocabulary_of(texts)
    groups = learnorder.Groups(domains, held_domains, name="domain", class_names=CLASSES)
    build = NETWORKS[network]
    return learnorder.Task(
        model=lambda: build(len(vocabulary) + 2),
        train=TensorDataset(encode(texts, vocabulary), torch.tensor(labels)),
        validation=TensorDataset(encode(held, vocabulary), torch.tensor(held_labels)),
        groups=groups,
    )


def vocabulary_of(texts: Sequence[str]) -> dict[str, int]:
    """Return the words that occur twice or more, with their ids from 2; 1 is any other word."""
    counts = Counter(word for text in texts for word in words_of(text))
    known = sorted(word for word, count in counts.items() if count > 1)
    return {word: number for number, word in enumerate(known, start=2)}


def encode(texts: Sequence[str], vocabulary: dict[str, int]) -> Tensor:
    """Return token ids, int64 [N, T], padded with 0."""
    tokens = torch.zeros(len(texts), LENGTH, dtype=torch.int64)
    for row, text in enumerate(texts):
        ids = [vocabulary.get(word, 1) for word in words_of(text)] or [1]
        tokens[row, : len(ids)] = torch.tensor(ids)
    return tokens
