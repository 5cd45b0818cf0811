"""Check that a user's data set is map-style."""

from __future__ import annotations

from typing import Any

from torch.utils.data import DataLoader, IterableDataset

from learnorder.errors import ConfigError, DataError


def check_data(field: str, data: Any, fewest: int) -> None:
    """Check that a value is a map-style data set with enough examples."""
    kind = type(data).__name__
    if isinstance(data, DataLoader):
        raise ConfigError(
            field,
            kind,
            "Give the data set, loader.dataset. Batches are drawn from it in an order that depends "
            "on the seed, with size training.batch_size; collate=loader.collate_fn collates them "
            "as the loader does.",
        )
    try:
        if isinstance(data, IterableDataset) or not hasattr(data, "__getitem__"):
            raise TypeError
        size = len(data)
    except TypeError:
        raise ConfigError(
            field,
            kind,
            "A map-style data set is needed, with __len__ and __getitem__: order and splits are "
            "drawn from the seed.",
        ) from None
    if size < fewest:
        raise DataError(f"{field} has {size} examples: give at least {fewest}.")
