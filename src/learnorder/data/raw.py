"""An opened source of images: labels are read at once, pixels on demand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from learnorder.data.groups import strata_of
from learnorder.data.rgb import Decoded

TEST_SHARE = 0.2
"""Stratified share of the images held out as test split, if the data have none."""


@dataclass(frozen=True)
class RawImages:
    """An opened source.

    Attributes:
        name: The source as configured, for messages.
        class_names: Name of each label.
        train_labels: int64 [N].
        test_labels: int64 [M].
        decode: ``decode("train" | "test", indices)`` returns uint8 [len(indices), H, W, C].
        named: Whether the source names its classes; otherwise they are derived from the labels.
        decoded: Counts of the images decoded so far.
        skipped: Number of skipped files, or images, by reason.
        attributes: Attribute of each image by split, if ``data.group_column`` is given.
    """

    name: str
    class_names: tuple[str, ...]
    train_labels: Tensor
    test_labels: Tensor
    decode: Callable[[str, Tensor], Tensor]
    named: bool = True
    decoded: Decoded = field(default_factory=Decoded)
    skipped: Counter[str] = field(default_factory=Counter)
    attributes: Mapping[str, Sequence[Any]] | None = None

    def labels(self, split: str) -> Tensor:
        """Return the labels of a split, int64 [N]."""
        return self.train_labels if split == "train" else self.test_labels

    def strata(self, split: str) -> Tensor:
        """Return what subsets of a split are stratified by, int64 [N]."""
        values = None if self.attributes is None else self.attributes[split]
        return strata_of(self.labels(split), values)
