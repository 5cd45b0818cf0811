"""One seed makes a run: a generator of its own for every random decision.

Each decision (initial weights, pattern, data order of an epoch, noise of a step) has a generator
derived from the run's seed and the decision's name. So arms with the same seed share every decision
that they both take, whatever else they do, and a run continues from (epoch, step) alone, without
saved generator states.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from learnorder.errors import ConfigError

if TYPE_CHECKING:
    import torch

MOST_SEEDS = 10_000
"""Far more than any interval needs."""


def check_seeds(seeds: int, first_seed: int) -> None:
    """Refuse a number of seeds, or a first of them, that no experiment has.

    Raises:
        ConfigError: It is out of range.
    """
    if not 1 <= seeds <= MOST_SEEDS:
        remedy = f"Give at least 1 (a verdict takes 3) and at most {MOST_SEEDS:,}."
        raise ConfigError("seeds", seeds, remedy)
    if first_seed < 0:
        raise ConfigError("first_seed", first_seed, "Give 0 or more.")


def derive_seed(seed: int, *purpose: str | int) -> int:
    """Return a 63-bit seed that depends on ``seed`` and on each part of ``purpose``.

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


def generator(
    seed: int, *purpose: str | int, device: str | torch.device = "cpu"
) -> torch.Generator:
    """Return a torch generator for one decision of the run with this ``seed``.

    Args:
        seed: The run's seed.
        purpose: As in :func:`derive_seed`.
        device: Where the generator draws.
    """
    import torch

    return torch.Generator(device).manual_seed(derive_seed(seed, *purpose))


def seed_everything(seed: int, *purpose: str | int) -> None:
    """Seed the global generators of torch, NumPy and Python, for code that draws from these.

    Args:
        seed: The run's seed.
        purpose: As in :func:`derive_seed`.
    """
    import numpy as np
    import torch

    derived = derive_seed(seed, *purpose)
    if torch.accelerator.is_available():
        torch.manual_seed(derived)
    else:  # the same, without going through the generators of devices that are not there
        torch.default_generator.manual_seed(derived)
    np.random.seed(derived % 2**32)
    random.seed(derived)


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Leave the global generators of torch, NumPy and Python as they were.

    >>> import torch
    >>> before = torch.random.get_rng_state()
    >>> with random_state_kept():
    ...     seed_everything(3)
    >>> torch.equal(before, torch.random.get_rng_state())
    True
    """
    import numpy as np
    import torch

    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


@contextmanager
def repeatable() -> Iterator[None]:
    """Let cuDNN use only algorithms that give the same numbers each time, as those of CPUs do."""
    import torch

    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic = before
