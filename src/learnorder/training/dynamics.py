"""Training dynamics of each example of a run, from the batches that it trains on."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from learnorder.errors import ConfigError, DataError
from learnorder.toolkit.batches import Batch
from learnorder.toolkit.learning_order import LearningOrder
from learnorder.toolkit.scores import scores_of
from learnorder.training.process_group import ProcessGroup
from learnorder.training.task import IGNORED

FIELD = "training.dynamics"
"""The setting that keeps them."""
_ELEMENTS = 2**16
"""Logits that are collected before they are compared with their labels: a single comparison of many
examples costs less than one in each step, and these fit into a processor's cache."""
_LABEL, _CORRECT, _FINITE, _SCORES = 0, 1, 2, slice(3, 5)
"""Rows of the predictions of an epoch: the label + 1, 0 without a prediction; whether it is
correct; whether the largest logit is finite; the log-probability of the label, and its margin."""


class RunDynamics:
    """A :class:`~learnorder.LearningOrder` of a run's training examples, with their dynamics.

    Each example is predicted once in an epoch, in training mode and before the update of its batch.
    One is left out where the last batch would have no other.
    A step copies its logits, and no number is read from the device before the end of the epoch.

    It keeps 64 bytes per example for all epochs, its label, and 20 bytes for the current epoch.

    Args:
        examples: Number of training examples, N.
        num_classes: Number of logits, C.
        batch_size: The largest number of examples in a step.
        group: The device, and the processes that share each batch.

    Attributes:
        order: The dynamics of all complete epochs; every process has those of all examples.
        labels: The label of each example that was predicted, int64 [N]; −100 for others.

    >>> kept = RunDynamics(2, 3, 2, ProcessGroup(torch.device("cpu")))
    >>> kept.add([1, 0], torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0]]), torch.tensor([0, 2]))
    >>> kept.end_epoch(1)
    >>> kept.order.first_learned.tolist(), kept.labels.tolist()
    ([0, 1], [2, 0])
    """

    def __init__(
        self, examples: int, num_classes: int, batch_size: int, group: ProcessGroup
    ) -> None:
        self._group, self._num_classes = group, num_classes
        self.order = LearningOrder(examples, dynamics=True)
        self.labels: NDArray[np.int64] = np.full(examples, IGNORED)
        self._epoch = torch.zeros(5, examples, device=group.device)
        self._capacity = max(batch_size, _ELEMENTS // num_classes)
        self._logits = torch.empty(self._capacity, num_classes, device=group.device)
        self._targets = torch.empty(self._capacity, dtype=torch.int64, device=group.device)
        self._indices: list[Sequence[int] | Tensor] = []
        self._waiting = 0

    def add(self, indices: Sequence[int] | Tensor, logits: Tensor, labels: Tensor) -> None:
        """Add the predictions of a batch, or of this process's part of it.

        Args:
            indices: Positions of the examples in the training set, [B].
            logits: Floats, [B, C].
            labels: Classes, integers [B]; predictions with −100 are left out.

        Raises:
            ConfigError: The logits or the labels have other shapes.
        """
        size = len(indices)
        if logits.shape != (size, self._num_classes) or labels.shape != (size,):
            raise ConfigError(
                FIELD,
                True,
                f"In training the outputs have the shape {list(logits.shape)} and the targets "
                f"{list(labels.shape)}, where logits {[size, self._num_classes]} and classes "
                f"{[size]} are needed. Train without it.",
            )
        if self._waiting + size > self._capacity:
            self._compare()
        rows = slice(self._waiting, self._waiting + size)
        self._logits[rows] = logits.detach()
        self._targets[rows] = labels
        self._indices.append(indices)
        self._waiting += size

    def _compare(self) -> None:
        """Compare the collected logits with their labels, and keep what that gives."""
        if not self._waiting:
            return
        logits, targets = self._logits[: self._waiting], self._targets[: self._waiting]
        known = (targets >= 0) & (targets < self._num_classes)
        labels = torch.where(known, targets, 0)
        largest, predicted = logits.max(1)
        finite = largest.isfinite()
        kept = torch.empty(5, self._waiting, device=logits.device)
        kept[_LABEL] = torch.where(known, targets + 1, -1 * (targets != IGNORED))
        kept[_CORRECT] = (predicted == labels) & finite
        kept[_FINITE] = finite
        kept[_SCORES] = scores_of(logits, labels).T
        self._epoch.index_copy_(1, self._rows(), kept)
        self._indices.clear()
        self._waiting = 0

    def _rows(self) -> Tensor:
        """Return the positions of the examples whose logits were collected."""
        tensors = [part for part in self._indices if isinstance(part, Tensor)]
        if tensors:
            return torch.cat(tensors)
        rows = np.fromiter(chain.from_iterable(self._indices), np.int64, self._waiting)
        return torch.from_numpy(rows).to(self._epoch.device)

    def end_epoch(self, epoch: int) -> None:
        """Add the predictions of an epoch to the order. All processes must call it.

        Args:
            epoch: The epoch, from 1.

        Raises:
            DataError: A label is no class of the logits.
        """
        self._compare()
        kept = self._group.total(self._epoch).cpu().numpy()
        if (kept[_LABEL] < 0).any():
            raise DataError(
                f"{FIELD}: training example {int(kept[_LABEL].argmin()):,} has a label that is "
                f"not one of the {self._num_classes} classes of the logits, nor {IGNORED}."
            )
        rows = np.flatnonzero(kept[_LABEL])
        kept = kept if len(rows) == kept.shape[1] else kept[:, rows]
        self.labels[rows] = kept[_LABEL].astype(np.int64) - 1
        correct, finite = kept[_CORRECT] > 0, kept[_FINITE] > 0
        scores = kept[_SCORES].T.astype(np.float64)
        self.order.add(Batch(rows, correct, finite, scores), epoch=epoch)
        self._epoch.zero_()

    def state(self) -> dict[str, Any]:
        """Return the state for a checkpoint. All processes must call it."""
        self._compare()
        return {
            "order": self.order.state_dict(),
            "labels": torch.from_numpy(self.labels.copy()),
            "epoch": self._group.total(self._epoch).cpu().clone(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore the state from :meth:`state`."""
        self.order.load_state_dict(state["order"])
        self.labels = state["labels"].cpu().numpy().copy()
        if self._group.rank == 0:
            self._epoch.copy_(state["epoch"])
