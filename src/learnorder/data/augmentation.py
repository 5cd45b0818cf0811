"""Augmentation of training images by a user's function."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from learnorder.config.importing import import_object
from learnorder.errors import ConfigError, one_line
from learnorder.seeding import derive_seed, generator, torch_state_kept


class Augmentation:
    """A function on batches of images, made reproducible.

    The function maps uint8 [B, C, H, W] to the same shape and dtype. If it has a parameter named
    ``generator``, it receives a seeded one. Torch's global generator is seeded as well and then
    restored, so transforms that draw from it, such as torchvision's, are the same in all arms of a
    seed.

    Args:
        path: Import path of the function, or of a class without arguments whose instances are
            callable.

    Raises:
        ConfigError: The path cannot be imported, or is not callable.
    """

    def __init__(self, path: str) -> None:
        remedy = "Give the import path of a function from images uint8 [B, C, H, W] to the same."
        imported = import_object(path, "data.augmentation", remedy)
        self.path = path
        self._function: Callable[..., Any] = imported() if isinstance(imported, type) else imported
        if not callable(self._function):
            raise ConfigError("data.augmentation", path, f"It is not callable. {remedy}")
        try:
            self._takes_generator = "generator" in inspect.signature(self._function).parameters
        except ValueError:  # some built-in functions have no signature
            self._takes_generator = False

    def __call__(self, images: Tensor, seed: int, epoch: int, step: int) -> Tensor:
        """Return an augmented batch, uint8 [B, C, H, W].

        Args:
            images: uint8 [B, C, H, W].
            seed: Seed of the run.
            epoch: Epoch of the batch.
            step: Step of the batch.

        Raises:
            ConfigError: The function fails, or returns another shape or dtype.
        """
        arguments = {}
        if self._takes_generator:
            arguments["generator"] = generator(seed, "augmentation", epoch, step)
        with torch_state_kept():
            torch.manual_seed(derive_seed(seed, "augmentation", epoch, step))
            try:
                augmented = self._function(images.clone(), **arguments)
            except Exception as error:  # the user's code can raise anything
                reason = f"It failed: {type(error).__name__}: {one_line(error)}."
                raise ConfigError("data.augmentation", self.path, reason) from error
        if not isinstance(augmented, Tensor) or (augmented.shape, augmented.dtype) != (
            images.shape,
            images.dtype,
        ):
            returned = (
                f"{augmented.dtype} of shape {tuple(augmented.shape)}"
                if isinstance(augmented, Tensor)
                else f"a {type(augmented).__name__}"
            )
            raise ConfigError(
                "data.augmentation",
                self.path,
                f"It returned {returned}. Return uint8 of shape {tuple(images.shape)}, as passed.",
            )
        return augmented
