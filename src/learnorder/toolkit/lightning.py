"""A Lightning callback that records the learning order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from learnorder.errors import DataError
from learnorder.toolkit.checks import check_indexed
from learnorder.toolkit.indexed import indexed_in
from learnorder.toolkit.learning_order import LearningOrder


class LearningOrderCallback(Callback):
    """Records the training predictions of a LightningModule after each step.

    Train on an :class:`~learnorder.IndexedDataset`, so that batches are ``(inputs, labels,
    indices)``, or mappings with ``labels`` (or ``label``) and ``index``. ``training_step`` returns
    its logits with the loss: ``return {"loss": loss, "logits": logits}``. If it also returns labels
    or an index, they replace those of the batch, e.g. the shifted labels of a causal language
    model: ``{"loss": loss, "logits": logits[:, :-1], "labels": labels[:, 1:]}``.

    An example is recorded once per epoch of the Trainer, at its first prediction, with or without
    gradient accumulation. Validation, its sanity check, and a ``training_step`` that returns None
    to skip a batch record nothing. A second run with the same order continues the epoch count. With
    several processes each has the whole order. The order is saved in Lightning's checkpoints and
    restored from them.

    Args:
        order: Records the predictions.
        logits: Key of the logits in the output of ``training_step``.
        labels: Key of the labels there, or in a batch that is a mapping.
    """

    def __init__(
        self, order: LearningOrder, logits: str = "logits", labels: str = "labels"
    ) -> None:
        self.order = order
        self._logits = logits
        self._labels = labels
        self._index = "index"
        self._offset = 0  # epochs recorded before the Trainer's first epoch
        self._continues = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check the training set, and continue the epoch count of earlier runs.

        Raises:
            ConfigError: It is iterable, joins indexed data sets, or has more items than the order.
            DataError: Its items have no index.
        """
        dataset = getattr(trainer.train_dataloader, "dataset", None)
        indexed = indexed_in(dataset)
        self._index = "index" if indexed is None else indexed.key
        check_indexed(dataset, self.order, self._index, tuples=True)
        if not self._continues:
            self._offset = max(0, self.order.epochs - trainer.current_epoch)
        self._continues = False

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Record a batch.

        Raises:
            DataError: The outputs have no logits, or the batch has no indices or labels.
        """
        epoch = self._offset + trainer.current_epoch + 1
        if pl_module.automatic_optimization and outputs == {}:  # training_step skipped the batch
            self.order.record([], [], epoch=epoch, once=True, gather=True)
            return
        if not isinstance(outputs, Mapping) or self._logits not in outputs:
            raise DataError(
                f"training_step returned no {self._logits!r}. Let it return "
                f"{{'loss': loss, {self._logits!r}: logits}}."
            )
        labels, indices = self._labels_and_indices(batch)
        labels, indices = outputs.get(self._labels, labels), outputs.get(self._index, indices)
        if labels is None or indices is None:
            raise DataError(_missing(batch, self._labels, self._index))
        logits = outputs[self._logits]
        self.order.update(indices, logits, labels, epoch=epoch, once=True, gather=True)

    def state_dict(self) -> dict[str, Any]:
        """Return the state for Lightning's checkpoint."""
        return {**self.order.state_dict(), "offset": self._offset}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.order.load_state_dict(state_dict)
        self._offset, self._continues = state_dict.get("offset", 0), True

    def _labels_and_indices(self, batch: Any) -> tuple[Any, Any]:
        """Return the labels and indices of a batch, None if absent."""
        if isinstance(batch, Mapping):
            return batch.get(self._labels, batch.get("label")), batch.get(self._index)
        if isinstance(batch, tuple | list) and len(batch) >= 3:
            return batch[-2], batch[-1]
        return None, None


def _missing(batch: Any, labels: str, index: str) -> str:
    """Return the message for a batch without labels or indices."""
    has = f"It has {', '.join(map(repr, batch))}. " if isinstance(batch, Mapping) else ""
    return (
        f"A batch must be (inputs, labels, indices), or a mapping with {labels!r} and {index!r}: "
        f"train on IndexedDataset(dataset). {has}Or let training_step also return {labels!r} and "
        f"{index!r}."
    )
