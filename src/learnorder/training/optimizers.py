"""Optimisers of ``torch.optim``, by name, and the optimisers of a network as one."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from learnorder.config.training import TrainingConfig
from learnorder.errors import ConfigError, did_you_mean, one_line

_SET_HERE = ("params", "lr", "weight_decay", "fused")


def build_optimizer(
    config: TrainingConfig,
    parameters: Iterable[nn.Parameter],
    learning_rate: float,
    device: torch.device,
) -> Optimizer:
    """Return the optimiser of a configuration.

    It gets ``weight_decay``, SGD's ``momentum`` and ``nesterov``, and ``optimizer_arguments``. The
    fused implementation is used if the device supports it.

    Args:
        config: The configuration.
        parameters: The parameters to train.
        learning_rate: The initial learning rate.
        device: Device of the parameters.

    Raises:
        ConfigError: The optimiser is unknown, or needs a closure or sparse gradients, or does not
            accept an argument.
    """
    kind = _optimizer_named(config.optimizer)
    accepted = [name for name in inspect.signature(kind).parameters if name not in _SET_HERE]
    for name in config.optimizer_arguments:
        if name not in accepted:
            raise ConfigError(
                f"training.optimizer_arguments.{name}",
                config.optimizer_arguments[name],
                f"{config.optimizer} takes {', '.join(accepted)}.",
            )
    arguments: dict[str, Any] = {"lr": learning_rate, "weight_decay": config.weight_decay}
    if config.optimizer == "SGD":
        arguments |= {"momentum": config.momentum, "nesterov": config.nesterov}
    if "fused" in inspect.signature(kind).parameters and device.type in ("cpu", "cuda"):
        arguments["fused"] = True
    try:
        return kind(parameters, **{**arguments, **config.optimizer_arguments})
    except (TypeError, ValueError) as error:
        raise ConfigError(
            "training.optimizer_arguments", config.optimizer_arguments, f"{one_line(error)}."
        ) from None


class Optimizers:
    """The optimisers that train a network, usually one, made with a learning rate η₀.

    At the learning rate η, a parameter group that was made with the rate ρ₀ gets

        ρ = ρ₀ · η / η₀,

    so multipliers of groups are kept, and a group's rate may be something else than η.

    Some optimisers have other weights in training than in evaluation, such as those of the package
    schedulefree. They have methods ``train`` and ``eval``, which change the network's weights in
    place.

    With ``schedulers`` of the user, these set the learning rates, after each step.

    Args:
        parts: The optimisers.
        learning_rate: η₀.
        is_own: Whether the user's code made them, so that η may be something else than their rate.

    Attributes:
        parts: The optimisers.
        is_own: Whether the user's code made them.
        schedulers: One for each part, or none.

    >>> layer = nn.Linear(2, 2)
    >>> groups = [{"params": [layer.weight], "lr": 0.3}, {"params": [layer.bias], "lr": 0.1}]
    >>> optimizers = Optimizers([torch.optim.SGD(groups)], learning_rate=0.1)
    >>> optimizers.set_learning_rate(0.05)
    >>> [group["lr"] for group in optimizers.param_groups]
    [0.15, 0.05]
    """

    def __init__(
        self, parts: Sequence[Optimizer], learning_rate: float, *, is_own: bool = False
    ) -> None:
        self.parts, self.is_own = tuple(parts), is_own
        self.schedulers: list[LRScheduler] = []
        self._initial = learning_rate
        self._rates = [float(group["lr"]) for group in self.param_groups]
        self._moded: list[Any] = [part for part in parts if has_modes(part)]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The parameter groups of all parts."""
        return [group for part in self.parts for group in part.param_groups]

    def __str__(self) -> str:
        """Return the names of the classes, e.g. "Muon and AdamW"."""
        return " and ".join(type(part).__name__ for part in self.parts)

    @property
    def averages(self) -> bool:
        """Whether the weights of evaluation are not those of training."""
        return bool(self._moded)

    @property
    def learning_rate(self) -> float:
        """The learning rate η, by the first group whose ρ₀ is above 0."""
        for group, rate in zip(self.param_groups, self._rates, strict=True):
            if rate > 0:
                return self._initial * (float(group["lr"]) / rate)
        return self._initial

    def set_learning_rate(self, learning_rate: float) -> None:
        """Set the learning rate η of the next step; no effect if there are schedulers."""
        if self.schedulers:
            return
        for group, rate in zip(self.param_groups, self._rates, strict=True):
            exact = rate == self._initial
            group["lr"] = learning_rate if exact else rate * (learning_rate / self._initial)

    def train(self) -> None:
        """Give the network the weights of training."""
        for part in self._moded:
            part.train()

    def eval(self) -> None:
        """Give the network the weights of evaluation."""
        for part in self._moded:
            part.eval()

    def zero_grad(self) -> None:
        """Clear the gradients, as ``Optimizer.zero_grad`` does, which also enters a profile."""
        if self.is_own:
            for part in self.parts:
                part.zero_grad()
            return
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def step(self) -> None:
        """Take a step."""
        for part in self.parts:
            part.step()
        for scheduler in self.schedulers:
            scheduler.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the state, as tensors and plain values."""
        if len(self.parts) == 1 and not self.schedulers:
            return self.parts[0].state_dict()
        return {
            "parts": [part.state_dict() for part in self.parts],
            "schedulers": [scheduler.state_dict() for scheduler in self.schedulers],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state.

        Raises:
            ValueError: It is of other optimisers.
        """
        states = state.get("parts", [state])
        for part, of_part in zip(self.parts, states, strict=True):
            part.load_state_dict(of_part)
        for scheduler, of_scheduler in zip(
            self.schedulers, state.get("schedulers", []), strict=True
        ):
            scheduler.load_state_dict(of_scheduler)


def has_modes(optimizer: Optimizer) -> bool:
    """Whether an optimiser has other weights in training than in evaluation."""
    return all(callable(getattr(optimizer, name, None)) for name in ("train", "eval"))


def optimizer_names() -> list[str]:
    """Return the names of the available optimisers."""
    names = []
    for name, kind in vars(torch.optim).items():
        if inspect.isclass(kind) and issubclass(kind, Optimizer):
            dense = name not in ("Optimizer", "LBFGS", "SparseAdam")
            if dense and "weight_decay" in inspect.signature(kind).parameters:
                names.append(name)
    return sorted(names)


def _optimizer_named(name: str) -> Any:
    names = optimizer_names()
    if name not in names:
        suggestion = did_you_mean(name, names, most=1, cutoff=0.4)
        remedy = f"Give one of {', '.join(names)}. {suggestion}".rstrip()
        raise ConfigError("training.optimizer", name, remedy)
    return getattr(torch.optim, name)
