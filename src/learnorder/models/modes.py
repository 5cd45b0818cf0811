"""Training and evaluation mode. Submodules that the user put into eval() stay in it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

_NAMED = 3


def in_evaluation(network: nn.Module) -> list[str]:
    """Return the names of the submodules in evaluation mode; none if the whole network is in it.

    >>> in_evaluation(nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2).eval()))
    ['1']
    >>> in_evaluation(nn.Dropout().eval())
    []
    """
    modes = {name: module.training for name, module in network.named_modules()}
    return [name for name, training in modes.items() if not training] if any(modes.values()) else []


def training_mode(network: nn.Module) -> None:
    """Put a network into training mode, except submodules that are in evaluation mode.

    A network that is entirely in evaluation mode, such as a pretrained one after loading, is put
    into training mode entirely.
    """
    kept = in_evaluation(network)
    network.train()
    for name in kept:
        network.get_submodule(name).training = False
    if kept:
        names = [name or "the model itself" for name in kept]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        logging.getLogger(__name__).info(
            "%s%s: in eval() at the start, and kept so in training.",
            ", ".join(names[:_NAMED]), more,
        )  # fmt: skip


@contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode, and restore the mode of each submodule afterwards.

    >>> network = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2).eval())
    >>> with evaluation_mode(network):
    ...     [module.training for module in network]
    [False, False]
    >>> [module.training for module in network]
    [True, False]
    """
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training
