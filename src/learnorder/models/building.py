"""Build the network a configuration names, from given random numbers."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from learnorder.config import ModelConfig
from learnorder.errors import ConfigError
from learnorder.seeding import derive_seed

_OWN = "learnorder.models"


def build_model(
    config: ModelConfig,
    *,
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    seed: int,
) -> nn.Module:
    """Return the network of ``config`` with initial weights that depend on ``seed`` alone.

    ``num_classes``, ``in_channels`` and ``image_size`` are passed where the constructor has
    parameters of these names and ``config.arguments`` leaves them open. The global random state
    is left as it was.

    Raises:
        ConfigError: The name cannot be imported, is no module, or refuses its arguments.
    """
    constructor = _resolve(config.name)
    offered = {
        "num_classes": num_classes,
        "in_channels": in_channels,
        "image_size": image_size,
    }
    arguments = {**_accepted(constructor, offered), **config.arguments}
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed(seed, "weights"))
        try:
            model = constructor(**arguments)
        except ConfigError:
            raise
        except (TypeError, ValueError, RuntimeError) as error:
            raise ConfigError(
                "model.arguments",
                arguments,
                f"{config.name} refused them: {error}. Its signature is "
                f"{config.name}{inspect.signature(constructor)}.",
            ) from error
    if not isinstance(model, nn.Module):
        raise ConfigError(
            "model.name",
            config.name,
            f"It returned a {type(model).__name__}; name a torch.nn.Module class or a function "
            "that returns one.",
        )
    _check_output(config.name, model, (2, in_channels, *image_size), num_classes)
    return model


@torch.no_grad()
def _check_output(name: str, model: nn.Module, shape: tuple[int, ...], num_classes: int) -> None:
    """Refuse a model that does not map images to one logit for each class."""
    expected = (shape[0], num_classes)
    try:
        found = tuple(model.eval()(torch.zeros(shape)).shape)
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        raise ConfigError(
            "model.name",
            name,
            f"It failed on images of shape {shape}: {error}. It must map float images [B, C, H, W] "
            f"to logits [B, {num_classes}]; --data.resolution brings images to another size.",
        ) from error
    if found != expected:
        raise ConfigError(
            "model.name",
            name,
            f"It maps images {shape} to {found}; logits of shape {expected} are needed, one for "
            "each class. Set its number of classes in --model.arguments.",
        )
    model.train()


def _resolve(name: str) -> Callable[..., Any]:
    path = name if "." in name else f"{_OWN}.{name}"
    module_name, _, attribute = path.rpartition(".")
    remedy = (
        "Give WideResNet, ConvNet or MLP, or an import path that works in "
        f"`python -c 'from {module_name} import {attribute}'` where the command is run."
    )
    try:
        found = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError("model.name", name, f"{error}. {remedy}") from error
    if not callable(found) or (isinstance(found, type) and not issubclass(found, nn.Module)):
        raise ConfigError("model.name", name, f"It is not a torch.nn.Module. {remedy}")
    return found


def _accepted(constructor: Callable[..., Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(constructor).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        named = {"num_classes"} | set(parameters)
    else:
        named = set(parameters)
    return {name: value for name, value in offered.items() if name in named}
