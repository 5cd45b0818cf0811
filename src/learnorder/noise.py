"""Gaussian noise before the activations of any ``nn.Module``, switched on and off from outside.

Noise added to every pre-activation, and annealed, is the paper's mitigation for a small learning
rate: it keeps the activation pattern from settling on low-noise patterns (sections 4 and 6.2).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from learnorder.errors import ConfigError
from learnorder.schedules import Schedule
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
    """Handle on a model's noise: set ``level``, or give a schedule and say :meth:`at` which epoch.

    :meth:`reseed` starts its draws anew, :meth:`remove` takes it off.

    While ``level`` σ > 0 and the model is in training mode, every activation module sees

        x + σ·ξ,   ξ ~ N(0, 1),

    with ξ drawn anew at each call. Shared noise has one value for each position of a [B, C, H, W]
    input, the same for all images and channels, as in the paper's code; for [B, T, F] one for each
    token, for [B, F] one for each feature. Independent noise has one value for each unit.

    Args:
        model: Its activation modules get a forward pre-hook; nothing else of it changes.
        level: Standard deviation σ, or its schedule over the epochs.
        shared: One map for the batch and the channels, or one value for each unit.
        epochs: The run's length; only a cosine schedule needs it.

    Attributes:
        level: Standard deviation σ in force; 0 is off. A schedule begins with its first epoch.
        sites: Names of the activation modules.

    Raises:
        ConfigError: The model has no activation modules (functional calls cannot be reached).
    """

    def __init__(
        self,
        model: nn.Module,
        level: float | Schedule = 0.0,
        *,
        shared: bool = True,
        epochs: int | None = None,
    ) -> None:
        if not isinstance(level, Schedule) and not level >= 0:
            raise ConfigError("level", level, "Give a standard deviation ≥ 0; 0 is off.")
        self.schedule = level if isinstance(level, Schedule) else Schedule(level)
        self.epochs = epochs
        self.level = 0.0
        self.at(1)
        self.shared = shared
        self._seed = 0
        self._rows, self._of = slice(0, None), 0
        self._generators: dict[tuple[torch.device, int], torch.Generator] = {}
        found = {name: m for name, m in model.named_modules() if isinstance(m, ACTIVATIONS)}
        if not found:
            raise ConfigError(
                "model",
                type(model).__name__,
                f"No activation modules among its modules ({_kinds(model)}), so noise has no "
                "place to go: calls such as torch.nn.functional.relu cannot be reached. Use "
                "modules such as torch.nn.ReLU() in the model.",
            )
        self.sites = tuple(found)
        self._hooks = [m.register_forward_pre_hook(self._add) for m in found.values()]

    def at(self, epoch: int, step: int = 0, steps: int = 1) -> None:
        """Set the level that the schedule has at a step of an epoch.

        Args:
            epoch: Counted from 1.
            step: Counted from 0 within the epoch.
            steps: The number of steps in an epoch.
        """
        self.level = self.schedule.at(epoch, step, steps, epochs=self.epochs)

    def reseed(self, seed: int, *purpose: str | int) -> None:
        """Start the noise anew from a seed, so that a step's noise depends on the step alone."""
        self._seed = derive_seed(seed, *purpose)
        self._generators.clear()

    def share(self, rows: slice, of: int) -> None:
        """Draw independent noise for a whole batch, and take some rows of it.

        So the noise of each example is the same however a batch is shared out among processes.

        Args:
            rows: Those that the model sees.
            of: Rows of the whole batch.
        """
        self._rows, self._of = rows, of

    def remove(self) -> None:
        """Take the hooks off; the model is as it was."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def _generator(self, device: torch.device, first: int) -> torch.Generator:
        """Return the generator of a device, and of the rows of a batch that begin at ``first``.

        Where a module's first axis is not the batch's, noise cannot be drawn for the whole of it;
        each process then draws its own.
        """
        if (device, first) not in self._generators:
            made = torch.Generator(device).manual_seed(self._seed + first)
            self._generators[device, first] = made
        return self._generators[device, first]

    def _add(self, module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if self.level == 0 or not module.training:
            return None
        x, *rest = inputs
        shape = _shared_shape(x) if self.shared else x.shape
        whole = not self.shared and len(range(self._of)[self._rows]) == len(x) < self._of
        noise = torch.randn(
            (self._of, *shape[1:]) if whole else shape,
            generator=self._generator(x.device, 0 if self.shared or whole else self._rows.start),
            device=x.device,
            dtype=torch.float32,
        )
        if whole:
            noise = noise[self._rows]
        return (x + (self.level * noise).to(x.dtype), *rest)


def _kinds(model: nn.Module) -> str:
    """Return the kinds of a model's modules, with their numbers."""
    counts = Counter(type(module).__name__ for module in model.modules())
    return ", ".join(f"{n} {name}" for name, n in counts.most_common(8))


def _shared_shape(x: Tensor) -> tuple[int, ...]:
    if x.dim() <= 2:  # [B, F]
        return (1, *x.shape[1:])
    if x.dim() == 3:  # [B, T, F]
        return (1, x.shape[1], 1)
    return (1, 1, *x.shape[2:])  # [B, C, H, W]


@contextmanager
def activation_noise(
    model: nn.Module,
    level: float | Schedule = 0.0,
    *,
    shared: bool = True,
    seed: int = 0,
    epochs: int | None = None,
) -> Iterator[ActivationNoise]:
    """Add noise to a model's activations within a ``with`` block, in training mode only.

    Args:
        model: Any module with activation modules.
        level: Standard deviation, changed through the handle; or its schedule over the epochs,
            which :meth:`ActivationNoise.at` goes through.
        shared: See :class:`ActivationNoise`.
        seed: Seed of the noise.
        epochs: The run's length; only a cosine schedule needs it.

    >>> model = nn.Sequential(nn.ReLU())
    >>> x = 10 * torch.ones(2, 3)
    >>> with activation_noise(model, 0.5) as noise:
    ...     noisy = model(x)
    ...     noise.level = 0.0
    ...     bool((model(x) == noisy).all())
    False
    >>> with activation_noise(model, Schedule(0.4, step_epochs=(3,), step_factor=0.0)) as noise:
    ...     levels = []
    ...     for epoch in range(1, 5):
    ...         noise.at(epoch)
    ...         levels.append(noise.level)  # train an epoch here
    >>> levels
    [0.4, 0.4, 0.0, 0.0]
    """
    handle = ActivationNoise(model, level, shared=shared, epochs=epochs)
    handle.reseed(seed)
    try:
        yield handle
    finally:
        handle.remove()
