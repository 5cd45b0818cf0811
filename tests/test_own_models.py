"""Models as people have them: parts in eval(), compiled, lazy, tied, with outputs of every form."""

from dataclasses import dataclass

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, IterableDataset

from learnorder import Task
from learnorder.config import SharpnessConfig, TaskConfig
from learnorder.errors import ConfigError
from learnorder.models.modes import evaluation_mode, training_mode
from learnorder.range_test import range_test
from learnorder.runs.task import check
from learnorder.task import handed_over
from learnorder.training.task_problem import TaskProblem

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

    def make(place):
        made.append(TaskProblem(config_of(TaskConfig()), Task(normed, blobs()), place))
        return made[0]

    range_test(config_of(TaskConfig()).training, make, steps=20)
    assert not made[0].network[1].running_mean.any()


def test_modes_are_those_that_were_given(caplog):
    model = nn.Sequential(nn.Sequential(nn.Dropout(), nn.Linear(1, 1)).eval(), nn.Dropout())
    caplog.set_level("INFO")
    training_mode(model)
    assert [m.training for m in model.modules()] == [True, False, False, False, True]
    assert "0, 0.0, 0.1: in eval() when the model was given" in caplog.text
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


def refused(task: Task, **settings: object) -> str:
    with handed_over(task) as named, pytest.raises(ConfigError) as caught:
        check([config_of(named, **settings)])
    return str(caught.value)


@pytest.mark.parametrize(
    "form",
    [lambda logits: (logits, logits), lambda logits: [logits], lambda logits: {"classes": logits}],
)
def test_other_outputs_are_refused_with_what_to_do(form):
    said = refused(Task(lambda: Returns(form), blobs()))
    assert "task.loss" in said
    assert "a loss that takes the part it needs" in said


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
