"""Which predictions are correct, for logits and labels of every accepted shape and type."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from learnorder.errors import DataError

Array = NDArray[Any]


class Predictions(NamedTuple):
    """Predictions against labels, bool [B], or [B, P] of P tokens each.

    Attributes:
        correct: The largest logit is the label's, and finite.
        finite: The largest logit is finite: neither nan nor infinite.
        labelled: The label is not the ignored one.
    """

    correct: Array
    finite: Array
    labelled: Array


def compare(
    logits: Any, labels: Any, *, tokens: bool = False, ignore_index: int = -100
) -> Predictions:
    """Return which predictions are correct, as :class:`Predictions`.

    With z the logits and y the label of an example or token, correct is

        z_y = max_c z_c,  max_c z_c finite,   or, of one logit,   (z > 0) = y,  z finite.

    Of equal largest logits the first counts, as in ``torch.argmax``.

    Args:
        logits: Floats, [B, C], or [B] or [B, 1] of two classes; [B, ..., C] of tokens.
        labels: Classes, whole numbers or bool, [B] or [B, 1]; shares of classes that sum to 1,
            [B, C], of which the largest is the class; of one logit shares in [0, 1], whose class is
            1 above 0.5. [B, ...] of tokens: classes.
        tokens: Whether each example has a logit and a label for each of its tokens.
        ignore_index: The label of what is left out.

    Raises:
        DataError: Anything else, by name.

    >>> compare([[0.0, 2.0], [3.0, float("nan")]], [1, 0]).correct.tolist()
    [True, False]
    """
    z, y = as_logits(logits), array(labels, "Labels")
    if y.dtype.kind not in "biuf":
        raise DataError(f"Labels are {y.dtype}; whole numbers or shares of classes are needed.")
    if tokens:
        z, y = _tokens(z, y)
    else:
        z, y = _examples(z, y)
    classes = max(z.shape[-1], 2)
    predicted, largest = _predicted(z)
    labelled = y != ignore_index
    if not labelled.all():
        y = np.where(labelled, y, 0)
    y = _whole(y, one_logit=z.shape[-1] == 1)
    if y.size and (y.min() < 0 or y.max() >= classes):
        raise DataError(
            f"Labels run from {y.min():g} to {y.max():g}, but the logits have {classes} "
            f"classes, from 0 to {classes - 1}; {ignore_index} is left out."
        )
    finite = np.asarray(np.isfinite(largest))
    return Predictions((predicted == y) & finite, finite, labelled)


def reduce_tokens(predictions: Predictions, rule: str | float) -> Predictions:
    """Return which sequences are correct, of which tokens are, as :class:`Predictions` [B].

    Tokens that are not labelled are left out, and a sequence without any is not labelled. A
    sequence is not finite, and not correct, if one of its tokens is not.

    Args:
        predictions: Of the tokens, [B, P].
        rule: ``"all"`` of its tokens are correct, the ``"last"`` is, or at least this share.

    >>> tokens = compare([[[0.0, 1.0], [0.0, 1.0]]], [[1, 0]], tokens=True)
    >>> [bool(reduce_tokens(tokens, rule).correct) for rule in ("all", "last", 0.5)]
    [False, False, True]
    """
    correct, finite, labelled = predictions
    some, finite = labelled.any(axis=1), np.all(finite | ~labelled, axis=1)
    if not some.any():
        right = some
    elif rule == "all":
        right = (correct | ~labelled).all(axis=1)
    elif rule == "last":
        last = labelled.shape[1] - 1 - labelled[:, ::-1].argmax(axis=1)
        right = correct[np.arange(len(correct)), last]
    else:
        right = (correct & labelled).sum(axis=1) / np.maximum(labelled.sum(axis=1), 1) >= rule
    return Predictions(right & finite, finite, np.asarray(some))


def array(values: Any, name: str) -> Array:
    """Return a tensor on any device, an array or a list as an array of one dimension or more.

    Raises:
        DataError: It is neither.
    """
    if isinstance(values, Tensor):
        values = values.detach().cpu()
        values = values.float() if values.dtype == torch.bfloat16 else values
        return np.atleast_1d(values.numpy())
    try:
        return np.atleast_1d(np.asarray(values))
    except (RuntimeError, TypeError, ValueError) as error:
        raise DataError(
            f"{name} are a {type(values).__name__}; give one tensor or array."
        ) from error


def as_logits(logits: Any) -> Tensor:
    """Return logits as a tensor of one dimension or more, without gradient.

    Raises:
        DataError: They are no floats: classes, or what a model returns beside its logits.
    """
    if isinstance(logits, Mapping) or hasattr(logits, "logits"):
        raise DataError(f"Logits are a {type(logits).__name__}; give its tensor, outputs.logits.")
    if not isinstance(logits, Tensor):
        values = array(logits, "Logits")
        if values.dtype.kind not in "biufc":
            raise DataError(f"Logits are {values.dtype}; a tensor or array of floats is needed.")
        logits = torch.from_numpy(values if values.flags.writeable else values.copy())
    if not logits.is_floating_point():
        raise DataError(
            f"Logits are {logits.dtype}, not floats. Give the model's outputs before argmax, "
            "or record(indices, predictions == labels)."
        )
    return logits.detach() if logits.dim() else logits.detach().reshape(1)


def _examples(logits: Tensor, labels: Array) -> tuple[Tensor, Array]:
    """Return logits [B, C] and labels [B]."""
    if logits.dim() == 1:
        logits = logits.unsqueeze(1)
    if logits.dim() > 2 or not logits.shape[1]:
        raise DataError(
            f"Logits have the shape {tuple(logits.shape)}; [B, C] is needed, or [B] of two "
            "classes. Of tokens, [B, T, C], say what is learned: LearningOrder(n, tokens='all'), "
            "tokens='last' or a share such as tokens=0.5 for sequences, positions=T for tokens."
        )
    size, classes = logits.shape
    if labels.shape == (size, classes) and classes > 1:
        return logits, _largest_share(labels)
    if labels.shape[1:] == (1,):
        labels = labels[:, 0]
    if labels.ndim > 1:
        raise DataError(
            f"Labels have the shape {labels.shape} and logits {tuple(logits.shape)}: give classes "
            f"[{size}], or a share of each class [{size}, {classes}]."
        )
    return logits, labels


def _tokens(logits: Tensor, labels: Array) -> tuple[Tensor, Array]:
    """Return logits [B, P, C] and labels [B, P]."""
    if logits.dim() < 3 or labels.shape != logits.shape[:-1]:
        raise DataError(
            f"Logits have the shape {tuple(logits.shape)} and labels {labels.shape}; of tokens "
            "[B, ..., C] and [B, ...] are needed, with the classes last "
            "(logits.movedim(1, -1) where they come second)."
        )
    size, width = len(labels), math.prod(labels.shape[1:])
    return logits.reshape(size, width, logits.shape[-1]), labels.reshape(size, width)


def _predicted(logits: Tensor) -> tuple[Array, Array]:
    """Return the classes of the largest logits, and these logits."""
    if logits.shape[-1] == 1:
        largest = array(logits[..., 0], "Logits")
        if largest.size >= 8 and largest.min() >= 0 and largest.max() <= 1:
            warnings.warn(
                "All outputs of this batch are in [0, 1], as probabilities are. One logit stands "
                "for class 1 where it is above 0: give it before the sigmoid, or subtract 0.5.",
                stacklevel=7,
            )
        return largest > 0, largest
    if logits.element_size() == 1:  # of 8-bit floats torch takes no maximum
        logits = logits.float()
    largest, predicted = logits.max(-1)
    return array(predicted, "Logits"), array(largest, "Logits")


def _largest_share(shares: Array) -> Array:
    """Return the class of the largest share, [B].

    Raises:
        DataError: Shares that do not sum to 1, or two largest ones.
    """
    ordered = np.sort(shares.astype(float), axis=1)
    whole = np.abs(ordered.sum(axis=1) - 1) <= 0.01
    if not (whole & (ordered[:, 0] >= 0)).all():
        raise DataError(
            "Labels [B, C] are shares of classes and sum to 1 for each example; these do not. Of "
            "several labels for an example say yourself what is correct: record(indices, correct)."
        )
    if (ordered[:, -1] == ordered[:, -2]).any():
        raise DataError(
            "Labels [B, C] give two classes the same largest share, so that no class is correct. "
            "Give the class of each example, [B]."
        )
    return shares.argmax(axis=1)


def _whole(labels: Array, *, one_logit: bool) -> Array:
    """Return labels as classes; of one logit a share above 0.5 is class 1.

    Raises:
        DataError: Fractions that no class is near.
    """
    if labels.dtype.kind != "f" or not (labels != np.floor(labels)).any():
        return labels
    near = (labels >= 0) & (labels <= 1) & (labels != 0.5)
    if one_logit and near.all():
        return labels > 0.5
    example = labels[~near if one_logit else labels != np.floor(labels)][0]
    raise DataError(
        f"Labels are fractions, such as {example:g}. Give classes, [B]; shares of all classes, "
        "[B, C]; or, of one logit, shares in [0, 1] other than 0.5. What a regression has learned "
        "is yours to say: record(indices, correct)."
    )
