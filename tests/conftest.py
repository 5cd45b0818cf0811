"""What tests share: a tiny experiment that trains in a second, and the CIFAR-10 files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from learnorder.config import (
    DataConfig,
    ModelConfig,
    PatchConfig,
    RunConfig,
    TrainingConfig,
)
from learnorder.schedules import Schedule

CIFAR = Path(__file__).parents[2] / "shared" / "data" / "cifar10"


@pytest.fixture(autouse=True)
def _one_thread():
    torch.set_num_threads(1)


@pytest.fixture
def tiny() -> RunConfig:
    """A patched run on digits: 4 steps an epoch, 3 epochs."""
    return RunConfig(
        data=DataConfig(train_examples=120, evaluation_examples=60),
        model=ModelConfig("ConvNet", {"widths": [8, 16]}),
        patch=PatchConfig(eligible_share=0.8, size=3, contrast=0.6),
        training=TrainingConfig(epochs=3, batch_size=32),
        learning_rate=Schedule(0.1, step_epochs=(3,), step_factor=0.1),
    )


@pytest.fixture
def cifar() -> DataConfig:
    """A little of CIFAR-10, where its files are."""
    if not (CIFAR / "train.parquet").exists():
        pytest.skip("the CIFAR-10 Parquet files are not beside the project")
    return DataConfig(
        source=f"parquet:{CIFAR}",
        train_examples=200,
        evaluation_examples=100,
        resolution=16,
        normalization="cifar",
    )


def changed(config: RunConfig, **sections: dict[str, object]) -> RunConfig:
    """Return a configuration with fields of its sections replaced."""
    return replace(
        config,
        **{name: replace(getattr(config, name), **fields) for name, fields in sections.items()},
    )
