"""The layer that is retrained."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from learnorder.errors import ConfigError
from learnorder.training.last_linear import last_linear


def last_layer(
    model: nn.Module,
    num_classes: int,
    forward: Callable[[], Tensor],
    refuse: Callable[[str], ConfigError],
) -> tuple[str, nn.Linear]:
    """Return the name and the module of a network's last layer, if it can be retrained alone.

    The arguments are those of :func:`~learnorder.training.last_linear.last_linear`.

    Raises:
        ConfigError: There is no last linear layer, or it shares its weight with another module.
    """
    name, layer = last_linear(model, num_classes, forward, refuse)
    owners = [
        other or "the network itself"
        for other, module in model.named_modules()
        if module is not layer and any(p is layer.weight for p in module.parameters(recurse=False))
    ]
    if owners:
        raise refuse(
            f"Its last layer {name} shares its weight with {', '.join(owners)}, so it cannot be "
            "retrained alone. Give it a weight of its own."
        )
    return name, layer
