"""The learning order of a Hugging Face Trainer: a mixin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from learnorder.errors import DataError
from learnorder.order.tracker import LearningOrder

if TYPE_CHECKING:
    from transformers import Trainer as _Trainer
else:
    _Trainer = object


class LearningOrderMixin(_Trainer):
    """Record the training predictions of a Trainer; stands before it among the bases.

    ::

        class OrderedTrainer(LearningOrderMixin, Trainer):
            pass


        arguments = TrainingArguments(..., remove_unused_columns=False)
        trainer = OrderedTrainer(model, arguments, train_dataset=IndexedDataset(dataset))
        trainer.learning_order = LearningOrder(len(dataset))
        trainer.train()

    The model takes ``labels`` and returns ``logits``, as the classification models of transformers
    do. :class:`~learnorder.IndexedDataset` puts ``index`` into items, and
    ``remove_unused_columns=False`` keeps it; the model never sees it.

    Attributes:
        learning_order: Where it is recorded; None records nothing.
    """

    learning_order: LearningOrder | None = None

    def compute_loss(
        self,
        model: Any,
        inputs: Any,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Return the loss of the Trainer, having recorded the batch.

        Raises:
            DataError: No index in the batch, or no logits in the outputs.
        """
        inputs = dict(inputs)
        indices, labels = inputs.pop("index", None), inputs.get("labels")
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        if self.learning_order is not None and model.training:
            if indices is None or labels is None:
                raise DataError(
                    "The batch has no index and labels. Give train_dataset=IndexedDataset(dataset) "
                    "and TrainingArguments(remove_unused_columns=False)."
                )
            logits = outputs["logits"] if isinstance(outputs, dict) else outputs[1]
            self.learning_order.update(indices, logits, labels)
        return (loss, outputs) if return_outputs else loss
