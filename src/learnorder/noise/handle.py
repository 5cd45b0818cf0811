"""The handle on a model's noise."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from learnorder.errors import ConfigError
from learnorder.noise.activations import (
    Chosen,
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
    """Handle on a model's noise: set ``level``, or give a schedule and say :meth:`at` which epoch.

    :meth:`reseed` starts its draws anew, :meth:`remove` takes it off.

    While ``level`` σ > 0 and the model is in training mode, every activation sees

        x + σ·ξ,   ξ ~ N(0, 1),

    with ξ drawn anew at each use. Shared noise has one value for each position of a [B, C, H, W]
    input, the same for all images and channels, as in the paper's code; for [B, T, F] one for each
    token, for [B, F] one for each feature. Independent noise has one value for each unit.

    Activations are modules (:func:`~learnorder.noise.find_activations`) and calls of the functions
    in :data:`~learnorder.noise.FUNCTIONS`, such as ``torch.nn.functional.relu(x)``, ``x.tanh()``
    and their in-place forms, in the forward pass of the model or of one of its modules. A function
    applied to a parameter is left alone, and so is what an activation module calls itself. Not
    seen are other ways to write an activation (``x.clamp(min=0)``). Not reached, and listed in
    :attr:`unreached`, are those inside compiled kernels (the gates of ``nn.LSTM`` and ``nn.GRU``,
    GLU, TorchScript) and custom autograd functions.

    A checkpoint (``torch.utils.checkpoint``) is recomputed with the noise of its forward pass. What
    ``torch.compile`` has compiled runs uncompiled where there is noise. Copies and pickles of the
    model have no noise.

    Args:
        model: Its activation modules get a forward pre-hook, others a subclass of their class.
        level: Standard deviation σ, or its schedule over the epochs.
        shared: One map for the batch and the channels, or one value for each unit.
        epochs: The run's length; only a cosine schedule needs it.
        modules: Modules before whose first input the noise is added, in place of the activation
            modules: names as in ``model.named_modules()``, classes, or a function of name and
            module that is true of them.
        functions: Whether calls of functions get noise; None is true unless ``modules`` are given.

    Raises:
        ConfigError: The model has no activations; where its code might call functions, this is
            raised after the first forward pass with noise. Or it does not have the ``modules``.

    Warns:
        UserWarning: Some modules are not reached.
    """

    def __init__(
        self,
        model: nn.Module,
        level: float | Schedule = 0.0,
        *,
        shared: bool = True,
        epochs: int | None = None,
        modules: Chosen | None = None,
        functions: bool | None = None,
    ) -> None:
        if not isinstance(level, Schedule) and not level >= 0:
            raise ConfigError("level", level, "Give a standard deviation ≥ 0; 0 is off.")
        self.schedule: Schedule = level if isinstance(level, Schedule) else Schedule(level)
        self.epochs: int | None = epochs
        self.shared: bool = shared
        first = self.schedule.at(1, epochs=epochs)
        functions = modules is None if functions is None else functions
        chosen = find_activations(model) if modules is None else choose_modules(model, modules)
        opaque = opaque_modules(model) if modules is None else {}
        self._opaque = tuple(Site(name, type(m).__name__) for name, m in opaque.items())
        self._contents = _contents(model)
        if not chosen and not (functions and calls_functions(model)):
            raise self._no_place(self._opaque)
        if self._opaque:
            warnings.warn(f"There is no noise inside {_listed(self._opaque)}.", stacklevel=2)
        self._generators = Generators(shared)
        self._injector = Injector(model, chosen, self._generators, functions, self._after_forward)
        self.level = first

    @property
    def level(self) -> float:
        """Standard deviation σ in force; 0 is off. A schedule begins with its first epoch."""
        return self._injector.level

    @level.setter
    def level(self, level: float) -> None:
        self._injector.level = level

    @property
    def sites(self) -> tuple[Site, ...]:
        """Where noise is added: modules, then calls of functions, each from its first use on."""
        return tuple(counter.site() for counter in self._injector.sites.values())

    @property
    def unreached(self) -> tuple[Site, ...]:
        """Modules with activations inside, and calls of functions, that get no noise."""
        calls = self._injector.unreached.values()
        return (*self._opaque, *(counter.site() for counter in calls))

    def __repr__(self) -> str:
        """List the sites, a line each."""
        lines = [f"  {site}" for site in self.sites]
        lines += [f"  no noise inside {site}" for site in self.unreached]
        count = f"{len(self.sites)} site{'s' * (len(self.sites) != 1)}"
        head = f"ActivationNoise(level={self.level:g}, shared={self.shared}, {count})"
        return "\n".join([head, *lines])

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
        self._generators.reseed(derive_seed(seed, *purpose))

    def share(self, rows: slice, of: int) -> None:
        """Draw independent noise for a whole batch, and take some rows of it.

        So the noise of each example is the same however a batch is shared out among processes.

        Args:
            rows: Those that the model sees.
            of: Rows of the whole batch.
        """
        self._generators.share(rows, of)

    def remove(self) -> None:
        """Take the noise off; the model is as it was."""
        self._injector.remove()

    def _after_forward(self) -> None:
        if not self._injector.sites:
            raise self._no_place(self.unreached)

    def _no_place(self, unreached: tuple[Site, ...]) -> ConfigError:
        """Return the error of a model without activations."""
        name, kinds = self._contents
        remedy = "Use modules such as torch.nn.ReLU() in the model."
        if unreached:
            remedy = f"Those inside {_listed(unreached)} cannot be reached. {remedy}"
        return ConfigError(
            "model",
            name,
            f"No activation modules among its modules ({kinds}), and no calls of functions such as "
            f"torch.nn.functional.relu, so noise has no place to go. {remedy}",
        )


def _contents(model: nn.Module) -> tuple[str, str]:
    """Return the class of a model, and those of its modules with their numbers."""
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
    modules: Chosen | None = None,
    functions: bool | None = None,
) -> Iterator[ActivationNoise]:
    """Add noise to a model's activations within a ``with`` block, in training mode only.

    Args:
        model: Any module with activations.
        level: Standard deviation, changed through the handle; or its schedule over the epochs,
            which :meth:`ActivationNoise.at` goes through.
        shared: See :class:`ActivationNoise`.
        seed: Seed of the noise.
        epochs: The run's length; only a cosine schedule needs it.
        modules: See :class:`ActivationNoise`.
        functions: See :class:`ActivationNoise`.

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
