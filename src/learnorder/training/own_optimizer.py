"""The optimiser and the scheduler of a user's task: made by its functions, and checked."""

from __future__ import annotations

import inspect
import math
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any
from weakref import WeakSet

from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from learnorder.config.training import TrainingConfig
from learnorder.errors import ConfigError, LearnOrderError, reason_of
from learnorder.seeding import random_state_kept, seed_everything
from learnorder.training.optimizers import Optimizers

OptimizerFactory = Callable[[nn.Module, float], Optimizer | Sequence[Optimizer]]
"""Returns the optimisers of a new network at a learning rate."""

SchedulerFactory = Callable[[Optimizer, int], LRScheduler]
"""Returns the scheduler of an optimiser for a number of steps."""

_FIELD = "task.optimizer"
REPLACED = ("optimizer", "optimizer_arguments", "momentum", "nesterov", "weight_decay")
"""Settings of training that have no effect if the task has its own optimiser."""
_NAMED = 3
_made: WeakSet[Optimizer] = WeakSet()
"""Living optimisers that the functions of tasks have returned in this process."""


def check_replaced(training: TrainingConfig) -> None:
    """Check that no setting of the optimiser is given besides a task's own.

    Raises:
        ConfigError: One differs from its default.
    """
    default = TrainingConfig()
    for name in REPLACED:
        if (value := getattr(training, name)) != getattr(default, name):
            raise ConfigError(
                f"training.{name}",
                value,
                "The task has its own optimizer, so this setting would have no effect. Set it in "
                "the function task.optimizer, and remove it here.",
            )


def check_rates(factory: OptimizerFactory | None, rates: Sequence[float] | None) -> None:
    """Check that learning rates are given for a task's own optimiser.

    Raises:
        ConfigError: The task has one, and ``rates`` is None.
    """
    if factory is not None and rates is None:
        raise ConfigError(
            "learning_rates",
            None,
            "The task has its own optimizer, whose useful learning rates are not known. Give those "
            "to try, in the units of the function task.optimizer, e.g. [0.0003, 0.001, 0.003].",
        )


def scales_with_rate(
    factory: OptimizerFactory, network: nn.Module, learning_rate: float, seed: int
) -> bool:
    """Whether the rates of all parameter groups are proportional to a function's number."""
    single, double = (
        make_optimizers(factory, network, rate, seed).param_groups
        for rate in (learning_rate, 2 * learning_rate)
    )
    pairs = zip(single, double, strict=True)
    return all(math.isclose(2 * float(a["lr"]), float(b["lr"]), rel_tol=1e-6) for a, b in pairs)


def make_optimizers(
    factory: OptimizerFactory, network: nn.Module, learning_rate: float, seed: int
) -> Optimizers:
    """Return the optimisers of a network.

    Args:
        factory: The task's function. Its random draws depend on the seed only.
        network: The network to train.
        learning_rate: The number that the function is called with.
        seed: The run's seed.

    Raises:
        ConfigError: The function fails, or returns something that is no optimiser of this network,
            or cannot be used here.
    """

    def refusal(reason: str) -> ConfigError:
        return ConfigError(_FIELD, getattr(factory, "__qualname__", factory), reason)

    with random_state_kept():
        seed_everything(seed, "optimizer")
        try:
            made = factory(network, learning_rate)
        except LearnOrderError:
            raise
        except Exception as error:
            raise refusal(
                f"It failed for the learning rate {learning_rate:g}: {reason_of(error)}."
            ) from error
    parts: list[Any] = list(made) if isinstance(made, list | tuple) else [made]
    for part in parts:
        if not isinstance(part, Optimizer):
            raise refusal(
                f"It returned {_article(part)}, not a torch.optim.Optimizer. Return one, or a list "
                "of several that share the parameters among them."
            )
        _check_kind(part, refusal)
    if not parts:
        raise refusal("It returned no optimiser.")
    _check_parameters(parts, network, refusal)
    optimizers = Optimizers(parts, learning_rate, is_own=True)
    if optimizers.averages:
        _check_statistics(network, refusal)
    _made.update(parts)
    return optimizers


def _check_kind(part: Optimizer, refusal: Callable[[str], ConfigError]) -> None:
    """Check that an optimiser is new, takes steps without arguments, and has learning rates."""
    name = type(part).__name__
    if part in _made:
        raise refusal(
            f"It returned the same {name} as at an earlier call, with the state of another run. "
            "Make a new one at each call."
        )
    if needed := _needed(part.step):
        raise refusal(
            f"A step of {name} needs {', '.join(needed)}, but steps are taken from one gradient, "
            "with step(). Return another optimiser."
        )
    if any("lr" not in group for group in part.param_groups):
        raise refusal(
            f"{name} has parameter groups without 'lr', which a schedule multiplies. Return "
            "another optimiser."
        )


def _check_parameters(
    parts: Sequence[Optimizer], network: nn.Module, refusal: Callable[[str], ConfigError]
) -> None:
    """Check that each trainable parameter of the network has one optimiser, and no other has."""
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    given = [p for part in parts for group in part.param_groups for p in group["params"]]
    counts = Counter(map(id, given))
    foreign = [list(p.shape) for p in given if id(p) not in names]
    if foreign:
        raise refusal(
            f"{len(foreign)} of its parameters are not of the network that it was called with "
            f"({_few([f'shape {shape}' for shape in foreign])}). Take the parameters of its first "
            "argument, which is a new network for each run."
        )
    trained = {id(p): name for name, p in network.named_parameters() if p.requires_grad}
    missing = [name for key, name in trained.items() if key not in counts]
    if missing:
        raise refusal(
            f"{_few(missing)}: {len(missing)} trainable parameters are in none of its groups, so "
            "they would never change. Add them, or set their requires_grad to False in the model."
        )
    repeated = [names[key] for key, count in counts.items() if count > 1]
    if repeated:
        raise refusal(
            f"{_few(repeated)}: {len(repeated)} parameters have two optimisers. Give each to one."
        )


def _check_statistics(network: nn.Module, refusal: Callable[[str], ConfigError]) -> None:
    """Check that no layer has running statistics, which would be those of other weights."""
    layers = [
        name
        for name, module in network.named_modules()
        if module.training and getattr(module, "running_mean", None) is not None
    ]
    if layers:
        raise refusal(
            "Its weights in evaluation are not those in training, because it has the methods train "
            f"and eval, but {_few(layers)} would be evaluated with running statistics of the "
            "weights in training. Use a network without batch norm, e.g. with layer or group norm, "
            "or another optimiser."
        )


def make_schedulers(
    factory: SchedulerFactory, optimizers: Optimizers, steps: int
) -> list[LRScheduler]:
    """Return a scheduler for each optimiser.

    Args:
        factory: The task's function.
        optimizers: The optimisers.
        steps: Number of steps of the run.

    Raises:
        ConfigError: The function fails, or returns something that is no scheduler of the optimiser,
            or whose steps need an argument.
    """

    def refusal(reason: str) -> ConfigError:
        return ConfigError("task.scheduler", getattr(factory, "__qualname__", factory), reason)

    schedulers = list[LRScheduler]()
    for part in optimizers.parts:
        try:
            made: Any = factory(part, steps)
        except LearnOrderError:
            raise
        except Exception as error:
            raise refusal(f"It failed for {steps:,} steps: {reason_of(error)}.") from error
        if not isinstance(made, LRScheduler):
            raise refusal(
                f"It returned {_article(made)}, not a scheduler of torch.optim.lr_scheduler."
            )
        if made.optimizer is not part:
            raise refusal(
                f"It returned a {type(made).__name__} of another optimizer. Make it for the first "
                "argument."
            )
        if needed := _needed(made.step):
            raise refusal(
                f"A step of {type(made).__name__} needs {', '.join(needed)}, but it is called as "
                "step() after each step of the optimizer. Return another scheduler."
            )
        schedulers.append(made)
    return schedulers


def _needed(function: Callable[..., Any]) -> list[str]:
    """Return the names of the arguments that a function cannot be called without."""
    return [
        argument.name
        for argument in inspect.signature(function).parameters.values()
        if argument.default is argument.empty
        and argument.kind not in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD)
    ]


def _few(items: Sequence[str]) -> str:
    more = f" and {len(items) - _NAMED} more" if len(items) > _NAMED else ""
    return ", ".join(items[:_NAMED]) + more


def _article(value: object) -> str:
    name = type(value).__name__
    return f"{'an' if name[0] in 'AEIOUaeiou' else 'a'} {name}"
