"""Which predictions are correct, for logits and labels of all accepted shapes and types."""

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
from learnorder.toolkit.scores import label_scores

Array = NDArray[Any]


class Predictions(NamedTuple):
    """Predictions compared with labels, bool [B], or [B, P] for P tokens each.

    Attributes:
        correct: The largest logit is that of the label, and finite.
        finite: The largest logit is neither nan nor infinite.
        labelled: The label is not ``ignore_index``.
        scores: Log-probability and margin of the label, float64 [..., 2], as in
            :func:`~learnorder.toolkit.scores.label_scores`; [..., 0] if they were not asked for.
    """

    correct: Array
    finite: Array
    labelled: Array
    scores: Array


def compare(
    logits: Any,
    labels: Any,
    *,
    tokens: bool = False,
    ignore_index: int = -100,
    scores: bool = False,
) -> Predictions:
    """Return which predictions are correct, as :class:`Predictions`.

    A prediction with logits z and label y is correct if

        z_y = max_c z_c,  max_c z_c finite,   or, for one logit,   (z > 0) = y,  z finite.

    If several logits are largest, the first counts, as in ``torch.argmax``.

    Args:
        logits: Floats, [B, C], or [B] or [B, 1] for two classes; [B, ..., C] for tokens.
        labels: Classes, integers or bool, [B] or [B, 1]; or class probabilities [B, C], of which
            the largest is the class; or, with one logit, probabilities in [0, 1], class 1 above
            0.5. Classes [B, ...] for tokens.
        tokens: Whether logits and labels have a token axis.
        ignore_index: Label of predictions to ignore. Class probabilities have no such label.
        scores: Whether to compute the scores.

    Raises:
        DataError: Any other shape or type.

    >>> compare([[0.0, 2.0], [3.0, float("nan")]], [1, 0]).correct.tolist()
    [True, False]
    """
    z, y = as_logits(logits), array(labels, "Labels")
    if y.dtype.kind not in "biuf":
        raise DataError(f"Labels are {y.dtype}; give integers or class probabilities.")
    shares = not tokens and _are_shares(z, y)  # ignore_index is a class, so none is ignored
    if tokens:
        z, y = _tokens(z, y)
    else:
        z, y = _examples(z, y)
    classes = max(z.shape[-1], 2)
    predicted, largest = _predicted(z)
    labelled = np.ones(y.shape, bool) if shares else y != ignore_index
    if not labelled.all():
        y = np.where(labelled, y, 0)
    y = _whole(y, one_logit=z.shape[-1] == 1)
    if y.size and (y.min() < 0 or y.max() >= classes):
        raise DataError(
            f"Labels run from {y.min():g} to {y.max():g}, but the logits have {classes} "
            f"classes, from 0 to {classes - 1}; {ignore_index} is ignored."
        )
    finite = np.asarray(np.isfinite(largest))
    made = label_scores(z, y, labelled) if scores else no_scores(y.shape)
    return Predictions((predicted == y) & finite, finite, labelled, made)


def no_scores(shape: tuple[int, ...]) -> Array:
    """Return the scores of predictions of which none were asked for, [..., 0]."""
    return np.zeros((*shape, 0))


def reduce_tokens(predictions: Predictions, rule: str | float) -> Predictions:
    """Return which sequences are correct, from their tokens, as :class:`Predictions` [B].

    Unlabelled tokens are ignored; a sequence without labelled tokens is unlabelled. A sequence is
    not finite, and not correct, if one of its labelled tokens is not finite. Its scores are the
    means over its labelled tokens: the mean of log-probabilities is the logarithm of the geometric
    mean. By the rule ``"last"`` they are those of the last labelled token.

    Args:
        predictions: Predictions of the tokens, [B, P].
        rule: A sequence is correct if ``"all"`` of its tokens are, the ``"last"`` is, or at least
            this fraction.

    >>> tokens = compare([[[0.0, 1.0], [0.0, 1.0]]], [[1, 0]], tokens=True)
    >>> [bool(reduce_tokens(tokens, rule).correct) for rule in ("all", "last", 0.5)]
    [False, False, True]
    """
    correct, finite, labelled, scores = predictions
    some = np.asarray(labelled.any(axis=1))
    finite = np.asarray(np.all(finite | ~labelled, axis=1))
    if not some.any():
        return Predictions(some, finite, some, no_scores((len(some),)))
    if rule == "last":
        last = labelled.shape[1] - 1 - labelled[:, ::-1].argmax(axis=1)
        each = np.arange(len(correct))
        return Predictions(correct[each, last] & finite, finite, some, scores[each, last])
    size = np.maximum(labelled.sum(axis=1), 1)
    if rule == "all":
        right = (correct | ~labelled).all(axis=1)
    else:
        right = (correct & labelled).sum(axis=1) / size >= rule
    with np.errstate(invalid="ignore"):  # margins of +inf and −inf
        means = np.where(labelled[..., None], scores, 0).sum(axis=1) / size[:, None]
    return Predictions(right & finite, finite, some, means)


def array(values: Any, name: str) -> Array:
    """Return a tensor on any device, an array or a list as an array with at least one dimension.

    Raises:
        DataError: It cannot be converted.
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
    """Return logits as a detached tensor with at least one dimension.

    Raises:
        DataError: They are not floats but e.g. classes, or a model's whole output.
    """
    if isinstance(logits, Mapping) or hasattr(logits, "logits"):
        raise DataError(f"Logits are a {type(logits).__name__}; give its tensor, outputs.logits.")
    if not isinstance(logits, Tensor):
        values = array(logits, "Logits")
        if values.dtype.kind not in "biufc":
            raise DataError(f"Logits are {values.dtype}; give a tensor or array of floats.")
        if values.dtype.kind == "f":  # torch has neither other byte orders nor longer floats
            values = values.astype(f"=f{min(values.itemsize, 8)}", copy=False)
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
            f"Logits have shape {tuple(logits.shape)}; give [B, C], or [B] for two classes. For "
            "tokens, [B, T, C], choose what to follow: LearningOrder(n, tokens='all'), "
            "tokens='last' or a fraction such as tokens=0.5 for sequences, positions=T for tokens."
        )
    size, classes = logits.shape
    if _are_shares(logits, labels):
        return logits, _largest_share(labels)
    if labels.shape[1:] == (1,):
        labels = labels[:, 0]
    if labels.ndim > 1:
        raise DataError(
            f"Labels have shape {labels.shape} and logits {tuple(logits.shape)}: give classes "
            f"[{size}], or class probabilities [{size}, {classes}]."
        )
    return logits, labels


def _are_shares(logits: Tensor, labels: Array) -> bool:
    """Whether labels are class probabilities, [B, C]."""
    return logits.dim() == 2 and logits.shape[1] > 1 and labels.shape == tuple(logits.shape)


def _tokens(logits: Tensor, labels: Array) -> tuple[Tensor, Array]:
    """Return logits [B, P, C] and labels [B, P]."""
    if logits.dim() < 3 or labels.shape != logits.shape[:-1]:
        raise DataError(
            f"Logits have shape {tuple(logits.shape)} and labels {labels.shape}; for tokens give "
            "[B, ..., C] and [B, ...], with the classes last "
            "(logits.movedim(1, -1) if they are second)."
        )
    size, width = len(labels), math.prod(labels.shape[1:])
    return logits.reshape(size, width, logits.shape[-1]), labels.reshape(size, width)


def _predicted(logits: Tensor) -> tuple[Array, Array]:
    """Return the classes with the largest logits, and these logits."""
    if logits.shape[-1] == 1:
        largest = array(logits[..., 0], "Logits")
        if largest.size >= 8 and largest.min() >= 0 and largest.max() <= 1:
            warnings.warn(
                "All outputs of this batch are in [0, 1], like probabilities. One logit means "
                "class 1 if it is above 0: give it before the sigmoid, or subtract 0.5.",
                stacklevel=7,
            )
        return largest > 0, largest
    if logits.element_size() == 1:  # torch has no max for 8-bit floats
        logits = logits.float()
    largest, predicted = logits.max(-1)
    return array(predicted, "Logits"), array(largest, "Logits")


def _largest_share(shares: Array) -> Array:
    """Return the class with the largest probability, [B].

    Raises:
        DataError: Probabilities do not sum to 1, or the largest is not unique.
    """
    ordered = np.sort(shares.astype(float), axis=1)
    normalised = np.abs(ordered.sum(axis=1) - 1) <= 0.01
    if not (normalised & (ordered[:, 0] >= 0)).all():
        raise DataError(
            "Labels [B, C] must be class probabilities that sum to 1 for each example. For several "
            "labels per example, decide yourself what is correct: record(indices, correct)."
        )
    if (ordered[:, -1] == ordered[:, -2]).any():
        raise DataError(
            "Labels [B, C] give two classes the same largest probability, so no class is correct. "
            "Give the class of each example, [B]."
        )
    return shares.argmax(axis=1)


def _whole(labels: Array, *, one_logit: bool) -> Array:
    """Return labels as classes; with one logit, a probability above 0.5 is class 1.

    Raises:
        DataError: Labels are fractions that do not determine a class.
    """
    if labels.dtype.kind != "f" or not (labels != np.floor(labels)).any():
        return labels
    valid = (labels >= 0) & (labels <= 1) & (labels != 0.5)
    if one_logit and valid.all():
        return labels > 0.5
    example = labels[~valid if one_logit else labels != np.floor(labels)][0]
    raise DataError(
        f"Labels are fractions, such as {example:g}. Give classes, [B]; class probabilities, "
        "[B, C]; or, with one logit, probabilities in [0, 1] other than 0.5. For regression, "
        "decide yourself what is correct: record(indices, correct)."
    )
