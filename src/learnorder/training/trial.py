"""Two batches of training and one look at evaluation, so that what cannot be trained is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from learnorder.errors import ConfigError, DataError, LearnOrderError, reason_of, refusing
from learnorder.models.modes import evaluation_mode
from learnorder.training.trainer import Trainer

_ONE_VALUE = "more than 1 value per channel"
"""How torch's batch norm says that a batch is of one example."""


def try_training(trainer: Trainer[Any]) -> None:
    """Take the gradients of a run's first batch and of its last, evaluate, and take a step.

    All is computed at the initial weights but for the step, so that nothing depends on the learning
    rate. A loss that is not finite is a result, and no reason to refuse. The trainer is spent: its
    weights, buffers and counts have changed.

    Args:
        trainer: At its beginning.

    Raises:
        ConfigError: The model, the loss, the score, the optimiser or the batch size is unfit.
        DataError: A batch cannot be made.
    """
    for step in (0, trainer.problem.steps - 1):  # the last is the smallest
        trainer.step = step
        _try_gradients(trainer)
    _try_evaluation(trainer)
    if trainer.curvature is not None:
        examples = trainer.config.sharpness.examples
        with refusing(lambda why: _cannot("sharpness.examples", examples, "It", why)):
            trainer.curvature.try_out(trainer.network)
    name = trainer.config.training.optimizer
    with refusing(lambda why: _cannot("training.optimizer", name, "Its step", why)):
        trainer.optimizer.step()


def _try_gradients(trainer: Trainer[Any]) -> None:
    """Take the gradients of the batch of ``trainer.step``."""
    problem = trainer.problem
    with refusing(lambda why: DataError(f"A training batch cannot be made: {why}.")):
        batch = next(problem.epoch(1, trainer.step))
    trainer.prepare_step()
    where = f"in training mode, on a batch of {problem.examples(trainer.step)} examples"
    try:
        outputs = trainer.outputs(batch)
    except LearnOrderError:  # noise has no place
        raise
    except Exception as error:
        if problem.examples(trainer.step) == 1 and _ONE_VALUE in str(error):
            raise _one_left(trainer) from error
        raise problem.refusal("model", f"It failed {where}: {reason_of(error)}.") from error
    problem.check_outputs(outputs, batch, "training")
    with refusing(lambda why: problem.refusal("loss", f"It failed {where}: {why}.")):
        losses = problem.losses(outputs, batch)
    _check_differentiable(trainer, outputs, losses)
    with refusing(lambda why: problem.refusal("model", f"Its gradients failed {where}: {why}.")):
        trainer.backward(losses)
    if all(parameter.grad is None for parameter in trainer.network.parameters()):
        raise problem.refusal("model", _DETACHED)
    with torch.no_grad(), refusing(lambda why: problem.refusal("score", f"It failed: {why}.")):
        problem.count(batch, outputs, losses)


_DETACHED = (
    "None of its parameters gets a gradient, as its outputs in training mode are detached from "
    "them. Compute the outputs without torch.no_grad, .detach(), .item() or argmax between."
)


def _check_differentiable(trainer: Trainer[Any], outputs: Any, losses: Tensor) -> None:
    """Refuse a loss that has no gradient, and say whether it or the outputs are detached."""
    if losses.requires_grad:
        return
    found = list(_tensors(outputs))
    if found and not any(tensor.requires_grad for tensor in found):
        raise trainer.problem.refusal("model", _DETACHED)
    raise trainer.problem.refusal(
        "loss",
        "It returned a loss that has no gradient. Compute it from the model's outputs without "
        "torch.no_grad, .detach(), .item() or argmax between.",
    )


def _tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in a model's outputs."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors(part)
    elif hasattr(value, "__dict__"):  # a dataclass, for example
        yield from (part for part in vars(value).values() if isinstance(part, Tensor))


@torch.no_grad()
def _try_evaluation(trainer: Trainer[Any]) -> None:
    """Apply the network to some batches of evaluation."""
    problem, network = trainer.problem, trainer.network
    with refusing(lambda why: DataError(f"An evaluation batch cannot be made: {why}.")):
        batches = list(problem.evaluation_samples())
    for batch in batches:
        failed = refusing(
            lambda why: problem.refusal("model", f"It failed in evaluation mode: {why}.")
        )
        with failed, trainer.accelerator.autocast(), evaluation_mode(network):
            outputs = problem.outputs(network, batch)
        problem.check_outputs(outputs, batch, "evaluation")


def _one_left(trainer: Trainer[Any]) -> ConfigError:
    """Return the error of a network with batch norm whose last batch is a single example."""
    size, last = trainer.config.training.batch_size, trainer.problem.steps - 1
    examples = last * size + trainer.problem.examples(last)
    fitting = (other for other in range(size + 1, examples + 1) if examples % other != 1)
    left = f"Of {examples} training examples 1 is left for the last batch of an epoch"
    return ConfigError(
        "training.batch_size",
        size,
        f"{left if size > 1 else 'Every batch is of 1 example'}, and batch norm needs 2 or more in "
        f"training. Give another, e.g. {next(fitting, 2)}.",
    )


def _cannot(field: str, value: object, what: str, reason: str) -> ConfigError:
    return ConfigError(field, value, f"{what} cannot be computed of this model: {reason}.")
