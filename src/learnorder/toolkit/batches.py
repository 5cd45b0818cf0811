"""Batches as a learning order records them, from what a training loop has."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from learnorder.errors import ConfigError, DataError
from learnorder.toolkit.correct import Array, Predictions, array, as_logits, compare, reduce_tokens


class Batch(NamedTuple):
    """Predictions to record.

    Attributes:
        rows: What each is of, int64 [M]: an example, or one of its positions.
        correct: Bool [M].
        finite: Bool [M].
    """

    rows: Array
    correct: Array
    finite: Array


class Layout(NamedTuple):
    """What a learning order keeps a row of.

    Attributes:
        num_examples: N.
        tokens: When a sequence is correct; None where logits are of examples.
        positions: P rows for each example; None for one.
        ignore_index: Label of what is left out.
    """

    num_examples: int
    tokens: str | float | None
    positions: int | None
    ignore_index: int

    @classmethod
    def checked(
        cls,
        num_examples: int,
        tokens: str | float | None,
        positions: int | None,
        ignore_index: int,
    ) -> Layout:
        """Return what is kept.

        Raises:
            ConfigError: No examples or positions, a rule that is not known, or two.
        """
        if not _is_count(num_examples):
            raise ConfigError("num_examples", num_examples, "Give a whole number of 1 or more.")
        if not (positions is None or _is_count(positions)):
            raise ConfigError("positions", positions, "Give a whole number of 1 or more.")
        if tokens is not None and positions is not None:
            raise ConfigError(
                "tokens", tokens, "Sequences are followed by this rule, or tokens by positions."
            )
        if isinstance(tokens, str | bool):
            valid = tokens in ("all", "last")
        else:
            valid = tokens is None or (isinstance(tokens, int | float) and 0 < tokens <= 1)
        if not valid:
            raise ConfigError("tokens", tokens, "Give 'all', 'last' or a share in (0, 1].")
        return cls(num_examples, tokens, positions, ignore_index)

    @property
    def by_token(self) -> bool:
        """Whether logits and labels are of tokens, [B, T, C] and [B, T]."""
        return self.tokens is not None or self.positions is not None

    def compared(self, indices: Any, logits: Any, labels: Any) -> Batch:
        """Return what is to be recorded of logits and labels.

        Raises:
            DataError: They do not fit.
        """
        index = _examples(indices, self.num_examples)
        logits, labels = as_logits(logits), array(labels, "Labels")
        if not len(index) == len(logits) == len(labels):
            raise DataError(
                f"{len(index)} indices, {len(logits)} predictions and {len(labels)} labels: give "
                "one of each for every example of the batch."
            )
        predictions = compare(logits, labels, tokens=self.by_token, ignore_index=self.ignore_index)
        if self.tokens is not None:
            predictions = reduce_tokens(predictions, self.tokens)
        return self._batch(index, predictions)

    def judged(self, indices: Any, correct: Any) -> Batch:
        """Return what is to be recorded of examples that are said to be correct.

        Raises:
            DataError: They do not fit.
        """
        index, right = _examples(indices, self.num_examples), array(correct, "correct")
        if right.dtype != bool and right.size:
            raise DataError(f"correct is {right.dtype}; give bool, such as predictions == labels.")
        dimensions, wanted = (1, "[B]") if self.positions is None else (2, "[B, T]")
        if len(right) != len(index) or (right.ndim != dimensions and right.size):
            raise DataError(
                f"{len(index)} indices, and correct has the shape {right.shape}: give {wanted}."
            )
        right = right.astype(bool).reshape(*right.shape, *[0] * (dimensions - right.ndim))
        every = np.ones_like(right)
        return self._batch(index, Predictions(right, every, every))

    def _batch(self, index: Array, predictions: Predictions) -> Batch:
        correct, finite, labelled = predictions
        if self.positions is not None:
            width = correct.shape[1]
            if labelled[:, self.positions :].any():
                raise DataError(
                    f"Sequences have {width} tokens, and the order follows {self.positions} "
                    f"positions. Make it with positions={width} or more."
                )
            index = index[:, None] * self.positions + np.arange(width)
        elif labelled.all():
            return Batch(index, correct, finite)
        return Batch(index[labelled], correct[labelled], finite[labelled])


def _is_count(value: Any) -> bool:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and bool(value >= 1)


def _examples(indices: Any, num_examples: int) -> Array:
    """Return indices of examples, int64 [B].

    Raises:
        DataError: They are not whole numbers, or beyond the examples.
    """
    index = array(indices, "Indices")
    if index.ndim == 2 and index.shape[1] == 1:
        index = index[:, 0]
    if index.ndim != 1 or (index.dtype.kind not in "iu" and index.size):
        raise DataError(
            f"Indices are {index.dtype} of shape {index.shape}; whole numbers [B] are needed."
        )
    if index.size and (index.min() < 0 or index.max() >= num_examples):
        raise DataError(
            f"Indices run from {index.min()} to {index.max()}, but there are {num_examples} "
            f"examples, from 0 to {num_examples - 1}. Give each example's own number in the data "
            "set, not its place in the batch."
        )
    return index.astype(np.int64, copy=False)


def coded_groups(
    groups: Sequence[object] | Tensor | Array | None, num_examples: int, positions: int | None
) -> tuple[list[Any], Array | None]:
    """Return the groups' names, and each row's group by its place among them.

    Raises:
        ConfigError: There are more or fewer groups than examples.
    """
    if groups is None:
        return ["all"], None
    if isinstance(groups, Tensor | np.ndarray):
        if positions is not None and tuple(groups.shape) == (num_examples, positions):
            return coded_groups(groups.flatten(), num_examples * positions, None)
        values: list[Any] = groups.tolist()
    else:
        values = list(groups)
    if len(values) != num_examples:
        raise ConfigError(
            "groups", f"{len(values)} of them", f"Give one for each of the {num_examples} examples."
        )
    names = sorted(set(values), key=lambda name: (str(type(name)), name))
    places = {name: place for place, name in enumerate(names)}
    codes = np.array([places[value] for value in values], np.int32)
    return names, codes if positions is None else codes.repeat(positions)
