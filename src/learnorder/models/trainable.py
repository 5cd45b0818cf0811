"""Check that a network can be trained: real, initialised parameters, not all frozen."""

from __future__ import annotations

from itertools import chain

from torch import nn
from torch.nn.parameter import is_lazy

from learnorder.errors import ConfigError


def check_trainable(model: nn.Module, field: str, value: object) -> None:
    """Refuse a network whose parameters cannot be trained. :func:`check_lazy` checks lazy ones.

    Args:
        model: The network.
        field: The setting that names it, for the error.
        value: Its value.

    Raises:
        ConfigError: It has no parameters, only frozen ones, complex ones, or any without values.
    """
    for name, tensor in chain(model.named_parameters(), model.named_buffers()):
        if tensor.is_meta:
            raise ConfigError(
                field,
                value,
                f"{name} is on the meta device, so it has no values. Create the model on the CPU; "
                "it is moved to the training device later.",
            )
    for name, parameter in model.named_parameters():
        if not is_lazy(parameter) and parameter.is_complex():
            dtype = str(parameter.dtype).removeprefix("torch.")
            raise ConfigError(
                field,
                value,
                f"{name} is {dtype}; only real parameters can be trained. Store both "
                "parts in a real parameter, and use torch.view_as_complex in forward.",
            )
    parameters = list(model.parameters())
    if not parameters:
        raise ConfigError(field, value, "It has no parameters, so there is nothing to train.")
    if not any(parameter.requires_grad for parameter in parameters):
        raise ConfigError(
            field,
            value,
            "Every parameter is frozen, so there is nothing to train. Set requires_grad to True "
            "for those to train.",
        )


def check_lazy(model: nn.Module, field: str, value: object) -> None:
    """Refuse a network with lazy parameters or buffers that have no shape yet.

    Args:
        model: The network.
        field: The setting that names it, for the error.
        value: Its value.

    Raises:
        ConfigError: A parameter or buffer is lazy.
    """
    tensors = chain(model.named_parameters(), model.named_buffers())
    if lazy := [name for name, tensor in tensors if is_lazy(tensor)]:
        more = f" and {len(lazy) - 3} more" if len(lazy) > 3 else ""
        raise ConfigError(
            field,
            value,
            f"Lazy parameters have no shape yet: {', '.join(lazy[:3])}{more}. Run a batch through "
            "the model in the function that creates it, before returning it.",
        )
