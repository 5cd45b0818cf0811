"""Check before training that a data set has the indices that a learning order needs."""

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
    """Refuse a training set whose items have no index, or that has more items than the order.

    Args:
        dataset: The training set; None is left to the trainer.
        order: Records the predictions.
        key: Key of the index in items that are mappings.
        tuples: Whether tuples may have the index as their last item.

    Raises:
        ConfigError: It is iterable, joins indexed data sets, or has more items than the order.
        DataError: Its items have no index.
    """
    if dataset is None:
        return
    name = type(dataset).__name__
    if is_iterable(dataset):
        raise ConfigError(
            "train_dataset", name, "Its items have no index. Give a map-style IndexedDataset."
        )
    if isinstance(dataset, ConcatDataset) and any(map(indexed_in, dataset.datasets)):
        raise ConfigError(
            "train_dataset",
            name,
            "Each part numbers its items from 0. Join the parts first, then index them: "
            "IndexedDataset(ConcatDataset([...])).",
        )
    if indexed_in(dataset) is None and not _has_index(dataset, key, tuples):
        where = f"{key!r}, and no index as their last item" if tuples else f"{key!r}"
        raise DataError(
            f"Items of the training set have no {where}. Train on IndexedDataset(dataset)."
        )
    if isinstance(dataset, IndexedDataset) and len(dataset) > order.num_examples:
        raise ConfigError(
            "num_examples",
            order.num_examples,
            f"The training set has {len(dataset)}: use LearningOrder({len(dataset)}).",
        )


def _has_index(dataset: Any, key: str, tuples: bool) -> bool:
    """Return whether items have an index. A collator that adds one is not considered."""
    columns = getattr(dataset, "column_names", None)
    if isinstance(columns, list | tuple):
        return key in columns
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    size = len(dataset)
    with random_state_kept():  # augmentation may use random numbers
        sample = [(index, dataset[index]) for index in (0, size // 2, size - 1) if size]
    if any(isinstance(item, Mapping) for _, item in sample):
        return all(key in item for _, item in sample)
    return not tuples or all(_ends_in(item, index) for index, item in sample)


def _ends_in(item: Any, index: int) -> bool:
    if not isinstance(item, tuple | list) or len(item) < 3:
        return False
    try:
        return operator.index(item[-1]) == index
    except (TypeError, RuntimeError):  # not an integer
        return False
