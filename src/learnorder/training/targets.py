"""Targets of a data set, without loading all of its examples."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset, TensorDataset

from learnorder.errors import ConfigError
from learnorder.training.items import map_items, spread
from learnorder.training.task_batches import split_batch

_COMPARED = 256
"""Number of items whose targets are compared."""


def known_targets(dataset: Dataset[Any]) -> Tensor | None:
    """Return the classes of all examples, int64 [N]; None if that would need loading them.

    They are the attribute ``targets`` or ``labels``, or the last tensor, unless the target of one
    of some evenly spaced items differs, e.g. by a ``target_transform``.

    >>> known_targets(Subset(TensorDataset(torch.zeros(3), torch.tensor([5, 6, 7])), [2, 0]))
    tensor([7, 5])
    """
    if isinstance(dataset, Subset):
        parent = known_targets(dataset.dataset)
        targets = None if parent is None else parent[torch.as_tensor(dataset.indices)]
    else:
        targets = _integers(_attribute_of(dataset))
    if targets is None or len(targets) != len(dataset):  # pyright: ignore[reportArgumentType]
        return None
    return targets if _are_of_items(targets, dataset) else None


def _attribute_of(dataset: Dataset[Any]) -> Any:
    if isinstance(dataset, TensorDataset):
        return dataset.tensors[-1]
    return getattr(dataset, "targets", getattr(dataset, "labels", None))


def _integers(values: Any) -> Tensor | None:
    """Return values as int64 [N]; None if they are something else than integers."""
    try:
        given = torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError):
        return None
    integer = not (given.is_floating_point() or given.is_complex() or given.dtype == torch.bool)
    return given.long() if integer and given.dim() == 1 else None


def _are_of_items(targets: Tensor, dataset: Dataset[Any]) -> bool:
    """Whether some items of a data set have these targets."""
    gets = getattr(type(dataset), "__getitem__", None)
    if gets in (Subset.__getitem__, TensorDataset.__getitem__):
        return True
    some = spread(len(targets), _COMPARED)
    try:
        found = map_items(Subset(dataset, some), _target_of, lambda _, error: error)
    except Exception:  # of an item: training says which, and why
        return False
    return found == targets[some].tolist()


def class_targets(dataset: Any, field: str, remedy: str) -> Tensor:
    """Return the classes of all examples, int64 [N]; they are loaded if need be.

    Args:
        dataset: A map-style data set.
        field: Its name, for errors.
        remedy: Why classes are needed, for errors.

    Raises:
        ConfigError: Targets are not integer classes from 0.

    >>> class_targets([{"x": 0.5, "label": 3}, {"x": 0.1, "label": 0}], "task.train", "")
    tensor([3, 0])
    """
    known = known_targets(dataset)
    if known is None:
        targets = map_items(dataset, _target_of, lambda _, error: error)
        known = torch.tensor([_class(t, i, field, remedy) for i, t in enumerate(targets)])
    if len(known) and int(known.min()) < 0:
        raise ConfigError(
            field, int(known.min()), f"Item targets must be classes, integers from 0. {remedy}"
        )
    return known


def _target_of(item: Any) -> Any:
    """Return the target of an item; a single number in an array as that number."""
    _, target = split_batch(item)
    if isinstance(target, Tensor | np.generic | np.ndarray) and _count(target) == 1:
        return target.item()
    return target


def _class(target: Any, index: int, field: str, remedy: str) -> int:
    if isinstance(target, bool) or not isinstance(target, int):
        kind = f"a target of type {type(target).__name__}"
        raise ConfigError(field, kind, f"Item {index:,} has no integer class. {remedy}")
    return target


def _count(value: Any) -> int:
    return value.numel() if isinstance(value, Tensor) else value.size
