"""Optimisers of ``torch.optim``, by name."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from learnorder.config.settings import TrainingConfig
from learnorder.errors import ConfigError, did_you_mean, one_line

_SET_HERE = ("params", "lr", "weight_decay", "fused")


def build_optimizer(
    config: TrainingConfig,
    parameters: Iterable[nn.Parameter],
    learning_rate: float,
    device: torch.device,
) -> torch.optim.Optimizer:
    """Return the optimiser of a configuration.

    It gets ``weight_decay``, SGD's ``momentum`` and ``nesterov``, and ``optimizer_arguments``. The
    fused implementation is used if the device supports it.

    Args:
        config: The configuration.
        parameters: The parameters to train.
        learning_rate: The initial learning rate.
        device: Device of the parameters.

    Raises:
        ConfigError: The optimiser is unknown, or needs a closure or sparse gradients, or does not
            accept an argument.
    """
    kind = _optimizer_named(config.optimizer)
    accepted = [name for name in inspect.signature(kind).parameters if name not in _SET_HERE]
    for name in config.optimizer_arguments:
        if name not in accepted:
            raise ConfigError(
                f"training.optimizer_arguments.{name}",
                config.optimizer_arguments[name],
                f"{config.optimizer} takes {', '.join(accepted)}.",
            )
    arguments: dict[str, Any] = {"lr": learning_rate, "weight_decay": config.weight_decay}
    if config.optimizer == "SGD":
        arguments |= {"momentum": config.momentum, "nesterov": config.nesterov}
    if "fused" in inspect.signature(kind).parameters and device.type in ("cpu", "cuda"):
        arguments["fused"] = True
    try:
        return kind(parameters, **{**arguments, **config.optimizer_arguments})
    except (TypeError, ValueError) as error:
        raise ConfigError(
            "training.optimizer_arguments", config.optimizer_arguments, f"{one_line(error)}."
        ) from None


def optimizer_names() -> list[str]:
    """Return the names of the available optimisers."""
    names = []
    for name, kind in vars(torch.optim).items():
        if inspect.isclass(kind) and issubclass(kind, torch.optim.Optimizer):
            dense = name not in ("Optimizer", "LBFGS", "SparseAdam")
            if dense and "weight_decay" in inspect.signature(kind).parameters:
                names.append(name)
    return sorted(names)


def _optimizer_named(name: str) -> Any:
    names = optimizer_names()
    if name not in names:
        suggestion = did_you_mean(name, names, most=1, cutoff=0.4)
        remedy = f"Give one of {', '.join(names)}. {suggestion}".rstrip()
        raise ConfigError("training.optimizer", name, remedy)
    return getattr(torch.optim, name)
