"""The setup of runs that train a network, in words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from learnorder.config.training import TrainingConfig
from learnorder.runs import RunFolder, flatten, shared_settings

DIFFERS = "differs between the arms"


def sections_alike(folders: Sequence[RunFolder[Any]]) -> set[str]:
    """Return the sections of the settings, e.g. data or training, that are equal in all runs."""
    shared = shared_settings(folders)
    names = flatten(folders[0].config.to_dict())
    differing = {name.partition(".")[0] for name in names if name not in shared}
    return {name.partition(".")[0] for name in names} - differing


def training_words(
    training: TrainingConfig, own_optimizer: str = "", own_scheduler: str = ""
) -> str:
    """Return epochs, batch size, optimiser and weight decay, in words.

    Args:
        training: The settings.
        own_optimizer: Class of the task's own optimiser; empty if the settings name it.
        own_scheduler: Class of the task's own scheduler; empty if there is none.
    """
    optimizer = f"{_optimizer_words(training)}, weight decay {training.weight_decay:g}"
    if own_optimizer:
        optimizer = f"{own_optimizer} as the task makes it"
    if own_scheduler:
        optimizer += f", learning rate by the task's {own_scheduler}"
    parts = f" in {training.accumulate} parts" if training.accumulate > 1 else ""
    clipped = f", gradients clipped at norm {training.clip_norm:g}" if training.clip_norm else ""
    return (
        f"{training.epochs} epochs, batch size {training.batch_size}{parts}, {optimizer}{clipped}"
    )


def _optimizer_words(training: TrainingConfig) -> str:
    arguments = "".join(f", {name} {v}" for name, v in training.optimizer_arguments.items())
    if training.optimizer != "SGD":
        return training.optimizer + arguments
    nesterov = "Nesterov " if training.nesterov else ""
    return f"SGD with {nesterov}momentum {training.momentum:g}{arguments}"
