"""Targets of a data set, without loading its examples."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset, TensorDataset

from learnorder.errors import ConfigError
from learnorder.training.task_batches import split_batch


def known_targets(dataset: Dataset[Any]) -> Tensor | None:
    """Return the classes of all examples, int64 [N]; None if that would need loading them.

    >>> known_targets(Subset(TensorDataset(torch.zeros(3), torch.tensor([5, 6, 7])), [2, 0]))
    tensor([7, 5])
    """
    if isinstance(dataset, Subset):
        parent = known_targets(dataset.dataset)
        return None if parent is None else parent[torch.as_tensor(dataset.indices)]
    if isinstance(dataset, TensorDataset):
        values = dataset.tensors[-1]
    else:
        values = getattr(dataset, "targets", getattr(dataset, "labels", None))
    try:
        targets = torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError):
        return None
    integer = not (
        targets.is_floating_point() or targets.is_complex() or targets.dtype == torch.bool
    )
    fits = targets.dim() == 1 and len(targets) == len(dataset)  # pyright: ignore[reportArgumentType]
    return targets.long() if integer and fits else None


def class_of(item: Any, index: int, field: str) -> int:
    """Return the class of an item of a data set.

    Args:
        item: The item, as for :func:`~learnorder.training.task_batches.split_batch`.
        index: Its index, for errors.
        field: The name of the data set, for errors.

    Raises:
        ConfigError: Its target is not an integer.

    >>> class_of({"x": 0.5, "label": 3}, 0, "task.train")
    3
    """
    _, target = split_batch(item)
    if isinstance(target, Tensor | np.generic | np.ndarray) and _count(target) == 1:
        target = target.item()
    if isinstance(target, bool) or not isinstance(target, int):
        kind = type(target).__name__
        raise ConfigError(
            field,
            f"a target of type {kind}",
            f"Item {index:,} has no integer class, which the groups need. For other targets, give "
            "Groups(..., spurious=False).",
        )
    return target


def _count(value: Any) -> int:
    return value.numel() if isinstance(value, Tensor) else value.size
