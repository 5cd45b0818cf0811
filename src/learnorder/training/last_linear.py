"""The last linear layer of a network, and its inputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from learnorder.errors import ConfigError

_REMEDY = "End the network in nn.Linear(features, num_classes)."


@dataclass(frozen=True)
class Call:
    """A call of a layer.

    Attributes:
        name: Name of the layer in the network.
        inputs: Its input, float32 on the CPU.
        outputs: Its output, float32 on the CPU.
    """

    name: str
    inputs: Tensor
    outputs: Tensor

    def predicted(self, classes: Tensor) -> bool:
        """Whether the output [B, C] alone decides the predicted classes, int64 [B]."""
        return self.outputs.dim() == 2 and torch.equal(self.outputs.argmax(1), classes)


@contextmanager
def recorded(layers: dict[str, nn.Linear]) -> Iterator[list[Call]]:
    """Record the calls of some layers, in their order, within a ``with`` block."""
    calls: list[Call] = []

    def note(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, args: Any, kwargs: Any, outputs: Tensor) -> None:
            inputs = args[0] if args else kwargs["input"]
            calls.append(Call(name, _copied(inputs), _copied(outputs)))

        return hook

    with ExitStack() as hooks:
        for name, layer in layers.items():
            handle = layer.register_forward_hook(note(name), with_kwargs=True)
            hooks.callback(handle.remove)
        yield calls


def _copied(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", torch.float32, copy=True)


def last_linear(
    model: nn.Module,
    num_classes: int,
    forward: Callable[[], Tensor],
    refuse: Callable[[str], ConfigError],
) -> tuple[str, nn.Linear]:
    """Return the name and the module of a network's last layer.

    It is the ``nn.Linear`` with one output per class whose input is [B, F] and whose output decides
    the prediction. Of several, it is the one whose output is the network's output.

    Args:
        model: The network, in evaluation mode.
        num_classes: C.
        forward: Applies the network to a batch; returns its outputs [B, C].
        refuse: Returns the error for a network without such a layer, from the reason.

    Raises:
        ConfigError: There is no such layer.
    """
    linear = {n: m for n, m in model.named_modules() if isinstance(m, nn.Linear)}
    fitting = {n: m for n, m in linear.items() if m.out_features == num_classes}
    if not fitting:
        raise refuse(
            f"None of its {len(linear)} nn.Linear layers has {num_classes} outputs, so there is no "
            f"last linear layer. {_REMEDY}"
        )
    with recorded(fitting) as calls:
        outputs = _copied(forward())
    if not calls:
        names = ", ".join(fitting)
        raise refuse(
            f"Its layer {names} is not called when the network is applied, so its input is not "
            "known. Call the layer itself instead of using its weight."
        )
    same = [call for call in calls if torch.equal(call.outputs, outputs)]
    name = _only_last(same or calls, exact=bool(same), refuse=refuse)
    chosen = [call for call in calls if call.name == name]
    shape = list(chosen[-1].inputs.shape)
    if len(shape) != 2 or shape[0] != len(outputs):
        raise refuse(
            f"The input of its last layer {name} is {shape} for {len(outputs)} examples, not "
            f"[{len(outputs)}, F]: pool before it."
        )
    if len(chosen) > 1:
        raise refuse(f"Its last layer {name} is called {len(chosen)} times for a batch. {_REMEDY}")
    if not chosen[0].predicted(outputs.argmax(1)):
        raise unlike(name, refuse)
    return name, fitting[name]


def _only_last(calls: list[Call], *, exact: bool, refuse: Callable[[str], ConfigError]) -> str:
    """Return the name of the layer that was called last; refuse to guess between several."""
    names = list(dict.fromkeys(call.name for call in calls))
    if len(names) > 1 and not exact:
        raise refuse(
            f"Several of its layers have one output per class, {', '.join(names)}, and the output "
            f"of none is the network's output. {_REMEDY}"
        )
    return names[-1]


def unlike(name: str, refuse: Callable[[str], ConfigError]) -> ConfigError:
    """Return the error for a network whose predictions its last layer does not decide."""
    return refuse(
        f"Its predictions are not those of its last layer {name}: something after it changes them. "
        f"{_REMEDY}"
    )
