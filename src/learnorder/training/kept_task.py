"""Evaluation on the old task of a :class:`~learnorder.Keep`."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from learnorder.errors import ConfigError, DataError, reason_of, refusing
from learnorder.models.modes import evaluation_mode
from learnorder.training.fit import check_fit, misfit
from learnorder.training.keep import Keep
from learnorder.training.problem import Part
from learnorder.training.records import Records
from learnorder.training.score_pass import Passed, score_pass
from learnorder.training.scores import score_of
from learnorder.training.task import scoring_of
from learnorder.training.task_batches import (
    TaskBatch,
    apply_model,
    in_float32,
    logits_of,
    shapes,
)

if TYPE_CHECKING:
    from learnorder.training.task_problem import TaskProblem

KEEP = "keep"
"""Name of the set in records."""


class KeptTask:
    """The old task of a run.

    Args:
        problem: The run's problem, with its network.
        keep: The old task's data, and what differs from the task.
        device: The run's device.

    Attributes:
        keep: The old task's data.
        examples: Number of them.
        score: The score on them.

    Raises:
        ConfigError: The outputs, the loss or the score do not fit the data, or ``keep.outputs``
            changes the model.
        DataError: Items cannot be collated, or a batch has an unknown form.
    """

    def __init__(self, problem: TaskProblem, keep: Keep, device: torch.device) -> None:
        self.keep, self._problem = keep, problem
        self.examples = len(keep.data)  # pyright: ignore[reportArgumentType]
        what = keep.scoring(scoring_of(problem.task))
        self._loss = what.loss
        batch, outputs = self._try_model()
        self.score = score_of(what, outputs, batch.targets)
        check_fit(outputs, batch, "evaluation", self._loss, self.score, device, self.refusal)

    def measure(self, model: nn.Module) -> Passed:
        """Return what a model scores on all examples.

        Args:
            model: The model; it is in evaluation mode meanwhile.

        Raises:
            ConfigError: The score fails, or needs too much memory.
        """
        return score_pass(self, model, self._batches(range(self.examples)), self.examples)

    def before(self, model: nn.Module) -> Passed:
        """Return what a model scores before training.

        Raises:
            ConfigError: As for :meth:`measure`, or it is not finite, so forgetting is undefined.
        """
        found = self.measure(model)
        if not found.finite:
            raise self.refusal(
                "score" if math.isfinite(found.loss) else "loss",
                f"Before training the {self.score.name} is {found.score:g} and the loss "
                f"{found.loss:g}, so forgetting cannot be measured. Give a score and a loss that "
                "are finite.",
            )
        return found

    def write(self, model: nn.Module, records: Records, epoch: int) -> bool:
        """Add what a model scores after an epoch to records; return whether it is finite."""
        found = self.measure(model)
        for quantity, value in {self.score.name: found.score, "loss": found.loss}.items():
            records.add(epoch, KEEP, quantity, value, n=self.examples)
        return found.finite

    def refusal(self, part: Part, reason: str) -> ConfigError:
        """Return the error for outputs, a loss or a score that cannot be used."""
        if part == "model":
            if self.keep.outputs is None:
                kind = type(self.keep.data).__name__
                reason += " For another head, give outputs, a function of (model, inputs)."
                return ConfigError("task.keep.data", kind, reason)
            return ConfigError("task.keep.outputs", _name(self.keep.outputs), reason)
        own = getattr(self.keep, part)
        value = getattr(self._problem.task, part) if own is None else own
        return ConfigError(f"task.keep.{part}", _name(value), reason)

    def _batches(self, order: range) -> Iterator[TaskBatch]:
        collate = self.keep.collate or self._problem.validation_collate
        return self._problem.batches(self.keep.data, order, (0, KEEP), collate=collate)

    def outputs(self, model: nn.Module, batch: TaskBatch) -> Any:
        """Return the model's outputs for the old task."""
        if self.keep.outputs is None:
            return in_float32(apply_model(model, batch.inputs))
        return in_float32(logits_of(self.keep.outputs(model, batch.inputs)))

    def losses(self, outputs: Any, batch: TaskBatch) -> Tensor:
        """Return the loss of each example, or their mean."""
        try:
            return self._loss(outputs, batch.targets)
        except (IndexError, RuntimeError) as error:
            words = misfit(outputs, batch.targets, reason_of(error))
            raise DataError(f"task.keep: {words}") from error

    @torch.no_grad()
    def _try_model(self) -> tuple[TaskBatch, Any]:
        """Apply the model to two examples; return them and the outputs."""
        with refusing(lambda why: DataError(f"task.keep.data: it cannot be batched: {why}.")):
            batch = next(self._batches(range(2)))
        network = self._problem.network
        what = f"a batch of inputs {shapes(batch.inputs)}"
        failed = refusing(lambda why: self.refusal("model", f"It failed on {what}: {why}."))
        with failed, evaluation_mode(network):
            before = _state(network)
            outputs = self.outputs(network, batch)
            after = _state(network)
        if before != after:
            changed = next(
                name for name in {**before, **after} if before.get(name) != after.get(name)
            )
            raise self.refusal(
                "model",
                f"It changed the model: {changed} is another tensor, is trained or not trained "
                "unlike before, or has other values. Restore what it changes, e.g. with a context "
                "manager such as model.disable_adapter().",
            )
        return batch, outputs


def _state(network: nn.Module) -> dict[str, tuple[int, bool, int]]:
    """Return what outputs must not change: each tensor, whether it is trained, its version."""
    named = [*network.named_parameters(), *network.named_buffers()]
    return {
        name: (id(t), t.requires_grad, 0 if t.is_inference() else t._version) for name, t in named
    }


def _name(value: Any) -> Any:
    return getattr(value, "__name__", value)
