"""What cannot be trained is refused by name before a folder is made; what can be, is not."""

import copy
import functools
import itertools
import random
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset, TensorDataset

from learnorder import LRSearch, Task, run_advise, run_train
from learnorder.cli.main import main
from learnorder.config.settings import (
    DataConfig,
    ModelConfig,
    RunConfig,
    TaskConfig,
    TaskRunConfig,
)
from learnorder.config.training import NoiseConfig, SharpnessConfig, TrainingConfig
from learnorder.data import load_images
from learnorder.errors import ConfigError, DataError, LearnOrderError
from learnorder.execution.settings import Execution
from learnorder.images import backend as images
from learnorder.models.fresh import check_fresh, versions
from learnorder.schedules import Schedule
from learnorder.seeding import random_state_kept
from learnorder.tasks import backend as task
from learnorder.training.image_problem import image_trainer
from learnorder.training.task import register_task
from learnorder.training.task_problem import task_trainer

from .conftest import changed
from .test_task import blobs, network

FEATURES = 3 * 8 * 8
HERE = __name__


# What is trained on images: each class or function is named by its import path.


class Linear(nn.Module):
    """What the others are made from: a linear model of the image."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.head = nn.Linear(FEATURES, num_classes)

    def forward(self, images):
        return self.head(images.flatten(1))


class Frozen(Linear):
    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.requires_grad_(False)


class NoParameters(nn.Module):
    def __init__(self, num_classes: int) -> None:
        super().__init__()

    def forward(self, images):
        return images.flatten(1)[:, :10]


class Whole(NoParameters):
    """Its only parameter is a table of whole numbers."""

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.table = nn.Parameter(torch.arange(10), requires_grad=False)


class Detached(Linear):
    def forward(self, images):
        return super().forward(images).detach()


class WithoutGradient(Linear):
    @torch.no_grad()
    def forward(self, images):
        return super().forward(images)


class Auxiliary(Linear):
    """Returns a second output in training mode, as Inception does."""

    def forward(self, images):
        logits = super().forward(images)
        return (logits, logits) if self.training else logits


@dataclass
class Output:
    logits: torch.Tensor


class AnObject(Linear):
    def forward(self, images):
        logits = super().forward(images)
        return Output(logits) if self.training else logits


class Wider(Linear):
    def forward(self, images):
        logits = super().forward(images)
        return torch.cat([logits, logits], dim=1) if self.training else logits


class Complex(Linear):
    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.phase = nn.Parameter(torch.ones(num_classes, dtype=torch.complex64))

    def forward(self, images):
        return (super().forward(images) * self.phase).abs()


class ComplexOutput(Linear):
    def forward(self, images):
        return torch.complex(super().forward(images), torch.zeros(()))


def on_meta(num_classes):
    with torch.device("meta"):
        return Linear(num_classes)


class LazyInTraining(Linear):
    """A layer that evaluation does not reach."""

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.extra = nn.LazyLinear(num_classes)

    def forward(self, images):
        logits = super().forward(images)
        return logits + self.extra(images.flatten(1)) if self.training else logits


class Normalised(Linear):
    def __init__(self, num_classes: int, norm: type = nn.BatchNorm1d) -> None:
        super().__init__(num_classes)
        self.norm = norm(FEATURES)

    def forward(self, images):
        return self.head(self.norm(images.flatten(1)))


class Squeezed(Linear):
    """Loses the batch's axis where there is one image."""

    def forward(self, images):
        return super().forward(images).squeeze()


class Fails(Linear):
    def forward(self, images):
        if self.training:
            raise KeyError("no such layer")
        return super().forward(images)


class InPlace(Linear):
    def forward(self, images):
        hidden = super().forward(images).exp()
        shifted = hidden.square()
        hidden.add_(1.0)
        return shifted


class Stateful(Linear):
    """Keeps the graph of one step for the next, as recurrent networks can."""

    memory = None

    def forward(self, images):
        if self.training:
            kept = self.head.weight.square().sum()
            self.memory = kept if self.memory is None else self.memory + kept
            return super().forward(images) + self.memory
        return super().forward(images)


class SparseBuffer(Linear):
    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.register_buffer("graph", torch.eye(3).to_sparse())


class Distances(Linear):
    """Distances to learned points, of which torch has no second derivative."""

    def forward(self, images):
        return -torch.cdist(images.flatten(1), self.head.weight)


@functools.cache
def cached(num_classes):
    return Linear(num_classes)


_BACKBONE = nn.Linear(FEATURES, 16)


def with_a_shared_layer(num_classes):
    return nn.Sequential(nn.Flatten(), _BACKBONE, nn.ReLU(), nn.Linear(16, num_classes))


def with_a_default_layer(num_classes, act=nn.PReLU()):  # noqa: B008
    return nn.Sequential(nn.Flatten(), nn.Linear(FEATURES, 16), act, nn.Linear(16, num_classes))


_WEIGHT, _ARRAY = torch.randn(10, FEATURES), np.random.randn(10, FEATURES).astype(np.float32)


def with_a_shared_tensor(num_classes):
    model = Linear(num_classes)
    model.head.weight = nn.Parameter(_WEIGHT)
    return model


def with_a_shared_array(num_classes):
    model = Linear(num_classes)
    model.head.weight = nn.Parameter(torch.from_numpy(_ARRAY))
    return model


_MEAN = torch.zeros(FEATURES)


class SharedStatistics(Linear):
    """A running mean at module level."""

    mean: torch.Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.register_buffer("mean", _MEAN)

    def forward(self, images):
        flat = images.flatten(1)
        if self.training:
            self.mean.lerp_(flat.mean(0).detach(), 0.1)
        return self.head(flat - self.mean)


BAD_NETWORKS = [
    ("Frozen", {}, "model.name", "Every parameter is frozen"),
    ("NoParameters", {}, "model.name", "has no parameters"),
    ("Whole", {}, "model.name", "Every parameter is frozen"),
    ("Detached", {}, "model.name", "None of its parameters gets a gradient"),
    ("WithoutGradient", {}, "model.name", "None of its parameters gets a gradient"),
    ("Auxiliary", {}, "model.name", r"In training mode it maps images \(32, 3, 8, 8\) to a tuple"),
    ("AnObject", {}, "model.name", "In training mode it maps .* to a Output"),
    ("Wider", {}, "model.name", r"In training mode it maps .* to \(32, 20\)"),
    ("Complex", {}, "model.name", "phase is complex64"),
    ("ComplexOutput", {}, "model.name", "to complex numbers"),
    ("on_meta", {}, "model.name", "head.weight is on the meta device"),
    ("LazyInTraining", {}, "model.name", "no shape yet: extra.weight"),
    ("Normalised", {"batch_size": 17}, "training.batch_size", "epoch of 120 examples has 1"),
    ("Normalised", {"batch_size": 1}, "training.batch_size", "Every batch has 1 example"),
    ("Squeezed", {}, "model.name", r"In evaluation mode it maps .* to \(10,\)"),
    ("Fails", {}, "model.name", "training mode, on a batch of 32 examples: KeyError: 'no such"),
    ("InPlace", {}, "model.name", "gradients failed .* RuntimeError: .*inplace operation"),
    ("Stateful", {}, "model.name", "gradients failed .* on a batch of 24.* second time"),
    ("SparseBuffer", {}, "model.name", "weights cannot be written"),
    ("cached", {}, "model.name", "It returned the same module"),
    ("with_a_shared_layer", {}, "model.name", "the same 1.weight as at an earlier call"),
    ("with_a_default_layer", {}, "model.name", "the same 2.weight.* a default argument"),
    ("with_a_shared_tensor", {}, "model.name", "the same head.weight"),
    ("with_a_shared_array", {}, "model.name", "the same head.weight"),
    ("SharedStatistics", {}, "model.name", "the same mean as at an earlier call"),
]


def by_name(config: RunConfig, name: str, **training: object) -> RunConfig:
    config = replace(config, model=ModelConfig(f"{HERE}.{name}"))
    evaluated = 513 if name == "Squeezed" else 60  # the last batch is of one
    return changed(config, training=training, data={"evaluation_examples": evaluated})


@pytest.mark.parametrize(("name", "training", "field", "words"), BAD_NETWORKS)
def test_networks_that_cannot_be_trained(tiny, tmp_path, name, training, field, words):
    if name == "Normalised":
        tiny = changed(tiny, data={"train_examples": 120})
    config = by_name(tiny, name, **training)
    with pytest.raises(ConfigError, match=words) as raised:
        run_train(config, tmp_path / "run", execution=Execution(quiet=True))
    assert raised.value.field == field
    assert not any(tmp_path.iterdir())


def test_a_sharpness_that_cannot_be_measured(tiny):
    config = replace(by_name(tiny, "Distances"), sharpness=SharpnessConfig(20))
    with pytest.raises(ConfigError, match="_cdist_backward") as raised:
        images.check([config])
    assert raised.value.field == "sharpness.examples"
    images.check([replace(config, sharpness=SharpnessConfig())])


@pytest.mark.parametrize(
    ("command", "planned"),
    [
        *itertools.product(["train", "sweep", "patch"], ["--dry-run", "--prepare"]),
        ("probe", "--dry-run"),
    ],
)
def test_what_only_plans_refuses_the_same(tmp_path, capsys, command, planned):
    out = tmp_path / "out"
    arguments = ["--data.train_examples", "100", "--model.name", f"{HERE}.Auxiliary"]
    arguments += ["--model.arguments", "{}", "--out", str(out)]
    if command == "sweep":
        arguments += ["--grid", "{training.epochs: [40, 50]}"]
    assert main([command, *arguments, planned]) == 2
    assert "to a tuple" in capsys.readouterr().err
    assert not out.exists()


# What is fit.


class PartlyFrozen(Linear):
    """Only the last layer is trained, and a table of whole numbers is a parameter too."""

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.first = nn.Linear(FEATURES, FEATURES).requires_grad_(False)
        self.table = nn.Parameter(torch.arange(3), requires_grad=False)

    def forward(self, images):
        return self.head(self.first(images.flatten(1)))


class Tied(Linear):
    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.one, self.two = nn.Linear(FEATURES, FEATURES), nn.Linear(FEATURES, FEATURES)
        self.two.weight = self.one.weight

    def forward(self, images):
        return self.head(self.two(self.one(images.flatten(1)).relu()))


class UnusedHead(Linear):
    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.other = nn.Linear(FEATURES, 2)


class Dropped(Linear):
    def forward(self, images):
        return super().forward(nn.functional.dropout(images, 0.5, self.training))


class BufferWithin(Linear):
    """Running statistics in a submodule without parameters, and one that is not finite."""

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes)
        self.norm = nn.BatchNorm1d(FEATURES, affine=False)
        self.register_buffer("mask", torch.full((2,), -torch.inf))

    def forward(self, images):
        return self.head(self.norm(images.flatten(1)))


class LayerNormalised(Normalised):
    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes, nn.LayerNorm)


class NotFinite(Linear):
    def forward(self, images):
        return super().forward(images) * torch.nan


_TABLE = torch.randn(FEATURES)
_EMBEDDING = torch.randn(FEATURES, 4)


class SharedTables(Linear):
    """Tables at module level that training does not change."""

    def __init__(self, num_classes: int, act: nn.Module = nn.ReLU()) -> None:  # noqa: B008
        super().__init__(num_classes)
        self.register_buffer("shift", _TABLE)
        self.embedding = nn.Embedding.from_pretrained(_EMBEDDING)
        self.act = act

    def forward(self, images):
        flat = images.flatten(1) - self.shift + self.embedding.weight.sum(1)
        return self.head(self.act(flat))


def lazy(num_classes):
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(num_classes))


def a_copy(num_classes):
    return copy.deepcopy(cached(num_classes))


GOOD_NETWORKS = [
    PartlyFrozen, Tied, UnusedHead, Dropped, BufferWithin, LayerNormalised, NotFinite, SharedTables,
    lazy, a_copy,
]  # fmt: skip


@pytest.mark.parametrize("model", GOOD_NETWORKS)
def test_networks_that_can_be_trained(tiny, model):
    config = by_name(tiny, model.__name__)
    ones = changed(config, training={"batch_size": 17})  # leaves one
    images.check([config] if model is BufferWithin else [config, ones])
    images.check([replace(config, sharpness=SharpnessConfig(20))])


def test_several_processes_take_no_parameter_without_a_gradient(tiny):
    """As torch's DistributedDataParallel does not; one process does."""
    with pytest.raises(ConfigError, match=r"other\.weight, other\.bias: 2 parameters") as raised:
        images.check([by_name(tiny, "UnusedHead")], processes=2)
    assert raised.value.field == "processes"
    images.check([by_name(tiny, "Tied")], processes=2)


def test_own_networks_are_fit(tiny):
    names = {"WideResNet": {}, "ConvNet": {}, "MLP": {"widths": [4]}, "ViT": {}}
    configs = [replace(tiny, model=ModelConfig(*item)) for item in names.items()]
    configs += [replace(configs[-1], sharpness=SharpnessConfig(20))]
    images.check([*configs, *(replace(c, noise=NoiseConfig(Schedule(0.3))) for c in configs)])


def test_noise_leaves_an_activation_that_runs_share(tiny, tmp_path):
    """A default argument is one module for all runs of a process; the noise of one is not left."""
    plain = by_name(tiny, "SharedTables")
    noisy = replace(plain, noise=NoiseConfig(Schedule(0.4)))
    images.check([noisy])
    act = SharedTables(10).act
    assert not act._forward_pre_hooks
    images.measure(noisy)
    assert not act._forward_pre_hooks


def test_a_rate_at_which_training_diverges_is_not_refused(tiny):
    images.check([replace(tiny, learning_rate=Schedule(1e30))])


def test_checking_leaves_the_process_as_it_was(tiny):
    state = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    images.check([by_name(tiny, "Dropped")])
    images.measure(tiny)
    assert torch.equal(torch.get_rng_state(), state[0])
    assert random.getstate() == state[1]
    assert (np.random.get_state()[1] == state[2]).all()


def test_data_are_read_once_for_a_check(tiny, monkeypatch):
    read = []
    monkeypatch.setattr(images, "load_images", lambda c: read.append(c) or load_images(c))
    rates = [Schedule(rate) for rate in (0.1, 0.2)]
    sizes = [{"batch_size": size} for size in (16, 32)]
    configs = [replace(changed(tiny, training=s), learning_rate=r) for s in sizes for r in rates]
    taken = []
    monkeypatch.setattr(images, "check_run", lambda *_: taken.append(1))
    images.check(configs)
    assert (len(read), len(taken)) == (1, 2)


# Images.


def two_sizes():
    drawing = np.random.default_rng(0)
    train, test = (drawing.integers(0, 256, (20, n, n), np.uint8) for n in (8, 10))
    labels = np.arange(20) % 2
    return (train, labels), (test, labels)


def test_images_to_evaluate_on_have_the_size_of_those_to_train_on(tiny, tmp_path):
    data = DataConfig(source=f"function:{HERE}.two_sizes")
    config = replace(tiny, data=data, training=TrainingConfig(epochs=3, batch_size=8))
    with pytest.raises(DataError, match=r"8×8 .* 10×10.*--data\.resolution 8"):
        run_train(config, tmp_path / "run", execution=Execution(quiet=True))
    assert not any(tmp_path.iterdir())
    assert load_images(replace(data, resolution=8)).evaluation.pixels.shape == (20, 8, 8, 3)


# Tasks.


class TaskModel(nn.Module):
    """A model of the blobs whose outputs are changed by a function of (outputs, training)."""

    def __init__(self, change=lambda outputs, training: outputs) -> None:
        super().__init__()
        self.layer, self.change = nn.Linear(3, 3), change

    def forward(self, x):
        return self.change(self.layer(x), self.training)


def frozen() -> nn.Module:
    return network().requires_grad_(False)


def detached_loss(outputs, targets):
    return nn.functional.cross_entropy(outputs, targets).detach()


def loss_of_its_own(outputs, targets):
    """It has a gradient, but not in the model's parameters."""
    weight = torch.ones((), requires_grad=True)
    return weight * nn.functional.cross_entropy(outputs.detach(), targets)


def complex_task_model() -> nn.Module:
    model = TaskModel()
    model.scale = nn.Parameter(torch.ones(3, dtype=torch.complex64))
    return model


def with_a_graph() -> nn.Module:
    model = network()
    model.register_buffer("graph", torch.eye(3).to_sparse())
    return model


def meta_model() -> nn.Module:
    return nn.Linear(3, 3, device="meta")


class Unreadable(Dataset):
    """An example of it cannot be read."""

    def __init__(self, example: int = 40) -> None:
        self.example = example

    def __len__(self) -> int:
        return 90

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        if index == self.example:
            raise KeyError(f"example {index} is gone")
        return torch.ones(3), index % 3


_NET = network()


@functools.cache
def cached_task_model() -> nn.Module:
    return network()


def shares_its_head() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 16), nn.ReLU(), _NET[3])


def words_model(sparse: bool = True) -> nn.Module:
    return nn.Sequential(nn.Embedding(10, 3, sparse=sparse), nn.Flatten(), nn.Linear(6, 3))


WORDS = TensorDataset(torch.arange(180).view(90, 2) % 10, torch.arange(90) % 3)


BAD_TASKS = [
    (lambda: Task(frozen, blobs()), "task.model", "Every parameter is frozen"),
    (lambda: Task(frozen(), blobs()), "task.model", "Every parameter is frozen"),
    (lambda: Task(nn.Identity, blobs()), "task.model", "has no parameters"),
    (lambda: Task(lambda: nn.LazyLinear(3), blobs()), "task.model", "Lazy parameters .* Run a"),
    (lambda: Task(nn.LazyLinear(3), blobs()), "task.model", "Lazy parameters"),
    (lambda: Task(meta_model, blobs()), "task.model", "weight is on the meta device"),
    (lambda: Task(meta_model(), blobs()), "task.model", "weight is on the meta device"),
    (lambda: Task(complex_task_model, blobs()), "task.model", "scale is complex64"),
    (
        lambda: Task(lambda: TaskModel(lambda o, t: torch.complex(o, o)), blobs()),
        "task.model", "complex numbers, complex64",
    ),
    (
        lambda: Task(lambda: TaskModel(lambda o, t: o.detach()), blobs()),
        "task.model", "None of its parameters gets a gradient",
    ),
    (lambda: Task(network, blobs(), loss=loss_of_its_own), "task.model", "None of its parameters"),
    (lambda: Task(network, blobs(), loss=detached_loss), "task.loss", "loss that has no gradient"),
    (
        lambda: Task(network, blobs(), loss=lambda o, t: torch.complex(o, o).mean()),
        "task.loss", "real numbers",
    ),
    (
        lambda: Task(lambda: TaskModel(lambda o, t: (o, o) if t else o), blobs()),
        "task.loss", r"In training mode the loss does not accept outputs \(float32 .*TypeError",
    ),
    (
        lambda: Task(lambda: TaskModel(lambda o, t: o[:, :2] if t else o), blobs()),
        "task.loss", r"In training mode .* float32 \[16, 2\].*IndexError: Target 2",
    ),
    (
        lambda: Task(lambda: TaskModel(lambda o, t: 1 / 0 if t and len(o) < 3 else o), blobs(82)),
        "task.model", "on a batch of 2 examples: ZeroDivisionError",
    ),
    (
        lambda: Task(
            lambda: TaskModel(lambda o, t: o), blobs(), score=lambda o, t: [][len(o) // 10]
        ),
        "task.score", "IndexError",
    ),
    (lambda: Task(with_a_graph, blobs()), "task.model", "weights cannot be written"),
    (lambda: Task(words_model, WORDS), "training.optimizer", "Its step .* sparse"),
    (lambda: Task(lambda: _NET, blobs()), "task.model", r"same module .* Task\(model=net\)"),
    (lambda: Task(cached_task_model, blobs()), "task.model", "same module .*functools.cache"),
    (lambda: Task(shares_its_head, blobs()), "task.model", r"same 2\.weight"),
]  # fmt: skip

QUICK = LRSearch(
    training=TrainingConfig(epochs=4, batch_size=16), learning_rates=(0.01, 0.1, 0.3), rungs=1,
    seeds=2, noise=0, range_test=False, shorter_plateaus=(),
)  # fmt: skip


@pytest.mark.parametrize(("make", "field", "words"), BAD_TASKS)
def test_tasks_that_cannot_be_trained(tmp_path, make, field, words):
    made = make()
    optimizer = "Adam" if field == "training.optimizer" else "SGD"
    search = replace(QUICK, training=replace(QUICK.training, optimizer=optimizer))
    with pytest.raises(ConfigError, match=words) as raised:
        run_advise(search, tmp_path, task=made, execution=Execution(quiet=True))
    assert raised.value.field == field
    assert not list(tmp_path.glob("epochs-*"))


def check_task(made: Task, **training: object) -> None:
    settings = TrainingConfig(**{"epochs": 2, "batch_size": 16, **training})
    with register_task(made) as named:
        task.check([TaskRunConfig(named, settings, Schedule(0.1))])


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("validation", [None, Unreadable()])
def test_examples_that_cannot_be_read(workers, validation):
    data = Unreadable()
    with pytest.raises(DataError, match=r"KeyError: .*example 40 is gone"):
        check_task(Task(network, data, validation, num_workers=workers), batch_size=72)
    with pytest.raises(DataError, match=r"cannot be read: KeyError: .*example 0 is gone"):
        check_task(Task(network, Unreadable(0)))


def test_batches_of_one_are_refused_where_there_is_batch_norm():
    def normalised():
        return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))

    with pytest.raises(ConfigError, match=r"training\.batch_size.*Every batch has 1"):
        check_task(Task(normalised, blobs()), batch_size=1)
    check_task(Task(normalised, blobs()), batch_size=71)  # one is left, and not shown


GOOD_TASKS = [
    lambda: Task(network(), blobs()),
    lambda: Task(lambda: copy.deepcopy(_NET), blobs()),
    lambda: Task(lambda: TaskModel(lambda o, t: Output(o)), blobs()),
    lambda: Task(
        lambda: TaskModel(lambda o, t: (o, o.detach()) if t else (o, None)), blobs(),
        loss=lambda o, t: nn.functional.cross_entropy(o[0], t), score=lambda o, t: 0.5,
    ),
    lambda: Task(lambda: TaskModel(lambda o, t: o * torch.nan), blobs()),
    lambda: Task(lambda: words_model(sparse=False), WORDS),
]  # fmt: skip


@pytest.mark.parametrize("make", GOOD_TASKS)
def test_tasks_that_can_be_trained(make):
    check_task(make())


def test_a_module_given_is_left_as_it_is():
    model = network()
    model[0].eval()
    model[3].weight.requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    modes, hooks = [m.training for m in model.modules()], len(model[1]._forward_pre_hooks)
    state = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy()
    noise = NoiseConfig(Schedule(0.3))
    with register_task(Task(model, blobs())) as named:
        training = TrainingConfig(epochs=2, batch_size=16)
        task.check([TaskRunConfig(named, training, Schedule(0.1), noise)])
    assert torch.equal(torch.get_rng_state(), state[0])
    assert random.getstate() == state[1]
    assert (np.random.get_state()[1] == state[2]).all()
    assert [m.training for m in model.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert len(model[1]._forward_pre_hooks) == hooks


# A network made anew: what is remembered of those made before.


def fresh(model: nn.Module) -> None:
    check_fresh(model, "model", "a model")


def test_what_runs_share_is_found_in_any_process(tiny):
    """Without a check before: each run builds its network."""
    data, config = load_images(tiny.data), by_name(tiny, "with_a_shared_tensor")
    with suppress(ConfigError):  # other tests may have made it before
        image_trainer(config, data)
    with pytest.raises(ConfigError, match=r"head\.weight"):
        image_trainer(config, data)
    shared = Task(lambda: _NET, blobs())
    settings = TaskRunConfig(TaskConfig(), TrainingConfig(epochs=1, batch_size=16), Schedule(0.1))
    with suppress(ConfigError):
        task_trainer(settings, shared)
    with pytest.raises(ConfigError, match="same module"):
        task_trainer(settings, shared)


def test_a_frozen_table_may_be_shared_until_it_changes():
    table, teacher = torch.randn(4, 2), nn.Linear(2, 2).requires_grad_(False)
    for _ in range(3):
        fresh(nn.Sequential(nn.Embedding.from_pretrained(table), teacher, nn.Linear(2, 2)))
    with torch.no_grad():
        teacher.weight.mul_(0.9)
    with pytest.raises(ConfigError, match=r"1\.weight"):
        fresh(nn.Sequential(nn.Embedding.from_pretrained(table), teacher, nn.Linear(2, 2)))
    with pytest.raises(ConfigError, match=r"0\.weight"):
        fresh(nn.Sequential(nn.Embedding.from_pretrained(table, freeze=False), nn.Linear(2, 2)))


def test_buffers_of_a_shared_module_that_training_moved_are_found():
    norm = nn.BatchNorm1d(2, affine=False)
    fresh(nn.Sequential(norm, nn.Linear(2, 2)))
    norm.to(torch.float64)  # as to another device: each buffer is another tensor
    with pytest.raises(ConfigError, match=r"0\.running_mean"):
        fresh(nn.Sequential(norm, nn.Linear(2, 2)))


def test_a_network_with_tied_weights_is_not_shared_with_itself():
    for _ in range(2):
        fresh(Tied(3))


def test_networks_are_not_kept_alive():
    import gc
    import weakref

    model = Linear(3)
    fresh(model)
    watched = weakref.ref(model)
    remembered = len(versions)
    del model
    gc.collect()
    assert watched() is None
    for _ in range(5):
        fresh(nn.Linear(2, 2))
    assert len(versions) < remembered + 5


def test_errors_are_of_learnorder_whatever_is_raised():
    class Odd(Exception):
        pass

    def odd(outputs, training):
        if training:
            raise Odd("something\nelse")
        return outputs

    with random_state_kept(), pytest.raises(LearnOrderError, match="Odd: something else"):
        check_task(Task(lambda: TaskModel(odd), blobs()))
