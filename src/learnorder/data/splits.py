"""Stratified random orders, from which subsets and splits are cut."""

from __future__ import annotations

import torch
from torch import Tensor

from learnorder.seeding import generator


def stratified_order(labels: Tensor, seed: int) -> Tensor:
    """Return a stratified random order: each contiguous part has about the same class shares.

    Args:
        labels: int64 [N].
        seed: Seed of the order.

    Returns:
        Indices, int64 [N].

    >>> labels = torch.tensor([0] * 6 + [1] * 3)
    >>> labels[stratified_order(labels, seed=0)[:3]].sum().item()
    1
    """
    rng = generator(seed, "stratified order")
    key = torch.empty(len(labels), dtype=torch.float64)
    counts = labels.unique(return_counts=True)[1].tolist()
    for members in labels.argsort(stable=True).split(counts):
        rank = torch.randperm(len(members), generator=rng).double()
        offset = torch.rand(len(members), generator=rng, dtype=torch.float64)
        key[members] = (rank + offset) / len(members)
    return key.argsort()
