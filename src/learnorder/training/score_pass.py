"""One pass of a model over a data set: its score and its mean loss."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from learnorder.errors import ConfigError
from learnorder.models.modes import evaluation_mode
from learnorder.training.problem import Part
from learnorder.training.scores import Score, mean_loss, scoring, weight_of
from learnorder.training.task_batches import TaskBatch


@dataclass(frozen=True)
class Passed:
    """What a model scores on a data set.

    Attributes:
        score: The score.
        loss: The mean loss, of the targets that count.
    """

    score: float
    loss: float

    @property
    def finite(self) -> bool:
        """Whether both are finite."""
        return math.isfinite(self.score) and math.isfinite(self.loss)


class Judge(Protocol):
    """What judges a model's outputs on a data set."""

    @property
    def score(self) -> Score:
        """The score."""
        ...

    def outputs(self, model: nn.Module, batch: TaskBatch, /) -> Any:
        """Apply a model to a batch."""
        ...

    def losses(self, outputs: Any, batch: TaskBatch, /) -> Tensor:
        """Return the loss of each example, or their mean."""
        ...

    def refusal(self, part: Part, reason: str, /) -> ConfigError:
        """Return the error for a part that cannot be used."""
        ...


@torch.no_grad()
def score_pass(
    judge: Judge,
    model: nn.Module,
    batches: Iterable[TaskBatch],
    examples: int,
    seen: Callable[[TaskBatch, Any, Tensor], None] | None = None,
) -> Passed:
    """Return what a model scores over all batches of a data set.

    Args:
        judge: What judges its outputs.
        model: The model; it is in evaluation mode meanwhile.
        batches: The batches.
        examples: Number of examples in them.
        seen: Gets each batch with its outputs and losses.

    Raises:
        ConfigError: The score fails, or needs too much memory.
    """
    score, refusal = judge.score, judge.refusal
    measure, total, counted = score.start(examples), 0.0, 0
    with evaluation_mode(model):
        for batch in batches:
            outputs = judge.outputs(model, batch)
            losses = judge.losses(outputs, batch)
            if weight := int(weight_of(batch.targets, batch.size)):
                total += weight * float(mean_loss(losses, batch.targets))
                counted += weight
            with scoring(refusal, "It failed on a batch"):
                measure.add(outputs, batch.targets, batch.size)
                if seen is not None:
                    seen(batch, outputs, losses)
    with scoring(refusal, "It failed on all examples"):
        value = measure.value()
    loss = total / counted if counted else math.nan
    return Passed(loss if score.name == "loss" else value, loss)
