"""A data set that says which example each of its items is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch.utils.data import Dataset


class IndexedDataset(Dataset):
    """Any map-style data set, with each item's own number added to it.

    A tuple or list gets it at its end, a mapping under ``key``, and any other item becomes the
    first of a pair. Shuffling and batching by a loader keep it with its item.

    Args:
        dataset: The data set; it is left as it is.
        key: Where a mapping gets it.

    >>> IndexedDataset([("image", 3)])[0]
    ('image', 3, 0)
    >>> IndexedDataset([{"x": 1.0}])[0]
    {'x': 1.0, 'index': 0}
    """

    def __init__(self, dataset: Any, key: str = "index") -> None:
        self.dataset = dataset
        self.key = key

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> Any:
        item = self.dataset[index]
        number = index + len(self) if index < 0 else int(index)
        if isinstance(item, Mapping):
            if self.key in item:
                raise KeyError(
                    f"Items have a {self.key!r} already. Give another key, e.g. "
                    f"IndexedDataset(dataset, key='example')."
                )
            return {**item, self.key: number}
        if isinstance(item, tuple | list):
            return (*item, number)
        return (item, number)

    def __getattr__(self, name: str) -> Any:
        """Give the data set's own attributes, such as its classes."""
        if name == "dataset":
            raise AttributeError(name)
        return getattr(self.dataset, name)
