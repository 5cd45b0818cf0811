"""Batches of a task's data sets: how they are drawn, collated, split, and given to the model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.utils.data import Dataset

from learnorder.errors import DataError, one_line
from learnorder.seeding import seed_everything
from learnorder.training.process_group import ProcessGroup

_LABELS = ("labels", "label", "target", "targets")
"""What a mapping may call its targets."""


@dataclass(frozen=True)
class TaskBatch:
    """What a step is made of.

    Attributes:
        inputs: What the model is called with.
        targets: What the loss compares its outputs with.
        size: Number of examples.
    """

    inputs: Any
    targets: Any
    size: int


class StepBatches(Dataset):
    """Batches of a data set by step, each drawn from (seed, purpose, step) alone.

    So they are the same whatever the number of processes that load them, and wherever it begins.
    """

    def __init__(
        self,
        dataset: Any,
        collate: Callable[[list[Any]], Any],
        order: Sequence[int],
        batch_size: int,
        seed: tuple[Any, ...],
        group: ProcessGroup | None = None,
    ) -> None:
        self._dataset, self._collate, self._seed = dataset, collate, seed
        self._group = group
        self._order, self._batch_size = order, batch_size

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._batch_size)

    def __getitem__(self, step: int) -> tuple[Any, int]:
        seed_everything(*self._seed, step)
        chosen = self._order[step * self._batch_size : (step + 1) * self._batch_size]
        if self._group is not None:
            chosen = chosen[self._group.shard(len(chosen))]
        if hasattr(self._dataset, "__getitems__"):
            items = self._dataset.__getitems__(list(chosen))
        else:
            items = [self._dataset[index] for index in chosen]
        try:
            return self._collate(items), len(items)
        except (RuntimeError, TypeError) as error:
            kind = type(getattr(self._dataset, "dataset", self._dataset)).__name__
            raise DataError(
                f"Items of the data set ({kind}) do not go into one batch: {one_line(error)}. "
                "Bring them to one size in the data set, or give Task a collate function that does."
            ) from error


def split_batch(collated: Any) -> tuple[Any, Any]:
    """Return the inputs and the targets of a batch; see :class:`~learnorder.Task`.

    >>> split_batch((1, 2, 3))
    ((1, 2), 3)
    >>> split_batch({"input_ids": 1, "labels": 2})
    ({'input_ids': 1}, 2)
    """
    if isinstance(collated, Mapping):
        name = next((name for name in _LABELS if name in collated), None)
        if name is not None:
            return {k: v for k, v in collated.items() if k != name}, collated[name]
        found = f"a mapping with {', '.join(map(str, collated))}"
    elif isinstance(collated, tuple | list) and len(collated) >= 2:
        *inputs, targets = collated
        return (inputs[0] if len(inputs) == 1 else tuple(inputs)), targets
    else:
        found = f"a {type(collated).__name__}"
    raise DataError(
        f"A batch is {found}: it must be (inputs, targets), or a mapping with one of "
        f"{', '.join(_LABELS)}. Let the data set return such items, or give Task a collate "
        "function that makes such batches."
    )


def apply_model(model: nn.Module, inputs: Any) -> Any:
    """Call a model with a batch's inputs; return its outputs, or their logits."""
    if isinstance(inputs, Mapping):
        outputs = model(**inputs)
    elif isinstance(inputs, tuple):
        outputs = model(*inputs)
    else:
        outputs = model(inputs)
    if isinstance(outputs, Mapping):
        return outputs.get("logits", outputs)
    return getattr(outputs, "logits", outputs)


def shapes(value: Any) -> str:
    """Return the types and shapes of what a batch or a model's outputs are made of, in words."""
    if isinstance(value, Tensor):
        kind = str(value.dtype).removeprefix("torch.")
        values = ""
        if value.numel() and not (value.is_floating_point() or value.is_complex()):
            values = f" from {int(value.min())} to {int(value.max())}"
        return f"{kind} {list(value.shape)}{values}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{k}: {shapes(v)}" for k, v in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "(" + ", ".join(map(shapes, value)) + ")"
    return type(value).__name__
