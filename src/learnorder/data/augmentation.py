"""The user's own augmentation of training images, by its import path."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from learnorder.config.importing import import_object
from learnorder.errors import ConfigError, one_line
from learnorder.seeding import derive_seed, generator


class Augmentation:
    """A function on batches of images, made reproducible.

    It gets uint8 [B, C, H, W] and returns the same shape and type. Where it has a parameter named
    generator it gets one; torch's global generator is seeded for it too, and put back, so that
    transforms which draw from it (torchvision's do) are the same for every arm of a seed.

    Args:
        path: Import path of the function, or of a class without arguments whose objects are called.

    Raises:
        ConfigError: It cannot be imported, or is nothing to call.
    """

    def __init__(self, path: str) -> None:
        what = "Give the import path of a function from images uint8 [B, C, H, W] to the same."
        found = import_object(path, "data.augmentation", what)
        self.path = path
        self._function: Callable[..., Any] = found() if isinstance(found, type) else found
        if not callable(self._function):
            raise ConfigError("data.augmentation", path, f"It is nothing to call. {what}")
        try:
            self._takes = "generator" in inspect.signature(self._function).parameters
        except ValueError:  # some built-in functions have no signature
            self._takes = False

    def __call__(self, images: Tensor, seed: int, epoch: int, step: int) -> Tensor:
        """Return a batch, augmented.

        Args:
            images: uint8 [B, C, H, W].
            seed: The run's.
            epoch: Of the batch.
            step: Of the batch.

        Raises:
            ConfigError: The function fails, or returns another shape or type.
        """
        given = {}
        if self._takes:
            given["generator"] = generator(seed, "augmentation", epoch, step)
        with torch.random.fork_rng():
            torch.manual_seed(derive_seed(seed, "augmentation", epoch, step))
            try:
                changed = self._function(images.clone(), **given)
            except Exception as error:  # the user's code can raise anything
                reason = f"It failed: {type(error).__name__}: {one_line(error)}."
                raise ConfigError("data.augmentation", self.path, reason) from error
        if not isinstance(changed, Tensor) or (changed.shape, changed.dtype) != (
            images.shape,
            images.dtype,
        ):
            got = (
                f"{changed.dtype} of shape {tuple(changed.shape)}"
                if isinstance(changed, Tensor)
                else f"a {type(changed).__name__}"
            )
            raise ConfigError(
                "data.augmentation",
                self.path,
                f"It returned {got} for uint8 of shape {tuple(images.shape)}; the same is needed.",
            )
        return changed
