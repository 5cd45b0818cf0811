"""An opened source of images: labels are read at once, pixels on demand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

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
        skipped: Number of skipped files by reason.
    """

    name: str
    class_names: tuple[str, ...]
    train_labels: Tensor
    test_labels: Tensor
    decode: Callable[[str, Tensor], Tensor]
    named: bool = True
    decoded: Decoded = field(default_factory=Decoded)
    skipped: Counter[str] = field(default_factory=Counter)
