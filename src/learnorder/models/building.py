"""Build the network that a configuration names."""

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
from learnorder.seeding import derive_seed, torch_state_kept

_PACKAGE = "learnorder.models"


def build_model(
    config: ModelConfig,
    *,
    num_classes: int,
    in_channels: int,
    image_size: tuple[int, int],
    seed: int,
) -> nn.Module:
    """Build the network of ``config`` with initial weights that depend only on ``seed``.

    ``num_classes``, ``in_channels`` and ``image_size`` (H, W) are passed to the constructor if it
    has parameters with these names and ``config.arguments`` does not set them. The global random
    state does not change.

    Raises:
        ConfigError: The name cannot be imported or is not a module, or the network rejects its
            arguments, cannot be trained, shares weights with an earlier one, or does not map images
            to one logit per class.
    """
    constructor = _resolve(config.name)
    defaults = {"num_classes": num_classes, "in_channels": in_channels, "image_size": image_size}
    arguments = {**_accepted(constructor, defaults), **config.arguments}
    with torch_state_kept():
        torch.manual_seed(derive_seed(seed, "weights"))
        model = without_wrappers(_construct(config.name, constructor, arguments))
        check_trainable(model, "model.name", config.name)
        check_fresh(model, "model.name", config.name)
        _check_output(config.name, model, (2, in_channels, *image_size), num_classes)
    check_lazy(model, "model.name", config.name)
    return model


def _resolve(name: str) -> Callable[..., Any]:
    path = name if "." in name else f"{_PACKAGE}.{name}"
    remedy = "Give WideResNet, ConvNet, MLP or ViT, or an import path."
    target = import_object(path, "model.name", remedy)
    if not callable(target) or (isinstance(target, type) and not issubclass(target, nn.Module)):
        raise ConfigError("model.name", name, f"It is not a torch.nn.Module. {remedy}")
    return target


def _parameters(constructor: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(constructor).parameters
    except ValueError:  # some built-in functions have none
        return {}


def _accepted(constructor: Callable[..., Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    parameters = _parameters(constructor)
    names = set(parameters)
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        names.add("num_classes")
    return {name: value for name, value in defaults.items() if name in names}


def _construct(
    name: str, constructor: Callable[..., Any], arguments: Mapping[str, Any]
) -> nn.Module:
    try:
        model = constructor(**arguments)
    except ConfigError:
        raise
    except Exception as error:
        signature = ", ".join(str(p) for p in _parameters(constructor).values())
        raise ConfigError(
            "model.arguments",
            dict(arguments),
            f"{name} rejected them: {one_line(error)}. Its signature is {name}({signature}). Pass "
            "arguments with --model.arguments '{name: value}', or none with '{}'.",
        ) from error
    if not isinstance(model, nn.Module):
        raise ConfigError(
            "model.name",
            name,
            f"It returned a {type(model).__name__}; give a torch.nn.Module class or a function "
            "that returns a module.",
        )
    return model


@torch.no_grad()
def _check_output(name: str, model: nn.Module, shape: tuple[int, ...], num_classes: int) -> None:
    """Refuse a model that does not map images to one logit per class."""
    try:
        with evaluation_mode(model):
            outputs = model(torch.zeros(shape))
    except Exception as error:
        raise ConfigError(
            "model.name",
            name,
            f"It failed on images of shape {shape}: {one_line(error)}. It must map float images "
            f"[B, C, H, W] to logits [B, {num_classes}]; --data.resolution resizes images.",
        ) from error
    check_logits(name, outputs, shape, num_classes)


def check_logits(
    name: str, outputs: Any, shape: tuple[int, ...], num_classes: int, mode: str = "evaluation"
) -> None:
    """Refuse outputs that are not one real logit per image and class.

    Args:
        name: Name of the network in the configuration.
        outputs: Outputs of the network.
        shape: Shape of the images, [B, C, H, W].
        num_classes: Number of classes.
        mode: Mode of the network, training or evaluation.

    Raises:
        ConfigError: The outputs are not a real tensor [B, num_classes].
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
            f"{(shape[0], num_classes)} are needed, one per class. Set its number of classes in "
            "--model.arguments, and let it return only the logits in both modes.",
        )
