"""Gather the batches of several processes for a learning order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch.distributed as dist

from learnorder.errors import DataError, reason_of

T = TypeVar("T")


def gathered(make: Callable[[], T]) -> list[T]:
    """Return the results of all processes of ``torch.distributed``, by rank.

    All processes must call it. Without several processes, the list has one result.

    Args:
        make: Computes the result of this process.

    Raises:
        Exception: ``make`` raised it in this process.
        DataError: ``make`` raised it in any process, or another error in another process. No
            process waits for one that has failed.

    >>> gathered(lambda: 3)
    [3]
    """
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return [make()]
    own: Exception | None = None
    try:
        result: T | DataError = make()
    except Exception as error:
        own = error
        is_fault = isinstance(error, DataError)
        result = error if is_fault else DataError(f"Process {dist.get_rank()}: {reason_of(error)}")
    results: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(results, result)
    if own is not None:
        raise own
    for result in results:
        if isinstance(result, DataError):
            raise result
    return results
