"""The learning order of a Lightning run: a callback."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from learnorder.errors import DataError
from learnorder.toolkit.checks import check_indexed
from learnorder.toolkit.indexed import indexed_in
from learnorder.toolkit.learning_order import LearningOrder


class LearningOrderCallback(Callback):
    """Record the training predictions of a LightningModule after each step.

    The loader goes over an :class:`~learnorder.IndexedDataset`, so that batches are
    ``(inputs, labels, indices)``, or mappings with ``labels`` (or ``label``) and ``index``.
    ``training_step`` returns its logits beside the loss: ``return {"loss": loss, "logits":
    logits}``. Labels and an index that it returns too are taken instead of the batch's, such as
    the shifted labels of a causal language model: ``{"loss": loss, "logits": logits[:, :-1],
    "labels": labels[:, 1:]}``.

    An example is recorded once an epoch of the Trainer, at its first prediction in it, whether
    gradients accumulate or not; a ``training_step`` that returns None to skip a batch records
    nothing, and neither do validation and its sanity check. A second run with the same order counts
    on from the first. Of several processes each has the whole order. What is recorded is part of
    Lightning's checkpoints, so a continued run goes on where it was.

    Args:
        order: Where it is recorded.
        logits: Their name in what ``training_step`` returns.
        labels: Their name in it, or in a batch that is a mapping.
    """

    def __init__(
        self, order: LearningOrder, logits: str = "logits", labels: str = "labels"
    ) -> None:
        self.order = order
        self._logits = logits
        self._labels = labels
        self._index = "index"
        self._offset = 0  # epochs recorded before the Trainer's first
        self._continues = False

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check the training set, and count on from earlier runs.

        Raises:
            ConfigError: Its items have no index, or are more than those of the order.
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
            DataError: No logits in the outputs, or no indices or labels in the batch.
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
        """Return what Lightning's checkpoint keeps."""
        return {**self.order.state_dict(), "offset": self._offset}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.order.load_state_dict(state_dict)
        self._offset, self._continues = state_dict.get("offset", 0), True

    def _labels_and_indices(self, batch: Any) -> tuple[Any, Any]:
        """Return the labels and indices of a batch, None where it has none."""
        if isinstance(batch, Mapping):
            return batch.get(self._labels, batch.get("label")), batch.get(self._index)
        if isinstance(batch, tuple | list) and len(batch) >= 3:
            return batch[-2], batch[-1]
        return None, None


def _missing(batch: Any, labels: str, index: str) -> str:
    """Return what a batch would need."""
    has = f"It has {', '.join(map(repr, batch))}. " if isinstance(batch, Mapping) else ""
    return (
        f"A batch is (inputs, labels, indices), or a mapping with {labels!r} and {index!r}: wrap "
        f"the data set as IndexedDataset(dataset). {has}Or let training_step return {labels!r} and "
        f"{index!r} too."
    )
