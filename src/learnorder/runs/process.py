"""Restoring the global state of the process after a run."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from learnorder.seeding import random_state_kept


@contextmanager
def process_kept() -> Iterator[None]:
    """Restore global random generators and accelerate's shared state after a ``with`` block."""
    from accelerate.state import AcceleratorState, GradientState, PartialState

    shared = [kind._shared_state for kind in (PartialState, AcceleratorState, GradientState)]
    before = [dict(state) for state in shared]
    try:
        with random_state_kept():
            yield
    finally:
        for state, kept in zip(shared, before, strict=True):
            state.clear()
            state.update(kept)


def release_memory() -> None:
    """Release unused memory of a GPU for other processes."""
    import torch

    if torch.cuda.is_available():
        gc.collect()  # a network and its trainer refer to each other
        torch.cuda.empty_cache()
