"""A trial of training and evaluation on a few batches, before a run starts."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from learnorder.errors import ConfigError, DataError, LearnOrderError, reason_of, refusing
from learnorder.models.modes import evaluation_mode
from learnorder.training.optimizers import Optimizers
from learnorder.training.trainer import Trainer

_ONE_VALUE = "more than 1 value per channel"
"""Part of torch's error for batch norm on a single example."""


def try_training(trainer: Trainer[Any]) -> None:
    """Compute gradients of the first and the last batch of an epoch, evaluate, and take a step.

    Everything before the step uses the initial weights, so it does not depend on the learning rate.
    A loss that is not finite is not an error. The trainer cannot be used afterwards: its weights,
    buffers and counts have changed.

    Args:
        trainer: A new trainer.

    Raises:
        ConfigError: The model, loss, score, optimiser or batch size cannot be used.
        DataError: A batch cannot be made.
    """
    for step in (0, trainer.problem.steps - 1):  # the last is the smallest
        trainer.step = step
        _try_gradients(trainer)
    try_evaluation(trainer)
    if trainer.curvature is not None:
        examples = trainer.config.sharpness.examples
        with refusing(lambda why: _cannot("sharpness.examples", examples, "It", why)):
            trainer.curvature.try_out(trainer.network)
    if trainer.diagnostics is not None:
        batches = trainer.config.diagnostics.batches
        with refusing(lambda why: _cannot("diagnostics.batches", batches, "It", why)):
            trainer.diagnostics.try_out(trainer.network)
    name, schedulers = str(trainer.optimizer), trainer.optimizer.schedulers
    field = "task.optimizer" if trainer.optimizer.is_own else "training.optimizer"
    with refusing(lambda why: _cannot(field, name, "Its step", why)):
        trainer.update()
    if trainer.optimizer.is_own or schedulers:
        if schedulers:
            field, name = "task.scheduler", f"{name} with {type(schedulers[0]).__name__}"
        with refusing(lambda why: _cannot(field, name, "A step after a checkpoint", why)):
            _try_continuing(trainer, field, name)


def _try_gradients(trainer: Trainer[Any]) -> None:
    """Compute the gradients of the batch of ``trainer.step``."""
    problem = trainer.problem
    with refusing(lambda why: DataError(f"A training batch cannot be made: {why}.")):
        batch = next(problem.epoch(1, trainer.step))
    trainer.prepare_step()
    for part, rows in trainer.parts(batch):
        _try_part(trainer, part, rows)
    if all(parameter.grad is None for parameter in trainer.network.parameters()):
        raise problem.refusal("model", _DETACHED)


def _try_part(trainer: Trainer[Any], batch: Any, rows: slice) -> None:
    """Add the gradients of a part of a batch."""
    problem, size = trainer.problem, rows.stop - rows.start
    where = f"in training mode, on a batch of {size} examples"
    try:
        outputs = trainer.outputs(batch)
    except LearnOrderError:  # e.g. there is no activation for the noise
        raise
    except Exception as error:
        if size == 1 and _ONE_VALUE in str(error):
            raise _one_left(trainer) from error
        raise problem.refusal("model", f"It failed {where}: {reason_of(error)}.") from error
    problem.check_outputs(outputs, batch, "training")
    with refusing(lambda why: problem.refusal("loss", f"It failed {where}: {why}.")):
        losses = problem.losses(outputs, batch)
    _check_differentiable(trainer, outputs, losses)
    with refusing(lambda why: problem.refusal("model", f"Its gradients failed {where}: {why}.")):
        trainer.backward(losses, rows)
    with torch.no_grad(), refusing(lambda why: problem.refusal("score", f"It failed: {why}.")):
        problem.update_metrics(batch, outputs, losses)


def _try_continuing(trainer: Trainer[Any], field: str, name: str) -> None:
    """Take steps with the user's optimiser, and again after a checkpoint, within and after epochs.

    Raises:
        ConfigError: The two differ, so a run continued from a checkpoint would be another.
    """
    network, optimizer = trainer.network, trainer.optimizer
    parameters = list(network.parameters())
    gradients = [None if p.grad is None else p.grad.clone() for p in parameters]

    def stepped(optimizer: Optimizers) -> list[Tensor]:
        for _ in range(2):  # the second at the rate that a scheduler sets after the first
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = None if gradient is None else gradient.clone()
            optimizer.train()
            optimizer.set_learning_rate(trainer.config.learning_rate.initial)
            optimizer.step()
        return [parameter.detach().clone() for parameter in parameters]

    for after_epoch in (False, True) if optimizer.averages else (False,):
        if after_epoch:
            optimizer.eval()
        file = io.BytesIO()
        torch.save((network.state_dict(), optimizer.state_dict()), file)
        expected = stepped(optimizer)
        file.seek(0)
        weights, state = torch.load(file, weights_only=True)
        network.load_state_dict(weights)
        continued = trainer.make_optimizers()
        continued.load_state_dict(state)
        pairs = zip(expected, stepped(continued), strict=True)
        if not all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in pairs):
            raise ConfigError(
                field,
                name,
                "A step after a checkpoint differs from one without, because its state_dict lacks "
                "a part of its state. Keep all of it in optimizer.state and in param_groups.",
            )


_DETACHED = (
    "None of its parameters gets a gradient, because its outputs in training mode are detached. "
    "Compute the outputs without torch.no_grad, .detach(), .item() or argmax."
)


def _check_differentiable(trainer: Trainer[Any], outputs: Any, losses: Tensor) -> None:
    """Refuse a loss without a gradient; the error says whether it or the outputs are detached."""
    if losses.requires_grad:
        return
    tensors = list(_tensors(outputs))
    if tensors and not any(tensor.requires_grad for tensor in tensors):
        raise trainer.problem.refusal("model", _DETACHED)
    raise trainer.problem.refusal(
        "loss",
        "It returned a loss that has no gradient. Compute it from the model's outputs without "
        "torch.no_grad, .detach(), .item() or argmax.",
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
    elif hasattr(value, "__dict__"):  # e.g. a dataclass
        yield from (part for part in vars(value).values() if isinstance(part, Tensor))


@torch.no_grad()
def try_evaluation(trainer: Trainer[Any]) -> None:
    """Apply the network to some evaluation batches."""
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
    """Return the error for a network with batch norm and a batch or part of a single example."""
    if (parts := trainer.config.training.accumulate) > 1:
        return ConfigError(
            "training.accumulate",
            parts,
            "A part of a batch has 1 example, and batch norm needs 2 or more in training. Give "
            "fewer parts, or a larger training.batch_size.",
        )
    size, last = trainer.config.training.batch_size, trainer.problem.steps - 1
    examples = last * size + trainer.problem.examples(last)
    fitting = (other for other in range(size + 1, examples + 1) if examples % other != 1)
    last_of_one = f"The last batch of an epoch of {examples} examples has 1 example"
    return ConfigError(
        "training.batch_size",
        size,
        f"{last_of_one if size > 1 else 'Every batch has 1 example'}, and batch norm needs 2 or "
        f"more in training. Give another, e.g. {next(fitting, 2)}.",
    )


def _cannot(field: str, value: object, what: str, reason: str) -> ConfigError:
    return ConfigError(field, value, f"{what} cannot be computed for this model: {reason}.")
