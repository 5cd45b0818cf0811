"""Training and evaluation mode, submodule by submodule: what the user keeps in eval() stays so."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

_NAMED = 3


def training_mode(network: nn.Module) -> None:
    """Put a network into training mode, but for submodules that its maker put into eval().

    One that is in evaluation mode as a whole, as pretrained ones are when they are loaded, is
    trained as a whole.
    """
    kept = {name: m for name, m in network.named_modules() if not m.training}
    if len(kept) == sum(1 for _ in network.modules()):
        kept = {}
    network.train()
    for module in kept.values():
        module.training = False
    if kept:
        named = [name or "the model itself" for name in kept]
        more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
        logging.getLogger(__name__).info(
            "%s%s: in eval() when the model was given, and left so in training.",
            ", ".join(named[:_NAMED]), more,
        )  # fmt: skip


@contextmanager
def evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode, and each submodule back to its own afterwards.

    >>> network = nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2).eval())
    >>> with evaluation_mode(network):
    ...     [module.training for module in network]
    [False, False]
    >>> [module.training for module in network]
    [True, False]
    """
    before = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield
    finally:
        for module, training in before:
            module.training = training
