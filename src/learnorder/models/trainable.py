"""What parameters must be for training: there, real, initialised, and not all of them frozen."""

from __future__ import annotations

from itertools import chain

from torch import nn
from torch.nn.parameter import is_lazy

from learnorder.errors import ConfigError


def check_trainable(model: nn.Module, field: str, value: object) -> None:
    """Refuse a network whose parameters cannot be trained; :func:`check_lazy` sees to lazy ones.

    Args:
        model: The network.
        field: The setting that names it, for the error.
        value: Its value.

    Raises:
        ConfigError: No parameters, all of them frozen, complex ones, or any without values.
    """
    for name, tensor in chain(model.named_parameters(), model.named_buffers()):
        if tensor.is_meta:
            raise ConfigError(
                field,
                value,
                f"{name} is on the meta device, so it has no values. Make the model on the CPU; it "
                "is moved from there to the device that trains it.",
            )
    for name, parameter in model.named_parameters():
        if not is_lazy(parameter) and parameter.is_complex():
            raise ConfigError(
                field,
                value,
                f"{name} is {_dtype(parameter)}, and only real parameters are trained. Let a real "
                "one hold both parts, and use torch.view_as_complex on it in forward.",
            )
    parameters = list(model.parameters())
    if not parameters:
        raise ConfigError(field, value, "It has no parameters, so there is nothing to train.")
    if not any(parameter.requires_grad for parameter in parameters):
        raise ConfigError(
            field,
            value,
            "Every parameter is frozen, so there is nothing to train. Set requires_grad to True "
            "on those to be trained.",
        )


def check_lazy(model: nn.Module, field: str, value: object) -> None:
    """Refuse a network with lazy parameters or buffers that no batch has given a shape.

    Args:
        model: The network.
        field: The setting that names it, for the error.
        value: Its value.

    Raises:
        ConfigError: There are some.
    """
    tensors = chain(model.named_parameters(), model.named_buffers())
    if lazy := [name for name, tensor in tensors if is_lazy(tensor)]:
        more = f" and {len(lazy) - 3} more" if len(lazy) > 3 else ""
        raise ConfigError(
            field,
            value,
            f"Lazy parameters have no shape yet: {', '.join(lazy[:3])}{more}. Run a batch through "
            "the model in the function that makes it, before returning it.",
        )


def _dtype(tensor: nn.Parameter) -> str:
    return str(tensor.dtype).removeprefix("torch.")
