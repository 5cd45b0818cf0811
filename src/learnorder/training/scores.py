"""What models of a task are judged by, over the whole validation set."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from learnorder.config.memory import beyond_memory, size_words
from learnorder.errors import reason_of
from learnorder.training.task import IGNORED, BatchMean, Task, is_metric

MOST_GATHERED = 4 * 10**9
"""Bytes of validation outputs and targets that are gathered for a score at most."""
_REMEDY = (
    "Give an object with update(outputs, targets) and compute() instead, as those of torchmetrics, "
    "or learnorder.BatchMean(score) where the mean over batches is what you want."
)


class Measure(Protocol):
    """A score over one pass through a data set."""

    def add(self, outputs: Any, targets: Any, size: int) -> None:
        """Take a batch of so many examples."""
        ...

    def value(self) -> float:
        """Return the score of all batches together."""
        ...


@dataclass(frozen=True)
class Score:
    """What final models are judged by.

    Attributes:
        name: accuracy, loss, or the user's.
        higher_is_better: Whether a higher one is better.
        start: Begins a pass over a number of examples.
        batch: From a training batch's (outputs, targets) to its mean, or its value for each
            example; None where the score is none of single batches, and not followed in training.
    """

    name: str
    higher_is_better: bool
    start: Callable[[int], Measure]
    batch: Callable[[Any, Any], Any] | None


def score_of(task: Task, outputs: Any, targets: Any) -> Score:
    """Return what a task is judged by, given a batch of it."""
    score: Any = task.score
    better = task.higher_is_better
    if score is None:
        if _are_classes(outputs, targets):
            return Score("accuracy", True, lambda _: _Accuracy(), accuracy)
        return Score("loss", False, lambda _: _Mean(task.loss), task.loss)
    if isinstance(score, BatchMean):
        of = score.score
        return Score(task.score_name, better, lambda _: _Mean(of), of)
    if is_metric(score):
        return Score(task.score_name, better, lambda _: _Metric(score), None)
    return Score(task.score_name, better, lambda size: _Whole(score, size), None)


def _are_classes(outputs: Any, targets: Any) -> bool:
    if not (isinstance(outputs, Tensor) and isinstance(targets, Tensor)):
        return False
    whole = targets.dtype in (torch.int64, torch.int32, torch.int16, torch.uint8, torch.int8)
    return whole and targets.dim() == 1 and outputs.dim() == 2 and outputs.shape[1] > 1


def accuracy(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the share of right predictions, outputs [B, C, …] and targets [B, …].

    >>> accuracy(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1]))
    tensor(0.5000)
    """
    right, counted = _right(outputs, targets)
    return right / counted.clamp(min=1)


def _right(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """Return how many predictions are right, and how many there are."""
    counted = targets != IGNORED
    return ((outputs.argmax(1) == targets) & counted).sum(), counted.sum()


class _Accuracy:
    """The share of right predictions."""

    def __init__(self) -> None:
        self._right = self._counted = 0

    def add(self, outputs: Any, targets: Any, size: int) -> None:
        right, counted = _right(outputs, targets)
        self._right += int(right)
        self._counted += int(counted)

    def value(self) -> float:
        return self._right / max(self._counted, 1)


class _Mean:
    """The mean over batches, each by its examples."""

    def __init__(self, of: Callable[[Any, Any], Any]) -> None:
        self._of, self._sum, self._examples = of, 0.0, 0

    def add(self, outputs: Any, targets: Any, size: int) -> None:
        self._sum += size * float(mean_of(self._of(outputs, targets)))
        self._examples += size

    def value(self) -> float:
        return self._sum / self._examples


class _Metric:
    """What an object of the user's with update and compute makes of the batches.

    A class is called for one; an object is copied, and so left as it was given.
    """

    def __init__(self, metric: Any) -> None:
        self._metric = metric() if isinstance(metric, type) else copy.deepcopy(metric)
        self._examples = 0

    def add(self, outputs: Any, targets: Any, size: int) -> None:
        self._metric.update(_on_cpu(outputs), _on_cpu(targets))
        self._examples += size

    def value(self) -> float:
        return _single(self._metric.compute(), self._examples, "compute() returned")


class _Whole:
    """What a function of the user's makes of all outputs and targets, gathered on the CPU."""

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
        """Refuse what will be too much, as far as the batches so far tell."""
        whole = self._bytes * max(self._examples, self._seen) // self._seen
        most = f"at most {size_words(MOST_GATHERED)} are gathered"
        lacking = "" if whole <= MOST_GATHERED else f"{size_words(whole)}, and {most}"
        left = 2 * whole - self._bytes  # putting batches together takes as much again
        if words := lacking or beyond_memory(left):
            raise Unfit(f"Outputs and targets of all validation examples take {words}.")

    def value(self) -> float:
        outputs, targets = (_together(parts) for parts in zip(*self._batches, strict=True))
        return _single(self._score(outputs, targets), self._seen, "It returned")


def mean_of(value: Any) -> Tensor:
    """Return the mean of one number, or of one for each example."""
    return torch.as_tensor(value, dtype=torch.float32).detach().mean()


def _single(value: Any, examples: int, returned: str) -> float:
    """Return one number, or the mean of one for each example; refuse anything else."""
    try:
        found = torch.as_tensor(value).detach().cpu().double()
    except (TypeError, ValueError, RuntimeError) as error:
        kind = type(value).__name__
        raise Unfit(f"{returned} a {kind} ({reason_of(error)}).", _NUMBER) from error
    if found.numel() == 1:
        return float(found)
    if found.dim() and len(found) == examples:
        return float(found.mean())
    shown = f"{returned} numbers of shape {list(found.shape)} for {examples} examples."
    raise Unfit(shown, _NUMBER)


_NUMBER = "Return one number, or one for each example."


class Unfit(Exception):  # noqa: N818 - the problem names the score in its error
    """Why a score cannot be taken, and what to do."""

    def __init__(self, reason: str, remedy: str = _REMEDY) -> None:
        super().__init__(f"{reason} {remedy}")


def _on_cpu(value: Any) -> Any:
    """Return tensors on the CPU, those of half precision in float32, in whatever holds them."""
    if isinstance(value, Tensor):
        found = value.detach().cpu()
        return found.float() if found.dtype in (torch.float16, torch.bfloat16) else found
    if isinstance(value, Mapping):
        return {name: _on_cpu(each) for name, each in value.items()}
    if isinstance(value, tuple | list):
        return tuple(map(_on_cpu, value)) if isinstance(value, tuple) else [*map(_on_cpu, value)]
    return value


def _bytes(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.nbytes
    if isinstance(value, Mapping):
        return sum(map(_bytes, value.values()))
    return sum(map(_bytes, value)) if isinstance(value, tuple | list) else 0


def _together(parts: tuple[Any, ...]) -> Any:
    """Return batches as one: tensors along their first dimension, lists of examples as a list."""
    first = parts[0]
    if isinstance(first, Tensor):
        try:
            return torch.cat(parts)
        except RuntimeError as error:
            raise Unfit(
                f"Batches do not go together ({reason_of(error)}): bring them to one size, e.g. by "
                "padding in validation_collate."
            ) from error
    if isinstance(first, Mapping):
        return {name: _together(tuple(part[name] for part in parts)) for name in first}
    if isinstance(first, tuple) or (isinstance(first, list) and isinstance(first[0], Tensor)):
        return type(first)(map(_together, zip(*parts, strict=True)))
    if isinstance(first, list):
        return [each for part in parts for each in part]
    if first is None:
        return None
    raise Unfit(f"Batches of {type(first).__name__} cannot be put together.")
