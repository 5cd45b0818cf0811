"""Measures for any training loop, against references that are slow and obvious."""

import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import prune

from learnorder import (
    agop_alignment,
    average_gradient_outer_product,
    batch_sharpness,
    count_catapults,
    count_spikes,
    feature_statistics,
    gradient_curvature,
    hessian,
    largest_eigenvalue,
    pruned,
    pruning_curve,
)
from learnorder.errors import ConfigError
from learnorder.seeding import generator
from learnorder.toolkit.batch_sharpness import ZeroGradient
from learnorder.toolkit.catapults import Catapults
from learnorder.toolkit.sharpness import NotFinite
from learnorder.toolkit.spikes import LossSpikes


def classifier():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    return model, torch.randn(24, 4, dtype=torch.float64), torch.randint(0, 3, (24,))


def dense_curvature(model, x, y):
    """gᵀHg/‖g‖² with torch's dense Hessian."""
    flat = torch.nn.utils.parameters_to_vector(model.parameters()).detach()

    def loss_of(vector):
        parts, at = {}, 0
        for name, p in model.named_parameters():
            parts[name] = vector[at : at + p.numel()].view_as(p)
            at += p.numel()
        return F.cross_entropy(torch.func.functional_call(model, parts, (x,)), y)

    g = torch.func.grad(loss_of)(flat)
    h = torch.func.hessian(loss_of)(flat)
    return float(g @ h @ g / (g @ g))


def test_batch_sharpness_is_that_of_dense_hessians():
    model, x, y = classifier()
    batches = list(zip(x.split(8), y.split(8), strict=True))
    losses = [lambda a=a, b=b: F.cross_entropy(model(a), b) for a, b in batches]
    expected = [dense_curvature(model, a, b) for a, b in batches]
    assert [gradient_curvature(model, loss) for loss in losses] == pytest.approx(expected)
    assert batch_sharpness(model, iter(losses)) == pytest.approx(np.mean(expected))
    assert all(p.grad is None for p in model.parameters())
    product, size = hessian(model.float(), lambda: F.cross_entropy(model(x.float()), y))
    top = largest_eigenvalue(product, size, generator(0, "top")).value
    assert gradient_curvature(model, lambda: F.cross_entropy(model(x.float()), y)) <= top


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_the_curvature_of_a_network_in_half_precision_is_not_rounded(dtype):
    """Of Σ c w²/2 with g = c w it is Σ c³w² / Σ c²w²; all of these are exact in both types."""
    model = nn.Linear(200, 1, bias=False, dtype=dtype)
    with torch.no_grad():
        model.weight.fill_(1)
    curvatures = torch.tensor([1.0, 2.0, 2.0, 2.0], dtype=dtype).repeat(50)
    found = gradient_curvature(model, lambda: (curvatures * model.weight[0].square()).sum() / 2)
    assert found == pytest.approx(25 / 13, rel=1e-3)


def test_gradient_descent_on_a_quadratic_is_stable_below_two_over_the_rate():
    """On a·w²/2 the curvature is a everywhere: |1 − ηa| < 1 if η·a/2 < 1."""
    model = nn.Linear(1, 1, bias=False)
    curvature = gradient_curvature(model, lambda: 4 * model.weight.square().sum() / 2)
    assert curvature == pytest.approx(4)
    for rate, stable in ((0.49, True), (0.51, False)):
        assert (rate * curvature / 2 < 1) is stable is (abs(1 - rate * 4) < 1)


def test_tiny_gradients_have_a_curvature_and_zero_ones_are_refused():
    model = nn.Linear(2, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(1e-25)
    assert gradient_curvature(model, lambda: model.weight.square().sum()) == pytest.approx(2)
    with torch.no_grad():
        model.weight.zero_()
    losses = [lambda: model.weight.sum(), lambda: model.weight.square().sum()]
    assert gradient_curvature(model, losses[0]) == 0, "a linear loss is not curved"
    with pytest.raises(ZeroGradient, match="gradient is zero"):
        batch_sharpness(model, losses)
    with pytest.raises(NotFinite):
        gradient_curvature(model, lambda: model.weight.sum() / 0)
    with pytest.raises(NotFinite, match="gradient"):
        gradient_curvature(model, lambda: model.weight.abs().sqrt().sum())
    with pytest.raises(ConfigError, match="at least one batch"):
        batch_sharpness(model, [])


def reference_statistics(a, correlation=0.95):
    """Loops over entries and pairs of units; groups by repeated merging."""
    examples, units = a.shape
    alive = [i for i in range(units) if (a[:, i] > 0).any()]
    groups = [{i} for i in alive]
    for i in alive:
        for j in alive:
            constant = np.ptp(a[:, i]) == 0 or np.ptp(a[:, j]) == 0
            if i < j and not constant and abs(np.corrcoef(a[:, i], a[:, j])[0, 1]) > correlation:
                first, second = (next(g for g in groups if k in g) for k in (i, j))
                if first is not second:
                    groups.remove(second)
                    first |= second
    active = sum(a[n, i] > 0 for n in range(examples) for i in range(units))
    once = sum(np.mean([(a[:, i] > 0).sum() for i in group]) for group in groups)
    return active / a.size, len(groups) / units, once / a.size


@pytest.mark.parametrize("shape", [(60, 12), (9, 30)])
def test_features_against_loops_and_scikit_learn(shape):
    rng = np.random.default_rng(0)
    base = rng.normal(size=(shape[0], 5))
    mixed = base[:, rng.integers(0, 5, shape[1])] + 0.1 * rng.normal(size=shape)
    a = np.maximum(mixed * rng.choice([-1, 1, 3], shape[1]), 0)
    a[:, 3], a[:, 4] = 0, 2.0  # never active, and always the same
    a[:, 5] = a[:, 6].max() - a[:, 6]  # correlated negatively
    found = feature_statistics(torch.from_numpy(a))
    active, units, once = reference_statistics(a)
    assert found.active_share == pytest.approx(active)
    assert found.distinct_units == pytest.approx(units)
    assert found.distinct_active_share == pytest.approx(once)
    assert 1 / shape[1] < units < 1 - 2 / shape[1], "some units are correlated, not all"
    explained = PCA().fit(a).explained_variance_ratio_.cumsum()
    assert found.rank == int(np.argmax(explained >= 0.99)) + 1
    most = feature_statistics(torch.from_numpy(a), variance=0.5)
    assert most.rank == int(np.argmax(explained >= 0.5)) + 1


def test_correlation_joins_units_through_others():
    """The first and the last correlate below the threshold, both above it with the middle."""
    t = torch.arange(400.0)
    waves = torch.stack([torch.sin(t / 20 + 0.28 * k) + 2 for k in range(3)], 1)
    correlations = torch.corrcoef(waves.T)
    assert correlations[0, 1] > 0.95 > correlations[0, 2]
    found = feature_statistics(waves)
    assert found.distinct_units == pytest.approx(1 / 3)
    assert found.active_share == 1
    assert found.distinct_active_share == pytest.approx(1 / 3)
    assert found.rank == 2, "shifted sines span two dimensions"


def test_features_of_silent_and_constant_layers():
    found = feature_statistics(torch.zeros(5, 3))
    assert (found.active_share, found.distinct_units, found.rank) == (0, 0, 0)
    assert feature_statistics(torch.full((5, 3), 0.1)).rank == 0
    assert feature_statistics(torch.full((5, 3), 0.1)).distinct_units == 1
    for bad in (torch.zeros(3), torch.zeros(1, 3), torch.tensor([[1.0], [torch.inf]])):
        with pytest.raises(ConfigError, match="activations"):
            feature_statistics(bad)
    for name in ("correlation", "variance"):
        with pytest.raises(ConfigError, match=name):
            feature_statistics(torch.ones(3, 2), **{name: 1.0})


def convolutional():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(36, 2)
    )


@pytest.mark.parametrize("share", [0, 0.3, 0.9, 1])
def test_pruning_is_that_of_torch_and_leaves_no_trace(share):
    model, reference = convolutional(), convolutional()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    matrices = [(module, "weight") for module in (reference[0], reference[4])]
    total = 4 * 3 * 3 * 3 + 2 * 36
    removed = round(share * total)
    if removed:
        prune.global_unstructured(matrices, prune.L1Unstructured, amount=removed)
    with pruned(model, share):
        assert torch.equal(model[0].weight, reference[0].weight)
        assert torch.equal(model[4].weight, reference[4].weight)
        weights = [model.state_dict()[name] for name in ("0.weight", "4.weight")]
        assert sum(int(weight.eq(0).sum()) for weight in weights) == removed
        for name in ("0.bias", "1.weight", "1.running_mean", "4.bias"):
            assert torch.equal(model.state_dict()[name], before[name])
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_pruning_is_undone_after_an_error_and_counts_ties_and_tied_weights_once():
    model = nn.Linear(4, 2)
    nn.init.constant_(model.weight, -1.0)

    def fails():
        with pruned(model, 0.5):
            assert model.weight.tolist() == [[0.0] * 4, [-1.0] * 4]
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fails()
    assert model.weight.tolist() == [[-1.0] * 4] * 2
    embedding, head = nn.Embedding(4, 2), nn.Linear(2, 4)
    head.weight = embedding.weight
    with pruned(nn.ModuleList([embedding, head]), 0.5):
        assert head.weight.eq(0).sum() == 4


def test_the_pruning_curve_of_a_classifier():
    model, x, y = classifier()

    def accuracy(model):
        return float((model(x).argmax(1) == y).double().mean())

    curve = pruning_curve(model, accuracy, [0.0, 0.5, 1.0])
    assert curve[0.0] == accuracy(model)
    kept = model.state_dict()["2.bias"].argmax()
    assert curve[1.0] == float((y == kept).double().mean()), "biases alone decide"
    for bad in (-0.1, 1.1):
        with pytest.raises(ConfigError, match="share"):
            pruning_curve(model, accuracy, [bad])
    with pytest.raises(ConfigError, match="no matrix"), pruned(nn.BatchNorm1d(3), 0.5):
        pass


def reference_spikes(losses, factor, window):
    above = [
        t >= window and losses[t] > factor * np.median(losses[t - window : t])
        for t in range(len(losses))
    ]
    return sum(now and not before for before, now in zip([False, *above], above, strict=False))


def test_losses_that_are_no_numbers_are_refused():
    """Their median depends on where the nan stands."""
    with pytest.raises(ConfigError, match="before the first that is nan"):
        count_spikes([1.0, math.nan, 1.0, 5.0], window=3)


@pytest.mark.parametrize("window", [1, 4, 50])
def test_spikes_against_their_definition_whole_and_in_parts(window):
    losses = np.exp(np.random.default_rng(0).normal(size=400)).tolist()
    expected = reference_spikes(losses, 2.0, window)
    assert expected > 20
    assert count_spikes(losses, factor=2, window=window) == expected
    counted, spikes = 0, LossSpikes(2, window)
    for start in range(0, 400, 7):
        spikes.update(losses[start : start + 7])
        counted, spikes.count = counted + spikes.count, 0
        continued = LossSpikes(2, window)
        continued.load_state_dict(spikes.state_dict())
        spikes = continued
    assert counted == expected


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_losses_in_tensors_are_counted_as_numbers(dtype):
    """Twice the median is above the range of half precision."""
    losses = torch.tensor([1.0, 1.0, 1.0, 1.6, 1.0, 0.5, 2.4, 0.5], dtype=dtype) * 27_000
    count = count_spikes(losses, factor=1.5, window=3)
    assert (type(count), count) == (int, 2)
    assert count_catapults(losses, factor=2.5) == 1


def test_a_catapult_is_one_spike():
    """Gradient descent on (uv)²/2 above its stability limit: the loss rises, then falls to 0."""
    u, v, losses = 3.0, 0.01, []
    for _ in range(60):
        losses.append((u * v) ** 2 / 2)
        u, v = u - 0.24 * u * v * v, v - 0.24 * u * u * v
    assert max(losses) > 100 * losses[0] > 100 * losses[-1]
    assert count_spikes(losses, factor=2, window=10) == 1
    assert count_spikes([1.0] * 10 + [5.0] * 10, window=5) == 1, "a step upwards is one spike"
    assert count_spikes([5.0] * 4, window=5) == 0, "the first losses begin none"


@pytest.mark.parametrize("bad", [{"factor": 1.0}, {"window": 0}])
def test_spikes_of_bad_numbers_are_refused(bad):
    with pytest.raises(ConfigError):
        count_spikes([1.0], **bad)
    with pytest.raises(ConfigError, match="losses: got -1"):
        count_spikes([1.0, -1.0])


# --- catapults ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([4, 9, 5, 2, 5, 1], 2),
        ([4, 8, 4], 0),  # not above twice the lowest
        ([4, 9, 9, 9], 0),  # does not come back
        ([4, 9, 6, 9, 6, 9], 0),  # 6 is not within √2 of the lowest
        ([4, 9, 5.6, 9, 5.6], 2),
        ([4, 2, 1, 0.5], 0),
        ([4, 0, 1, 0], 1),
        ([], 0),
    ],
)
def test_catapults_rise_above_a_multiple_of_the_lowest_loss_and_come_back(losses, expected):
    assert count_catapults(losses, factor=2) == expected


def test_catapults_in_parts_are_those_of_the_whole():
    losses = np.exp(np.random.default_rng(0).normal(size=400)).tolist()
    expected = count_catapults(losses, factor=3)
    assert expected > 5
    counted, catapults = 0, Catapults(3)
    for start in range(0, 400, 7):
        catapults.update(losses[start : start + 7])
        counted, catapults.count = counted + catapults.count, 0
        continued = Catapults(3)
        continued.load_state_dict(catapults.state_dict())
        catapults = continued
    assert counted == expected


def test_gradient_descent_on_uv_is_one_catapult_above_its_limit_and_none_below():
    """L = (uv)²/2 has the sharpness u² + v² at the minimum: 9.0 at the start."""
    for rate, expected in ((0.24, 1), (0.2, 0)):
        u, v, losses = 3.0, 0.01, []
        for _ in range(60):
            losses.append((u * v) ** 2 / 2)
            u, v = u - rate * u * v * v, v - rate * u * u * v
        assert count_catapults(losses) == expected


def test_the_noise_of_small_batches_around_a_minimum_is_counted_too():
    """In linear regression the curvature is constant. At ηλ₀ = 0.35 the loss stays near its least.

    A smaller learning rate, at which nothing is counted, does not show that noise never is.
    """
    drawing = np.random.default_rng(0)
    inputs = drawing.normal(size=(256, 20))
    targets = inputs.sum(1) + 0.1 * drawing.normal(size=256)
    sharpness = np.linalg.eigvalsh(inputs.T @ inputs / 256)[-1]

    def losses(product, batch):
        weights, values = np.zeros(20), list[float]()
        for _ in range(1_000):
            errors = inputs @ weights - targets
            values.append(float((errors**2).mean() / 2))
            rows = drawing.permutation(256)[:batch]
            weights -= product / sharpness * inputs[rows].T @ errors[rows] / batch
        return values

    noisy = losses(0.35, batch=4)
    assert max(noisy[200:]) < 0.1
    assert count_catapults(noisy) > 10
    assert count_catapults(losses(0.0035, batch=4)) == 0
    assert count_catapults(losses(0.35, batch=256)) == 0


@pytest.mark.parametrize("factor", [1.0, math.inf, math.nan])
def test_catapults_of_bad_numbers_are_refused(factor):
    with pytest.raises(ConfigError, match="factor"):
        count_catapults([1.0], factor=factor)
    for loss in (-1.0, math.nan):
        with pytest.raises(ConfigError, match="losses"):
            count_catapults([1.0, loss])


# --- average gradient outer product --------------------------------------------------------------


def test_the_agop_of_a_linear_model_is_its_weights_product():
    model = nn.Linear(3, 2)
    expected = model.weight.T @ model.weight
    found = average_gradient_outer_product(model, torch.randn(7, 3))
    assert torch.allclose(found.float(), expected.detach(), atol=1e-6)
    assert model.weight.grad is None


def test_the_agop_averages_over_examples_and_sums_over_outputs():
    """f(x) = (x₁ x₂, x₃²): the Jacobians are known, and images are flattened."""

    def model(inputs):
        x = inputs.flatten(1)
        return torch.stack((x[:, 0] * x[:, 1], x[:, 2] ** 2), dim=1)

    inputs = torch.tensor([[[1.0, 2.0, 3.0]], [[-1.0, 0.5, 0.0]]])
    rows = torch.tensor([[2.0, 1, 0], [0, 0, 6], [0.5, -1, 0], [0, 0, 0]])
    found = average_gradient_outer_product(model, inputs)
    assert torch.equal(found, (rows.T @ rows / 2).double())
    with torch.no_grad():
        one = average_gradient_outer_product(lambda x: model(x)[:, 0], inputs)
    assert float(one.trace()) == (2**2 + 1 + 0.5**2 + 1) / 2


def test_the_alignment_is_the_cosine_of_matrices():
    first, second = torch.diag(torch.tensor([1.0, 0.0])), torch.diag(torch.tensor([0.0, 5.0]))
    assert agop_alignment(first, 7 * first) == 1.0
    assert agop_alignment(first, second) == 0.0
    mixed = torch.tensor([[1.0, 1.0], [1.0, 1.0]])
    assert agop_alignment(first, mixed) == pytest.approx(0.5)
    assert agop_alignment(1e-30 * first.double(), 1e30 * mixed.double()) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("model", "inputs", "message"),
    [
        (nn.Linear(3, 2), torch.zeros(4, 3).long(), "floating-point"),
        (nn.Linear(3, 2), torch.zeros(3), "floating-point"),
        (lambda x: x.sum(), torch.randn(4, 3), r"\[4\] or \[4, C\]"),
        (lambda x: (x, x), torch.randn(4, 3), r"\[4\] or \[4, C\]"),
        (lambda x: x.detach(), torch.randn(4, 3), "do not depend"),
        (lambda x: x.sqrt(), torch.zeros(4, 3), "diverged"),
    ],
)
def test_what_has_no_agop_is_refused(model, inputs, message):
    with pytest.raises(ConfigError, match=message):
        average_gradient_outer_product(model, inputs)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (torch.eye(2), torch.eye(3)),
        (torch.ones(2, 3), torch.ones(2, 3)),
        (torch.eye(2), torch.zeros(2, 2)),
        (torch.eye(2), torch.full((2, 2), math.nan)),
    ],
)
def test_what_has_no_alignment_is_refused(first, second):
    with pytest.raises(ConfigError, match="first, second"):
        agop_alignment(first, second)
