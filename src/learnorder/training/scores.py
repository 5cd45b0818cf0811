"""Scores of a task's models over the whole validation set."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from learnorder.config.memory import beyond_memory, size_words
from learnorder.errors import reason_of
from learnorder.training.metrics import BatchMean, Scoring, is_metric
from learnorder.training.task import IGNORED

MOST_GATHERED = 4 * 10**9
"""Maximum bytes of validation outputs and targets that are collected for a score."""
_REMEDY = (
    "Give an object with update(outputs, targets) and compute() instead, e.g. of torchmetrics, or "
    "learnorder.BatchMean(score) for the mean over batches."
)


_FROM_ZERO = (F.cross_entropy, F.mse_loss, F.l1_loss, F.binary_cross_entropy_with_logits)
_FROM_ZERO_MODULES = (nn.CrossEntropyLoss, nn.MSELoss, nn.L1Loss, nn.BCEWithLogitsLoss)


_INTEGERS = (torch.int64, torch.int32, torch.int16, torch.uint8, torch.int8)


class Measure(Protocol):
    """Computes a score over one pass through a data set."""

    def add(self, outputs: Any, targets: Any, size: int) -> None:
        """Add a batch of ``size`` examples."""
        ...

    def value(self) -> float:
        """Return the score of all batches together."""
        ...


@dataclass(frozen=True)
class Score:
    """The score of a task's models.

    Attributes:
        name: accuracy, loss, or the user's name.
        higher_is_better: Whether higher is better.
        start: Starts a pass over a number of examples.
        batch: Function from a training batch's (outputs, targets) to its mean score, or the score
            of each example; None if the score is not defined for a single batch.
    """

    name: str
    higher_is_better: bool
    start: Callable[[int], Measure]
    batch: Callable[[Any, Any], Any] | None


def score_of(by: Scoring, outputs: Any, targets: Any) -> Score:
    """Return the score to compute; the outputs and targets of a batch decide the default."""
    score: Any = by.score
    better = by.higher_is_better
    if score is None:
        if are_classes(outputs, targets):
            return Score("accuracy", True, lambda _: _Accuracy(), accuracy)
        return Score("loss", False, lambda _: _Mean(by.loss), by.loss)
    if isinstance(score, BatchMean):
        function = score.score
        return Score(by.score_name, better, lambda _: _Mean(function), function)
    if is_metric(score):
        return Score(by.score_name, better, lambda _: _Metric(score), None)
    return Score(by.score_name, better, lambda size: _Whole(score, size), None)


def is_from_zero(loss: Callable[[Any, Any], Any]) -> bool:
    """Whether a loss is one of torch that are never negative.

    >>> is_from_zero(F.cross_entropy), is_from_zero(nn.GaussianNLLLoss())
    (True, False)
    """
    return loss in _FROM_ZERO or isinstance(loss, _FROM_ZERO_MODULES)


def are_classes(outputs: Any, targets: Any) -> bool:
    """Whether outputs are logits [B, C] and targets are classes [B]."""
    if not (isinstance(outputs, Tensor) and isinstance(targets, Tensor)):
        return False
    integer = targets.dtype in _INTEGERS
    return integer and targets.dim() == 1 and outputs.dim() == 2 and outputs.shape[1] > 1


def accuracy(outputs: Tensor, targets: Tensor) -> Tensor | float:
    """Return the share of correct predictions, for outputs [B, C, …] and targets [B, …].

    It is a number on a CPU, where that costs less, and elsewhere a tensor that nothing waits for.

    >>> accuracy(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1]))
    0.5
    """
    correct, counted = count_correct(outputs, targets)
    if isinstance(counted, Tensor):
        return correct / counted.clamp(min=1)
    return int(correct) / max(counted, 1)


def count_correct(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor] | tuple[int, int]:
    """Return the number of correct predictions, and of all that count; on a CPU as integers."""
    predicted = outputs.argmax(1)  # never IGNORED, a negative number
    if predicted.device.type == targets.device.type == "cpu":  # NumPy has less overhead
        labels, correct = targets.numpy(), predicted.numpy() == targets.numpy()
        return int(np.count_nonzero(correct)), int(np.count_nonzero(labels != IGNORED))
    return (predicted == targets).count_nonzero(), (targets != IGNORED).count_nonzero()


class _Accuracy:
    """The share of correct predictions."""

    def __init__(self) -> None:
        self._correct = self._counted = 0

    def add(self, outputs: Any, targets: Any, size: int) -> None:
        correct, counted = count_correct(outputs, targets)
        self._correct += int(correct)
        self._counted += int(counted)

    def value(self) -> float:
        return self._correct / max(self._counted, 1)


class _Mean:
    """The mean over batches, weighted by their numbers of targets that count."""

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        self._function, self._sum, self._counted = function, 0.0, 0

    def add(self, outputs: Any, targets: Any, size: int) -> None:
        if weight := int(weight_of(targets, size)):
            self._sum += weight * float(mean_of(self._function(outputs, targets)))
            self._counted += weight

    def value(self) -> float:
        return self._sum / self._counted if self._counted else math.nan


class _Metric:
    """The result of a user's metric with update and compute, on a new instance or a copy."""

    def __init__(self, metric: Any) -> None:
        self._metric = metric() if isinstance(metric, type) else copy.deepcopy(metric)
        self._examples = 0

    def add(self, outputs: Any, targets: Any, size: int) -> None:
        self._metric.update(_on_cpu(outputs), _on_cpu(targets))
        self._examples += size

    def value(self) -> float:
        return _single(self._metric.compute(), self._examples, "compute() returned")


class _Whole:
    """The result of a user's function of all outputs and targets, collected on the CPU."""

    def __init__(self, score: Callable[[Any, Any], Any], examples: int) -> None:
        self._score, self._examples = score, examples
        self._batches: list[tuple[Any, Any]] = []
        self._seen = self._bytes = 0

    def add(self, outputs: Any, targets: Any, size: int) -> None:
        batch = _on_cpu(outputs), _on_cpu(targets)
        self._batches.append(batch)
        self._seen += size
        self._bytes += _bytes(batch)
        self._check_memory()

    def _check_memory(self) -> None:
        """Refuse if the memory for all examples, extrapolated from the batches, is too large."""
        expected = self._bytes * max(self._examples, self._seen) // self._seen
        most = f"at most {size_words(MOST_GATHERED)} are allowed"
        lacking = "" if expected <= MOST_GATHERED else f"{size_words(expected)}, and {most}"
        left = 2 * expected - self._bytes  # concatenation needs as much again
        if words := lacking or beyond_memory(left):
            raise Unfit(f"Outputs and targets of all validation examples take {words}.")

    def value(self) -> float:
        outputs, targets = (_concatenate(parts) for parts in zip(*self._batches, strict=True))
        return _single(self._score(outputs, targets), self._seen, "It returned")


def mean_of(value: Any) -> Tensor:
    """Return the mean of a number, or of one number for each example."""
    return _mean(torch.as_tensor(value, dtype=torch.float32).detach())


def weight_of(targets: Any, size: int) -> Tensor | int:
    """Return the weight of a batch in a mean over batches: its number of targets that count.

    These are all integers in a tensor but IGNORED, and otherwise the examples.

    Args:
        targets: Targets of a batch.
        size: Its number of examples.

    >>> weight_of(torch.tensor([[1, 0, -100], [1, -100, -100]]), 2)
    3
    """
    counted = _counted(targets)
    return size if counted is None else counted


def mean_loss(losses: Tensor, targets: Any) -> Tensor:
    """Return the mean of losses over the targets that count; see :func:`weight_of`.

    Args:
        losses: One for each target, or for each example, or their mean.
        targets: Targets of a batch.

    >>> mean_loss(torch.tensor([2.0, 0.0]), torch.tensor([1, -100]))
    tensor(2.)
    """
    if not isinstance(targets, Tensor) or losses.shape != targets.shape:
        return _mean(losses)
    if (counted := _counted(targets)) is None:
        return _mean(losses)
    return losses.sum() / (counted if isinstance(counted, Tensor) else max(counted, 1))


def _counted(targets: Any) -> Tensor | int | None:
    """Return the number of targets that are not IGNORED; None if they are no tensor of integers."""
    if not isinstance(targets, Tensor) or targets.dtype not in _INTEGERS or not targets.dim():
        return None
    if targets.device.type == "cpu":  # NumPy has less overhead
        return int(np.count_nonzero(targets.numpy() != IGNORED))
    return (targets != IGNORED).count_nonzero()


def _mean(values: Tensor) -> Tensor:
    return values.mean() if values.dim() else values


def _single(value: Any, examples: int, returned: str) -> float:
    """Return a number, or the mean of one number for each example; refuse anything else."""
    try:
        numbers = torch.as_tensor(value).detach().cpu().double()
    except (TypeError, ValueError, RuntimeError) as error:
        kind = type(value).__name__
        raise Unfit(f"{returned} a {kind} ({reason_of(error)}).", _NUMBER) from error
    if numbers.numel() == 1:
        return float(numbers)
    if numbers.dim() and len(numbers) == examples:
        return float(numbers.mean())
    reason = f"{returned} numbers of shape {list(numbers.shape)} for {examples} examples."
    raise Unfit(reason, _NUMBER)


_NUMBER = "Return one number, or one for each example."


class Unfit(Exception):  # noqa: N818 - the problem names the score in its error
    """A score cannot be computed: the reason and the remedy."""

    def __init__(self, reason: str, remedy: str = _REMEDY) -> None:
        super().__init__(f"{reason} {remedy}")


@contextmanager
def scoring(refusal: Callable[[Any, str], Exception], failed: str) -> Iterator[None]:
    """Convert errors of a score within a ``with`` block.

    Args:
        refusal: Returns the error, from "score" and the reason.
        failed: When it failed.
    """
    try:
        yield
    except Unfit as error:
        raise refusal("score", str(error)) from error
    except Exception as error:
        raise refusal("score", f"{failed}: {reason_of(error)}.") from error


def _on_cpu(value: Any) -> Any:
    """Move tensors in nested containers to the CPU, half precision to float32."""
    if isinstance(value, Tensor):
        tensor = value.detach().cpu()
        return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
    if isinstance(value, Mapping):
        return {name: _on_cpu(item) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return tuple(map(_on_cpu, value)) if isinstance(value, tuple) else [*map(_on_cpu, value)]
    return value


def _bytes(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.nbytes
    if isinstance(value, Mapping):
        return sum(map(_bytes, value.values()))
    return sum(map(_bytes, value)) if isinstance(value, tuple | list) else 0


def _concatenate(parts: tuple[Any, ...]) -> Any:
    """Concatenate batches: tensors along their first dimension, and lists of examples."""
    first = parts[0]
    if isinstance(first, Tensor):
        try:
            return torch.cat(parts)
        except RuntimeError as error:
            raise Unfit(
                f"Batches cannot be concatenated ({reason_of(error)}): make them the same size, "
                "e.g. by padding in validation_collate."
            ) from error
    if isinstance(first, Mapping):
        return {name: _concatenate(tuple(part[name] for part in parts)) for name in first}
    if isinstance(first, tuple) or (isinstance(first, list) and isinstance(first[0], Tensor)):
        return type(first)(map(_concatenate, zip(*parts, strict=True)))
    if isinstance(first, list):
        return [item for part in parts for item in part]
    if first is None:
        return None
    raise Unfit(f"Batches of {type(first).__name__} cannot be concatenated.")
