"""Check that batches keep the order of their items."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves
from torch.utils.data import default_collate

from learnorder.errors import ConfigError
from learnorder.seeding import random_state_kept, seed_everything
from learnorder.training.items import spread
from learnorder.training.task_batches import collated, split_batch

_TRIED = 32
"""Number of items that are collated."""


def check_order(field: str, collate: Callable[[list[Any]], Any], dataset: Any) -> None:
    """Check that row i of a batch is item i, by collating some items in two orders.

    Args:
        field: The field of the collate function, for errors.
        collate: The collate function.
        dataset: The data set.

    Raises:
        ConfigError: It changes the order of the items, or leaves some out.
        DataError: The items cannot be collated.
    """
    if collate is default_collate:
        return
    with random_state_kept():
        seed_everything(0, "order of a batch")
        items = [dataset[index] for index in spread(len(dataset), _TRIED)]

        def batch(items: list[Any], seed: int) -> tuple[Any, Any]:
            seed_everything(seed, "order of a batch")
            return split_batch(collated(dataset, collate, copy.deepcopy(items)))

        batches = [batch(items, 0), batch(items, 1), batch(items[::-1], 0)]
    for part in (1, 0):  # targets, then inputs
        forward, again, backward = (_rows(found[part], len(items)) for found in batches)
        same_number = len(forward) == len(again) == len(backward)
        if part == 1 and not (forward and same_number):
            raise _refusal(field, collate, "A batch does not have as many targets as items.")
        if not same_number:
            continue
        triples = list(zip(forward, again, backward, strict=True))
        if not all(_in_order(*triple) for triple in triples):
            raise _refusal(field, collate, "It changes the order of the items.")
        if any(not torch.equal(rows, rows.flip(0)) for rows in forward):
            return  # else the order cannot be seen in this part


def _rows(part: Any, count: int) -> list[Tensor]:
    """Return the tensors of a part of a batch that have a row for each item."""
    tensors = [leaf for leaf in tree_leaves(part) if isinstance(leaf, Tensor)]
    return [t for t in tensors if t.shape[:1] == (count,) and not t.is_complex()]


def _in_order(forward: Tensor, again: Tensor, backward: Tensor) -> bool:
    """Whether rows can be those of the items.

    Args:
        forward: Rows of the items.
        again: The same, with other random draws.
        backward: Rows of the items in reverse, with the first draws.
    """
    if torch.equal(forward, again):
        return torch.equal(forward, backward.flip(0))
    # Random changes of rows differ from random orders.
    return not torch.equal(forward.sort(0).values, again.sort(0).values)


def _refusal(field: str, collate: Any, what: str) -> ConfigError:
    return ConfigError(
        field,
        getattr(collate, "__name__", type(collate).__name__),
        f"{what} Groups, planted patterns and training dynamics are measured by example, so row i "
        "of a batch must be item i. Keep all items in their order; pack_padded_sequence does not "
        "need them sorted with enforce_sorted=False.",
    )
