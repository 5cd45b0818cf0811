"""The largest eigenvalue against spectra that are known."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from learnorder.config.settings import ModelConfig
from learnorder.config.training import SharpnessConfig
from learnorder.data import load_images
from learnorder.errors import ConfigError
from learnorder.models import ViT
from learnorder.schedules import Schedule
from learnorder.seeding import generator
from learnorder.toolkit.sharpness import NotFinite, hessian, largest_eigenvalue
from learnorder.training.image_problem import image_trainer

from .conftest import changed


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
        assert (found.stability_ratio(rate) < 1) is stable
        assert bool(x.norm() < 1) is stable


def test_a_part_the_loss_does_not_use_has_no_curvature():
    model = nn.ModuleDict({"used": nn.Linear(2, 1), "linear": nn.Linear(2, 1)})
    x = torch.randn(5, 2)
    product, size = hessian(
        model, lambda: model["used"](x).square().mean() + model["linear"](x).mean()
    )
    assert not product(torch.ones(size))[3:].any()


def test_attention_and_a_part_that_is_not_used_at_all():
    """Fused attention has no second derivative in torch; of a part not used it is 0."""
    model = ViT(3, (8, 8), patch_size=4, width=4, depth=1, heads=2).eval()
    model.unused = nn.Linear(2, 1)
    images = torch.randn(4, 3, 8, 8)
    product, size = hessian(model, lambda: model(images).logsumexp(1).mean())
    found = product(torch.ones(size))
    assert found[:-3].any()
    assert not found[-3:].any()


@pytest.mark.parametrize("bad", [{"most": 0}, {"tolerance": 0.0}])
def test_bad_numbers_are_refused(bad):
    with pytest.raises(ConfigError):
        largest_eigenvalue(lambda v: v, 2, generator(0, "bad"), **bad)


def trained(config):
    trainer = image_trainer(config, load_images(config.data))
    trainer.run(lambda _: False, lambda _: None)
    return trainer


def quantity(trainer, name):
    rows = zip(*trainer.records.columns.values(), strict=True)
    return {row[0]: row[4] for row in rows if row[1] == "run" and row[3] == name}


def test_along_a_run_it_is_that_of_the_dense_hessian(tiny):
    """A linear model, whose Hessian is small enough to write down."""
    config = replace(
        tiny,
        model=ModelConfig("MLP", {"widths": []}),
        learning_rate=Schedule(0.1),
        sharpness=SharpnessConfig(examples=40),
    )
    config = changed(config, data={"resolution": 4}, training={"epochs": 2}, patch={"size": 2})
    trainer = trained(config)
    batches = list(trainer.problem.batches.epoch(1))
    images = torch.cat([batch.images for batch in batches])[:40]
    labels = torch.cat([batch.labels for batch in batches])[:40]
    layer = trainer.network.layers[1]

    def loss_of(weight, bias):
        return F.cross_entropy(F.linear(images.flatten(1), weight, bias), labels)

    parts = torch.autograd.functional.hessian(loss_of, (layer.weight.data, layer.bias.data))
    sizes = [layer.weight.numel(), layer.bias.numel()]
    dense = torch.cat(
        [
            torch.cat([parts[i][j].reshape(sizes[i], sizes[j]) for j in range(2)], dim=1)
            for i in range(2)
        ]
    )
    expected = torch.linalg.eigvalsh(dense.double())[-1].item()
    assert quantity(trainer, "sharpness")[2] == pytest.approx(expected, rel=0.02)
    edge = quantity(trainer, "edge")[2]
    assert edge == pytest.approx(0.1 * quantity(trainer, "sharpness")[2] / 2)


def test_measuring_changes_nothing_else(tiny):
    plain = trained(tiny)
    with pytest.raises(ConfigError, match=r"sharpness.examples: got 999. An epoch has \d+ ex"):
        trained(replace(tiny, sharpness=SharpnessConfig(examples=999)))
    measured = trained(replace(tiny, sharpness=SharpnessConfig(examples=50, every=2)))
    assert set(quantity(measured, "sharpness")) == {2}, "every second of three epochs"
    weights = measured.network.state_dict()
    assert all(torch.equal(weights[name], t) for name, t in plain.network.state_dict().items())
    rows = [
        row
        for row in zip(*measured.records.columns.values(), strict=True)
        if not row[3].startswith(("sharpness", "edge"))
    ]
    assert rows == list(zip(*plain.records.columns.values(), strict=True))
    for name, value in (("examples", -1), ("every", 0)):
        with pytest.raises(ConfigError):
            SharpnessConfig(**{name: value})


class Recurrent(nn.Module):
    def __init__(self, kind: type[nn.Module]) -> None:
        super().__init__()
        self.cells, self.head = kind(2, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x):
        return self.head(self.cells(x)[0][:, -1])


def encoder() -> nn.Module:
    layer = nn.TransformerEncoderLayer(2, 1, 4, dropout=0.0, batch_first=True)
    return nn.Sequential(nn.TransformerEncoder(layer, 1, enable_nested_tensor=False), nn.Flatten())


@pytest.mark.parametrize(
    "make",
    [lambda: Recurrent(nn.LSTM), lambda: Recurrent(nn.GRU), lambda: Recurrent(nn.RNN), encoder],
)
def test_recurrent_networks_and_encoders_against_differences(make):
    """H v by central differences of the gradient."""
    torch.manual_seed(0)
    model, x = make().double().eval(), torch.randn(6, 3, 2, dtype=torch.float64)
    labels = torch.randint(0, 2, (6,))

    def loss():
        return F.cross_entropy(model(x), labels)

    product, size = hessian(model, loss)
    vector = torch.randn(size, dtype=torch.float64)
    parameters, step = list(model.parameters()), 1e-5

    def gradient(shift):
        start = torch.nn.utils.parameters_to_vector(parameters).detach()
        torch.nn.utils.vector_to_parameters(start + shift * vector, parameters)
        found = torch.cat([g.reshape(-1) for g in torch.autograd.grad(loss(), parameters)])
        torch.nn.utils.vector_to_parameters(start, parameters)
        return found

    expected = (gradient(step) - gradient(-step)) / (2 * step)
    torch.testing.assert_close(product(vector), expected, rtol=1e-4, atol=1e-6)


def test_losses_without_an_eigenvalue_say_why():
    model, x = nn.Linear(2, 1), torch.randn(5, 2)
    with pytest.raises(NotFinite, match="got inf"):
        hessian(model, lambda: model(x).square().mean() / 0)
    with pytest.raises(ConfigError, match=r"loss: got \[5, 1\]"):
        hessian(model, lambda: model(x))
    with pytest.raises(ConfigError, match="does not depend on parameters"):
        hessian(model, lambda: model(x).detach().mean())
    product, size = hessian(model, lambda: (model(x) * 0).abs().sqrt().sum())
    with pytest.raises(NotFinite, match="product"):
        largest_eigenvalue(product, size, generator(0, "root"))
    product, size = hessian(model, lambda: model(x).mean())
    assert largest_eigenvalue(product, size, generator(0, "linear")).value == 0


def test_a_compiled_network_has_the_hessian_of_the_plain_one():
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)), torch.randn(5, 2)
    compiled = torch.compile(model, backend="aot_eager")
    compiled(x).sum().backward()
    vector = torch.randn(13)
    found = [hessian(m, lambda m=m: m(x).square().mean())[0](vector) for m in (model, compiled)]
    assert torch.equal(*found)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@pytest.mark.parametrize("power", [1, 2])
def test_the_type_of_a_network_is_taken(dtype, power):
    """The largest eigenvalue of Σ c wᵖ is exact in float64; that of a linear loss is 0."""
    model = nn.Linear(3, 1, bias=False).to(dtype)
    curvatures = torch.tensor([1.0, 2.0, 3.0], dtype=dtype)
    product, size = hessian(model, lambda: (curvatures * model.weight[0] ** power).sum())
    found = largest_eigenvalue(product, size, generator(0, "types"), tolerance=1e-12)
    expected = 6.0 if power == 2 else 0.0
    assert found.value == pytest.approx(expected, rel=1e-12 if dtype == torch.float64 else 1e-2)


@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1e12])
def test_an_eigenvalue_scales_with_its_matrix(scale):
    spectrum = torch.linspace(0, 1, 50, dtype=torch.float64)
    found = largest_eigenvalue(lambda v: scale * spectrum * v, 50, generator(0, "scale"))
    assert found.value / scale == pytest.approx(1, abs=1e-3)
    assert found.error <= 1e-3 * found.value


def test_the_running_statistics_of_batch_norm_stay():
    """In training mode the curvature is that of the batch's statistics, and these are not kept."""
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1)), torch.randn(8, 3)
    buffers = list(model.buffers())
    before = [buffer.clone() for buffer in buffers]
    product, size = hessian(model, lambda: model(x).square().mean())
    assert torch.isfinite(product(torch.ones(size))).all()
    for buffer, own, value in zip(model.buffers(), buffers, before, strict=True):
        assert buffer is own
        assert torch.equal(buffer, value)
