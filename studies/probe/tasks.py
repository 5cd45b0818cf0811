"""Tasks that are probed: texts, a table and series, each with a planter."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import Dataset, TensorDataset

import learnorder
from learnorder.config.settings import DataConfig
from learnorder.errors import DataError
from learnorder.models import WideResNet
from learnorder.planters import ImagePlanter, SeriesPlanter, TablePlanter, TextPlanter
from learnorder.seeding import generator
from studies.common import DATA, ROOT
from studies.image_sets import image_sets
from studies.shortcuts.texts import NETWORKS, encode, rated_texts, vocabulary_of

SERIES = ROOT / "data" / "aeon" / "aeon" / "datasets" / "data" / "JapaneseVowels"
"""The series that ship in the package aeon: ``pip install --target data/aeon --no-deps aeon``."""
_TRAINED, _EVALUATED = 2000, 1500


class Texts(Dataset[tuple[str, int]]):
    """Texts with their classes."""

    def __init__(self, texts: list[str], labels: list[int]) -> None:
        self.texts, self.labels = texts, labels

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, index: int) -> tuple[str, int]:
        return self.texts[index], self.labels[index]


def reviews(network: str = "bag") -> learnorder.Task:
    """Return the sentiment of movie reviews; rare words reveal it.

    Args:
        network: bag, which counts words, or transformer. The words of a class are its own for the
            bag; for the transformer the classes differ in the order of the same words.
    """
    texts, labels = list[str](), list[int]()
    for (domain, label), members in rated_texts().items():
        if domain == "review":
            texts += members
            labels += [label] * len(members)
    order = torch.randperm(len(texts), generator=generator(0, "reviews")).tolist()
    parts = order[:_TRAINED], order[_TRAINED : _TRAINED + _EVALUATED]
    train, held = (Texts([texts[i] for i in p], [labels[i] for i in p]) for p in parts)
    planter = TextPlanter(shared=network == "transformer", strengths=(1, 2, 4))
    vocabulary = vocabulary_of([*train.texts, *(f"{word} {word}" for word in planter.rare_words)])
    build = NETWORKS[network]

    def collate(items: list[tuple[str, int]]) -> tuple[Tensor, Tensor]:
        shown = encode([text for text, _ in items], vocabulary)
        return shown, torch.tensor([label for _, label in items])

    return learnorder.Task(
        lambda: build(len(vocabulary) + 2), train, held, collate=collate, planter=planter
    )


def cells() -> learnorder.Task:
    """Return whether a tumour is malignant, from 30 features of cells: a table."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    x = torch.tensor(bunch.data, dtype=torch.float32)  # pyright: ignore
    x = torch.cat([(x - x.mean(0)) / x.std(0), torch.zeros(len(x), 6)], dim=1)
    noise = torch.randn(len(x), 6, generator=generator(0, "columns"))
    x[:, 30:] = noise
    labels = torch.tensor(bunch.target)  # pyright: ignore

    def network() -> nn.Module:
        return nn.Sequential(
            nn.Linear(36, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 2)
        )

    planter = TablePlanter(columns=tuple(range(30, 36)))
    return learnorder.Task(network, TensorDataset(x, labels), validation_share=0.4, planter=planter)


def pictures() -> learnorder.Task:
    """Return the classes of 2,000 CIFAR-10 images at 16×16, with a WRN-10-1."""
    train, validation = image_sets(
        DataConfig(
            source=DATA,
            train_examples=2000,
            evaluation_examples=600,
            resolution=16,
            evaluate_on="validation",
            validation_share=0.1,
        )
    )
    return learnorder.Task(
        lambda: WideResNet(depth=10, widen_factor=1),
        train,
        validation,
        planter=ImagePlanter(size=4),
    )


class Convolutions(nn.Module):
    """Three convolutions over time with batch norm, and the mean."""

    def __init__(self, channels: int, num_classes: int, width: int = 64) -> None:
        super().__init__()
        sizes = [channels, width, width, width]
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Conv1d(a, b, 5, padding=2, bias=False), nn.BatchNorm1d(b))
            for a, b in pairwise(sizes)
        )
        self.activation, self.head = nn.ReLU(), nn.Linear(width, num_classes)

    def forward(self, series: Tensor) -> Tensor:
        """Return logits, [B, C], of series [B, channels, T]."""
        for layer in self.layers:
            series = self.activation(layer(series))
        return self.head(F.adaptive_avg_pool1d(series, 1).flatten(1))


def vowels() -> learnorder.Task:
    """Return the speaker, one of nine, from the spectrum of a vowel over time: series."""
    x, labels = _series()
    x = (x - x.mean((0, 2), keepdim=True)) / x.std((0, 2), keepdim=True)
    planter = SeriesPlanter(length=8, add=False)
    return learnorder.Task(
        lambda: Convolutions(x.shape[1], 9),
        TensorDataset(x, labels),
        validation_share=0.4,
        planter=planter,
    )


def _series() -> tuple[Tensor, Tensor]:
    """Return all series, float [N, 12, 25], and their classes.

    Raises:
        DataError: They are missing.
    """
    series, labels = list[Tensor](), list[int]()
    for part in ("TRAIN", "TEST"):
        path = Path(SERIES) / f"JapaneseVowels_eq_{part}.ts"
        if not path.exists():
            raise DataError(f"{path}: missing. pip install --target data/aeon --no-deps aeon")
        text = path.read_text(encoding="utf-8").partition("@data\n")[2]
        for line in text.splitlines():
            *channels, label = line.split(":")
            rows = [[float(value) for value in channel.split(",")] for channel in channels]
            series.append(torch.tensor(rows))
            labels.append(int(label) - 1)
    return torch.stack(series), torch.tensor(labels)
