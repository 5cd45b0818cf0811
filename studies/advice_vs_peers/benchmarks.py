"""The tasks and their settings, and the seeds of the table.

The networks, lengths, batch sizes and grids of learning rates were chosen from runs on seed 1000,
such that a run takes seconds and the grid contains both rates that are too small and rates that are
too large. No run of a search or a finder was made before they were fixed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from learnorder.advise.settings import Candidate, LRSearch
from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.runs.judged import Target

_TASKS = "studies.advice_vs_peers.tasks"
DEFAULTS = {"SGD": 0.1, "AdamW": 0.001}
"""The learning rates that people take by default."""


@dataclass(frozen=True)
class Benchmark:
    """A task with its settings.

    Attributes:
        title: What it is, for the page.
        task: Import path of the task.
        arguments: Its arguments.
        optimizer: Class of torch.optim.
        smallest: The smallest learning rate; each of the others is 10^(1/4) times the one before.
        rates: Number of learning rates.
        epochs: Full length; a multiple of 4.
        batch_size: Examples in a batch.
        anneal: step: to the smallest learning rate, at half of the epochs; cosine: to 0.
        truth: Number of seeds of the truth, which no search sees.
        pool: Number of seeds that searches draw from; a search of ``advise`` takes 9.
        targets: What it is judged by: each target is a comparison of its own.
    """

    title: str
    task: str
    optimizer: str
    smallest: float
    arguments: dict[str, Any] = field(default_factory=dict)
    rates: int = 11
    epochs: int = 12
    batch_size: int = 64
    anneal: Literal["step", "cosine"] = "step"
    truth: int = 10
    pool: int = 12
    targets: tuple[Target, ...] = ("score",)

    def grid(self) -> tuple[float, ...]:
        """Return the learning rates, in increasing order."""
        return tuple(float(f"{self.smallest * 10 ** (k / 4):.4g}") for k in range(self.rates))

    def truth_seeds(self) -> range:
        """Return the seeds of the truth."""
        return range(self.truth)

    def pool_seeds(self) -> range:
        """Return the seeds that searches draw from."""
        return range(100, 100 + self.pool)

    def search(self) -> LRSearch:
        """Return the search of ``advise`` for the learning rate alone, without a race."""
        decay = 5e-4 if self.optimizer == "SGD" else 0.01
        training = TrainingConfig(
            self.epochs, self.batch_size, optimizer=self.optimizer, weight_decay=decay
        )
        return LRSearch(
            task=TaskConfig(self.task, self.arguments), training=training, anneal=self.anneal,
            learning_rates=self.grid(), shorter_plateaus=(), noise=0.0, range_test=False,
            rungs=3, keep=0.5, screening_seeds=2, race=False,
        )  # fmt: skip

    def lengths(self) -> tuple[int, ...]:
        """Return the lengths of the rungs, the last of which is the full one."""
        search = self.search()
        return tuple(search.rung_epochs(rung) for rung in range(search.rungs))

    def config(self, rate: float, epochs: int, seed: int) -> TaskRunConfig:
        """Return the configuration of a run, as ``advise`` makes it."""
        search, smallest = self.search(), self.grid()[0]
        config = search.run(Candidate(rate, search.plateau), smallest, epochs, seed)
        assert isinstance(config, TaskRunConfig)
        return config

    def cells(self) -> Iterator[tuple[float, int, int]]:
        """Yield the learning rate, the length and the seed of each run of the table."""
        for epochs in self.lengths():
            full = epochs == self.epochs
            for seed in (*self.pool_seeds(), *(self.truth_seeds() if full else ())):
                for rate in self.grid():
                    yield rate, epochs, seed


def _images(
    title: str, data: str, network: str, optimizer: str, smallest: float, **more: Any
) -> Benchmark:
    arguments = {"data": data, "network": network}
    return Benchmark(title, f"{_TASKS}.images", optimizer, smallest, arguments, **more)


BENCHMARKS = {
    "cells": Benchmark(
        "cells, MLP, SGD", f"{_TASKS}.cells", "SGD", 0.001, rates=13, epochs=16, batch_size=32,
        pool=16,
    ),
    "diabetes": Benchmark(
        "diabetes, MLP, SGD", f"{_TASKS}.diabetes", "SGD", 10**-3.5, rates=13, epochs=16,
        batch_size=32,
    ),
    "digits_convnet": _images("digits, ConvNet, AdamW", "digits", "convnet", "AdamW", 1e-4),
    "texts": Benchmark(
        "texts, bag, AdamW", "studies.shortcuts.texts.sentiment", "AdamW", 10**-3.5, truth=8,
        pool=10,
        targets=("score", "worst_group"),
    ),
    "cifar_convnet": _images(
        "CIFAR-10, ConvNet, SGD", "cifar", "convnet", "SGD", 0.01, truth=8, pool=10
    ),
    "digits_vit": _images(
        "digits, ViT, AdamW, cosine", "digits", "vit", "AdamW", 1e-4, anneal="cosine", truth=8,
        pool=10,
    ),
    "cifar_wrn": _images(
        "CIFAR-10, WRN, SGD", "cifar_2000", "wrn", "SGD", 0.01, rates=9, truth=8, pool=10
    ),
    "cifar_wrn_adamw": _images(
        "CIFAR-10, WRN, AdamW", "cifar_2000", "wrn", "AdamW", 0.001, rates=9, truth=8, pool=10
    ),
    "finetuning": Benchmark(
        "fine-tuning, AdamW, cosine", f"{_TASKS}.finetuning", "AdamW", 10**-3.5, rates=9,
        epochs=8, batch_size=32, anneal="cosine", truth=8, pool=10,
    ),
}  # fmt: skip
"""By name, the cheap ones first."""
