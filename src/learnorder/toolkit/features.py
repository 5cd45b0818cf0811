"""How many different features a hidden layer computes: active and distinct units, and the rank."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from learnorder.errors import ConfigError


@dataclass(frozen=True)
class FeatureStatistics:
    """Statistics of the activations of a hidden layer, N examples of D units.

    Attributes:
        active_share: Share of the N·D activations that are positive.
        distinct_units: Number of distinct active units, as a share of D.
        distinct_active_share: The active share with each group of correlated units counted once.
        rank: Number of principal components that explain the share of the variance asked for.
    """

    active_share: float
    distinct_units: float
    distinct_active_share: float
    rank: int


def feature_statistics(
    activations: Tensor, *, correlation: float = 0.95, variance: float = 0.99
) -> FeatureStatistics:
    """Return statistics of activations a [N, D], e.g. the input of the last layer.

    With the units that are positive on some example divided into groups G, the connected components
    of the graph that joins units i and j if abs(corr(a_i, a_j)) > ``correlation``,

        active_share = #{(n, i): a_ni > 0} / (N D),
        distinct_units = #G / D,
        distinct_active_share = Σ_G mean_{i in G} #{n: a_ni > 0} / (N D).

    The last is the feature sparsity coefficient of Andriushchenko et al. (*SGD with Large Step
    Sizes Learns Sparse Features*, ICML 2023), up to the choice of a unit from each group: their
    code removes correlated units one after another, which depends on the order of the units and
    may leave several of a component. A unit that is constant and positive is a group of its own.

    ``rank`` is the smallest k such that the k largest eigenvalues of the covariance over examples
    sum to at least ``variance`` of its trace; 0 if all examples have the same activations. See
    Andriushchenko et al. (*Sharpness-Aware Minimization Leads to Low-Rank Features*, NeurIPS 2023),
    whose code centres the units of each example, where here, as in principal component analysis,
    each unit is centred over the examples.

    Active units have a meaning after ReLU. After other activations or a norm, positive values are
    no more active than negative ones; the rank has the same meaning for all.

    Args:
        activations: Activations [N, D], at least two examples. Memory for D² numbers is needed.
        correlation: Absolute correlation above which units count as one, in (0, 1).
        variance: Share of the variance, in (0, 1).

    Raises:
        ConfigError: The activations are not [N, D] with N ≥ 2 or not finite, or a share is out of
            range.

    >>> on = torch.tensor([[1.0, 2.0, 0.0, 0.0], [2.0, 4.0, 3.0, 0.0], [3.0, 6.0, 0.0, 0.0]])
    >>> found = feature_statistics(on)  # the second repeats the first, the fourth is never active
    >>> found.distinct_units, found.rank
    (0.5, 2)
    """
    if activations.dim() != 2 or len(activations) < 2 or not activations.shape[1]:
        raise ConfigError(
            "activations", list(activations.shape), "Give [N, D], with two examples or more."
        )
    for name, value in (("correlation", correlation), ("variance", variance)):
        if not 0 < value < 1:
            raise ConfigError(name, value, "Give a share in (0, 1).")
    values = activations.detach().to("cpu", torch.float64)
    if not values.isfinite().all():
        raise ConfigError("activations", "values that are not finite", "Has the model diverged?")
    active = (values > 0).double().mean(0)
    alive = active > 0
    groups = _groups(values[:, alive], correlation)
    count = int(groups.max()) + 1 if len(groups) else 0
    shares = torch.zeros(count, dtype=torch.float64).index_add_(0, groups, active[alive])
    units = values.shape[1]
    return FeatureStatistics(
        active_share=float(active.mean()),
        distinct_units=count / units,
        distinct_active_share=float((shares / groups.bincount(minlength=count)).sum()) / units,
        rank=_rank(values, variance),
    )


def _groups(values: Tensor, correlation: float) -> Tensor:
    """Return the group of each unit, int64 [D], from 0."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    if not values.shape[1]:
        return torch.zeros(0, dtype=torch.int64)
    centred = values - values.mean(0)
    norms = centred.norm(dim=0)
    constant = norms <= 1e-12 * values.norm(dim=0)
    unit = torch.where(constant, 0.0, centred / norms)
    similar = (unit.T @ unit).abs() > correlation
    _, labels = connected_components(csr_array(similar.numpy()), directed=False)
    return torch.from_numpy(labels).long()


def _rank(values: Tensor, variance: float) -> int:
    """Return how many principal components explain a share of the variance."""
    centred = values - values.mean(0)
    if centred.norm() <= 1e-12 * values.norm():
        return 0
    wide = centred.shape[0] < centred.shape[1]  # both products have the same eigenvalues
    eigenvalues = torch.linalg.eigvalsh(centred @ centred.T if wide else centred.T @ centred)
    explained = eigenvalues.flip(0).clamp(min=0).cumsum(0)
    return 1 + int((explained < variance * explained[-1]).sum())
