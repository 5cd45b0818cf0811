"""The tasks of the study: examples, networks and settings."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.datasets import load_digits
from torch import Tensor, nn

from learnorder.models import ConvNet, WideResNet
from studies.common import ROOT
from studies.shortcuts.texts import DOMAINS, FOLDER, rated_lines

DATA = ROOT / "data"


@dataclass(frozen=True)
class Task:
    """A classification task.

    Attributes:
        name: Name of the data.
        title: Data, network and optimiser.
        load: Returns inputs [N, ...] and true labels int64 [N].
        model: Returns a new network for inputs and a number of classes.
        optimizer: Returns an optimiser for parameters and a learning rate.
        rates: Learning rates, constant during training.
        rate: The learning rate for the comparison of rankings. Of ``rates``, it has the highest
            accuracy on a held-out fifth with given labels, flipped ones included, on seeds 1000 to
            1002.
        epochs: Passes over the data.
        batch: Examples in a batch.
        seeds: Number of seeds, from 0.
        needs: File or folder with the data; None if it is installed.
    """

    name: str
    title: str
    load: Callable[[], tuple[Tensor, Tensor]]
    model: Callable[[Tensor, int], nn.Module]
    optimizer: Callable[..., torch.optim.Optimizer]
    rates: tuple[float, ...]
    rate: float
    epochs: int
    batch: int
    seeds: int
    needs: Path | None = None


def _sgd(parameters: Any, rate: float, *, fused: bool = False) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, rate, momentum=0.9, weight_decay=5e-4, fused=fused)


def _adamw(parameters: Any, rate: float) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, rate, weight_decay=0.01, fused=True)


def _digits() -> tuple[Tensor, Tensor]:
    pixels, labels = load_digits(return_X_y=True)
    images = torch.tensor(pixels / 8 - 1, dtype=torch.float32).reshape(-1, 1, 8, 8)
    return images, torch.from_numpy(labels).long()


WORDS = 32
"""Longest text, in words; the rest of a text is not read."""


def _texts() -> tuple[Tensor, Tensor]:
    """Return words as numbers from 1, [N, WORDS], and whether each text is positive.

    Texts with a mean rating between −0.5 and 0.5 are left out; so are words that occur once.
    """
    rated = [pair for domain in DOMAINS for pair in rated_lines(domain)]
    texts = [re.findall(r"[\w']+|[!?:;()]+", text.lower())[:WORDS] for text, _ in rated]
    labels = [positive for _, positive in rated]
    counts = Counter(word for text in texts for word in text)
    number = {word: n for n, word in enumerate((w for w in counts if counts[w] > 1), start=1)}
    inputs = torch.zeros(len(texts), WORDS, dtype=torch.int64)
    for row, text in zip(inputs, texts, strict=True):
        known = [number[word] for word in text if word in number]
        row[: len(known)] = torch.tensor(known, dtype=torch.int64)
    return inputs, torch.tensor(labels).long()


class BagOfWords(nn.Module):
    """The mean of the embeddings of a text's words, and a linear layer."""

    def __init__(self, words: int, classes: int, width: int = 64) -> None:
        super().__init__()
        self.embedding = nn.EmbeddingBag(words, width, mode="mean", padding_idx=0)
        self.classifier = nn.Linear(width, classes)

    def forward(self, words: Tensor) -> Tensor:
        """Map words [B, T], padded by 0, to logits [B, classes]."""
        return self.classifier(self.embedding(words))


def _cifar(examples: int = 10_000, size: int = 16) -> tuple[Tensor, Tensor]:
    """Return the first training images, scaled to ``size``, with each channel standardised."""
    import pyarrow.parquet as pq

    table = pq.read_table(DATA / "cifar10" / "train.parquet").slice(0, examples)
    pictures = [
        Image.open(io.BytesIO(row["bytes"]))
        .convert("RGB")
        .resize((size, size), Image.Resampling.BOX)
        for row in table["img"].to_pylist()
    ]
    images = torch.from_numpy(np.stack([np.asarray(each) for each in pictures])).float()
    images = (images - images.mean((0, 1, 2))) / images.std((0, 1, 2))
    return images.permute(0, 3, 1, 2).contiguous(), torch.tensor(table["label"].to_pylist())


TASKS = {
    "digits": Task(
        "digits",
        "Digits: 1,797 images, ConvNet, SGD",
        _digits,
        lambda _, classes: ConvNet(classes, widths=(16, 32, 64), in_channels=1),
        _sgd, (0.003, 0.03, 0.3), 0.003, epochs=20, batch=32, seeds=10,
    ),
    "texts": Task(
        "texts",
        "Sentiment of 13,504 texts, bag of embeddings, AdamW",
        _texts,
        lambda words, classes: BagOfWords(int(words.max()) + 1, classes),
        _adamw, (0.0003, 0.001, 0.01), 0.001, epochs=8, batch=32, seeds=5,
        needs=FOLDER,
    ),
    "cifar10": Task(
        "CIFAR-10",
        "CIFAR-10: 10,000 images at 16×16, WRN-16-1, SGD",
        _cifar,
        lambda _, classes: WideResNet(num_classes=classes, depth=16, widen_factor=1),
        partial(_sgd, fused=True), (0.01, 0.05, 0.2), 0.05, epochs=8, batch=64, seeds=5,
        needs=DATA / "cifar10" / "train.parquet",
    ),
}  # fmt: skip
