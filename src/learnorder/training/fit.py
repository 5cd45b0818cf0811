"""Checks that a model's outputs, the loss and the score fit together."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from learnorder.errors import ConfigError, refusing
from learnorder.training.dynamics import FIELD
from learnorder.training.problem import Part
from learnorder.training.scores import Score, are_classes, mean_of
from learnorder.training.task import Task
from learnorder.training.task_batches import TaskBatch, shapes

Refusal = Callable[[Part, str], ConfigError]
"""Returns the error for a model, loss or score that cannot be used, with a reason."""


@torch.no_grad()
def check_fit(
    outputs: Any,
    batch: TaskBatch,
    mode: str,
    loss: Callable[[Any, Any], Tensor],
    score: Score,
    device: torch.device,
    refusal: Refusal,
) -> None:
    """Check that outputs are not complex and that the loss and the score accept them.

    Args:
        outputs: The model's outputs on a batch.
        batch: The batch.
        mode: The model's mode, training or evaluation.
        loss: The loss.
        score: The score.
        device: Device of the outputs.
        refusal: Makes the errors.

    Raises:
        ConfigError: The outputs are complex, or the loss or the score does not accept them.
    """
    targets = batch.targets
    if isinstance(outputs, Tensor) and outputs.is_complex():
        raise refusal(
            "model",
            f"In {mode} mode it maps inputs {shapes(batch.inputs)} to complex numbers, "
            f"{shapes(outputs)}. Return real ones, e.g. outputs.abs().",
        )
    with (
        refusing(lambda why: refusal("loss", misfit(outputs, targets, why, mode))),
        warnings.catch_warnings(),  # torch warns of a wrong loss if shapes broadcast
    ):
        warnings.filterwarnings("error", message="Using a target size")
        if device.type != "cpu":
            try_on_cpu(loss, outputs, targets)
        losses = loss(outputs, targets)
    if not isinstance(losses, Tensor) or losses.dim() > 1 or losses.is_complex():
        raise refusal(
            "loss",
            f"It returned {shapes(losses)}. It must return the mean loss of a batch, or one "
            "loss for each example, as real numbers.",
        )
    pair = f"outputs {shapes(outputs)} with targets {shapes(targets)}"
    if score.batch is not None:
        with refusing(lambda why: refusal("score", f"It failed on {pair}: {why}.")):
            mean_of(score.batch(outputs, targets))


def check_dynamics(task: Task, outputs: Any, targets: Any) -> None:
    """Check that the training dynamics of a task's examples can be kept.

    Args:
        task: The task.
        outputs: The model's outputs on a batch.
        targets: The targets of the batch.

    Raises:
        ConfigError: The outputs are not logits of classes, or the task has a sampler.
    """
    if not are_classes(outputs, targets):
        raise ConfigError(
            FIELD,
            True,
            "It compares logits [B, C] of two or more classes with classes, integers [B]. The "
            f"outputs are {shapes(outputs)}, and the targets {shapes(targets)}. Train without it.",
        )
    if task.sampler is not None:
        raise ConfigError(
            FIELD,
            True,
            "It compares examples that are each predicted once in an epoch, and the task has a "
            "sampler, which may show some several times and others not at all. Give a task without "
            "a sampler, or train without it.",
        )


def try_on_cpu(loss: Callable[[Any, Any], Any], outputs: Any, targets: Any) -> None:
    """Compute a loss on the CPU, where a class out of range raises an error.

    On a GPU such a class makes the device unusable for the process, with an error at a later call.

    Raises:
        IndexError: A class is out of range.
    """
    moved = tree_map_only(Tensor, lambda tensor: tensor.detach().cpu(), (outputs, targets))
    try:
        loss(*moved)
    except Exception as error:  # it may need the device, on which it is computed next
        if isinstance(error, IndexError) or "out of bounds" in str(error):
            raise IndexError(str(error)) from error


def misfit(outputs: Any, targets: Any, reason: str, mode: str = "") -> str:
    """Return why a loss does not accept outputs and targets, and what to change.

    Args:
        outputs: The outputs.
        targets: The targets.
        reason: The error.
        mode: The model's mode, training or evaluation; empty if it does not matter.
    """
    where = f"In {mode} mode the" if mode else "The"
    remedy = (
        "Classes are integers from 0, with one output for each; other targets need another loss."
    )
    if not isinstance(outputs, Tensor):
        remedy = (
            "Loss and score get the model's outputs, or their logits if they have them. Return a "
            "single tensor, or give a loss that selects its part, e.g. lambda outputs, targets: "
            "cross_entropy(outputs[0], targets)."
        )
    return (
        f"{where} loss does not accept outputs {shapes(outputs)} with targets {shapes(targets)}: "
        f"{reason}. {remedy}"
    )
