"""Leaving the process that a run is made in as it was."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from learnorder.seeding import random_state_kept


@contextmanager
def process_kept() -> Iterator[None]:
    """Leave global random generators, and what accelerate shares in a process, as they were."""
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


def free_memory() -> None:
    """Give back an accelerator's memory that is not in use any more, for other processes."""
    import torch

    if torch.cuda.is_available():
        gc.collect()  # a network and its trainer refer to each other
        torch.cuda.empty_cache()
