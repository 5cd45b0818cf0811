"""Every random decision of a run has its own generator, derived from the run's seed.

A decision is e.g. the initial weights, the pattern, the data order of an epoch or the noise of a
step; its generator depends on the seed and the decision's name. So arms with the same seed share
every decision that both of them make, and a run continues from (epoch, step) alone, without saved
generator states.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from learnorder.errors import ConfigError

if TYPE_CHECKING:
    import torch

_DERIVED_AT_ONCE = 256
"""Steps whose seeds are derived together; among other work, each alone takes ten times as long."""
MOST_SEEDS = 10_000
"""Far more than any interval needs."""


def check_seeds(seeds: int, first_seed: int) -> None:
    """Check the range of a number of seeds and of the first seed.

    Raises:
        ConfigError: One is out of range.
    """
    if not 1 <= seeds <= MOST_SEEDS:
        remedy = f"Give at least 1 (a verdict needs 3) and at most {MOST_SEEDS:,}."
        raise ConfigError("seeds", seeds, remedy)
    if first_seed < 0:
        raise ConfigError("first_seed", first_seed, "Give 0 or more.")


def derive_seed(seed: int, *purpose: str | int) -> int:
    """Return a 63-bit seed that is a function of ``seed`` and of each part of ``purpose``.

    Args:
        seed: The run's seed.
        purpose: The decision's name, then counters such as epoch and step.

    >>> derive_seed(0, "order", 1) == derive_seed(0, "order", 1)
    True
    >>> len({derive_seed(0, "order", 1), derive_seed(0, "order", 2), derive_seed(1, "order", 1)})
    3
    """
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def step_seed(step: int, before: tuple[str | int, ...], after: tuple[str | int, ...] = ()) -> int:
    """Return ``derive_seed(*before, step, *after)``; it is fast for consecutive steps.

    >>> step_seed(5, (0, "layers", 1)) == derive_seed(0, "layers", 1, 5)
    True
    """
    chunk, place = divmod(step, _DERIVED_AT_ONCE)
    return _step_seeds(chunk * _DERIVED_AT_ONCE, before, after)[place]


@lru_cache(maxsize=8)
def _step_seeds(first: int, before: tuple[Any, ...], after: tuple[str | int, ...]) -> list[int]:
    """Return the seeds of some steps from ``first`` on."""
    steps = range(first, first + _DERIVED_AT_ONCE)
    return [derive_seed(*before, step, *after) for step in steps]


def generator(
    seed: int, *purpose: str | int, device: str | torch.device = "cpu"
) -> torch.Generator:
    """Return a torch generator for one decision of a run.

    Args:
        seed: The run's seed.
        purpose: As in :func:`derive_seed`.
        device: The generator's device.
    """
    import torch

    return torch.Generator(device).manual_seed(derive_seed(seed, *purpose))


def seed_everything(seed: int, *purpose: str | int) -> None:
    """Seed the global generators of torch, NumPy and Python, for code that uses them.

    Args:
        seed: The run's seed.
        purpose: As in :func:`derive_seed`.
    """
    seed_globally(derive_seed(seed, *purpose))


def seed_globally(derived: int, *, torch_only: bool = False) -> None:
    """Seed the global generators of torch, NumPy and Python with a derived seed.

    Args:
        derived: The seed.
        torch_only: Whether to leave those of NumPy and Python as they are.
    """
    seed_torch, seed_numpy = _global_generators()
    seed_torch(derived)
    if not torch_only:
        seed_numpy(derived % 2**32)
        random.seed(derived)


@cache
def _global_generators() -> tuple[Callable[[int], object], Callable[[int], object]]:
    """Return the functions that seed the global generators of torch and of NumPy."""
    import numpy as np
    import torch

    if torch.accelerator.is_available():
        return torch.manual_seed, np.random.seed
    # The same, but faster: it skips the generators of absent devices.
    return torch.default_generator.manual_seed, np.random.seed


@contextmanager
def random_state_kept(*, on_gpu: bool = True) -> Iterator[None]:
    """Restore the global generators of torch, NumPy and Python after a ``with`` block.

    Of several GPUs, that of the current one is restored.

    Args:
        on_gpu: Whether a GPU's generator is restored too, which initialises CUDA.

    >>> import torch
    >>> before = torch.random.get_rng_state()
    >>> with random_state_kept():
    ...     seed_everything(3)
    >>> torch.equal(before, torch.random.get_rng_state())
    True
    """
    import numpy as np

    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch_state_kept(on_gpu=on_gpu):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


@contextmanager
def torch_state_kept(*, on_gpu: bool = True) -> Iterator[None]:
    """Restore torch's global generators, of the CPU and the current GPU, after a ``with`` block."""
    import torch

    devices = [torch.cuda.current_device()] if on_gpu and torch.cuda.is_available() else []
    with torch.random.fork_rng(devices):
        yield


@contextmanager
def repeatable() -> Iterator[None]:
    """Restrict cuDNN to deterministic algorithms within a ``with`` block."""
    import torch

    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic = before
