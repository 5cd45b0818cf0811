"""Which training examples of a task an epoch shows, and in which order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Subset

from learnorder.errors import ConfigError, LearnOrderError, reason_of
from learnorder.seeding import generator, random_state_kept, seed_everything

Sampler = (
    Sequence[float]
    | Tensor
    | np.ndarray[Any, Any]
    | Callable[[torch.Generator], Sequence[int] | Tensor]
)
"""Weights of the examples, or a function from a generator to the positions of an epoch."""

_FIELD = "task.sampler"
_WHAT = (
    "Give a weight for each example of the training data, or a function from a torch.Generator to "
    "the positions of an epoch."
)


def check_sampler(sampler: Sampler, size: int, *, holds_out: bool) -> None:
    """Check a task's sampler.

    Args:
        sampler: The sampler.
        size: Number of examples of the training data, including any to be held out.
        holds_out: Whether validation examples are held out from them.

    Raises:
        ConfigError: It is no sampler, its weights do not fit the data, or it is a function and
            examples are held out.
    """
    if isinstance(sampler, torch.utils.data.Sampler):
        raise ConfigError(
            _FIELD,
            type(sampler).__name__,
            "A torch Sampler draws from a generator of its own, so arms would not see the same "
            f"examples. {_WHAT}",
        )
    if callable(sampler):
        if holds_out:
            raise ConfigError(
                _FIELD,
                getattr(sampler, "__qualname__", sampler),
                "Its positions are those of the training data, of which validation_share holds out "
                "a part. Give the task validation data, or weights in place of the function.",
            )
        return
    try:
        weights = torch.as_tensor(sampler, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        raise ConfigError(_FIELD, type(sampler).__name__, _WHAT) from None
    if weights.shape != (size,):
        raise ConfigError(
            _FIELD, f"weights {list(weights.shape)}", f"There are {size:,} examples. {_WHAT}"
        )
    if not (weights.isfinite().all() and (weights >= 0).all() and weights.sum() > 0):
        raise ConfigError(
            _FIELD, f"weights {list(weights.shape)}", "Give finite weights ≥ 0, some above 0."
        )


class EpochOrder:
    """The positions of the training examples that each epoch shows.

    Without a sampler, an epoch is a permutation of the examples. With weights w, it has as many
    draws as there are examples, with replacement, of example i with probability w_i / Σ w.

    Args:
        sampler: The task's sampler, if any.
        train: The training examples.
        seed: The run's seed.

    Attributes:
        length: Number of positions in each epoch.

    Raises:
        ConfigError: All weights are 0, or the function does not return the same positions again
            from the same generator.
    """

    def __init__(self, sampler: Sampler | None, train: Dataset[Any], seed: int) -> None:
        self._size, self._seed = len(train), seed  # pyright: ignore[reportArgumentType]
        self._sampler, self._ends = sampler, None
        self.length: int = self._size
        if callable(sampler):
            first = self.positions(1, checked=False)
            self.length = len(first)
            if self.positions(1) != first:
                raise self._refusal(
                    "It returned other positions for the same generator, so runs could not be "
                    "continued, nor arms compared. Draw from the generator only, and keep no state."
                )
        elif sampler is not None:
            weights = torch.as_tensor(sampler, dtype=torch.float64)
            if isinstance(train, Subset) and len(weights) != self._size:
                weights = weights[torch.as_tensor(train.indices)]
            self._ends = weights.cumsum(0)
            if self._ends[-1] == 0:
                raise self._refusal("The weights of all training examples are 0.")
            self._last = int(weights.nonzero()[-1])

    def positions(self, epoch: int, *, checked: bool = True) -> list[int]:
        """Return the positions of an epoch, which depend on the seed and the epoch only.

        Raises:
            ConfigError: The function fails, or returns something else than positions.
        """
        drawing = generator(self._seed, "order", epoch)
        if self._ends is not None:
            draws = torch.rand(self._size, generator=drawing, dtype=torch.float64)
            chosen = torch.searchsorted(self._ends, draws * self._ends[-1], right=True)
            return chosen.clamp(max=self._last).tolist()  # where a product is rounded up
        if self._sampler is None:
            return torch.randperm(self._size, generator=drawing).tolist()
        positions = self._called(drawing, epoch)
        if checked and len(positions) != self.length:
            raise self._refusal(
                f"It returned {len(positions):,} positions for epoch {epoch} and {self.length:,} "
                "for the first. Return equally many for each."
            )
        return positions

    def _called(self, drawing: torch.Generator, epoch: int) -> list[int]:
        assert callable(self._sampler)
        with random_state_kept():
            seed_everything(self._seed, "sampler", epoch)
            try:
                given = torch.as_tensor(self._sampler(drawing))
            except LearnOrderError:
                raise
            except Exception as error:
                raise self._refusal(f"It failed: {reason_of(error)}.") from error
        whole = given.dim() == 1 and not (given.is_floating_point() or given.is_complex())
        if not whole or given.dtype == torch.bool or not len(given):
            kind = str(given.dtype).removeprefix("torch.")
            raise self._refusal(
                f"It returned {kind} {list(given.shape)}. Return the positions of the examples as "
                "integers, at least one."
            )
        low, high = int(given.min()), int(given.max())
        if low < 0 or high >= self._size:
            raise self._refusal(
                f"It returned positions from {low} to {high}. Give those of the {self._size:,} "
                f"training examples, from 0 to {self._size - 1:,}."
            )
        return given.tolist()

    def _refusal(self, reason: str) -> ConfigError:
        name = getattr(self._sampler, "__qualname__", type(self._sampler).__name__)
        return ConfigError(_FIELD, name, reason)
