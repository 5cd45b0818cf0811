"""The largest eigenvalue against spectra that are known."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from learnorder.errors import ConfigError
from learnorder.seeding import generator
from learnorder.sharpness import hessian, largest_eigenvalue


@pytest.mark.parametrize("top", [2.0, 1.1, 50.0])
def test_a_quadratic_with_known_spectrum(top):
    drawing = generator(0, "quadratic")
    basis, _ = torch.linalg.qr(torch.randn(200, 200, generator=drawing))
    spectrum = torch.cat([torch.tensor([top, -30.0]), torch.linspace(-1, 1, 198)])
    matrix = basis @ spectrum.diag() @ basis.T
    found = largest_eigenvalue(lambda v: matrix @ v, 200, drawing, most=100, tolerance=1e-4)
    assert found.value == pytest.approx(top, rel=1e-3)
    assert found.value <= top * (1 + 1e-4), "it comes from below"
    assert found.products <= 100
    assert abs(found.value - top) <= max(found.error, 1e-3 * top)


def test_the_hessian_is_the_loss_s(tiny):
    """Against torch's own dense Hessian of a small network."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3))
    x, y = torch.randn(20, 4), torch.randint(0, 3, (20,))
    product, size = hessian(model, lambda: F.cross_entropy(model(x), y))
    flat = torch.cat([p.detach().reshape(-1) for p in model.parameters()])

    def loss_of(vector):
        parts, at = {}, 0
        for name, p in model.named_parameters():
            parts[name] = vector[at : at + p.numel()].view_as(p)
            at += p.numel()
        return F.cross_entropy(torch.func.functional_call(model, parts, (x,)), y)

    dense = torch.autograd.functional.hessian(loss_of, flat)
    assert size == len(flat)
    vector = torch.randn(size)
    torch.testing.assert_close(product(vector), dense @ vector, rtol=1e-4, atol=1e-5)
    found = largest_eigenvalue(product, size, generator(1, "start"))
    assert found.value == pytest.approx(float(torch.linalg.eigvalsh(dense)[-1]), rel=2e-3)
    assert all(p.grad is None for p in model.parameters())


def test_the_edge_is_where_gradient_descent_stops_to_converge():
    curvature = torch.tensor([4.0, 1.0])
    found = largest_eigenvalue(lambda v: curvature * v, 2, generator(0, "edge"))
    for rate, stable in ((0.49, True), (0.51, False)):
        x = torch.ones(2)
        for _ in range(500):
            x = x - rate * curvature * x
        assert (found.edge(rate) < 1) is stable
        assert bool(x.norm() < 1) is stable


def test_a_part_the_loss_does_not_use_has_no_curvature():
    model = nn.ModuleDict({"used": nn.Linear(2, 1), "linear": nn.Linear(2, 1)})
    x = torch.randn(5, 2)
    product, size = hessian(
        model, lambda: model["used"](x).square().mean() + model["linear"](x).mean()
    )
    assert not product(torch.ones(size))[3:].any()


@pytest.mark.parametrize("bad", [{"most": 0}, {"tolerance": 0.0}])
def test_bad_numbers_are_refused(bad):
    with pytest.raises(ConfigError):
        largest_eigenvalue(lambda v: v, 2, generator(0, "bad"), **bad)
