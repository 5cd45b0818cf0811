"""Properties of the items of a data set, for which each item is loaded once for all runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from torch.utils.data import Subset

from learnorder.seeding import random_state_kept

_KNOWN: WeakKeyDictionary[Any, dict[Any, dict[int, Any]]] = WeakKeyDictionary()
"""Values by data set, function and index."""


def spread(size: int, most: int = 32) -> list[int]:
    """Return at most ``most`` evenly spaced indices, including the first and the last.

    >>> spread(3), spread(100, 5)
    ([0, 1, 2], [0, 24, 49, 74, 99])
    """
    count = min(size, most)
    return sorted({i * (size - 1) // max(count - 1, 1) for i in range(count)})


def map_items(
    dataset: Any, function: Callable[[Any], Any], failed: Callable[[int, Exception], Exception]
) -> list[Any]:
    """Return a function of each item of a data set.

    An item that is in several subsets of a data set is loaded once.

    Args:
        dataset: A map-style data set.
        function: Function of an item.
        failed: Returns the error to raise if it fails, from the position of the item and the error.

    >>> map_items([3, 4], str, lambda position, error: error)
    ['3', '4']
    """
    indices: Any = range(len(dataset))
    while type(dataset) is Subset:
        subset = dataset
        indices, dataset = [subset.indices[i] for i in indices], subset.dataset
    known = _known(dataset, function)
    with random_state_kept():
        for position, index in enumerate(indices):
            if index not in known:
                try:
                    known[index] = function(dataset[index])
                except Exception as error:
                    raise failed(position, error) from error
    return [known[index] for index in indices]


def forget_items() -> None:
    """Forget all values, since data sets may have been edited in place, as in a notebook."""
    _KNOWN.clear()


def _known(dataset: Any, function: Callable[[Any], Any]) -> dict[int, Any]:
    """Return the known values of a function by index; of data sets such as lists none are kept."""
    try:
        return _KNOWN.setdefault(dataset, {}).setdefault(function, {})
    except TypeError:  # it cannot be hashed or referred to weakly
        return {}
