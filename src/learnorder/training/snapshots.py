"""Snapshots of a run on images: after each epoch some predictions, and the first filters."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from learnorder.errors import ConfigError
from learnorder.models.compiled import run_uncompiled
from learnorder.models.modes import evaluation_mode
from learnorder.training.batches import Batch

FIELD = "training.snapshots"
"""The setting that keeps them."""
_MOST_FILTERS = 32
"""Filters of the first layer that are kept."""
_COLORS = (1, 3)
"""Numbers of input channels whose filters can be drawn."""


class RunSnapshots:
    """What a network predicts of some evaluation images, and its first filters, epoch by epoch.

    The network is in evaluation mode. A snapshot takes 4 bytes for each image and set, and 2 for
    each weight of at most 32 filters.

    Args:
        network: The network.
        batches: The images [N] as each evaluation set shows them, by the set's name.

    Attributes:
        batches: As given.
        predictions: For each epoch the predicted class of each image, int32 [sets, N].
        filters: For each epoch the weights of the first filters, float16 [F, C, h, w]; empty if the
            first layer is not an ``nn.Conv2d`` of 1 or 3 channels.
        first_layer: The first layer in words, e.g. "conv: Conv2d, 16 filters".
    """

    def __init__(self, network: nn.Module, batches: Mapping[str, Batch]) -> None:
        self.batches = dict(batches)
        self.predictions: list[Tensor] = []
        self.filters: list[Tensor] = []
        self._name, self.first_layer = self._find_first_layer(network)

    def _find_first_layer(self, network: nn.Module) -> tuple[str | None, str]:
        """Return the name of a first layer with filters that can be drawn, and what it is."""
        batch = next(iter(self.batches.values()))
        found = first_layer(network, batch.images)
        if found is None:
            return None, "none that is called as a module"
        name, layer = found
        words = f"{name or 'the network itself'}: {type(layer).__name__}"
        if not isinstance(layer, nn.Conv2d):
            return None, words
        if layer.weight.shape[1] not in _COLORS:
            return None, f"{words} of {layer.weight.shape[1]} channels"
        return name, f"{words}, {layer.out_channels} filters"

    @torch.no_grad()
    def add(self, network: nn.Module) -> None:
        """Add a snapshot of the network after the next epoch."""
        with evaluation_mode(network):
            classes = [network(batch.images).argmax(1) for batch in self.batches.values()]
        self.predictions.append(torch.stack(classes).to("cpu", torch.int32))
        if self._name is not None:
            self.filters.append(self._weights(network).to("cpu", torch.float16))

    def _weights(self, network: nn.Module) -> Tensor:
        """Return the weights of the first filters, [F, C, h, w]."""
        assert self._name is not None
        weight = network.get_submodule(self._name).weight
        assert isinstance(weight, Tensor)
        return weight.detach()[:_MOST_FILTERS].contiguous()

    def bytes_of_an_epoch(self, network: nn.Module) -> int:
        """Return the bytes of a snapshot."""
        labels = next(iter(self.batches.values())).labels
        weights = 0 if self._name is None else self._weights(network).numel()
        return 4 * len(self.batches) * len(labels) + 2 * weights

    def state(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"predictions": list(self.predictions), "filters": list(self.filters)}

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore the state from :meth:`state`."""
        for name in ("predictions", "filters"):
            setattr(self, name, [tensor.cpu() for tensor in state[name]])


@torch.no_grad()
def first_layer(network: nn.Module, images: Tensor) -> tuple[str, nn.Module] | None:
    """Return the name and the module of a network's first layer; None if no module is called.

    It is the module with parameters of its own whose call ends first.

    >>> network = nn.Sequential(nn.Flatten(), nn.Linear(4, 2), nn.Linear(2, 2))
    >>> first_layer(network, torch.zeros(1, 1, 2, 2))
    ('1', Linear(in_features=4, out_features=2, bias=True))
    """
    called: list[str] = []
    with ExitStack() as hooks, run_uncompiled(), evaluation_mode(network):
        for name, module in network.named_modules():
            if next(module.parameters(recurse=False), None) is not None:
                hook = module.register_forward_hook(lambda *_, name=name: called.append(name))
                hooks.callback(hook.remove)
        network(images)
    return (called[0], network.get_submodule(called[0])) if called else None


def spread_over_classes(labels: Tensor, count: int) -> Tensor:
    """Return the indices of the first images of each class, int64 [count], ordered by class.

    Args:
        labels: Classes of all images, int64 [N].
        count: Number of images.

    Raises:
        ConfigError: There are fewer images.

    >>> spread_over_classes(torch.tensor([1, 1, 1, 0, 0, 2]), 5).tolist()
    [3, 4, 0, 1, 5]
    """
    if count > len(labels):
        raise ConfigError(FIELD, count, f"There are {len(labels):,} evaluation images.")
    order = torch.argsort(labels, stable=True)
    sizes = torch.bincount(labels)
    first = torch.repeat_interleave(sizes.cumsum(0) - sizes, sizes)
    within = torch.empty_like(order)
    within[order] = torch.arange(len(labels)) - first
    chosen = torch.argsort(within * len(sizes) + labels)[:count]
    return chosen[torch.argsort(labels[chosen], stable=True)]
