"""Batches of a task's data sets: drawing, collating, splitting, and applying the model."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only
from torch.utils.data import Dataset, default_collate, default_convert

from learnorder.errors import DataError, one_line
from learnorder.seeding import seed_globally, step_seed
from learnorder.training.process_group import ProcessGroup
from learnorder.training.tensor_rows import tensor_rows

_LABELS = ("labels", "label", "target", "targets")
"""Possible names of the targets in a mapping."""


@dataclass(frozen=True)
class TaskBatch:
    """A batch of a task.

    Attributes:
        inputs: Inputs of the model.
        targets: Targets for the loss.
        indices: Positions of the examples in their data set, [B].
    """

    inputs: Any
    targets: Any
    indices: Sequence[int]

    @property
    def size(self) -> int:
        """Number of examples."""
        return len(self.indices)


class StepBatches(Dataset):
    """Batches of a data set by step, each drawn from (seed, purpose, step), as their parts.

    They depend neither on the number of loading processes nor on the first step.

    Args:
        dataset: The data set.
        collate: Makes a part from its items.
        order: Positions of the examples.
        batch_size: Number of examples in a step.
        seed: What the random draws depend on.
        group: The processes that share each batch; None: this one has all of it.
        at_once: Number of examples in a part; None: those of the batch.
    """

    def __init__(
        self,
        dataset: Any,
        collate: Callable[[list[Any]], Any],
        order: Sequence[int],
        batch_size: int,
        seed: tuple[Any, ...],
        group: ProcessGroup | None = None,
        at_once: int | None = None,
    ) -> None:
        self._dataset, self._collate, self._seed = dataset, collate, seed
        self._group, self._at_once = group, at_once or batch_size
        self._order, self._batch_size = order, batch_size
        self._rows = tensor_rows(dataset, collate)
        self._by_batch = hasattr(dataset, "__getitems__")

    def __len__(self) -> int:
        return math.ceil(len(self._order) / self._batch_size)

    def __getitem__(self, step: int) -> list[tuple[Any, Sequence[int]]]:
        seed_globally(step_seed(step, self._seed))
        indices = self._order[step * self._batch_size : (step + 1) * self._batch_size]
        parts = [indices]
        if self._group is not None:
            rows = self._group.parts(len(indices), self._at_once)
            if len(rows) > 1 or rows[0] != slice(0, len(indices)):
                parts = [indices[some] for some in rows]
        if self._rows is not None:
            return [(self._rows.batch(part), part) for part in parts]
        if len(parts) == 1:
            return [(self._collated(self._items(parts[0])), parts[0])]
        items = iter(self._items([index for part in parts for index in part]))
        return [(self._collated(list(islice(items, len(part)))), part) for part in parts]

    def _items(self, indices: Sequence[int]) -> Any:
        dataset = self._dataset
        if self._by_batch:
            return dataset.__getitems__(indices)
        return [dataset[index] for index in indices]

    def _collated(self, items: list[Any]) -> Any:
        return collated(self._dataset, self._collate, items)


def collated(dataset: Any, collate: Callable[[list[Any]], Any], items: list[Any]) -> Any:
    """Return a batch of items of a data set, with tensors instead of arrays.

    Raises:
        DataError: They cannot be collated.
    """
    try:
        batch = collate(items)
    except (RuntimeError, TypeError) as error:
        kind = type(getattr(dataset, "dataset", dataset)).__name__
        raise DataError(
            f"Items of the data set ({kind}) cannot be collated: {one_line(error)}. Make them "
            "the same size in the data set, or give Task a collate function that does."
        ) from error
    return batch if collate is default_collate else default_convert(batch)


def split_batch(batch: Any) -> tuple[Any, Any]:
    """Return the inputs and the targets of a batch; see :class:`~learnorder.Task`.

    >>> split_batch((1, 2, 3))
    ((1, 2), 3)
    >>> split_batch({"input_ids": 1, "labels": 2})
    ({'input_ids': 1}, 2)
    """
    if isinstance(batch, Mapping):
        name = next((name for name in _LABELS if name in batch), None)
        if name is not None:
            return {k: v for k, v in batch.items() if k != name}, batch[name]
        form = f"a mapping with {', '.join(map(str, batch))}"
    elif isinstance(batch, tuple | list) and len(batch) >= 2:
        *inputs, targets = batch
        return (inputs[0] if len(inputs) == 1 else tuple(inputs)), targets
    else:
        form = f"a {type(batch).__name__}"
    raise DataError(
        f"A batch is {form}: it must be (inputs, targets), or a mapping with one of "
        f"{', '.join(_LABELS)}. Return such items from the data set, or give Task a collate "
        "function that makes such batches."
    )


def with_inputs(item: Any, inputs: Any) -> Any:
    """Return an item of a data set with other inputs; see :func:`split_batch`.

    >>> with_inputs((1, 2, 3), (4, 5)), with_inputs({"x": 1, "label": 2}, {"x": 4})
    ((4, 5, 3), {'x': 4, 'label': 2})
    """
    if isinstance(item, Mapping):
        return {name: inputs.get(name, value) for name, value in item.items()}
    *parts, target = item
    return (*(inputs if len(parts) > 1 else (inputs,)), target)


def rows_of(value: Any, rows: Tensor) -> Any:
    """Return some rows of a batch's outputs or targets, in nested containers.

    >>> import torch
    >>> rows_of({"logits": [[1.0], [2.0]]}, torch.tensor([1]))
    {'logits': [[2.0]]}
    """
    if isinstance(value, Tensor):
        return value[rows.to(value.device)]
    if isinstance(value, Mapping):
        return {name: rows_of(item, rows) for name, item in value.items()}
    if isinstance(value, tuple) or (
        isinstance(value, list) and value and isinstance(value[0], Tensor)
    ):
        return type(value)(rows_of(item, rows) for item in value)
    if isinstance(value, list):
        return [value[row] for row in rows.tolist()]
    return value


def apply_model(model: nn.Module, inputs: Any) -> Any:
    """Call a model with a batch's inputs; return its outputs, or their logits."""
    if isinstance(inputs, Mapping):
        outputs = model(**inputs)
    elif isinstance(inputs, tuple):
        outputs = model(*inputs)
    else:
        outputs = model(inputs)
    return logits_of(outputs)


def logits_of(outputs: Any) -> Any:
    """Return the logits of a model's outputs, if they have them, else the outputs."""
    if isinstance(outputs, Tensor):
        return outputs
    if isinstance(outputs, Mapping):
        return outputs.get("logits", outputs)
    return getattr(outputs, "logits", outputs)


def in_float32(outputs: Any) -> Any:
    """Return a model's outputs in float32: a real tensor, or half-precision ones in containers.

    Losses are computed outside of autocast, so in bf16 they would be less precise than in a loop
    that computes them within it.

    >>> import torch
    >>> kinds = in_float32({"a": torch.zeros(2, dtype=torch.bfloat16), "b": torch.arange(2)})
    >>> [value.dtype for value in kinds.values()]
    [torch.float32, torch.int64]
    """
    if isinstance(outputs, Tensor):
        return outputs if outputs.is_complex() else outputs.float()
    return tree_map_only(Tensor, _not_half, outputs)


def _not_half(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in (torch.bfloat16, torch.float16) else tensor


def shapes(value: Any) -> str:
    """Describe the types and shapes of a batch or of a model's outputs."""
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
