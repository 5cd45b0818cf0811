"""Networks: as published, by import path, and refused where they do not fit."""

import math

import pytest
import torch
from torch import nn

from learnorder.config.settings import ModelConfig
from learnorder.errors import ConfigError
from learnorder.models import MLP, ConvNet, ViT, WideResNet, build_model
from learnorder.noise import ActivationNoise


def build(name, seed=0, **arguments):
    return build_model(
        ModelConfig(name, arguments), num_classes=7, in_channels=3, image_size=(8, 8), seed=seed
    )


class Functional(nn.Module):
    """A user's model that knows only its number of classes."""

    def __init__(self, num_classes):
        super().__init__()
        self.head = nn.Linear(3 * 8 * 8, num_classes)

    def forward(self, x):
        return self.head(x.flatten(1))


def make_wide(**kwargs):
    return WideResNet(depth=10, widen_factor=2, num_classes=kwargs["num_classes"])


def not_a_model(num_classes):
    return {"num_classes": num_classes}


def wrong_size():
    return Functional(5)


def test_initial_weights_as_published():
    """N(0, 2/(k²·c_out)); batch norm at 1 and 0; no bias."""
    model = WideResNet(16, 4, 10)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            expected = math.sqrt(2 / (module.kernel_size[0] ** 2 * module.out_channels))
            error = expected / math.sqrt(2 * module.weight.numel())
            assert abs(module.weight.std().item() - expected) < 5 * error
            assert module.bias is None
        if isinstance(module, nn.BatchNorm2d):
            assert (module.weight == 1).all()
            assert (module.bias == 0).all()


def test_resolution_falls_twice():
    features = WideResNet(16, 1, 10).features(torch.zeros(1, 3, 32, 32))
    assert features.shape == (1, 64, 8, 8)


@pytest.mark.parametrize("name", ["WideResNet", "ConvNet", "MLP"])
def test_own_models_build_alike_from_one_seed(name):
    arguments = {"depth": 10, "widen_factor": 1} if name == "WideResNet" else {}
    first, same, other = (build(name, seed, **arguments) for seed in (0, 0, 1))
    assert first(torch.zeros(2, 3, 8, 8)).shape == (2, 7)
    pairs = list(zip(first.parameters(), same.parameters(), other.parameters(), strict=True))
    assert all(torch.equal(a, b) for a, b, _ in pairs)
    assert any(not torch.equal(a, c) for a, _, c in pairs)


def test_import_paths_of_classes_and_functions():
    assert isinstance(build(f"{__name__}.Functional"), Functional)
    assert isinstance(build(f"{__name__}.make_wide"), WideResNet)


def with_lazy_layers(num_classes):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(num_classes))


def returns_a_tuple(num_classes):
    class Pair(Functional):
        def forward(self, x):
            return super().forward(x), x

    return Pair(num_classes)


def test_lazy_layers_follow_the_seed():
    torch.manual_seed(1)
    first = build(f"{__name__}.with_lazy_layers")
    torch.manual_seed(2)
    second = build(f"{__name__}.with_lazy_layers")
    assert torch.equal(first[1].weight, second[1].weight)


def test_building_leaves_the_random_state():
    state = torch.get_rng_state()
    build("ConvNet")
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("ResNet", {}, "Give WideResNet, ConvNet, MLP or ViT"),
        ("no_such_package.Net", {}, "no_such_package"),
        ("collections.OrderedDict", {}, "not a torch.nn.Module"),
        (f"{__name__}.not_a_model", {}, "returned a dict"),
        (f"{__name__}.wrong_size", {}, r"\(2, 7\) are needed"),
        (f"{__name__}.returns_a_tuple", {}, "to a tuple"),
        (".Net", {}, "import path"),
        ("builtins.max", {}, "rejected them"),
        ("WideResNet", {"depth": 11, "widen_factor": 1}, "6n \\+ 4"),
        ("WideResNet", {"widen": 2}, "widen"),
        ("ConvNet", {"width": 3}, "signature"),
    ],
)
def test_refusals(name, arguments, message):
    with pytest.raises(ConfigError, match=message):
        build(name, **arguments)


def test_the_vit_attends_to_patches_in_place():
    """Two patches swapped change the logits, as positions are learned; all sizes as stated."""
    model = ViT(10, (8, 8), patch_size=4, width=16, depth=2, heads=2).eval()
    layer = 4 * 16 * 16 + 4 * 16 + 2 * 4 * 16 * 16 + 5 * 16 + 4 * 16
    embedding = 3 * 16 * 16 + 16 + 4 * 16
    assert sum(p.numel() for p in model.parameters()) == embedding + 2 * layer + 2 * 16 + 170
    assert len(ActivationNoise(model).sites) == 2
    images = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    swapped = images.roll(4, dims=3)
    with torch.no_grad():
        assert not torch.allclose(model(images), model(swapped), atol=1e-5)
        model.positions.zero_()
        assert torch.allclose(model(images), model(swapped), atol=1e-5)
    with pytest.raises(ConfigError, match="divisor"):
        ViT(10, (8, 8), patch_size=3)


def test_small_models_by_hand():
    assert MLP(4, (2, 2), widths=[5]).layers[1].in_features == 12
    assert ConvNet(4, widths=(2, 3)).classifier.in_features == 3
