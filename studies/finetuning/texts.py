"""A sentiment classifier of movie reviews, and its fine-tuning on tweets.

The texts are those of :mod:`studies.shortcuts.texts`. Both domains have as many negative as
positive texts. The classifier is the transformer of that study; the same head is used for both
domains, so training it alone can also forget.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.utils.data import TensorDataset

import learnorder
from learnorder.errors import ConfigError, DataError
from learnorder.runs import RunFolder
from learnorder.seeding import generator
from studies.common import ROOT
from studies.shortcuts.texts import Transformer, encode, rated_texts, vocabulary_of

RUNS = ROOT / "runs" / "finetuning"
PRETRAINED = 5
"""Number of pretrained networks, on seeds of their own."""
TRAINED = ("all", "head", "low rank")
"""The groups of weights that are trained."""
_RANK = 4
_SIZES = {"review": (2000, 400), "tweet": (400, 400)}
"""Texts of each class by domain: for training, and held out."""


@lru_cache(maxsize=1)
def texts() -> dict[str, tuple[list[str], list[str], list[int], list[int]]]:
    """Return texts for training and held-out ones, and their labels, by domain."""
    drawn = {}
    for domain, (trained, held) in _SIZES.items():
        parts: tuple[list[str], list[str], list[int], list[int]] = ([], [], [], [])
        for label in (0, 1):
            members = rated_texts()[domain, label]
            drawing = generator(0, "fine-tuning", domain, label)
            order = torch.randperm(len(members), generator=drawing).tolist()
            shuffled = [members[i] for i in order]
            parts[0].extend(shuffled[held : held + trained])
            parts[1].extend(shuffled[:held])
            parts[2].extend([label] * len(shuffled[held : held + trained]))
            parts[3].extend([label] * held)
        drawn[domain] = parts
    return drawn


@lru_cache(maxsize=1)
def vocabulary() -> dict[str, int]:
    """Return the words of the training texts of both domains."""
    return vocabulary_of([text for train, *_ in texts().values() for text in train])


def _data(domain: str) -> tuple[TensorDataset, TensorDataset]:
    """Return the training and the held-out texts of a domain, as token ids and labels."""
    train, held, labels, held_labels = texts()[domain]

    def dataset(some: Sequence[str], classes: Sequence[int]) -> TensorDataset:
        return TensorDataset(encode(some, vocabulary()), torch.tensor(classes))

    return dataset(train, labels), dataset(held, held_labels)


def pretraining() -> learnorder.Task:
    """Return the old task: movie reviews."""
    train, held = _data("review")
    words = len(vocabulary()) + 2
    return learnorder.Task(lambda: Transformer(words), train, held)


class LowRank(nn.Module):
    """Adds a trained matrix of low rank, which is zero at first, to a frozen weight."""

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.zeros(rows, _RANK))
        self.down = nn.Parameter(torch.randn(_RANK, columns) / columns**0.5)

    def forward(self, weight: Tensor) -> Tensor:
        """Return the sum."""
        return weight + self.up @ self.down


def freeze(network: Transformer, trains: str) -> Transformer:
    """Leave a group of weights to be trained: all, head, or low rank (with the head).

    Raises:
        ConfigError: There is no such group.
    """
    if trains not in TRAINED:
        raise ConfigError("task.arguments.trains", trains, f"Give one of {', '.join(TRAINED)}.")
    if trains == "all":
        return network
    network.requires_grad_(False)
    network.head.requires_grad_(True)
    if trains == "low rank":
        for layer in network.encoder.layers:
            named = ((layer.self_attn, "in_proj_weight"), (layer.linear1, "weight"),
                     (layer.linear2, "weight"))  # fmt: skip
            for module, name in named:
                low_rank = LowRank(*getattr(module, name).shape)
                parametrize.register_parametrization(module, name, low_rank)  # pyright: ignore
    return network


def tuning(trains: str = "all") -> learnorder.Task:
    """Return the new task: tweets, keeping movie reviews.

    The seed of a run decides with which of the pretrained networks it begins.

    Args:
        trains: all, head or low rank.

    Raises:
        DataError: The networks have not been pretrained.
    """
    train, held = _data("tweet")
    words = len(vocabulary()) + 2
    folders = pretrained_folders()

    def network() -> nn.Module:
        number = int(torch.randint(len(folders), ()))
        built = Transformer(words)
        built.load_state_dict(load_file(folders[number] / "weights.safetensors"))
        return freeze(built, trains)

    kept = learnorder.Keep(_data("review")[1], name="movie reviews")
    return learnorder.Task(network, train, held, keep=kept)


def pretrained_folders() -> list[Path]:
    """Return the run folders of the pretrained networks.

    Raises:
        DataError: They have not finished.
    """
    parent = RUNS / "pretrained"
    folders = sorted(path.parent for path in parent.glob("*/manifest.json"))
    if len(folders) < PRETRAINED or any(
        RunFolder(path).read_status() != "finished" for path in folders
    ):
        raise DataError(
            f"{parent}: networks are missing. Run python -m studies.finetuning.measure."
        )
    return folders
