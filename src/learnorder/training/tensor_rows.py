"""Batches of a data set of tensors, gathered at once instead of collated from single examples."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Subset, TensorDataset, default_collate


@dataclass(frozen=True)
class TensorRows:
    """Tensors whose rows are the parts of an example.

    Attributes:
        tensors: Tensors with the same number of rows.
        rows: The row of each example, int64 [N]; None if it is the example's index.
    """

    tensors: tuple[Tensor, ...]
    rows: Tensor | None = None

    def batch(self, indices: Sequence[int]) -> list[Tensor]:
        """Return the batch of some examples, equal to ``default_collate`` of each.

        >>> TensorRows((torch.tensor([5, 6, 7]),), torch.tensor([2, 0])).batch([1, 0])
        [tensor([5, 7])]
        """
        chosen = torch.as_tensor(indices)
        if self.rows is not None:
            chosen = self.rows[chosen]
        return [tensor.index_select(0, chosen.to(tensor.device)) for tensor in self.tensors]


def tensor_rows(dataset: Any, collate: Callable[[list[Any]], Any]) -> TensorRows | None:
    """Return the tensors of a data set; None if its batches may differ from gathered rows.

    They do not differ for ``default_collate`` and a TensorDataset, or a Subset of one. Subclasses
    may have items of their own.
    """
    if collate is not default_collate:
        return None
    subsets: list[Subset[Any]] = []
    while type(dataset) is Subset:
        subsets.append(dataset)
        dataset = dataset.dataset
    if type(dataset) is not TensorDataset or not all(map(_is_plain, dataset.tensors)):
        return None
    rows, size = None, len(dataset)
    for subset in reversed(subsets):
        indices = _integers(subset.indices, size)
        if indices is None:
            return None
        rows, size = indices if rows is None else rows[indices], len(indices)
    return TensorRows(dataset.tensors, rows)


def _is_plain(tensor: object) -> bool:
    """Whether a value is a dense tensor without a gradient."""
    return type(tensor) is Tensor and tensor.layout is torch.strided and not tensor.requires_grad


def _integers(indices: Any, size: int) -> Tensor | None:
    """Return indices as int64 [N] in [0, size), negative ones counted from the end, or None."""
    try:
        known = torch.as_tensor(indices, device="cpu")
    except (TypeError, ValueError, RuntimeError):
        return None
    if known.dim() != 1 or known.dtype not in (torch.int64, torch.int32) or not len(known):
        return None
    in_range = -size <= int(known.min()) and int(known.max()) < size
    return known.long().remainder(size) if in_range else None
