"""Noise once for each use: recomputed, compiled, in parts, in low precision, in copies."""

import copy
import io
import pickle
import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint, checkpoint_sequential

from learnorder.errors import ConfigError
from learnorder.noise import activation_noise

from .test_noise_places import Calls, Tanhs, is_noise

LEVEL = 0.4


class Mixed(nn.Module):
    """Activations of every sort: a module used twice, a function, one in place, dropout beside."""

    def __init__(self, recompute=lambda function, x: function(x)):
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)
        self.act, self.dropout = nn.Tanh(), nn.Dropout(0.2)
        self.recompute = recompute

    def part(self, x):
        x = self.act(self.first(x))
        x = F.gelu(self.second(self.dropout(x)))
        return self.second(self.act(self.first(x))).sigmoid_()

    def forward(self, x):
        x = self.recompute(self.part, self.first(x))
        return self.recompute(self.part, torch.relu(x))


def recomputed(reentrant, **settings):
    return lambda f, x: checkpoint(f, x, use_reentrant=reentrant, **settings)


def nested(function, x):
    outer = lambda x: 2 * checkpoint(function, F.silu(x), use_reentrant=False)  # noqa: E731
    return checkpoint(outer, x, use_reentrant=False)


def step(model, x, *, shared=False, seed=3, level=LEVEL, backward=torch.Tensor.backward):
    """The loss and the gradients of a step with noise, and the draws at each site."""
    torch.manual_seed(0)
    model.zero_grad()
    with activation_noise(model, level, shared=shared, seed=seed) as noise:
        loss = model(x).square().mean()
        backward(loss)
    grads = {n.removeprefix("module.").removeprefix("_orig_mod."): p.grad.clone()
             for n, p in model.named_parameters()}  # fmt: skip
    return loss.detach(), grads, [site.draws for site in noise.sites]


def same(one, other):
    assert torch.equal(one[0], other[0])
    assert one[1].keys() == other[1].keys()
    for name, grad in one[1].items():
        torch.testing.assert_close(grad, other[1][name], rtol=1e-6, atol=1e-8)


def like(model, **settings):
    other = Mixed(**settings)
    other.load_state_dict(model.state_dict())
    return other


@pytest.fixture
def mixed():
    torch.manual_seed(1)
    return Mixed()


@pytest.fixture
def x():
    return torch.randn(5, 6, generator=torch.Generator().manual_seed(0), requires_grad=True)


HOW = {
    "reentrant": recomputed(True),
    "not reentrant": recomputed(False),
    "to the end": recomputed(False, early_stop=False),
    "nested": nested,
}


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("how", ["reentrant", "not reentrant", "to the end"])
def test_a_recomputation_has_the_noise_of_its_forward_pass(mixed, x, how, shared):
    expected = step(mixed, x, shared=shared)
    found = step(like(mixed, recompute=HOW[how]), x, shared=shared)
    same(found, expected)
    assert found[2] == expected[2] == [4, 2, 2, 1]
    other = step(mixed, x, shared=shared, seed=4)
    assert not torch.equal(other[0], expected[0]), "the test has power"


def test_nested(mixed, x):
    plain = like(mixed, recompute=lambda f, x: 2 * f(F.silu(x)))
    same(step(like(mixed, recompute=nested), x), step(plain, x))


def test_two_forward_passes_before_one_backward_pass(mixed, x):
    """Each part is recomputed with its own noise, though the inputs of both are the same."""

    def both(model, backwards):
        def backward(_):
            with_noise = [model(x).square().mean() for _ in range(2)]
            for loss in reversed(with_noise) if backwards else with_noise:
                loss.backward()

        return step(model, x, backward=backward)

    for how in ("reentrant", "not reentrant"):
        for backwards in (True, False):
            same(both(like(mixed, recompute=HOW[how]), backwards), both(mixed, backwards))


def test_two_backward_passes(mixed, x):
    def backward(loss):
        loss.backward(retain_graph=True)
        loss.backward()

    same(step(like(mixed, recompute=HOW["not reentrant"]), x, backward=backward),
         step(mixed, x, backward=backward))  # fmt: skip


def test_parts_of_a_sequence(x):
    layers = [nn.Sequential(nn.Linear(6, 6), nn.ReLU()) for _ in range(4)]
    plain = nn.Sequential(*layers)

    class Parts(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = plain

        def forward(self, x):
            return checkpoint_sequential(self.layers, 2, x, use_reentrant=False)

    expected, found = step(plain, x), step(Parts(), x)
    for (_, one), (_, other) in zip(expected[1].items(), found[1].items(), strict=True):
        assert torch.equal(one, other)


def test_the_level_of_the_forward_pass_is_repeated(mixed, x):
    model = like(mixed, recompute=HOW["not reentrant"])
    with activation_noise(mixed, LEVEL, shared=False, seed=3):
        torch.manual_seed(0)
        mixed(x).square().mean().backward()
    for later in (0.0, 3.0):
        model.zero_grad()
        with activation_noise(model, LEVEL, shared=False, seed=3) as noise:
            torch.manual_seed(0)
            loss = model(x).square().mean()
            noise.level = later
            loss.backward()
        torch.testing.assert_close(model.first.weight.grad, mixed.first.weight.grad)


@pytest.mark.parametrize("how", ["reentrant", "not reentrant"])
def test_a_backward_pass_after_the_noise_is_refused(mixed, x, how):
    model = like(mixed, recompute=HOW[how])
    with activation_noise(model, LEVEL):
        loss = model(x).mean()
    with pytest.raises(ConfigError, match=r"noise has been removed\. .*call backward before"):
        loss.backward()


class Again(torch.autograd.Function):
    """Recomputes in the backward pass, as libraries of their own do."""

    @staticmethod
    def forward(ctx, x, function):
        ctx.function = function
        ctx.save_for_backward(x)
        with torch.no_grad():
            return function(x)

    @staticmethod
    def backward(ctx, grad):
        x = ctx.saved_tensors[0].detach().requires_grad_()
        with torch.enable_grad():
            ctx.function(x).backward(grad)
        return x.grad, None


def test_another_recomputation_is_refused(mixed, x):
    model = like(mixed, recompute=lambda f, x: Again.apply(x, f))
    model.dropout.p = mixed.dropout.p = 0.0
    with pytest.raises(ConfigError, match=r"No noise was saved .*\. Use torch\.utils\.checkpoint"):
        step(model, x)
    same(step(model, x, level=0.0), step(mixed, x, level=0.0))


def test_hugging_face_checkpoints(monkeypatch):
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        num_hidden_layers=2, hidden_size=32, num_attention_heads=2, intermediate_size=64,
        vocab_size=50, max_position_embeddings=16,
    )  # fmt: skip
    torch.manual_seed(0)
    model, tokens = transformers.BertModel(config).train(), torch.arange(12).view(2, 6)
    losses = {}
    for how in (None, True, False):
        if how is not None:
            model.gradient_checkpointing_enable({"use_reentrant": how})
        model.zero_grad()
        torch.manual_seed(0)
        with activation_noise(model, LEVEL, seed=1) as noise:
            model(tokens).pooler_output.square().sum().backward()
        assert [site.draws for site in noise.sites] == [1, 1, 1]
        losses[how] = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    for how in (True, False):
        assert losses[how].keys() == losses[None].keys()
        for name, grad in losses[how].items():
            torch.testing.assert_close(grad, losses[None][name])


@pytest.mark.parametrize(
    "when", ["before", "called before", "inside", "in place", "a part", "step"]
)
def test_compiled_models(mixed, x, when):
    expected, plain = step(mixed, x), mixed.eval()(x)
    mixed.train()
    given = called = mixed
    if when in ("before", "called before"):
        given = called = torch.compile(mixed, backend="eager")
        if when == "called before":
            called(x)
    elif when == "inside":
        called = torch.compile(mixed, backend="eager")
        called(x)
    elif when == "in place":
        mixed.compile(backend="eager")
        mixed(x)
    elif when == "a part":
        mixed.first.forward = torch.compile(mixed.first.forward, backend="eager")
        mixed.part = torch.compile(mixed.part, backend="eager")
        mixed(x)
    else:
        called = torch.compile(lambda x: mixed(x), backend="eager")
        called(x)
    for _ in range(2):
        mixed.zero_grad()
        torch.manual_seed(0)
        with activation_noise(given, LEVEL, shared=False, seed=3) as noise:
            loss = called(x).square().mean()
            loss.backward()
            assert [site.draws for site in noise.sites] == expected[2]
            mixed.eval()
            torch.testing.assert_close(called(x), plain)
            mixed.train()
        grads = {n: p.grad.clone() for n, p in mixed.named_parameters()}
        same((loss.detach(), grads), expected)
    mixed.eval()
    torch.testing.assert_close(called(x), plain)


BLOCKS = {
    "class": lambda: nn.ReLU(),
    "in place": lambda: nn.ReLU(inplace=True),
    "by what it does": Tanhs,
    "function": lambda: Calls(F.gelu),
    "method": lambda: Calls(torch.Tensor.relu_),
    "two": lambda: Calls(lambda x: F.silu(F.relu(x))),
}


@settings(max_examples=60)
@given(
    blocks=st.lists(st.tuples(st.sampled_from(list(BLOCKS)), st.integers(1, 2)), max_size=4),
    cut=st.integers(0, 4),
    how=st.sampled_from([None, True, False]),
    seed=st.integers(0, 9),
)
def test_every_use_adds_its_variance(blocks, cut, how, seed):
    """n uses of activations add nσ², whatever they are; recomputation does not change that."""
    made = [BLOCKS[name]() for name, _ in blocks]
    uses = sum((2 if name == "two" else 1) * times for name, times in blocks)

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.blocks = nn.ReLU(), nn.ModuleList(made)

        def part(self, x, chosen):
            for block, (_, times) in chosen:
                for _ in range(times):
                    x = 1.0 * block(x)
            return x

        def forward(self, x):
            parts = list(zip(self.blocks, blocks, strict=True))
            x = self.part(1.0 * x, parts[:cut])
            if how is not None:
                x = checkpoint(lambda x: self.part(1.0 * x, parts[cut:]), x, use_reentrant=how)
            else:
                x = self.part(x, parts[cut:])
            return self.last(x)

    model, x = Net(), torch.full((100, 100), 50.0, requires_grad=True)
    with activation_noise(model, LEVEL, shared=False, seed=seed) as noise:
        y = model(x)
        y.sum().backward()
    assert sum(site.draws for site in noise.sites) == uses + 1
    assert is_noise(y - x, (uses + 1) ** 0.5 * LEVEL)
    torch.testing.assert_close(x.grad, torch.ones_like(x))


def replicate(module):
    """A replica, as DataParallel makes them for each forward pass; the parameters stay."""
    replica = module._replicate_for_data_parallel()
    replica._parameters = module._parameters
    for name, child in module.named_children():
        replica._modules[name] = replicate(child)
    return replica


def test_replicas_in_threads(mixed, x):
    """Shared noise is the same in all."""
    model, outputs = nn.Sequential(nn.ReLU(), mixed), {}
    mixed.dropout.p = 0.0
    with activation_noise(model, LEVEL) as noise:
        for index in range(2):
            noise.reseed(0)
            replica = replicate(model)
            thread = threading.Thread(target=lambda: outputs.update({index: replica(x)}))  # noqa: B023
            thread.start()
            thread.join()
        noise.reseed(0)
        assert torch.equal(outputs[0], outputs[1])
        assert torch.equal(outputs[0], model(x))
        noise.level = 0.0
        assert not torch.equal(outputs[0], model(x))
    assert [site.draws for site in noise.sites] == [3, 12, 6, 6, 3]
    assert [site.name for site in noise.sites] == ["0", "1.act", "1", "1", "1"]
    with activation_noise(nn.DataParallel(mixed), LEVEL) as noise:
        mixed(x)
    assert [site.name for site in noise.sites] == ["module.act", "module", "module", "module"]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("autocast", [True, False])
def test_low_precision(dtype, autocast):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.act = nn.Linear(64, 64), nn.ReLU()
            nn.init.eye_(self.layer.weight)
            nn.init.constant_(self.layer.bias, 1.0)

        def forward(self, x):
            return F.relu(self.layer(self.act(self.layer(x))))

    model = Net().to(torch.float32 if autocast else dtype)
    x = torch.full((200, 64), 2.0, dtype=next(model.parameters()).dtype)
    with (
        activation_noise(model, 0.2, shared=False) as noise,
        torch.autocast("cpu", dtype=dtype, enabled=autocast),
    ):
        y = model(x)
        y.float().mean().backward()
    assert y.dtype == dtype
    assert is_noise(y.float(), 0.2 * 2**0.5)
    assert [site.draws for site in noise.sites] == [1, 1]
    assert all(p.grad.isfinite().all() for p in model.parameters())


def test_copies_and_pickles_have_no_noise(mixed, x):
    mixed.dropout.p, kept = 0.0, io.BytesIO()
    plain, model = mixed(x), nn.Sequential(nn.ReLU(), nn.Sequential(nn.GELU()))
    with activation_noise(mixed, LEVEL), activation_noise(model, LEVEL):
        copied = copy.deepcopy(mixed)
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            assert type(pickle.loads(pickle.dumps(model, protocol))) is nn.Sequential
        torch.save(model, kept)
        assert torch.equal(copied(x), plain)
        assert not torch.equal(mixed(x), plain)
    kept.seek(0)
    loaded = torch.load(kept, weights_only=False)
    assert type(copied) is Mixed
    assert type(loaded) is type(loaded[1]) is nn.Sequential
    assert torch.equal(loaded(x), model(x))


def test_nothing_is_left_after_removal(mixed):
    classes = [type(module) for module in mixed.modules()]
    one, two = (activation_noise(mixed, LEVEL) for _ in range(2))
    one.__enter__()
    two.__enter__()
    assert [type(m).__name__ for m in mixed.modules()] == [c.__name__ for c in classes]
    one.__exit__(None, None, None)
    two.__exit__(None, None, None)
    assert [type(module) for module in mixed.modules()] == classes
    assert not any(m._forward_pre_hooks or m._forward_hooks for m in mixed.modules())
    assert not any("forward" in vars(m) for m in mixed.modules())


def test_two_noises_add(mixed):
    model, x = nn.Sequential(nn.ReLU(), nn.Sequential(nn.Identity())), torch.full((99, 99), 40.0)
    with activation_noise(model, LEVEL, shared=False) as one:
        with activation_noise(model, LEVEL, shared=False, seed=1) as two:
            assert is_noise(model(x), 2**0.5 * LEVEL)
            one.level = 0.0
            assert is_noise(model(x))
        one.level = LEVEL
        assert is_noise(model(x))
    assert [noise.sites[0].draws for noise in (one, two)] == [2, 2]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_nothing_is_left_after_an_error(mixed, x, error):
    def stop(*_):
        raise error

    handle = mixed.second.register_forward_hook(stop)
    with activation_noise(mixed, LEVEL, shared=False, seed=3) as noise:
        with pytest.raises(error):
            mixed(x)
        assert not torch.overrides._get_current_function_mode_stack()
        handle.remove()
        noise.reseed(3)
        torch.manual_seed(0)
        assert torch.equal(mixed(x).square().mean(), step(like(mixed), x)[0])


def test_a_users_hooks_see_the_noise(mixed):
    seen, model, x = [], nn.Sequential(nn.ReLU()), torch.full((99, 99), 40.0)
    model[0].register_forward_pre_hook(lambda module, inputs: (inputs[0] / 2,))
    with activation_noise(model, LEVEL, shared=False) as noise:
        model[0].register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
        model[0].register_forward_hook(lambda module, inputs, output: output.add(1))
        y = model(x)
    assert torch.equal(y, seen[0] + 1)
    assert is_noise(seen[0])
    assert noise.sites[0].draws == 1
    assert len(model[0]._forward_pre_hooks) == 2


def test_classes_that_register_their_subclasses():
    kinds = []

    class Registers(nn.Module):
        def __init_subclass__(cls, **settings):
            kinds.append(cls)

    class Net(Registers):
        def forward(self, x):
            return F.relu(x) @ torch.eye(3)

    model = Net()
    with activation_noise(model, LEVEL):
        assert isinstance(model, Net)
        assert type(model) is not Net
        model(torch.ones(2, 3))
    assert type(model) is Net
    assert kinds == [Net]


def test_compiled_without_noise_it_is_one_graph(x):
    model, graphs = nn.Sequential(nn.Linear(6, 6), nn.ReLU(), nn.Sequential(nn.GELU())), []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(model, fullgraph=True, backend=backend)
    with activation_noise(compiled, LEVEL) as noise:
        compiled(x)
        assert not graphs
        noise.level = 0.0
        assert torch.equal(compiled(x), model(x))
    assert len(graphs) == 1
    assert [site.draws for site in noise.sites] == [1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("settings", [{}, {"mode": "reduce-overhead"}, {"dynamic": True}])
def test_compiled_by_inductor(mixed, x, settings):
    expected = step(mixed, x)
    compiled = torch.compile(mixed, **settings)
    compiled(x).sum().backward()
    same(step(compiled, x), expected)
