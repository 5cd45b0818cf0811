"""Magnitude pruning: how much of a model's score its largest weights keep."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from learnorder.errors import ConfigError

_NORMS = (nn.LayerNorm, nn.RMSNorm)
"""Those whose parameters can have several dimensions."""


@contextmanager
def pruned(model: nn.Module, share: float) -> Iterator[None]:
    """Set the smallest weights of a model to zero within a ``with`` block.

    Of the n weights of all matrices together, the ``round(share · n)`` with the smallest absolute
    values are zero (global unstructured magnitude pruning). Matrices are all parameters with two
    dimensions or more, trainable or not, such as those of linear, convolutional and embedding
    layers. Biases and the parameters of PyTorch's norms stay. Of equal weights, those of earlier
    parameters are taken first. Afterwards every weight is restored, bit for bit.

    Args:
        model: The model. Its mode does not change.
        share: Share of the weights that are set to zero, in [0, 1].

    Raises:
        ConfigError: The share is out of range, or the model has no matrix.

    >>> model = nn.Linear(4, 1)
    >>> _ = model.weight.data.copy_(torch.tensor([[0.1, -3.0, 2.0, -0.5]]))
    >>> with pruned(model, 0.5):
    ...     model.weight.tolist()
    [[0.0, -3.0, 2.0, 0.0]]
    """
    if not 0 <= share <= 1:
        raise ConfigError("share", share, "Give a share of the weights, in [0, 1].")
    weights = matrices(model)
    if not weights:
        raise ConfigError("model", type(model).__name__, "It has no matrix of weights.")
    sizes = [weight.numel() for weight in weights]
    magnitudes = torch.cat([weight.abs().flatten() for weight in weights])
    zero = torch.zeros_like(magnitudes, dtype=torch.bool)
    zero[magnitudes.argsort(stable=True)[: round(share * sum(sizes))]] = True
    masks = [mask.view_as(w) for mask, w in zip(zero.split(sizes), weights, strict=True)]
    kept = [weight.clone() for weight in weights]
    try:
        for weight, mask in zip(weights, masks, strict=True):
            weight.masked_fill_(mask, 0)
        torch.clear_autocast_cache()  # of weights in half precision
        yield
    finally:
        for weight, saved in zip(weights, kept, strict=True):
            weight.copy_(saved)
        torch.clear_autocast_cache()


def matrices(model: nn.Module) -> list[Tensor]:
    """Return the parameters with two dimensions or more, each once, but for those of norms."""
    of_norms = {id(p) for m in model.modules() if isinstance(m, _NORMS) for p in m.parameters()}
    return [p.data for p in model.parameters() if p.dim() >= 2 and id(p) not in of_norms]


def pruning_curve(
    model: nn.Module, score: Callable[[nn.Module], float], shares: Iterable[float]
) -> dict[float, float]:
    """Return a model's score after pruning, by the share of weights removed.

    Args:
        model: The model; see :func:`pruned`. It is not trained again, and afterwards has its
            weights.
        score: Scores the model, e.g. its accuracy on validation data.
        shares: Shares of the weights to remove, each in [0, 1].

    Raises:
        ConfigError: A share is out of range, or the model has no matrix.

    >>> model = nn.Linear(4, 1)
    >>> _ = model.weight.data.copy_(torch.tensor([[1.0, 2.0, 3.0, 4.0]]))
    >>> pruning_curve(model, lambda pruned: pruned.weight.sum().item(), [0, 0.25, 0.75])
    {0: 10.0, 0.25: 9.0, 0.75: 4.0}
    """
    scores: dict[float, float] = {}
    for share in shares:
        with pruned(model, share):
            scores[share] = score(model)
    return scores
