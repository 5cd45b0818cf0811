"""Every random decision of a run has its own generator, derived from the run's seed.

A decision is e.g. the initial weights, the pattern, the data order of an epoch or the noise of a
step; its generator depends on the seed and the decision's name. So arms with the same seed share
every decision that both of them make, and a run continues from (epoch, step) alone, without saved
generator states.
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
    import numpy as np
    import torch

    derived = derive_seed(seed, *purpose)
    if torch.accelerator.is_available():
        torch.manual_seed(derived)
    else:  # the same, but faster: it skips the generators of absent devices
        torch.default_generator.manual_seed(derived)
    np.random.seed(derived % 2**32)
    random.seed(derived)


@contextmanager
def random_state_kept() -> Iterator[None]:
    """Restore the global generators of torch, NumPy and Python after a ``with`` block.

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
    """Restrict cuDNN to deterministic algorithms within a ``with`` block."""
    import torch

    before = torch.backends.cudnn.deterministic
    torch.backends.cudnn.deterministic = True
    try:
        yield
    finally:
        torch.backends.cudnn.deterministic = before
