"""The handle for a model's noise."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from numbers import Real

from torch import nn

from learnorder.errors import ConfigError
from learnorder.noise.activations import (
    Filter,
    calls_functions,
    choose_modules,
    find_activations,
    opaque_modules,
)
from learnorder.noise.drawing import Generators
from learnorder.noise.injection import Injector
from learnorder.noise.sites import Site
from learnorder.schedules import Schedule
from learnorder.seeding import derive_seed


class ActivationNoise:
    """Handle for a model's noise: set ``level``, or give a schedule and call :meth:`at`.

    :meth:`reseed` restarts the random numbers, :meth:`remove` removes the noise.

    While ``level`` σ > 0 and the model is in training mode, the input of every activation becomes

        x + σ·ξ,   ξ ~ N(0, 1),

    with new ξ at each use. Shared noise has one value per position of a [B, C, H, W] input, equal
    for all images and channels, as in the paper's code; one per token of [B, T, F]; and one per
    feature of [B, F]. Independent noise has one value per unit.

    Activations are modules (:func:`~learnorder.noise.find_activations`) and calls of the functions
    in :data:`~learnorder.noise.FUNCTIONS`, such as ``torch.nn.functional.relu(x)``, ``x.tanh()``
    and their in-place forms, in the forward pass of the model or of one of its modules. Functions
    of a parameter, functions within a parametrization of a weight, and functions that an activation
    module calls, get no noise. Other ways to write an activation (``x.clamp(min=0)``) are not
    recognised. Activations inside compiled kernels (the gates of ``nn.LSTM`` and ``nn.GRU``, GLU,
    TorchScript) and custom autograd functions cannot be reached; :attr:`unreached` lists them.

    A checkpoint (``torch.utils.checkpoint``) is recomputed with the noise of its forward pass. Code
    compiled by ``torch.compile`` runs uncompiled while there is noise. Copies and pickles of the
    model have no noise.

    Args:
        model: Its activation modules get a forward pre-hook, others a subclass of their class.
        level: Standard deviation σ ≥ 0, or its schedule over the epochs.
        shared: Whether the batch and the channels share noise; else every unit has its own.
        epochs: Number of epochs; only cosine and linear schedules need it.
        modules: Modules whose first input gets the noise, instead of the activation modules: names
            from ``model.named_modules()``, classes, or a predicate of name and module.
        functions: Whether calls of functions get noise; None means True without ``modules``.

    Raises:
        ConfigError: The model has no activations, or not the ``modules``. If its code may call
            functions, missing activations are found in the first forward pass with noise.

    Warns:
        UserWarning: Some activations cannot be reached.
    """

    def __init__(
        self,
        model: nn.Module,
        level: float | Schedule = 0.0,
        *,
        shared: bool = True,
        epochs: int | None = None,
        modules: Filter | None = None,
        functions: bool | None = None,
    ) -> None:
        self.schedule: Schedule = (
            level if isinstance(level, Schedule) else Schedule(_checked(level))
        )
        self.epochs: int | None = epochs
        self.shared: bool = shared
        first = self.schedule.at(1, epochs=epochs)
        functions = modules is None if functions is None else functions
        targets = find_activations(model) if modules is None else choose_modules(model, modules)
        opaque = opaque_modules(model) if modules is None else {}
        self._opaque = tuple(Site(name, type(m).__name__) for name, m in opaque.items())
        self._contents = _contents(model)
        if not targets and not (functions and calls_functions(model)):
            raise self._no_activations(self._opaque)
        if self._opaque:
            warnings.warn(f"There is no noise inside {_listed(self._opaque)}.", stacklevel=2)
        self._generators = Generators(shared)
        self._injector = Injector(model, targets, self._generators, functions, self._after_forward)
        self.level = first

    @property
    def level(self) -> float:
        """Current standard deviation σ; 0 means no noise. A schedule starts at its first epoch."""
        return self._injector.level

    @level.setter
    def level(self, level: float) -> None:
        self._injector.level = _checked(level)

    @property
    def sites(self) -> tuple[Site, ...]:
        """Where noise is added: modules, then calls of functions that have been used."""
        return tuple(counter.site() for counter in self._injector.sites.values())

    @property
    def unreached(self) -> tuple[Site, ...]:
        """Modules with internal activations, and calls of functions, that get no noise."""
        calls = self._injector.unreached.values()
        return (*self._opaque, *(counter.site() for counter in calls))

    def __repr__(self) -> str:
        """List the sites, one per line."""
        lines = [f"  {site}" for site in self.sites]
        lines += [f"  no noise inside {site}" for site in self.unreached]
        count = f"{len(self.sites)} site{'s' * (len(self.sites) != 1)}"
        head = f"ActivationNoise(level={self.level:g}, shared={self.shared}, {count})"
        return "\n".join([head, *lines])

    def at(self, epoch: int, step: int = 0, steps: int = 1) -> None:
        """Set the level to the schedule's value at a step of an epoch.

        Args:
            epoch: Epoch, from 1.
            step: Step within the epoch, from 0.
            steps: Number of steps per epoch.

        Raises:
            ConfigError: See :meth:`learnorder.Schedule.at`.
        """
        self.level = self.schedule.at(epoch, step, steps, epochs=self.epochs)

    def reseed(self, seed: int, *purpose: str | int) -> None:
        """Restart the random numbers. Call it before each step to make noise depend only on it.

        Args:
            seed: The seed.
            purpose: Names or numbers that are mixed into the seed, such as the step.
        """
        self._generators.reseed(derive_seed(seed, *purpose))

    def share(self, rows: slice, of: int) -> None:
        """Draw independent noise for a whole batch and use some rows of it.

        An example's noise then does not depend on how the batch is split among processes.

        Args:
            rows: The rows that this model sees.
            of: Number of rows of the whole batch.
        """
        self._generators.share(rows, of)

    def remove(self) -> None:
        """Remove the noise and restore the model."""
        self._injector.remove()

    def _after_forward(self) -> None:
        if not self._injector.sites:
            raise self._no_activations(self.unreached)

    def _no_activations(self, unreached: tuple[Site, ...]) -> ConfigError:
        """Return the error for a model without activations."""
        name, kinds = self._contents
        remedy = "Use modules such as torch.nn.ReLU() in the model."
        if unreached:
            remedy = f"Those inside {_listed(unreached)} cannot be reached. {remedy}"
        return ConfigError(
            "model",
            name,
            f"It has no activation modules ({kinds}) and calls no functions such as "
            f"torch.nn.functional.relu, so there is nowhere to add noise. {remedy}",
        )


def _checked(level: float) -> float:
    """Return a standard deviation as a float."""
    is_number = isinstance(level, Real) and not isinstance(level, bool)
    if not is_number or not 0 <= level < math.inf:
        raise ConfigError("level", level, "Give a standard deviation ≥ 0; 0 means no noise.")
    return float(level)


def _contents(model: nn.Module) -> tuple[str, str]:
    """Return the class name of a model, and the class names and counts of its modules."""
    counts = Counter(type(module).__name__ for module in model.modules())
    return type(model).__name__, ", ".join(f"{n} {name}" for name, n in counts.most_common(8))


def _listed(sites: tuple[Site, ...]) -> str:
    return ", ".join(map(str, sites[:8])) + (f" and {len(sites) - 8} more" if sites[8:] else "")


@contextmanager
def activation_noise(
    model: nn.Module,
    level: float | Schedule = 0.0,
    *,
    shared: bool = True,
    seed: int = 0,
    epochs: int | None = None,
    modules: Filter | None = None,
    functions: bool | None = None,
) -> Iterator[ActivationNoise]:
    """Add noise to a model's activations within a ``with`` block, in training mode only.

    Args:
        model: Any module with activations.
        level: Standard deviation σ ≥ 0, which the handle can change, or its schedule over the
            epochs, which :meth:`ActivationNoise.at` follows.
        shared: See :class:`ActivationNoise`.
        seed: Seed of the noise.
        epochs: Number of epochs; only cosine and linear schedules need it.
        modules: See :class:`ActivationNoise`.
        functions: See :class:`ActivationNoise`.

    Yields:
        The handle.

    Raises:
        ConfigError: See :class:`ActivationNoise`.

    >>> import torch
    >>> model = nn.Sequential(nn.ReLU())
    >>> x = 10 * torch.ones(2, 3)
    >>> with activation_noise(model, 0.5) as noise:
    ...     noisy = model(x)
    ...     noise.level = 0.0
    ...     bool((model(x) == noisy).all())
    False
    >>> noise
    ActivationNoise(level=0, shared=True, 1 site)
      0: ReLU [2, 3]
    >>> with activation_noise(model, Schedule(0.4, step_epochs=(3,), step_factor=0.0)) as noise:
    ...     levels = []
    ...     for epoch in range(1, 5):
    ...         noise.at(epoch)
    ...         levels.append(noise.level)  # train an epoch here
    >>> levels
    [0.4, 0.4, 0.0, 0.0]
    """
    handle = ActivationNoise(
        model, level, shared=shared, epochs=epochs, modules=modules, functions=functions
    )
    handle.reseed(seed)
    try:
        yield handle
    finally:
        handle.remove()
