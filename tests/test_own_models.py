"""Models as people have them: parts in eval(), compiled, lazy, tied, with outputs of every form."""

from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

from learnorder import Task
from learnorder.advise.range_test import range_test
from learnorder.config.settings import ModelConfig, TaskConfig
from learnorder.config.training import SharpnessConfig
from learnorder.data import load_images
from learnorder.errors import ConfigError
from learnorder.models import MLP
from learnorder.models.modes import evaluation_mode, training_mode
from learnorder.tasks.backend import check
from learnorder.training.image_problem import network_of
from learnorder.training.task import register_task
from learnorder.training.task_problem import TaskProblem, task_trainer

from .test_task import blobs, config_of, network, train


def normed(*, kept: bool = True) -> nn.Module:
    model = nn.Sequential(nn.Linear(3, 16), nn.BatchNorm1d(16), nn.Dropout(), nn.Linear(16, 3))
    if kept:
        model[1].eval()
    return model


class KeepsItself(nn.Module):
    """Freezes its batch norm as torchvision's detection models do, in train()."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = normed(kept=False)

    def train(self, mode: bool = True):
        super().train(mode)
        self.layers[1].eval()
        return self

    def forward(self, x):
        return self.layers(x)


@pytest.mark.parametrize("given", [normed, normed(), KeepsItself, KeepsItself()])
def test_batch_norm_kept_in_eval_does_not_drift(given):
    config = config_of(TaskConfig(), sharpness=SharpnessConfig(examples=20))
    trainer = train(config, Task(given, blobs()))
    modules = list(trainer.network.modules())
    (norm,) = [m for m in modules if isinstance(m, nn.BatchNorm1d)]
    (dropout,) = [m for m in modules if isinstance(m, nn.Dropout)]
    assert not norm.running_mean.any()
    assert not norm.num_batches_tracked
    assert dropout.training


def test_a_range_test_leaves_batch_norm_in_eval_too():
    made = []

    def make(seed, place):
        made.append(TaskProblem(config_of(TaskConfig()), Task(normed, blobs()), place))
        return made[0]

    range_test(config_of(TaskConfig()).training, make, seeds=[0], steps=20)
    assert not made[0].network[1].running_mean.any()


def test_modes_are_those_that_were_given(caplog):
    model = nn.Sequential(nn.Sequential(nn.Dropout(), nn.Linear(1, 1)).eval(), nn.Dropout())
    caplog.set_level("INFO")
    training_mode(model)
    assert [m.training for m in model.modules()] == [True, False, False, False, True]
    assert "0, 0.0, 0.1: in eval() at the start" in caplog.text
    with evaluation_mode(model):
        assert not any(m.training for m in model.modules())
    assert [m.training for m in model.modules()] == [True, False, False, False, True]
    whole = nn.Sequential(nn.Dropout()).eval()  # as a pretrained model is when it is loaded
    training_mode(whole)
    assert all(m.training for m in whole.modules())


@dataclass
class Output:
    logits: torch.Tensor
    hidden: torch.Tensor


class Returns(nn.Module):
    """Returns its logits in some form."""

    def __init__(self, form) -> None:
        super().__init__()
        self.layer, self.form = nn.Linear(3, 3), form

    def forward(self, x):
        return self.form(self.layer(x))


def model_output(logits):
    from transformers.modeling_outputs import SequenceClassifierOutput

    return SequenceClassifierOutput(logits=logits, hidden_states=(logits,))


FORMS = {
    "dataclass": lambda logits: Output(logits, logits),
    "mapping": lambda logits: {"hidden": logits, "logits": logits},
    "transformers": model_output,
}


@pytest.mark.parametrize("form", FORMS)
def test_logits_in_whatever_holds_them(form):
    trainer = train(config_of(TaskConfig(), epochs=6), Task(lambda: Returns(FORMS[form]), blobs()))
    assert trainer.records.last("validation", "accuracy") > 0.8


def refused(task: Task) -> str:
    with pytest.raises(ConfigError) as caught, register_task(task) as named:
        check([config_of(named)])
    return str(caught.value)


@pytest.mark.parametrize(
    "form",
    [lambda logits: (logits, logits), lambda logits: [logits], lambda logits: {"classes": logits}],
)
def test_other_outputs_are_refused_with_what_to_do(form):
    said = refused(Task(lambda: Returns(form), blobs()))
    assert "task.loss" in said
    assert "a loss that selects its part" in said


def test_a_tuple_works_with_a_loss_and_a_score_that_take_it():
    def loss(outputs, targets):
        return nn.functional.cross_entropy(outputs[0], targets)

    def score(outputs, targets):
        return (outputs[0].argmax(1) == targets).float()

    task = Task(lambda: Returns(lambda y: (y, y)), blobs(), loss=loss, score=score)
    assert train(config_of(TaskConfig(), epochs=6), task).records.last("validation", "score") > 0.8


class Stream(IterableDataset):
    def __len__(self) -> int:
        return 10

    def __iter__(self):
        return iter(blobs())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"train": DataLoader(blobs())}, r"task\.train: got 'DataLoader'\. .*loader\.dataset"),
        ({"validation": DataLoader(blobs())}, r"task\.validation: got 'DataLoader'"),
        ({"train": Stream()}, "map-style"),
        ({"loss": "cross_entropy"}, r"task\.loss"),
        ({"score": "f1"}, r"task\.score"),
        ({"collate": 3}, r"task\.collate"),
        ({"validation_collate": 3}, r"task\.validation_collate"),
    ],
)
def test_what_a_task_is_made_of_is_checked_when_it_is_made(arguments, words):
    with pytest.raises(ConfigError, match=words):
        Task(**{"model": network, "train": blobs(), **arguments})


def compiled(backend=None) -> nn.Module:
    return torch.compile(network(), backend=backend or "aot_eager")  # pyright: ignore


@pytest.mark.parametrize("given", [compiled, compiled(), lambda: nn.Sequential(compiled())])
def test_compiled_networks_keep_their_own_names_and_stay_compiled(given, tmp_path):
    config = config_of(TaskConfig(), sharpness=SharpnessConfig(examples=20))
    trainer = train(config, Task(given, blobs()))
    names = list(trainer.state()["model"])
    assert not any("_orig_mod" in name for name in names)
    assert train(config, Task(given, blobs()), trainer.state()).epoch == trainer.epoch
    if given is compiled:
        plain = train(config, Task(network, blobs()))
        assert list(plain.state()["model"]) == names
        for name, value in plain.network.state_dict().items():
            torch.testing.assert_close(value, trainer.network.state_dict()[name])
    if isinstance(given, nn.Module):
        assert all("_orig_mod" in name for name in given.state_dict()), "it is left as it was"


def test_a_compiled_network_runs_compiled():
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    train(config_of(TaskConfig(), epochs=1), Task(lambda: compiled(backend), blobs()))
    assert graphs


def test_a_compiled_network_of_images_is_kept_by_its_own_names(tiny):
    data = load_images(tiny.data)
    model = ModelConfig(f"{__name__}.compiled_mlp")
    found = network_of(replace(tiny, model=model), data)
    assert not any("_orig_mod" in name for name in found.state_dict())


def compiled_mlp(num_classes: int, image_size: tuple[int, int]) -> nn.Module:
    return torch.compile(MLP(num_classes, image_size), backend="aot_eager")  # pyright: ignore


class LazyNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.LazyLinear(3)

    def forward(self, x):
        return self.layer(x)


def test_lazy_and_frozen_networks_say_why_not():
    assert "Run a batch through the model" in refused(Task(LazyNet, blobs()))
    assert "Run a batch through the model" in refused(Task(LazyNet(), blobs()))
    assert "frozen" in refused(Task(network().requires_grad_(False), blobs()))
    begun = LazyNet()
    begun(torch.zeros(1, 3))
    assert train(config_of(TaskConfig()), Task(begun, blobs())).epoch > 1


def test_one_example_is_left_and_batch_norm_is_there():
    task = Task(lambda: normed(kept=False), blobs(31), blobs(9))
    assert train(config_of(TaskConfig(), epochs=1), task).problem.steps == 2, "15 at each and 1"


class Unused(nn.Module):
    """Two heads, of which the loss sees one, and weights that two layers share."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(3, 3), nn.Linear(3, 3)
        self.two.weight = self.one.weight
        self.unused = nn.Linear(3, 3)

    def forward(self, x):
        return self.two(torch.tanh(self.one(x)))


def test_unused_and_tied_parameters_have_a_sharpness():
    config = config_of(TaskConfig(), sharpness=SharpnessConfig(examples=20))
    trainer = train(config, Task(Unused, blobs()))
    assert trainer.records.last("run", "sharpness") > 0


def test_a_sharpness_that_is_not_finite_ends_no_run(caplog):
    def loss(outputs, targets):
        return ((outputs * 0).abs().sqrt() + outputs.square()).mean()

    config = config_of(TaskConfig(), sharpness=SharpnessConfig(examples=20), epochs=1)
    trainer = task_trainer(config, Task(network, blobs(), loss=loss))
    assert trainer.curvature.measure(trainer.network, 1) is None
    assert "No sharpness after epoch 1" in caplog.text
    trainer.curvature.try_out(trainer.network)
