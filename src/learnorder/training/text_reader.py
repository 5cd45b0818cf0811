"""Reads data sets of Hugging Face as a model and its tokenizer need them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import datasets

from learnorder.errors import ConfigError, DataError
from learnorder.training.encoded_texts import EncodedTexts, check_tokens, encode_texts

_LABELS = ("label", "labels")
_LARGE = 10**9
"""Tokenizers without a maximum length have a larger one."""
OTHERWISE = (
    "For anything but sequence classification and regression, give learnorder.Task(model, train, "
    "loss=..., collate=...) with a loss of your own."
)
"""The remedy for other problems."""


@dataclass(frozen=True)
class TextReader:
    """Reads data sets as a model and its tokenizer need them.

    Attributes:
        tokenizer: The tokenizer.
        config: The model's configuration.
        vocabulary: Number of token ids that the model knows; None if unknown.
        text: Columns of the texts.
        label: Column of the labels; None takes label or labels.
        max_length: Number of tokens to truncate to.
    """

    tokenizer: Any
    config: Any
    vocabulary: int | None
    text: tuple[str, ...]
    label: str | None
    max_length: int | None

    @property
    def longest(self) -> int | None:
        """The largest number of tokens that the tokenizer and the model allow, if known."""
        sizes = (
            getattr(self.tokenizer, "model_max_length", None),
            getattr(self.config, "max_position_embeddings", None),
        )
        return min((size for size in sizes if size is not None and 0 < size < _LARGE), default=None)

    def read(self, dataset: Any, field: str) -> EncodedTexts:
        """Return the texts of a data set as token ids, with their labels.

        Raises:
            ConfigError: The data set is of another kind, or has no such column, or its texts are
                too long.
            DataError: A text or a label is missing or not valid.
        """
        check_kind(dataset, field)
        plain = dataset.with_format(None)
        labels = self._labels(plain, field)
        if "input_ids" in plain.column_names:
            if self.max_length is not None:
                raise ConfigError(
                    "max_length",
                    self.max_length,
                    f"{field} is tokenized already. Truncate in its tokenization, and leave this "
                    "out.",
                )
            names = [n for n in self.tokenizer.model_input_names if n in plain.column_names]
            columns = {name: plain[name][:] for name in names}
            truncated = 0
        else:
            texts = [self._column(plain, name, f"{field}: text") for name in self.text]
            longest = self.longest
            columns, truncated = encode_texts(
                texts, self.tokenizer, field, self.max_length, longest
            )
        check_tokens(columns, field)
        encoded = EncodedTexts(columns, labels, truncated)
        self._check_ids(encoded, field)
        return encoded

    def _check_ids(self, encoded: EncodedTexts, field: str) -> None:
        if self.vocabulary is not None and encoded.largest_id() >= self.vocabulary:
            raise ConfigError(
                "tokenizer",
                type(self.tokenizer).__name__,
                f"{field} has the token id {encoded.largest_id():,}, and the model knows "
                f"{self.vocabulary:,} ids. Give the model's own tokenizer, or call "
                "model.resize_token_embeddings(len(tokenizer)).",
            )
        longest = self.longest
        if longest is not None and (over := int((encoded.lengths > longest).sum())):
            raise ConfigError(
                field,
                f"up to {int(encoded.lengths.max()):,} tokens",
                f"The tokenizer or the model allows {longest:,}, and {over:,} texts have more: "
                "truncate in the tokenization.",
            )

    @staticmethod
    def _column(dataset: Any, name: str, what: str) -> list[Any]:
        if name not in dataset.column_names:
            listed = ", ".join(dataset.column_names)
            raise ConfigError(what, name, f"There is no such column. There are {listed}.")
        return dataset[name][:]

    def _labels(self, dataset: Any, field: str) -> list[int] | list[float]:
        """Return the labels: integers for classes, floats for a regression."""
        name = self.label
        if name is None:
            names = [n for n in _LABELS if n in dataset.column_names]
            if len(names) != 1:
                listed = ", ".join(dataset.column_names)
                raise ConfigError("label", None, f"{field} has the columns {listed}: name one.")
            (name,) = names
        values = self._column(dataset, name, f"{field}: label")
        problem = problem_of(self.config, values)
        if problem == "regression":
            return [_number(value, i, name, field) for i, value in enumerate(values)]
        feature = dataset.features[name]
        named = len(feature.names) if isinstance(feature, datasets.ClassLabel) else None
        return self._classes(values, name, named, field)

    def _classes(
        self, values: Sequence[Any], name: str, named: int | None, field: str
    ) -> list[int]:
        outputs = self.config.num_labels
        if named is not None and named != outputs:
            raise ConfigError(
                "model",
                f"num_labels {outputs}",
                f"{field} has {named} classes in {name!r}. Give a model with num_labels={named}.",
            )
        for index, value in enumerate(values):
            if isinstance(value, bool) or not isinstance(value, int):
                raise DataError(
                    f"{field}: item {index:,} has the label {value!r}, which is no class. Classes "
                    f"are integers from 0: for texts, dataset.class_encode_column({name!r})."
                )
            if value < 0:
                raise DataError(
                    f"{field}: item {index:,} has the label {value}, which is no class. Leave out "
                    f"unlabelled items: dataset.filter(lambda item: item[{name!r}] >= 0)."
                )
            if value >= outputs:
                raise ConfigError(
                    "model",
                    f"num_labels {outputs}",
                    f"{field}: item {index:,} has the label {value}. Give a model with at least "
                    f"num_labels={value + 1}.",
                )
        return list(values)


def problem_of(config: Any, labels: Sequence[Any]) -> str:
    """Return the kind of problem by a model's configuration and labels, as transformers does.

    Args:
        config: The configuration.
        labels: The labels.

    Returns:
        regression or single_label_classification.

    Raises:
        ConfigError: It is a classification with several labels, or the labels do not fit.
    """
    problem, outputs = getattr(config, "problem_type", None), config.num_labels
    if problem == "multi_label_classification":
        raise ConfigError("model", f"problem_type {problem}", f"It is not supported. {OTHERWISE}")
    numbers = any(isinstance(value, float) for value in labels)
    if problem == "regression" or (problem is None and outputs == 1 and numbers):
        if outputs != 1:
            raise ConfigError(
                "model", f"num_labels {outputs}", "A regression has a single output, num_labels=1."
            )
        return "regression"
    if outputs == 1:
        raise ConfigError(
            "model",
            "num_labels 1",
            "With a single output, transformers trains a regression. Give num_labels=2 or more "
            "for classes, or problem_type='regression'.",
        )
    return "single_label_classification"


def check_kind(dataset: Any, field: str) -> None:
    """Check that a value is one split of a data set that is not streamed.

    Raises:
        ConfigError: It is a data set of several splits, or streamed, or of another type.
    """
    kind = type(dataset).__name__
    if isinstance(dataset, datasets.DatasetDict):
        splits = ", ".join(map(str, dataset))
        raise ConfigError(
            field,
            kind,
            f"Give one of its splits ({splits}), e.g. dataset[{next(iter(dataset))!r}].",
        )
    if isinstance(dataset, datasets.IterableDataset | datasets.IterableDatasetDict):
        raise ConfigError(
            field,
            kind,
            "It is streamed, but order and splits are drawn from the seed. Load it with "
            "streaming=False.",
        )
    if not isinstance(dataset, datasets.Dataset):
        raise ConfigError(
            field, kind, "Give a datasets.Dataset; for other data sets, give learnorder.Task."
        )


def _number(value: Any, index: int, name: str, field: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value):
        raise DataError(f"{field}: item {index:,} has {value!r} in {name!r}, not a finite number.")
    return float(value)
