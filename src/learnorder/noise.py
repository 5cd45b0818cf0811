"""Gaussian noise before the activations of any ``nn.Module``, switched on and off from outside.

Noise added to every pre-activation, and annealed, is the paper's mitigation for a small learning
rate: it keeps the activation pattern from settling on low-noise patterns (sections 4 and 6.2).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from learnorder.errors import ConfigError
from learnorder.seeding import derive_seed

ACTIVATIONS: tuple[type[nn.Module], ...] = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.RReLU,
    nn.ELU,
    nn.CELU,
    nn.SELU,
    nn.GELU,
    nn.SiLU,
    nn.Mish,
    nn.Softplus,
    nn.Hardswish,
    nn.Sigmoid,
    nn.Tanh,
)
"""Module classes whose input receives noise."""


class ActivationNoise:
    """Handle on a model's noise: set ``level`` and :meth:`reseed`, then :meth:`remove`.

    While ``level`` σ > 0 and the model is in training mode, every activation module sees

        x + σ·ξ,   ξ ~ N(0, 1),

    with ξ drawn anew at each call. Shared noise has one value for each position of a [B, C, H, W]
    input, the same for all images and channels, as in the paper's code; for [B, T, F] one for each
    token, for [B, F] one for each feature. Independent noise has one value for each unit.

    Args:
        model: Its activation modules get a forward pre-hook; nothing else of it changes.
        shared: One map for the batch and the channels, or one value for each unit.

    Attributes:
        level: Standard deviation σ; 0 is off.
        sites: Names of the activation modules.

    Raises:
        ConfigError: The model has no activation modules (functional calls cannot be reached).
    """

    def __init__(self, model: nn.Module, *, shared: bool = True) -> None:
        self.level = 0.0
        self.shared = shared
        self._seed = 0
        self._generators: dict[torch.device, torch.Generator] = {}
        found = {name: m for name, m in model.named_modules() if isinstance(m, ACTIVATIONS)}
        if not found:
            raise ConfigError(
                "model",
                type(model).__name__,
                f"No activation modules among its {sum(1 for _ in model.modules())} modules, so "
                "noise has no place to go: calls such as torch.nn.functional.relu cannot be "
                "reached. Use modules such as torch.nn.ReLU() in the model.",
            )
        self.sites = tuple(found)
        self._hooks = [m.register_forward_pre_hook(self._add) for m in found.values()]

    def reseed(self, seed: int, *purpose: str | int) -> None:
        """Start the noise anew from a seed, so that a step's noise depends on the step alone."""
        self._seed = derive_seed(seed, *purpose)
        self._generators.clear()

    def remove(self) -> None:
        """Take the hooks off; the model is as it was."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def _generator(self, device: torch.device) -> torch.Generator:
        if device not in self._generators:
            self._generators[device] = torch.Generator(device).manual_seed(self._seed)
        return self._generators[device]

    def _add(self, module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if self.level == 0 or not module.training:
            return None
        x, *rest = inputs
        noise = torch.randn(
            _shared_shape(x) if self.shared else x.shape,
            generator=self._generator(x.device),
            device=x.device,
            dtype=torch.float32,
        )
        return (x + (self.level * noise).to(x.dtype), *rest)


def _shared_shape(x: Tensor) -> tuple[int, ...]:
    if x.dim() <= 2:  # [B, F]
        return (1, *x.shape[1:])
    if x.dim() == 3:  # [B, T, F]
        return (1, x.shape[1], 1)
    return (1, 1, *x.shape[2:])  # [B, C, H, W]


@contextmanager
def activation_noise(
    model: nn.Module, level: float = 0.0, *, shared: bool = True, seed: int = 0
) -> Iterator[ActivationNoise]:
    """Add noise to a model's activations within a ``with`` block.

    Args:
        model: Any module with activation modules.
        level: Standard deviation to begin with; change it through the handle.
        shared: See :class:`ActivationNoise`.
        seed: Seed of the noise.

    >>> model = nn.Sequential(nn.ReLU())
    >>> x = 10 * torch.ones(2, 3)
    >>> with activation_noise(model, 0.5) as noise:
    ...     noisy = model(x)
    ...     noise.level = 0.0
    ...     bool((model(x) == noisy).all())
    False
    """
    handle = ActivationNoise(model, shared=shared)
    handle.level = level
    handle.reseed(seed)
    try:
        yield handle
    finally:
        handle.remove()
