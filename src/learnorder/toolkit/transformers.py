"""A mixin for the Hugging Face Trainer that records the learning order."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers import TrainerCallback
from transformers.models.auto import modeling_auto
from transformers.trainer_utils import get_last_checkpoint

from learnorder.errors import ConfigError, DataError
from learnorder.toolkit.checks import check_indexed
from learnorder.toolkit.indexed import indexed_in
from learnorder.toolkit.learning_order import LearningOrder

if TYPE_CHECKING:
    from transformers import Trainer as _Trainer
else:
    _Trainer = object

STATE = "learning_order.pt"
"""File of the order in a checkpoint."""


class LearningOrderMixin(_Trainer):
    """Records the training predictions of a Trainer; put it before the Trainer in the bases.

    ::

        class OrderedTrainer(LearningOrderMixin, Trainer):
            pass


        trainer = OrderedTrainer(model, arguments, train_dataset=IndexedDataset(dataset))
        trainer.learning_order = LearningOrder(len(dataset))
        trainer.train()

    The training set is an :class:`~learnorder.IndexedDataset` of any data set, or its items have an
    ``index``. The index survives the removal of unused columns, and is hidden from the collators of
    transformers. Your own collator may keep it; otherwise it is added to the batch. The model never
    sees it.

    The model takes ``labels`` and returns ``logits``. With the logits [B, T, C] of a language
    model, the order needs ``tokens`` or ``positions``.

    An example is recorded once per epoch, at its first prediction. Epochs are passes over the
    training set; a second ``train()`` continues the count. With several processes each has the
    whole order. The order is saved in the Trainer's checkpoints, as ``learning_order.pt``, and
    ``resume_from_checkpoint`` restores it.

    Attributes:
        learning_order: Records the predictions; None records nothing.
        shift_labels: For logits [B, T, C], whether logit t predicts label t + 1. True for causal
            language models whose labels are their inputs, such as GPT-2 and Llama: position t of
            the order is then the prediction of token t + 1. False if logit t predicts label t:
            token classification, masked tokens, sequence to sequence.
    """

    learning_order: LearningOrder | None = None
    shift_labels: bool | None = None

    _epochs: _Epochs | None = None
    _indices: Any = None  # of the current batch
    _recorded = False

    def train(self, resume_from_checkpoint: str | bool | None = None, *args: Any, **kwargs: Any):
        """Train as the Trainer does, after checking that the order can be recorded.

        Raises:
            ConfigError: Predictions cannot be recorded with a setting.
            DataError: The data set has no index, or the checkpoint no order.
        """
        order = self.learning_order
        if order is None:
            return super().train(resume_from_checkpoint, *args, **kwargs)
        self._check(order)
        resumed = self._load_order(order, resume_from_checkpoint)
        self._epochs = epochs = _Epochs(order, resumed, self.args.auto_find_batch_size)
        self.add_callback(epochs)
        try:
            return super().train(resume_from_checkpoint, *args, **kwargs)
        finally:
            self.remove_callback(epochs)
            self._epochs = None

    def training_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Take the Trainer's step on a batch and record the batch.

        Raises:
            DataError: The batch has no index, or the step does not call :meth:`compute_loss`.
        """
        inputs = dict(inputs)
        self._indices, self._recorded = inputs.pop(self._key, None), False
        if self._epochs is not None and self._indices is None:
            raise DataError(
                f"The batch has no {self._key!r}. Let the collator keep it, or give "
                "train_dataset=IndexedDataset(dataset)."
            )
        try:
            loss = super().training_step(model, inputs, *args, **kwargs)
        finally:
            self._indices = None
        if self._epochs is not None and not self._recorded:
            raise DataError(
                f"compute_loss of {type(self).__name__} does not call that of LearningOrderMixin, "
                "so nothing is recorded. Put LearningOrderMixin first in the bases: "
                "class OrderedTrainer(LearningOrderMixin, YourTrainer)."
            )
        return loss

    def compute_loss(
        self,
        model: Any,
        inputs: Any,
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Return the loss of the Trainer, after recording the batch.

        Raises:
            DataError: The batch has no labels, the outputs no logits, or they do not match.
        """
        inputs = {name: value for name, value in inputs.items() if name != self._key}
        count = {"num_items_in_batch": num_items_in_batch}
        if self._epochs is None or self._indices is None:
            return super().compute_loss(model, inputs, return_outputs, **count)
        labels = inputs.get(self._label_name)
        result = super().compute_loss(model, inputs, True, **count)
        if not (isinstance(result, tuple) and len(result) == 2):
            raise DataError("compute_loss(..., return_outputs=True) must return (loss, outputs).")
        self._record(self._epochs, _logits_of(result[1]), labels)
        return result if return_outputs else result[0]

    def prediction_step(self, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        """Predict as the Trainer does, without the index."""
        inputs = {name: value for name, value in inputs.items() if name != self._key}
        return super().prediction_step(model, inputs, *args, **kwargs)

    def get_train_dataloader(self) -> Any:
        """Return the Trainer's loader, with the index in its batches."""
        collator = self.data_collator
        if self.learning_order is not None:
            tuples = indexed_in(self.train_dataset) is not None
            self.data_collator = _Collator(collator, self._key, tuples)
        try:
            return super().get_train_dataloader()
        finally:
            self.data_collator = collator

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Save the model and, in a checkpoint, the order."""
        super().save_model(output_dir, _internal_call)
        if self._epochs is not None and _internal_call and output_dir and self.args.should_save:
            Path(output_dir).mkdir(parents=True, exist_ok=True)
            torch.save(self._epochs.state_dict(), Path(output_dir) / STATE)

    def _set_signature_columns_if_needed(self) -> None:
        """Add the index to the columns that are not removed."""
        super()._set_signature_columns_if_needed()
        if self._signature_columns is not None and self._key not in self._signature_columns:
            self._signature_columns = [*self._signature_columns, self._key]

    @property
    def _key(self) -> str:
        indexed = indexed_in(self.train_dataset)
        return "index" if indexed is None else indexed.key

    @property
    def _label_name(self) -> str:
        return self.label_names[0] if len(self.label_names) == 1 else "labels"

    def _record(self, epochs: _Epochs, logits: Any, labels: Any) -> None:
        if labels is None:
            raise DataError(
                f"The batch has no {self._label_name!r}. Add labels to the data set, and name them "
                "with TrainingArguments(label_names=[...])."
            )
        if logits is None:
            raise DataError(
                "The model returned no logits in training. Its outputs must have 'logits', or be "
                "(loss, logits)."
            )
        if epochs.order.by_token and self.shift_labels:
            logits, labels = logits[:, :-1], labels[:, 1:]
        epochs.order.update(
            self._indices, logits, labels, epoch=epochs.epoch, once=True, gather=True
        )
        self._recorded = True

    def _load_order(self, order: LearningOrder, checkpoint: str | bool | None) -> int | None:
        """Restore the order from a checkpoint, if one is given; return its last epoch."""
        if not checkpoint:
            return None
        output_dir = self.args.output_dir or "."
        path = get_last_checkpoint(output_dir) if checkpoint is True else str(checkpoint)
        if path is None:  # the Trainer raises the error
            return None
        if not (Path(path) / STATE).is_file():
            raise DataError(
                f"{path} has no {STATE}: it was saved without a learning order. Train from the "
                "start, or set learning_order to None."
            )
        state = torch.load(Path(path) / STATE, weights_only=True, map_location="cpu")
        order.load_state_dict(state["order"])
        return state["epoch"]

    def _check(self, order: LearningOrder) -> None:
        """Refuse settings with which predictions cannot be recorded."""
        if not isinstance(order, LearningOrder):
            raise ConfigError("learning_order", order, "Give a LearningOrder, or None.")
        if self.hp_search_backend is not None:
            raise ConfigError(
                "learning_order", order, "A search trains several models, but an order follows one."
            )
        check_indexed(self.train_dataset, order, self._key)
        if self.args.use_liger_kernel:
            raise ConfigError("use_liger_kernel", True, "Its loss has no logits; give False.")
        if len(self.label_names) > 1 and "labels" not in self.label_names:
            raise ConfigError("label_names", self.label_names, "Only one label can be followed.")
        parallel = getattr(self.accelerator, "parallelism_config", None)
        if max(getattr(parallel, name, 1) or 1 for name in ("cp_size", "sp_size")) > 1:
            raise ConfigError("parallelism_config", parallel, "Split sequences cannot be followed.")
        self._check_model(order)

    def _check_model(self, order: LearningOrder) -> None:
        config, name = getattr(self.model, "config", None), type(self.model).__name__
        problem = getattr(config, "problem_type", None)
        if name.endswith("ForSequenceClassification") and getattr(config, "num_labels", 2) == 1:
            problem = problem or "regression"
        if problem in ("regression", "multi_label_classification"):
            raise ConfigError(
                "problem_type",
                problem,
                "Only one class per example can be followed. In your own loop, use "
                "LearningOrder.record with your own rule for what is correct.",
            )
        if order.by_token and self.shift_labels is None:
            raise ConfigError(
                "shift_labels",
                None,
                f"Set it for {name}. True: logit t predicts label t + 1, as in causal language "
                "models whose labels are their inputs. False: logit t predicts label t.",
            )
        if not order.by_token and _is_of_tokens(self.model):
            raise ConfigError(
                "learning_order",
                name,
                "It has logits per token. Choose what to follow: LearningOrder(n, tokens='all'), "
                "tokens='last' or a fraction such as tokens=0.5 for sequences, positions=T for "
                "tokens.",
            )


class _Epochs(TrainerCallback):
    """Counts the epochs of a run, starting from those of its order.

    Args:
        order: Records the predictions.
        resumed: Last epoch of the checkpoint that the run resumes from; None for a new run.
        restarts: Whether the run may restart with a smaller batch.

    Attributes:
        epoch: The current epoch, from 1.
    """

    def __init__(self, order: LearningOrder, resumed: int | None, restarts: bool) -> None:
        self.order = order
        self.epoch = order.epochs if resumed is None else resumed
        self._resumed = resumed is not None
        self._start = (self.epoch, order.state_dict()) if restarts else None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Return to the start if restarted, and to the unfinished epoch of a checkpoint."""
        if self._start is not None:
            self.epoch = self._start[0]
            self.order.load_state_dict(self._start[1])
        if self._resumed and not float(state.epoch or 0).is_integer():
            self.epoch -= 1

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Count an epoch."""
        self.epoch += 1

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"order": self.order.state_dict(), "epoch": self.epoch}


class _Collator:
    """A collator that adds the index to the batches of another.

    Args:
        collator: The Trainer's collator.
        key: Key of the index in items that are mappings, and in batches.
        tuples: Whether the index is the last item of tuples.
    """

    def __init__(self, collator: Callable[[Any], Any], key: str, tuples: bool) -> None:
        self._collator = collator
        self._key = key
        self._tuples = tuples
        module = getattr(collator, "__module__", None) or type(collator).__module__
        self._hidden = module.split(".")[0] == "transformers"

    def __call__(self, items: Sequence[Any]) -> Any:
        """Return a batch of items."""
        indices = [self._index_of(item) for item in items]
        if self._hidden and isinstance(items[0], Mapping):
            items = [{k: v for k, v in item.items() if k != self._key} for item in items]
        batch = self._collator(items)
        if self._key in batch or None in indices:
            return batch
        return {**batch, self._key: torch.tensor(indices)}

    def _index_of(self, item: Any) -> Any:
        if isinstance(item, Mapping):
            return item.get(self._key)
        return item[-1] if self._tuples else None


def _logits_of(outputs: Any) -> Any:
    """Return the logits in a model's outputs: a mapping, or a tuple with or without a loss."""
    if isinstance(outputs, Mapping):
        return outputs.get("logits")
    if isinstance(outputs, torch.Tensor):
        return outputs
    if hasattr(outputs, "logits"):
        return outputs.logits
    tensors = [value for value in outputs[:2] if isinstance(value, torch.Tensor) and value.dim()]
    return tensors[0] if tensors else None


def _is_of_tokens(model: Any) -> bool:
    """Return whether it is a transformers model with logits per token."""
    base = getattr(model, "get_base_model", None)  # of PEFT
    name = type(model if base is None else base()).__name__
    mappings = (
        getattr(modeling_auto, f"MODEL_FOR_{task}_MAPPING_NAMES")
        for task in ("CAUSAL_LM", "MASKED_LM", "SEQ_TO_SEQ_CAUSAL_LM", "TOKEN_CLASSIFICATION")
    )
    return any(name in mapping.values() for mapping in mappings)
