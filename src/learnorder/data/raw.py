"""A source of images, opened: labels at once, pixels as they are asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor

from learnorder.data.rgb import Decoded

TEST_SHARE = 0.2
"""Other data without a split of its own: this stratified share is held out as the test split."""


@dataclass(frozen=True)
class RawImages:
    """A source, opened.

    Attributes:
        name: The source as configured, for messages.
        class_names: Name of each label.
        train_labels: int64 [N].
        test_labels: int64 [M].
        named: Whether the source names its classes, or they are counted from the labels.
        decode: ``decode("train" | "test", indices)`` returns uint8 [len(indices), H, W, C].
        decoded: What was found in the images decoded so far, and done to them.
        skipped: Files that were left out, by reason.
    """

    name: str
    class_names: tuple[str, ...]
    train_labels: Tensor
    test_labels: Tensor
    decode: Callable[[str, Tensor], Tensor]
    named: bool = True
    decoded: Decoded = field(default_factory=Decoded)
    skipped: Counter[str] = field(default_factory=Counter)
