"""The learning order of a Lightning run: a callback."""

from __future__ import annotations

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from learnorder.errors import DataError
from learnorder.order.tracker import LearningOrder


class LearningOrderCallback(Callback):
    """Record the training predictions of a LightningModule after each step.

    The loader goes over an :class:`~learnorder.IndexedDataset`, so that batches are
    ``(inputs, labels, indices)``, and ``training_step`` returns its logits beside the loss:
    ``return {"loss": loss, "logits": logits}``. What is recorded is part of Lightning's
    checkpoints, so a continued run goes on where it was. Of several processes each records the
    examples it has seen.

    Args:
        order: Where it is recorded.
        logits: Their name in what ``training_step`` returns.
    """

    def __init__(self, order: LearningOrder, logits: str = "logits") -> None:
        self.order = order
        self._logits = logits

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
            DataError: No logits in the outputs, or no indices in the batch.
        """
        if not isinstance(outputs, dict) or self._logits not in outputs:
            raise DataError(
                f"training_step returned no {self._logits!r}. Let it return "
                f"{{'loss': loss, {self._logits!r}: logits}}."
            )
        if not isinstance(batch, tuple | list) or len(batch) < 3:
            raise DataError(
                "A batch is (inputs, labels, indices): wrap the data set as "
                "IndexedDataset(dataset)."
            )
        *_, labels, indices = batch
        epoch = trainer.current_epoch + 1
        self.order.update(indices, outputs[self._logits], labels, epoch=epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return what Lightning's checkpoint keeps."""
        return dict(self.order.state_dict())

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.order.load_state_dict(state_dict)
