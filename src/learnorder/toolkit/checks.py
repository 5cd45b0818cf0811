"""What a training loop must have for its order to be followed, checked before it begins."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

from torch.utils.data import ConcatDataset, Subset

from learnorder.errors import ConfigError, DataError
from learnorder.seeding import random_state_kept
from learnorder.toolkit.indexed import IndexedDataset, indexed_in, is_iterable
from learnorder.toolkit.learning_order import LearningOrder


def check_indexed(dataset: Any, order: LearningOrder, key: str, *, tuples: bool = False) -> None:
    """Refuse a data set whose items have no index, or more of them than the order.

    Args:
        dataset: Trained on; None is left to the trainer.
        order: Where predictions are recorded.
        key: The index's name in items that are mappings.
        tuples: Whether the index of items that are tuples is taken from their end.

    Raises:
        ConfigError: It is iterable, joins indexed data sets, or has more items than the order.
        DataError: Its items have no index.
    """
    if dataset is None:
        return
    name = type(dataset).__name__
    if is_iterable(dataset):
        raise ConfigError(
            "train_dataset", name, "Its items have no index. Give a map-style one: IndexedDataset."
        )
    if isinstance(dataset, ConcatDataset) and any(map(indexed_in, dataset.datasets)):
        raise ConfigError(
            "train_dataset",
            name,
            "Each of its parts counts its items from 0. Join the parts and index them together: "
            "IndexedDataset(ConcatDataset([...])).",
        )
    if indexed_in(dataset) is None and not _has_index(dataset, key, tuples):
        where = f"{key!r}, nor their index at their end" if tuples else f"{key!r}"
        raise DataError(
            f"Items of the training set have no {where}. Train on IndexedDataset(dataset)."
        )
    if isinstance(dataset, IndexedDataset) and len(dataset) > order.num_examples:
        raise ConfigError(
            "num_examples",
            order.num_examples,
            f"The training set has {len(dataset)}: LearningOrder({len(dataset)}).",
        )


def _has_index(dataset: Any, key: str, tuples: bool) -> bool:
    """Return whether items have an index; whether a collator will add it nobody knows."""
    columns = getattr(dataset, "column_names", None)
    if isinstance(columns, list | tuple):
        return key in columns
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    size = len(dataset)
    with random_state_kept():  # its augmentation may draw
        some = [(number, dataset[number]) for number in (0, size // 2, size - 1) if size]
    if any(isinstance(item, Mapping) for _, item in some):
        return all(key in item for _, item in some)
    return not tuples or all(_ends_in(item, number) for number, item in some)


def _ends_in(item: Any, number: int) -> bool:
    if not isinstance(item, tuple | list) or len(item) < 3:
        return False
    try:
        return operator.index(item[-1]) == number
    except (TypeError, RuntimeError):  # of a tensor that is no whole number
        return False
