"""Where noise goes: activations by what they do, functions, modules of the user's choice."""

import random
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from learnorder.errors import ConfigError
from learnorder.models import ViT, WideResNet
from learnorder.noise import FUNCTIONS, ActivationNoise, Site, activation_noise, find_activations

LEVEL = 0.4


class Calls(nn.Module):
    """A function, called in a forward pass."""

    def __init__(self, function):
        super().__init__()
        self.function, self.inner = function, nn.Identity()

    def forward(self, x):
        return self.function(x)


class Acts(nn.Module):
    """The same without a submodule."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Tanhs(nn.Module):
    """A GELU made of other functions, its argument with a name of its own."""

    def forward(self, hidden):
        return 0.5 * hidden * (1 + torch.tanh(0.8 * (hidden + 0.044715 * torch.pow(hidden, 3))))


class Slopes(nn.Module):
    """Like PReLU: a parameter for each channel."""

    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.full((7,), 0.1))

    def forward(self, x):
        return torch.where(x > 0, x, self.slope.view(1, -1, *[1] * (x.dim() - 2)) * x)


class Scale(nn.Module):
    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(7))

    def forward(self, x):
        return 2 + self.scale * x


class Jitter(nn.Module):
    def forward(self, x):
        return x + torch.randn_like(x) if self.training else x


class Pair(nn.Module):
    def forward(self, x, y):
        return torch.relu(x) * y


class Seen(nn.Module):
    seen: ClassVar[list[torch.Tensor]] = []

    def forward(self, x):
        self.seen.append(x)
        self.state = len(self.seen)
        return x.relu()


def added(model, x, **settings):
    """What noise adds to the output of a model that is linear around x, and the sites."""
    plain = model(x.clone())
    with activation_noise(model, LEVEL, shared=False, **settings) as noise:
        return (model(x.clone()) - plain).detach(), noise.sites


def is_noise(difference, level=LEVEL):
    """Whether a sample has this standard deviation, within six of the estimate's own."""
    return (
        abs(float(difference.detach().double().std()) / level - 1)
        < 6 / (2 * difference.numel()) ** 0.5
    )


@pytest.mark.parametrize(
    "module",
    [Tanhs(), Slopes(), nn.Hardtanh(), nn.Hardsigmoid(), nn.Softsign(), nn.Threshold(0.1, 0.0),
     Acts(lambda x: x * torch.sigmoid(1.702 * x)), Acts(lambda x: x.clamp(min=0)),
     Acts(torch.sin), Acts(torch.abs), Acts(lambda x: x.relu_()), Acts(torch.log)],
)  # fmt: skip
def test_modules_that_act_as_activations(module):
    assert find_activations(nn.Sequential(nn.Linear(2, 2), module)) == {"1": module}


@pytest.mark.parametrize(
    "module",
    [nn.Identity(), nn.Dropout(0.5), nn.AlphaDropout(), nn.Flatten(), nn.Softmax(-1), nn.GLU(),
     nn.LayerNorm(7, elementwise_affine=False), nn.BatchNorm1d(7, affine=False), nn.Linear(7, 7),
     nn.LSTM(7, 7), Scale(), Jitter(), Pair(), nn.LogSoftmax(-1), nn.MSELoss(), nn.AvgPool1d(1),
     nn.LazyLinear(3), nn.Embedding(5, 5), nn.ModuleList(), nn.Module(), Calls(torch.relu),
     Acts(lambda x: torch.relu(x - x.mean())), Acts(lambda x: torch.relu(x.flip(-1))),
     Acts(lambda x: x.softmax(1)), Acts(lambda x: x.cumsum(0).relu()), Acts(lambda x: x > 0),
     Acts(lambda x: x / x.norm()), Acts(lambda x: 3 - 2 * x), Acts(torch.zeros_like),
     Acts(lambda x: torch.relu(x)[:1]), Acts(lambda x: (x.relu(), x)), Acts(lambda x: None),
     Acts(lambda x: (x + torch.randn_like(x)).relu())],
)  # fmt: skip
def test_modules_that_are_none(module):
    assert not find_activations(module)


def test_probes_leave_no_trace():
    model, state = nn.Sequential(Jitter(), Seen()), torch.get_rng_state()
    model.register_forward_hook(lambda *_: pytest.fail("a hook was called"))
    model[1].register_forward_hook(lambda *_: pytest.fail("a hook was called"))
    assert list(find_activations(model)) == ["1"]
    assert torch.equal(torch.get_rng_state(), state)
    assert not hasattr(model[1], "state")


def test_probes_restore_the_generators_of_numpy_and_python():
    states = np.random.get_state()[2], random.getstate()
    find_activations(Acts(lambda x: x + np.random.rand() + random.random()))
    assert (np.random.get_state()[2], random.getstate()) == states


@settings(max_examples=50, deadline=None)
@given(
    slope=st.floats(-3, 3), other=st.floats(-3, 3), at=st.floats(-2, 2), mix=st.floats(0, 1),
)  # fmt: skip
def test_a_bend_is_what_makes_an_activation(slope, other, at, mix):
    """x ↦ a(x − c)⁺ − b(c − x)⁺ is one unless a = b; with a mean mixed in, it is none."""

    def bent(x):
        return slope * (x - at).relu() - other * (at - x).relu()

    if abs(slope - other) > 0.01:
        assert find_activations(Acts(bent))
    assert not find_activations(Acts(lambda x: slope * (x - at)))
    if mix > 0.01:
        assert not find_activations(Acts(lambda x: bent(x) + mix * x.mean(-1, keepdim=True)))


@pytest.mark.parametrize("module", [Tanhs(), Acts(lambda x: x * torch.sigmoid(1.702 * x))])
def test_what_a_module_calls_itself_gets_no_noise(module):
    difference, sites = added(nn.Sequential(module), torch.full((200, 50), 30.0))
    assert is_noise(difference)
    assert sites == (Site("0", type(module).__name__, (200, 50), 1),)


def test_arguments_by_name():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.act, self.relu = Tanhs(), nn.ReLU()

        def forward(self, x):
            return F.relu(input=self.act(hidden=self.relu(input=x)))

    difference, sites = added(Named(), torch.full((200, 50), 30.0))
    assert [site.draws for site in sites] == [1, 1, 1]
    assert is_noise(difference, 3**0.5 * LEVEL)


LINEAR = [  # at 40
    F.relu, torch.relu, torch.Tensor.relu, lambda x: x.relu(), F.gelu, F.silu, F.mish, F.softplus,
    F.hardswish, F.elu, F.leaky_relu, F.celu, F.rrelu, lambda x: F.selu(x) / 1.0507009873554805,
    lambda x: F.gelu(x, approximate="tanh"), lambda x: F.prelu(x, torch.ones(1)),
    lambda x: torch.prelu(x, torch.ones(1)), lambda x: x.prelu(torch.ones(1)),
    lambda x: F.threshold(x, 0.0, 0.0), lambda x: F.hardtanh(x, -90.0, 90.0), F.tanhshrink,
    F.hardshrink, F.softshrink, lambda x: x.hardshrink(), lambda x: -F.logsigmoid(-x),
]  # fmt: skip
IN_PLACE = [
    torch.relu_, lambda x: x.relu_(), lambda x: F.relu(x, inplace=True), lambda x: F.relu(x, True),
    F.relu_, lambda x: F.leaky_relu(x, 0.1, True), F.leaky_relu_, lambda x: F.elu(x, 1.0, True),
    F.elu_, F.rrelu_, lambda x: F.hardswish(x, True), lambda x: F.silu(x, inplace=True),
    lambda x: F.mish(x, inplace=True), lambda x: F.celu(x, 1.0, True),
    lambda x: F.threshold(x, 0.0, 0.0, True), nn.ReLU(inplace=True), nn.SiLU(inplace=True),
]  # fmt: skip
STEEP = [  # at 0, where the slope is 1
    torch.tanh, lambda x: x.tanh(), F.tanh, lambda x: 4 * torch.sigmoid(x), F.softsign,
    lambda x: 4 * x.sigmoid(), lambda x: 4 * F.sigmoid(x), lambda x: 6 * F.hardsigmoid(x),
    lambda x: 4 * torch.special.expit(x), lambda x: x.tanh_(), lambda x: 4 * x.sigmoid_(),
    lambda x: 4 * torch.sigmoid(input=x), lambda x: torch.tanh_(x),
]  # fmt: skip


@pytest.mark.parametrize("function", [*LINEAR, *IN_PLACE[:-2]])
def test_functions_get_noise_once(function):
    model = nn.Sequential(Calls(function), nn.ReLU())
    difference, sites = added(model, torch.full((200, 50), 40.0))
    assert [(site.name, site.draws, site.shape) for site in sites] == [
        ("1", 1, (200, 50)), ("0", 1, (200, 50)),
    ]  # fmt: skip
    assert sites[1].kind in FUNCTIONS.values()
    assert sites[1].line.startswith("test_noise_places.py:")
    assert is_noise(difference, 2**0.5 * LEVEL)


@pytest.mark.parametrize("function", STEEP)
def test_steep_functions_get_noise_once(function):
    model, level, x = Calls(function), 1e-3, torch.zeros(200, 50)
    plain = model(x.clone())
    with activation_noise(model, level, shared=False) as noise:
        assert is_noise(model(x.clone()) - plain, level)
    assert [site.draws for site in noise.sites] == [1]


@pytest.mark.parametrize("function", IN_PLACE)
def test_in_place_the_input_itself_is_overwritten(function):
    class Ignores(nn.Module):
        def __init__(self):
            super().__init__()
            self.function = function

        def forward(self, x):
            x = 1.0 * x
            self.function(x)
            return x

    difference, sites = added(Ignores(), torch.full((200, 50), 40.0))
    assert is_noise(difference)
    assert [site.draws for site in sites] == [1]


def test_gradients_are_those_at_the_noisy_input():
    """Of ½(x + σξ)²₊ for each way to write it."""
    x = torch.randn(20, 5, generator=torch.Generator().manual_seed(0), requires_grad=True)
    for function in (nn.ReLU(), F.relu, lambda x: F.relu(1.0 * x, inplace=True), torch.Tensor.relu):
        model = Calls(function)
        with activation_noise(model, LEVEL):
            y = model(x)
        (gradient,) = torch.autograd.grad(y.square().sum() / 2, x)
        assert torch.equal(gradient, y)
        assert not torch.equal(y, x.relu())


def test_what_gets_none():
    """Parameters, whole numbers, what is outside the model or in evaluation mode."""

    class Careful(nn.Module):
        def __init__(self):
            super().__init__()
            self.raw = nn.Parameter(torch.zeros(3))
            self.frozen = Calls(torch.relu).eval()
            self.hidden = [Calls(torch.relu).eval()]

        def forward(self, x):
            x = self.hidden[0](self.frozen(x))
            scale = F.softplus(self.raw) * torch.relu(torch.tensor([1, 2, 3]))
            return x * scale + x.clamp(min=0) + x.softmax(-1)

    model, x = Careful().train(), torch.rand(2, 3)
    model.frozen.eval()
    plain = model(x)
    with (
        activation_noise(model, LEVEL),
        pytest.raises(ConfigError, match=r"functional.relu.*ReLU\(\)") as refused,
    ):
        model(x)
    assert refused.value.field == "model"
    model.add_module("relu", nn.ReLU())
    with activation_noise(model, LEVEL):
        assert torch.equal(model(x), plain)
        assert torch.equal(torch.relu(x), F.relu(x))


def test_modules_outside_the_tree_are_part_of_the_forward_pass():
    class Hides(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner, self.parts = nn.Identity(), [nn.ReLU()]

        def forward(self, x):
            return self.parts[0](x)

    difference, sites = added(Hides(), torch.full((200, 50), 40.0))
    assert is_noise(difference)
    assert [(site.name, site.kind) for site in sites] == [("", "functional.relu")]


def test_parts_and_methods_called_by_themselves():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.act = nn.Sequential(Calls(F.relu)), nn.ReLU()

    model, x = Net(), torch.full((200, 50), 40.0)
    with activation_noise(model, LEVEL, shared=False) as noise:
        assert is_noise(model.body(x))
        assert is_noise(model.body[0].forward(x))
        assert is_noise(model.act(x))
    assert [site.draws for site in noise.sites] == [1, 2]


def test_sites_tell_calls_apart():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.tied = self.act = nn.Tanh()

        def forward(self, x):
            for _ in range(3):
                x = F.relu(x)
            return self.act(F.relu(self.tied(F.relu(x[:, :2]))))

    model = Net()
    with activation_noise(model, LEVEL) as noise:
        assert noise.sites == (Site("tied", "Tanh"),)
        model(torch.ones(4, 3))
        model(torch.ones(4, 3))
    assert [(s.name, s.shape, s.draws) for s in noise.sites] == [
        ("tied", (4, 2), 4), ("", (4, 3), 6), ("", (4, 2), 2), ("", (4, 2), 2),
    ]  # fmt: skip
    assert "tied: Tanh [4, 2]" in repr(noise)
    assert f"(model): functional.relu at {noise.sites[1].line} [4, 3]" in repr(noise)
    assert "4 sites" in repr(noise)


def transformer(**settings):
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True, **settings)
    return nn.Sequential(layer, nn.ReLU())


@pytest.mark.parametrize("activation", ["relu", "gelu", F.silu, nn.GELU(), nn.ReLU(), nn.SiLU()])
def test_encoder_layers(activation):
    """One draw for each use, training and evaluation as without noise at level 0."""
    model, x = transformer(activation=activation), torch.randn(2, 5, 32)
    plain = model(x)
    with torch.no_grad():
        evaluated = model.eval()(x)
        fused = torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU])
        with activation_noise(model, LEVEL) as noise, fused:
            assert torch.equal(model(x), evaluated)
    names = {event.key for event in fused.key_averages()}
    assert ("aten::_transformer_encoder_layer_fwd" in names) == (
        activation in ("relu", "gelu") or type(activation) in (nn.GELU, nn.ReLU)
    )
    model.train()
    with activation_noise(model, LEVEL) as noise:
        noise.level = 0.0
        assert torch.equal(model(x), plain)
        noise.level = LEVEL
        assert not torch.allclose(model(x), plain)
    assert {site.name for site in noise.sites} == (
        {"0.activation", "1"} if isinstance(activation, nn.Module) else {"0", "1"}
    )
    assert [site.draws for site in noise.sites] == [1, 1]
    assert {site.shape for site in noise.sites} == {(2, 5, 64), (2, 5, 32)}


def test_an_encoder_layers_module_alone():
    model, x = transformer(activation=nn.GELU()), torch.randn(2, 5, 32)
    for how in ({"modules": nn.GELU}, {"functions": False}):
        with activation_noise(model, LEVEL, **how) as noise:
            model(x)
        assert noise.sites[0] == Site("0.activation", "GELU", (2, 5, 64), 1)


def test_the_whole_of_a_transformer():
    model = nn.Transformer(16, 2, 2, 2, 32, dropout=0.0, batch_first=True)
    with activation_noise(model, LEVEL) as noise:
        model(torch.randn(2, 5, 16), torch.randn(2, 3, 16))
    assert [site.name for site in noise.sites] == [
        f"{part}.layers.{n}" for part in ("encoder", "decoder") for n in range(2)
    ]
    assert {site.draws for site in noise.sites} == {1}


def bert():
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        num_hidden_layers=2, hidden_size=32, num_attention_heads=2, intermediate_size=64,
        vocab_size=50, max_position_embeddings=16,
    )  # fmt: skip
    return transformers.BertModel(config).train()


def test_bert():
    model = bert()
    with activation_noise(model, LEVEL) as noise:
        model(torch.arange(12).view(2, 6))
    assert [(site.kind, site.shape, site.draws) for site in noise.sites] == [
        ("GELUActivation", (2, 6, 64), 1),
        ("GELUActivation", (2, 6, 64), 1),
        ("Tanh", (2, 32), 1),
    ]


def test_activations_of_transformers():
    activations = pytest.importorskip("transformers.activations")
    for name in activations.ACT2CLS:
        if name != "linear":
            assert find_activations(activations.ACT2FN[name]), name
    assert not find_activations(activations.ACT2FN["linear"])


def test_classes_keep_their_draws_beside_others():
    """The noise of modules found by class is what it is without other activations."""
    x, seen = torch.zeros(2, 3), []
    alone = nn.Sequential(nn.Sigmoid(), nn.Sigmoid())
    beside = nn.Sequential(
        Calls(lambda x: 0 * F.relu(x)), alone[0], Tanhs(), Calls(lambda x: 0 * x)
    )
    for model in (alone, nn.Sequential(*beside, alone[1])):
        for module in alone:
            module.register_forward_hook(lambda *arguments: seen.append(arguments[-1]))
        with activation_noise(model, LEVEL):
            model(x)
        for module in alone:
            module._forward_hooks.clear()
    assert torch.equal(seen[0], seen[2])


def test_modules_of_the_users_choice():
    model = WideResNet(10, 1, 10)
    names = {"features.1.conv1", "classifier"}
    chosen = {
        "names": names,
        "predicate": lambda name, module: name in names,
        "one name": "classifier",
        "a class": nn.Linear,
        "both": ["features.1.conv1", nn.Linear],
    }
    for how, modules in chosen.items():
        with activation_noise(model, LEVEL, modules=modules) as noise:
            model(torch.zeros(2, 3, 8, 8))
        one = how in ("one name", "a class")
        assert {site.name for site in noise.sites} == ({"classifier"} if one else names)
        assert {site.draws for site in noise.sites} == {1}
    assert is_noise(added(nn.Sequential(nn.Identity()), torch.zeros(90, 90), modules="0")[0])


def test_names_of_one_module_are_one():
    model = nn.Sequential(nn.ReLU())
    model.append(model[0])
    assert [s.name for s in ActivationNoise(model, modules=["0", "1"]).sites] == ["0"]
    assert [s.name for s in ActivationNoise(model, modules="1").sites] == ["0"]


def test_functions_beside_chosen_modules():
    model = nn.Sequential(Calls(F.relu), nn.ReLU())
    for functions, count in ((None, 1), (False, 1), (True, 2)):
        with activation_noise(model, LEVEL, modules=["1"], functions=functions) as noise:
            model(torch.ones(2, 3))
        assert len(noise.sites) == count
    with activation_noise(model, LEVEL, functions=False) as noise:
        model(torch.ones(2, 3))
    assert [site.name for site in noise.sites] == ["1"]


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ("classifer", r"got 'classifer'\. .*Did you mean classifier\?"),
        (["features.1.conv1", nn.GELU], "has no such module"),
        ([], "No module matches"),
        (lambda name, module: False, "No module matches"),
        (nn.ReLU(), r"got ReLU\(\)\. Give names"),
        ([nn.ReLU()], r"got ReLU\(\)\. Give names"),
        (3, r"got 3\. Give names"),
    ],
)
def test_modules_that_there_are_not(modules, message):
    with pytest.raises(ConfigError, match=message) as refused:
        ActivationNoise(WideResNet(10, 1, 10), modules=modules)
    assert refused.value.field == "modules"


class Recurrent(nn.Module):
    def __init__(self, *parts):
        super().__init__()
        self.rnn, self.parts = nn.LSTM(4, 4), nn.Sequential(*parts)

    def forward(self, x):
        return self.parts(self.rnn(x)[0])


def test_gates_that_cannot_be_reached_are_named():
    with (
        pytest.warns(UserWarning, match="inside rnn: LSTM"),
        activation_noise(Recurrent(nn.ReLU(), nn.GLU()), LEVEL) as noise,
    ):
        noise.level = 0.0
    assert [(site.name, site.kind) for site in noise.unreached] == [
        ("rnn", "LSTM"), ("parts.1", "GLU"),
    ]  # fmt: skip
    assert "no noise inside rnn: LSTM" in repr(noise)
    model = Recurrent()
    with (
        pytest.warns(UserWarning, match="inside rnn: LSTM"),
        activation_noise(model, LEVEL),
        pytest.raises(ConfigError, match="inside rnn: LSTM cannot be reached"),
    ):
        model(torch.zeros(3, 2, 4))


class OwnSwish(torch.autograd.Function):
    """Its gradient is that of its input as it was given."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * torch.sigmoid(x)

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        s = torch.sigmoid(x)
        return grad * s * (1 + x * (1 - s))


def test_custom_autograd_functions_are_named():
    model, x = nn.Sequential(Calls(OwnSwish.apply), nn.ReLU()), torch.ones(3, 3)
    plain = model(x)
    with activation_noise(model, LEVEL, modules="1", functions=True) as noise:
        noise.level = 0.4
        model[1].eval()
        assert torch.equal(model(x), plain)
    assert [(site.name, site.kind) for site in noise.unreached] == [("0", "torch.sigmoid")]
    with (
        activation_noise(model[0], LEVEL),
        pytest.raises(ConfigError, match=r"inside \(model\): torch.sigmoid at test_noise_places"),
    ):
        model[0](x)
    as_module = nn.Sequential(Acts(OwnSwish.apply))
    difference, sites = added(as_module, torch.full((200, 50), 30.0))
    assert is_noise(difference)
    assert [site.draws for site in sites] == [1]


def test_parametrized_layers_keep_their_class():
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)), nn.ReLU())
    with activation_noise(model, LEVEL) as noise:
        model(torch.ones(2, 3))
        nn.utils.parametrize.remove_parametrizations(model[0], "weight")
    assert type(model[0]) is nn.Linear
    assert [site.draws for site in noise.sites] == [1]


class Positive(nn.Module):
    """A weight above 0, by a function of an intermediate result."""

    def forward(self, weight):
        return F.softplus(weight - 1)


@pytest.mark.parametrize("positive", [nn.Softplus(), Positive(), Acts(torch.sigmoid)])
def test_weights_that_are_computed_get_no_noise(positive):
    layer = nn.utils.parametrize.register_parametrization(nn.Linear(3, 4), "weight", positive)
    model, x, seen = nn.Sequential(layer, nn.ReLU()), torch.ones(2, 3), []
    expected = layer(x)
    layer.register_forward_hook(lambda layer, args, outputs: seen.append(outputs))
    with activation_noise(model, LEVEL) as noise:
        model(x)
    assert torch.equal(seen[0], expected)
    assert [(site.name, site.draws) for site in noise.sites] == [("1", 1)]


def test_a_default_device_changes_nothing():
    with torch.device("meta"):
        assert find_activations(nn.Sequential(Tanhs(), nn.Identity())) != {}


def test_scripted_modules_are_named():
    scripted = torch.jit.script(nn.Sequential(nn.ReLU(), nn.Linear(2, 2)))
    with pytest.warns(UserWarning, match=r"inside 0: RecursiveScriptModule"):
        noise = ActivationNoise(nn.Sequential(scripted, nn.ReLU()), LEVEL)
    assert [site.name for site in noise.sites] == ["1"]
    with pytest.raises(ConfigError, match="cannot be reached"):
        ActivationNoise(nn.Sequential(scripted), LEVEL)


def test_the_vit_has_its_places():
    model = ViT(10, (8, 8), width=16, depth=2)
    with activation_noise(model, LEVEL) as noise:
        model(torch.zeros(2, 3, 8, 8))
    assert [(site.name, site.kind, site.draws) for site in noise.sites] == [
        ("layers.0.activation", "GELU", 1),
        ("layers.1.activation", "GELU", 1),
    ]
