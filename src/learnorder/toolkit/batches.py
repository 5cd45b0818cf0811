"""Convert the indices, logits and labels of a training loop to records of a learning order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from learnorder.data.groups import plain_values
from learnorder.errors import ConfigError, DataError
from learnorder.toolkit.correct import (
    Array,
    Predictions,
    array,
    as_logits,
    compare,
    no_scores,
    reduce_tokens,
)


class Batch(NamedTuple):
    """Predictions to record.

    Attributes:
        rows: Row of each prediction, int64 [M]: an example, or one of its positions.
        correct: Whether each is correct, bool [M].
        finite: Whether its largest logit is finite, bool [M].
        scores: Log-probability and margin of its label, float64 [M, 2]; [M, 0] without dynamics.
    """

    rows: Array
    correct: Array
    finite: Array
    scores: Array

    def chosen(self, which: Array) -> Batch:
        """Return some of the predictions, by indices or a mask."""
        return Batch(*(values[which] for values in self))

    def first_of_each(self) -> Batch:
        """Return the first prediction of each row."""
        first = np.zeros(len(self.rows), bool)
        first[np.unique(self.rows, return_index=True)[1]] = True
        return self.chosen(first)

    def in_turn(self) -> Iterator[Batch]:
        """Return batches of distinct rows: the first predictions, the second ones, and so on."""
        order = self.rows.argsort(kind="stable")
        ordered = self.rows[order]
        repeated = ordered[1:] == ordered[:-1]
        if not repeated.any():
            yield self
            return
        occurrence = _occurrences(repeated)
        for k in range(occurrence.max() + 1):
            yield self.chosen(order[occurrence == k])


class Layout(NamedTuple):
    """The rows of a learning order, and how predictions map to them.

    Attributes:
        num_examples: N.
        tokens: Rule for a correct sequence; None unless sequences are followed.
        positions: P, rows per example; None for one row.
        ignore_index: Label of examples and tokens that are ignored.
        dynamics: Whether predictions have scores.
    """

    num_examples: int
    tokens: str | float | None
    positions: int | None
    ignore_index: int
    dynamics: bool

    @classmethod
    def checked(
        cls,
        num_examples: int,
        tokens: str | float | None,
        positions: int | None,
        ignore_index: int,
        dynamics: bool,
    ) -> Layout:
        """Return the layout after checking it.

        Raises:
            ConfigError: No examples or positions, an unknown rule, both tokens and positions, or
                ``dynamics`` is not bool.
        """
        if not isinstance(dynamics, bool):
            raise ConfigError("dynamics", dynamics, "Give True or False.")
        if not _is_count(num_examples):
            raise ConfigError("num_examples", num_examples, "Give a whole number of 1 or more.")
        if not (positions is None or _is_count(positions)):
            raise ConfigError("positions", positions, "Give a whole number of 1 or more.")
        if tokens is not None and positions is not None:
            raise ConfigError(
                "tokens", tokens, "Give either tokens, to follow sequences, or positions."
            )
        if isinstance(tokens, str | bool):
            valid = tokens in ("all", "last")
        else:
            valid = tokens is None or (isinstance(tokens, int | float) and 0 < tokens <= 1)
        if not valid:
            raise ConfigError("tokens", tokens, "Give 'all', 'last' or a fraction in (0, 1].")
        return cls(num_examples, tokens, positions, ignore_index, dynamics)

    @property
    def by_token(self) -> bool:
        """Whether logits and labels have a token axis, [B, T, C] and [B, T]."""
        return self.tokens is not None or self.positions is not None

    def from_logits(self, indices: Any, logits: Any, labels: Any) -> Batch:
        """Return the predictions to record from logits and labels.

        Raises:
            DataError: Their sizes, shapes or types do not match.
        """
        index = _examples(indices, self.num_examples)
        logits, labels = as_logits(logits), array(labels, "Labels")
        if not len(index) == len(logits) == len(labels):
            raise DataError(
                f"{len(index)} indices, {len(logits)} predictions and {len(labels)} labels: give "
                "one of each per example of the batch."
            )
        predictions = compare(
            logits,
            labels,
            tokens=self.by_token,
            ignore_index=self.ignore_index,
            scores=self.dynamics,
        )
        if self.tokens is not None:
            predictions = reduce_tokens(predictions, self.tokens)
        return self._batch(index, predictions)

    def from_correct(self, indices: Any, correct: Any) -> Batch:
        """Return the predictions to record from a user's ``correct``.

        Raises:
            DataError: Sizes, shapes or types do not match, or dynamics are recorded.
        """
        index, right = _examples(indices, self.num_examples), array(correct, "correct")
        if right.dtype != bool and right.size:
            raise DataError(f"correct is {right.dtype}; give bool, such as predictions == labels.")
        dimensions, shape = (1, "[B]") if self.positions is None else (2, "[B, T]")
        if len(right) != len(index) or (right.ndim != dimensions and right.size):
            raise DataError(
                f"{len(index)} indices, but correct has shape {right.shape}: give {shape}."
            )
        right = right.astype(bool).reshape(*right.shape, *[0] * (dimensions - right.ndim))
        if self.dynamics and len(index):
            raise DataError(
                "record(indices, correct) has no logits, which training dynamics need. Use "
                "update(indices, logits, labels), or LearningOrder(n) without dynamics=True."
            )
        ones = np.ones_like(right)
        return self._batch(index, Predictions(right, ones, ones, no_scores(right.shape)))

    def _batch(self, index: Array, predictions: Predictions) -> Batch:
        correct, finite, labelled, scores = predictions
        if self.positions is not None:
            width = correct.shape[1]
            if labelled[:, self.positions :].any():
                raise DataError(
                    f"Sequences have {width} tokens, but the order has {self.positions} "
                    f"positions. Create it with positions={width} or more."
                )
            index = index[:, None] * self.positions + np.arange(width)
        elif labelled.all():
            return Batch(index, correct, finite, scores)
        return Batch(*(values[labelled] for values in (index, correct, finite, scores)))


def _occurrences(repeated: Array) -> Array:
    """Return the occurrence index, from 0, of each of M sorted examples, [M].

    Args:
        repeated: Whether each example but the first equals the previous one, bool [M − 1].
    """
    position = np.arange(len(repeated) + 1)
    is_first = np.concatenate([[True], ~repeated])
    return position - np.maximum.accumulate(np.where(is_first, position, 0))


def _is_count(value: Any) -> bool:
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    return whole and bool(value >= 1)


def _examples(indices: Any, num_examples: int) -> Array:
    """Return indices of examples, int64 [B].

    Raises:
        DataError: They are not integers, or out of range.
    """
    index = array(indices, "Indices")
    if index.ndim == 2 and index.shape[1] == 1:
        index = index[:, 0]
    if index.ndim != 1 or (index.dtype.kind not in "iu" and index.size):
        raise DataError(f"Indices are {index.dtype} with shape {index.shape}; give integers [B].")
    if index.size and (index.min() < 0 or index.max() >= num_examples):
        raise DataError(
            f"Indices run from {index.min()} to {index.max()}, but there are {num_examples} "
            f"examples, from 0 to {num_examples - 1}. Give each example's index in the data set, "
            "not its position in the batch."
        )
    return index.astype(np.int64, copy=False)


def coded_groups(
    groups: Sequence[object] | Tensor | Array | None, num_examples: int, positions: int | None
) -> tuple[list[Any], Array | None]:
    """Return the sorted group names, and each row's index into them, int32 (None for one group).

    Raises:
        ConfigError: The number of groups is not that of examples, or they are not strings or
            integers.
    """
    if groups is None:
        return ["all"], None
    if isinstance(groups, Tensor | np.ndarray):
        if positions is not None and tuple(groups.shape) == (num_examples, positions):
            return coded_groups(groups.flatten(), num_examples * positions, None)
        groups = groups.squeeze(1) if groups.shape[1:] == (1,) else groups
    values = plain_values(groups, "groups")
    if len(values) != num_examples:
        raise ConfigError(
            "groups", f"{len(values)} of them", f"Give one for each of the {num_examples} examples."
        )
    names = sorted(set(values), key=lambda name: (str(type(name)), name))
    code_of = {name: code for code, name in enumerate(names)}
    codes = np.array([code_of[value] for value in values], np.int32)
    return names, codes if positions is None else codes.repeat(positions)
