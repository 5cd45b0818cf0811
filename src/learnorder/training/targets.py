"""Targets of a data set, without loading its examples."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset, TensorDataset


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
