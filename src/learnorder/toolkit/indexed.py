"""A data set that adds the index to each item."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, IterableDataset, Subset

from learnorder.errors import ConfigError, DataError


class IndexedDataset(Dataset[Any]):
    """Any map-style data set, with its index added to each item.

    The index becomes the last item of a tuple or list and the value under ``key`` of a mapping. Any
    other item becomes a pair (item, index). This holds for every way to read the data set: by
    index, in a ``DataLoader`` with or without worker processes or a ``batch_sampler``, and by
    ``__getitems__``, which ``Subset`` and ``datasets.Dataset`` have.

    A slice, list or array of indices is passed to the data set. If the result is a mapping of
    columns, a tuple of arrays or an array, the indices, int64 [B], become another column; if it is
    a list, each item gets its own index. A column name returns that column.

    Wrap a subset to number its items from 0, or take a subset of an ``IndexedDataset`` to keep the
    indices of the whole data set.

    Args:
        dataset: The data set, with ``__getitem__`` and ``__len__``. It is not modified.
        key: Key of the index in mappings.

    Raises:
        ConfigError: The data set is iterable, has several splits, or has a column ``key``.

    >>> IndexedDataset([("image", 3)])[0]
    ('image', 3, 0)
    >>> IndexedDataset([{"x": 1.0}])[0]
    {'x': 1.0, 'index': 0}
    """

    def __init__(self, dataset: Any, key: str = "index") -> None:
        _check(dataset, key)
        self.dataset = dataset
        self.key = key

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, str):
            return list(range(len(self))) if index == self.key else self.dataset[index]
        if isinstance(index, slice | list | range) or getattr(index, "ndim", 0) == 1:
            return self._several(index)
        number = self._checked(index)
        return self._indexed(self.dataset[number], number)

    def __getitems__(self, indices: Sequence[int]) -> list[Any]:
        """Return the items of a list of indices, as a ``DataLoader`` reads them."""
        numbers = [self._checked(index) for index in indices]
        get_items = getattr(self.dataset, "__getitems__", None)
        items = get_items(numbers) if callable(get_items) else [self.dataset[n] for n in numbers]
        return self._each(items, numbers)

    def __getattr__(self, name: str) -> Any:
        """Return an attribute of the data set, such as its classes."""
        if name == "dataset" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.dataset, name)

    def _checked(self, index: Any) -> int:
        """Return a non-negative index."""
        size, number = len(self), operator.index(index)
        if not -size <= number < size:
            raise IndexError(f"Index {number} is out of range: there are {size} items.")
        return number + size if number < 0 else number

    def _several(self, index: Any) -> Any:
        numbers = self._numbers(index)
        items = self.dataset[index]
        if isinstance(items, list) or isinstance(self.dataset, tuple):
            return self._each(items, numbers.tolist())
        columns = items if isinstance(items, tuple) else (items,)
        arrays = all(isinstance(c, Tensor | np.ndarray) and len(c) == len(numbers) for c in columns)
        if isinstance(items, Mapping) or arrays:
            return self._indexed(items, torch.from_numpy(numbers))
        raise DataError(
            f"The data set returns a {type(items).__name__} for {len(numbers)} indices at once: "
            "not a mapping of columns, arrays with as many rows, or a list of items. Read one item "
            "at a time."
        )

    def _numbers(self, index: Any) -> NDArray[np.int64]:
        """Return the non-negative indices of a slice, list, array or mask, int64 [B]."""
        if isinstance(index, slice):
            return np.arange(*index.indices(len(self)), dtype=np.int64)
        numbers = index.cpu().numpy() if isinstance(index, Tensor) else np.asarray(index)
        if numbers.dtype == bool:
            return np.flatnonzero(numbers)
        return np.array([self._checked(number) for number in numbers], np.int64)

    def _each(self, items: Any, numbers: Sequence[int]) -> list[Any]:
        if len(items) != len(numbers):
            raise DataError(
                f"The data set returns {len(items)} items for {len(numbers)} indices: its "
                "__getitems__ must return one per index."
            )
        return [self._indexed(item, n) for item, n in zip(items, numbers, strict=True)]

    def _indexed(self, item: Any, number: int | Tensor) -> Any:
        """Return an item, or columns of several items, with the index."""
        if isinstance(item, Mapping):
            if self.key in item:
                raise KeyError(_taken(self.key))
            return {**item, self.key: number}
        if isinstance(item, tuple | list):
            return (*item, number)
        return (item, number)


def indexed_in(dataset: Any) -> IndexedDataset | None:
    """Return the :class:`IndexedDataset` that a data set is or is a subset of; else None."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    return dataset if isinstance(dataset, IndexedDataset) else None


def is_iterable(dataset: Any) -> bool:
    """Return whether a data set is iterable, without access by index."""
    return isinstance(dataset, IterableDataset) or not hasattr(dataset, "__getitem__")


def _check(dataset: Any, key: str) -> None:
    name = type(dataset).__name__
    if is_iterable(dataset) or not hasattr(dataset, "__len__"):
        raise ConfigError(
            "dataset",
            name,
            "Its items have no index. Give a map-style data set, with __getitem__ and __len__, not "
            "an iterable or streaming one, and not a loader.",
        )
    if isinstance(dataset, Mapping) and any(isinstance(split, str) for split in dataset):
        raise ConfigError(
            "dataset", name, f"Give one of its splits, {', '.join(map(repr, dataset))}."
        )
    columns = getattr(dataset, "column_names", None)
    if isinstance(columns, list | tuple) and key in columns:
        raise ConfigError("key", key, _taken(key))


def _taken(key: str) -> str:
    return (
        f"Items already have a {key!r}. Give another key, e.g. "
        f"IndexedDataset(dataset, key='example')."
    )
