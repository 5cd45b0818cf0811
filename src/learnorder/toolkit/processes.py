"""What several processes of one training loop pass to a learning order, brought together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch.distributed as dist

from learnorder.errors import DataError

T = TypeVar("T")


def gathered(make: Callable[[], T]) -> list[T]:
    """Return what each process of ``torch.distributed`` makes, by rank.

    Every process must call it. Where there is one process, or none was set up, it is that one's.

    Args:
        make: Makes this process's part.

    Raises:
        DataError: ``make`` raised one in any process; all processes raise it.

    >>> gathered(lambda: 3)
    [3]
    """
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return [make()]
    try:
        mine: T | DataError = make()
    except DataError as error:
        mine = error
    parts: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(parts, mine)
    for part in parts:
        if isinstance(part, DataError):
            raise part
    return parts
