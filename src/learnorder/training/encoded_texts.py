"""Texts as token ids, from data sets of Hugging Face."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch.utils.data import Dataset

from learnorder.errors import ConfigError, DataError

_BATCH = 1000
"""Texts that are tokenized at once."""


class EncodedTexts(Dataset[dict[str, Any]]):
    """Token ids of texts, with labels.

    Args:
        columns: Lists of integers of each text, by name; one is input_ids.
        labels: A label for each text.
        truncated: Number of texts that were truncated.

    Attributes:
        labels: The labels.
        truncated: Number of texts that were truncated.
        lengths: Number of tokens of each text, int64 [N].
    """

    def __init__(
        self, columns: Mapping[str, Sequence[Sequence[int]]], labels: Sequence[Any], truncated: int
    ) -> None:
        self.labels, self.truncated = list(labels), truncated
        self.lengths = np.array([len(ids) for ids in columns["input_ids"]], dtype=np.int64)
        self._ends = np.concatenate([[0], self.lengths.cumsum()])
        self._columns = {
            name: np.fromiter((value for row in rows for value in row), np.int32, self._ends[-1])
            for name, rows in columns.items()
        }

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> dict[str, Any]:
        index = range(len(self))[index]  # an index out of range is an IndexError
        start, end = self._ends[index], self._ends[index + 1]
        item: dict[str, Any] = {
            name: values[start:end].tolist() for name, values in self._columns.items()
        }
        return {**item, "labels": self.labels[index]}

    def largest_id(self) -> int:
        """Return the largest token id."""
        return int(self._columns["input_ids"].max())


def encode_texts(
    texts: Sequence[Sequence[str]],
    tokenizer: Any,
    field: str,
    limit: int | None,
    longest: int | None,
) -> tuple[dict[str, list[list[int]]], int]:
    """Tokenize texts, or pairs of texts.

    Args:
        texts: One or two columns of texts.
        tokenizer: A tokenizer of transformers.
        field: Name of the data set, for errors and the log.
        limit: Number of tokens to truncate to; None truncates none.
        longest: Largest number of tokens that the model or the tokenizer can process, if known.

    Returns:
        The tokenizer's lists by name, and the number of texts that were truncated.

    Raises:
        ConfigError: Texts are longer than ``longest``, and there is no ``limit``.
        DataError: A text is missing, or has no tokens.
    """
    for column in texts:
        for index, value in enumerate(column):
            if not isinstance(value, str):
                kind = type(value).__name__
                raise DataError(f"{field}: item {index:,} has a {kind} instead of a text.")
    columns: dict[str, list[list[int]]] = {}
    most, over, truncated = 0, 0, 0
    bound = longest if limit is None else limit
    for start in range(0, len(texts[0]), _BATCH):
        parts = [list(column[start : start + _BATCH]) for column in texts]
        encoded = tokenizer(*parts, verbose=False)
        sizes = [len(ids) for ids in encoded["input_ids"]]
        most = max(most, *sizes)
        over += sum(bound is not None and size > bound for size in sizes)
        if limit is not None and max(sizes) > limit:
            encoded = tokenizer(*parts, truncation=True, max_length=limit, verbose=False)
            truncated += sum(size > limit for size in sizes)
        for name in encoded:
            columns.setdefault(name, []).extend(encoded[name])
    if limit is None and over:
        raise ConfigError(
            "max_length",
            None,
            f"{field}: {over:,} of {len(texts[0]):,} texts have more tokens than the {longest:,} "
            f"that the tokenizer or the model allows; the longest has {most:,}. Give max_length, "
            f"e.g. {longest}, to truncate them.",
        )
    if truncated:
        logging.getLogger(__name__).warning(
            "%s: %d of %d texts are truncated to %d tokens; the longest has %d.",
            field, truncated, len(texts[0]), limit, most,
        )  # fmt: skip
    return columns, truncated


def check_tokens(columns: Mapping[str, Any], field: str) -> None:
    """Check that every text has tokens, and as many in all columns.

    Raises:
        DataError: A text has no tokens, or columns differ in length.
    """
    sizes = {name: [len(row) for row in rows] for name, rows in columns.items()}
    for index, size in enumerate(sizes["input_ids"]):
        if not size:
            raise DataError(f"{field}: item {index:,} has no tokens. Leave it out.")
    for name, own in sizes.items():
        if own != sizes["input_ids"]:
            raise DataError(f"{field}: {name} and input_ids differ in their lengths.")
