"""Scores of predictions for training dynamics: log-probability of the label, and its margin."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

_ELEMENTS = 2**22
"""Logits that are converted at once, so that little memory is needed."""


def label_scores(
    logits: Tensor, labels: NDArray[Any], labelled: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the log-probability of each label and its margin, float64 [..., 2].

    For logits z and label y they are

        z_y − log Σ_c exp z_c,   z_y − max_{c ≠ y} z_c,

    and for one logit those of the two logits (0, z). Half-precision logits are converted first.

    Args:
        logits: Floats, [..., C].
        labels: Classes from 0, [...].
        labelled: Which predictions have a label, [...]; the scores of others are nan.

    >>> scores = label_scores(torch.tensor([[0.0, 2.0]]), np.array([1]), np.array([True]))
    >>> scores.round(3).tolist()
    [[-0.127, 2.0]]
    """
    scores = np.full((*labels.shape, 2), np.nan)
    places = np.nonzero(labelled)
    step = max(_ELEMENTS // logits.shape[-1], 1)
    for start in range(0, len(places[0]), step):
        part = tuple(axis[start : start + step] for axis in places)
        rows = logits[tuple(torch.from_numpy(axis).to(logits.device) for axis in part)]
        classes = torch.from_numpy(labels[part].astype(np.int64)).to(logits.device)
        scores[part] = scores_of(rows, classes).cpu().numpy()
    return scores


def scores_of(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the scores of :func:`label_scores`, [M, 2], on the device of the logits.

    Those of an example do not depend on the others.

    Args:
        logits: Floats, [M, C].
        labels: Classes from 0, int64 [M].
    """
    z = logits if logits.dtype == torch.float64 else logits.float()
    if z.shape[1] == 1:
        margin = torch.where(labels == 1, z[:, 0], -z[:, 0])
        return torch.stack([F.logsigmoid(margin), margin], 1)
    column = labels[:, None]
    label = z.gather(1, column)[:, 0]
    others = z.scatter(1, column, -torch.inf).amax(1)
    return torch.stack([label - z.logsumexp(1), label - others], 1)
