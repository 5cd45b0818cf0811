"""Gather the batches of several processes for a learning order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch.distributed as dist

from learnorder.errors import DataError

T = TypeVar("T")


def gathered(make: Callable[[], T]) -> list[T]:
    """Return the results of all processes of ``torch.distributed``, by rank.

    All processes must call it. Without several processes, the list has one result.

    Args:
        make: Computes the result of this process.

    Raises:
        DataError: ``make`` raised it in any process; all processes raise it.

    >>> gathered(lambda: 3)
    [3]
    """
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return [make()]
    try:
        result: T | DataError = make()
    except DataError as error:
        result = error
    results: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(results, result)
    for result in results:
        if isinstance(result, DataError):
            raise result
    return results
