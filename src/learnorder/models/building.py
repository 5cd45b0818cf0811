"""Build the network a configuration names, from given random numbers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from learnorder.config.importing import import_object
from learnorder.config.settings import ModelConfig
from learnorder.errors import ConfigError, one_line
from learnorder.models.compiled import without_wrappers
from learnorder.models.fresh import check_fresh
from learnorder.models.modes import evaluation_mode
from learnorder.models.trainable import check_lazy, check_trainable
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
        ConfigError: The name cannot be imported, is no module, refuses its arguments, cannot be
            trained, shares its weights with an earlier one, or does not map images to one logit for
            each class.
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
        model = without_wrappers(_construct(config.name, constructor, arguments))
        check_trainable(model, "model.name", config.name)
        check_fresh(model, "model.name", config.name)
        _check_output(config.name, model, (2, in_channels, *image_size), num_classes)
    check_lazy(model, "model.name", config.name)
    return model


def _resolve(name: str) -> Callable[..., Any]:
    path = name if "." in name else f"{_OWN}.{name}"
    what = "Give WideResNet, ConvNet, MLP or ViT, or an import path."
    found = import_object(path, "model.name", what)
    if not callable(found) or (isinstance(found, type) and not issubclass(found, nn.Module)):
        raise ConfigError("model.name", name, f"It is not a torch.nn.Module. {what}")
    return found


def _parameters(constructor: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(constructor).parameters
    except ValueError:  # some built-in functions have none
        return {}


def _accepted(constructor: Callable[..., Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    parameters = _parameters(constructor)
    named = set(parameters)
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        named.add("num_classes")
    return {name: value for name, value in offered.items() if name in named}


def _construct(
    name: str, constructor: Callable[..., Any], arguments: Mapping[str, Any]
) -> nn.Module:
    try:
        model = constructor(**arguments)
    except ConfigError:
        raise
    except Exception as error:  # so can calling it
        signature = ", ".join(str(p) for p in _parameters(constructor).values())
        raise ConfigError(
            "model.arguments",
            dict(arguments),
            f"{name} refused them: {one_line(error)}. Its signature is {name}({signature}); "
            "--model.arguments '{name: value}' passes them, '{}' none.",
        ) from error
    if not isinstance(model, nn.Module):
        raise ConfigError(
            "model.name",
            name,
            f"It returned a {type(model).__name__}; name a torch.nn.Module class or a function "
            "that returns one.",
        )
    return model


@torch.no_grad()
def _check_output(name: str, model: nn.Module, shape: tuple[int, ...], num_classes: int) -> None:
    """Refuse a model that does not map images to one logit for each class."""
    try:
        with evaluation_mode(model):
            found = model(torch.zeros(shape))
    except Exception as error:
        raise ConfigError(
            "model.name",
            name,
            f"It failed on images of shape {shape}: {one_line(error)}. It must map float images "
            f"[B, C, H, W] to logits [B, {num_classes}]; --data.resolution brings images to "
            "another size.",
        ) from error
    check_logits(name, found, shape, num_classes)


def check_logits(
    name: str, outputs: Any, shape: tuple[int, ...], num_classes: int, mode: str = "evaluation"
) -> None:
    """Refuse what is not one real logit for each image and class.

    Args:
        name: The network, as configured.
        outputs: What it returned.
        shape: Of the images.
        num_classes: How many there are.
        mode: That the network was in: training or evaluation.

    Raises:
        ConfigError: It is something else.
    """
    if not isinstance(outputs, Tensor):
        kind = f"a {type(outputs).__name__}"
    elif outputs.is_complex():
        kind = f"complex numbers {tuple(outputs.shape)}"
    else:
        kind = tuple(outputs.shape)
    if kind != (shape[0], num_classes):
        raise ConfigError(
            "model.name",
            name,
            f"In {mode} mode it maps images {shape} to {kind}; real logits of shape "
            f"{(shape[0], num_classes)} are needed, one for each class. Set its number of classes "
            "in --model.arguments, and let it return the logits alone in both modes.",
        )
