"""Batches gathered from tensors are those that collating single examples gives."""

import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset, Subset, TensorDataset, default_collate

from learnorder import Task
from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.schedules import Schedule
from learnorder.seeding import derive_seed, seed_everything, step_seed
from learnorder.training.task_batches import StepBatches
from learnorder.training.task_problem import task_trainer
from learnorder.training.tensor_rows import tensor_rows

LABELS = torch.arange(12) % 3
IMAGES = torch.randn(12, 3, 5, 4, generator=torch.Generator().manual_seed(0))
DATA = TensorDataset(IMAGES, LABELS)


class Pairs(Dataset):
    """The examples of a data set, one at a time."""

    def __init__(self, data):
        self.data, self.targets = data, LABELS

    def __len__(self):
        return len(self.data)

    def __getitem__(self, index):
        return self.data[index]


class Changed(TensorDataset):
    def __getitem__(self, index):
        return tuple(2 * tensor for tensor in super().__getitem__(index))


class Shifted(Subset):
    def __getitem__(self, idx):
        return self.dataset[self.indices[idx] + 1]

    def __getitems__(self, indices):
        return [self[index] for index in indices]


def run(task, **settings):
    """The records and the weights of a run."""
    training = TrainingConfig(epochs=2, batch_size=5)
    trainer = task_trainer(
        TaskRunConfig(TaskConfig("a:b"), training, Schedule(0.1), **settings), task
    )
    trainer.run(lambda _: False, lambda _: None)
    return trainer.records.columns, trainer.network.state_dict()


@pytest.mark.parametrize(
    "dataset",
    [
        DATA,
        Subset(DATA, [7, 0, 3, 3]),
        Subset(DATA, [-1, 2, -12, 5]),
        Subset(DATA, np.arange(4, 12)),  # pyright: ignore[reportArgumentType]
        Subset(Subset(DATA, torch.arange(11, -1, -1)), range(2, 9)),  # pyright: ignore
        TensorDataset(IMAGES.to(memory_format=torch.channels_last), LABELS.float()),
        TensorDataset(IMAGES[:, :1].to(memory_format=torch.channels_last)),
        TensorDataset(IMAGES.transpose(1, 3), IMAGES > 0, LABELS.expand(2, 12).t()),
    ],
)
def test_gathered_batches_equal_collated_ones_in_values_and_memory_order(dataset):
    rows = tensor_rows(dataset, default_collate)
    assert rows is not None
    for indices in ([1], [3, 0, 2], range(4)):
        gathered, collated = rows.batch(indices), default_collate([dataset[i] for i in indices])
        assert type(gathered) is type(collated)
        for ours, theirs in zip(gathered, collated, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=0, check_stride=True)


@pytest.mark.parametrize(
    ("dataset", "collate"),
    [
        (DATA, lambda items: default_collate(items)),
        (Pairs(DATA), default_collate),
        (Changed(IMAGES), default_collate),
        (Shifted(DATA, [0, 1]), default_collate),
        (Subset(Shifted(DATA, [0, 1]), [0]), default_collate),
        (Subset(DATA, [0, 12]), default_collate),
        (Subset(DATA, [[0], [1]]), default_collate),  # pyright: ignore[reportArgumentType]
        (Subset(DATA, []), default_collate),
        (TensorDataset(nn.Parameter(IMAGES)), default_collate),
        (TensorDataset(IMAGES.flatten(1).to_sparse()), default_collate),
    ],
)
def test_items_that_may_differ_from_rows_are_collated(dataset, collate):
    assert tensor_rows(dataset, collate) is None


def test_an_index_out_of_range_is_an_error():
    with pytest.raises(IndexError):
        StepBatches(Subset(DATA, [0, 12]), default_collate, [0, 1], 2, (0,))[0]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_on_tensors_is_the_run_on_their_examples(workers):
    def model():
        return nn.Sequential(nn.Conv2d(3, 4, 2), nn.Flatten(), nn.Dropout(0.2), nn.Linear(48, 3))

    for wrapped in (Pairs(DATA), Subset(Pairs(DATA), range(11))):
        data = DATA if isinstance(wrapped, Pairs) else Subset(DATA, range(11))
        records, weights = run(Task(model, data, num_workers=workers))
        expected, ones = run(Task(model, wrapped))
        assert records == expected
        assert all(torch.equal(weights[name], ones[name]) for name in ones)


def test_a_loss_without_dimensions_is_its_own_mean():
    def loss(outputs, targets):
        return nn.functional.cross_entropy(outputs, targets)

    def model():
        return nn.Sequential(nn.Flatten(), nn.Linear(60, 3))

    records, weights = run(Task(model, DATA, loss=loss))
    expected, ones = run(Task(model, DATA, loss=lambda *pair: loss(*pair)[None]))
    assert records == expected
    assert all(torch.equal(weights[name], ones[name]) for name in ones)


def test_arrays_of_a_collate_function_are_tensors_in_every_batch():
    def collate(items):
        images, labels = default_collate(items)
        return images.flatten(1).numpy(), labels.numpy()

    def model():
        return nn.Linear(60, 3)

    problem = task_trainer(
        TaskRunConfig(TaskConfig("a:b"), TrainingConfig(epochs=1, batch_size=5)),
        Task(model, DATA, collate=collate),
    ).problem
    first, (batch,) = problem.first_batch(5), next(problem.epoch(1))
    assert torch.equal(first.inputs, batch.inputs)
    assert torch.equal(first.targets, batch.targets)


def test_seeds_of_steps_are_those_of_their_purpose():
    assert step_seed(255, (3, "layers", 2)) == 3110337497146168287
    assert step_seed(256, (3, "layers", 2), (1,)) == 5457790308459747314
    for step in (0, 1, 255, 256, 700):
        assert step_seed(step, (3, "items")) == derive_seed(3, "items", step)
        assert step_seed(step, (3, "items"), (1,)) == derive_seed(3, "items", step, 1)


def test_every_global_generator_is_seeded():
    def draws():
        return torch.rand(1).item(), np.random.rand(), random.random()

    seed_everything(3, "layers", 1)
    first = draws()
    derived = derive_seed(3, "layers", 1)
    torch.manual_seed(derived)
    np.random.seed(derived % 2**32)
    random.seed(derived)
    assert draws() == first


class Jittered(Dataset):
    """Items with draws of NumPy and of Python."""

    def __len__(self):
        return 20

    def __getitem__(self, index):
        return torch.full((4,), index + np.random.rand() + random.random()), index % 2


class Dropping(nn.Linear):
    """A layer that scales its inputs by draws of NumPy and of Python."""

    def forward(self, x):
        return super().forward(x * (1 + np.random.rand() + random.random()) * torch.rand(1))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_run_continues_with_the_same_draws_of_items_and_network(workers):
    task = Task(lambda: Dropping(4, 2), Jittered(), num_workers=workers)
    config = TaskRunConfig(TaskConfig("a:b"), TrainingConfig(epochs=1, batch_size=4))

    def trained(stop, state=None):
        trainer = task_trainer(config, task, state)
        trainer.run(stop=stop, epoch_ended=lambda _: None)
        return trainer.state()

    whole = trained(lambda _: False)
    np.random.seed(7)
    random.seed(7)
    halved = trained(lambda _: False, trained(lambda trainer: trainer.step == 2))
    assert halved["records"] == whole["records"]
    assert all(torch.equal(halved["model"][name], whole["model"][name]) for name in whole["model"])
