"""Labels that are numbers, checked before anything of their size is made."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from learnorder.errors import DataError


def as_labels(values: np.ndarray, where: str) -> Tensor:
    """Return whole numbers as labels, int64 [N].

    Args:
        values: Of any integer type, [N].
        where: What they are of, for errors.

    Raises:
        DataError: A number beyond int64.
    """
    if len(values) and int(values.max()) > np.iinfo(np.int64).max:
        raise DataError(f"{where}: {values.max()} is no label. Number the classes from 0.")
    return torch.from_numpy(values.astype(np.int64))


def numbered_classes(labels: Tensor, where: str) -> tuple[str, ...]:
    """Return the names of classes that have numbers only: 0, 1, and so on.

    Args:
        labels: Of the training images, int64 [N].
        where: What they are of, for errors.

    Raises:
        DataError: A negative label, or a number below the largest that no image has.
    """
    found = labels.unique()  # at most as many as there are images, however large they are
    remedy = "Number the classes from 0 without gaps."
    if len(found) and (low := int(found[0])) < 0:
        raise DataError(f"{where}: there is a label {low}. {remedy}")
    if len(found) and (high := int(found[-1])) >= len(found):
        missing = int((found != torch.arange(len(found))).nonzero()[0])
        raise DataError(
            f"{where}: labels go up to {high}, but no training image has label {missing}. {remedy}"
        )
    return tuple(map(str, range(len(found))))
