"""What is measured by example needs batches in the order of their items."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset, TensorDataset, default_collate

from learnorder import Groups, Task
from learnorder.config.settings import PatternConfig, TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.errors import ConfigError
from learnorder.planters import TablePlanter
from learnorder.schedules import Schedule
from learnorder.training.collate_order import check_order
from learnorder.training.task_problem import task_trainer

UNPLANTED = PatternConfig()


class Texts(Dataset):
    """Tokens [1..8] and a class."""

    def __init__(self, classes: int = 2) -> None:
        drawing = torch.Generator().manual_seed(0)
        lengths = torch.randint(1, 9, (60,), generator=drawing).tolist()
        self.items = [
            (torch.rand(n, generator=drawing), i % classes) for i, n in enumerate(lengths)
        ]

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int):
        tokens, label = self.items[index]
        return {"tokens": tokens, "label": label}


def padded(items):
    """Return (inputs [B, T], targets [B]); it empties the items, which it may."""
    tokens = pad_sequence([item.pop("tokens") for item in items], batch_first=True)
    return tokens, torch.tensor([item.pop("label") for item in items])


def longest_first(items):
    return padded(sorted(items, key=lambda item: -len(item["tokens"])))


def shuffled(items):
    return padded([items[i] for i in torch.randperm(len(items)).tolist()])


def without_short_ones(items):
    return padded([item for item in items if len(item["tokens"]) > 2])


def noisy(items):
    tokens, labels = padded(items)
    return tokens + torch.rand_like(tokens), labels


def mixed(items):
    """Mix the examples, as mixup does."""
    tokens, labels = padded(items)
    share, order = torch.rand(()), torch.randperm(len(items))
    targets = nn.functional.one_hot(labels, 2).float()
    return tokens.lerp(tokens[order], share), targets.lerp(targets[order], share)


def as_arrays(items):
    return tuple(part.numpy() for part in padded(items))


def as_mapping(items):
    tokens, labels = padded(items)
    return {"input_ids": tokens, "mask": tokens > 0, "labels": labels}


@pytest.mark.parametrize("collate", [padded, noisy, mixed, as_arrays, as_mapping])
@pytest.mark.parametrize("classes", [1, 2])
def test_batches_in_order_are_accepted(collate, classes):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    data = Texts(classes)
    check_order("task.collate", collate, data)
    assert torch.equal(torch.get_rng_state(), before)
    assert set(data[0]) == {"tokens", "label"}


@pytest.mark.parametrize("classes", [1, 2])
@pytest.mark.parametrize("collate", [longest_first, shuffled, without_short_ones])
def test_other_batches_are_refused(collate, classes):
    """Also where only the inputs show it, since all examples have one class."""
    with pytest.raises(ConfigError, match=f"task.collate: got '{collate.__name__}'.*row i"):
        check_order("task.collate", collate, Texts(classes))


class Length(nn.Module):
    """Logits from a text's sum."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(1, 2)

    def forward(self, tokens):
        return self.head(tokens.sum(1, keepdim=True))


def problem_of(task: Task, pattern: PatternConfig = UNPLANTED, *, dynamics: bool = False):
    training = TrainingConfig(epochs=1, batch_size=16, dynamics=dynamics)
    config = TaskRunConfig(TaskConfig(), training, Schedule(0.1), pattern=pattern)
    return task_trainer(config, task).problem


def test_only_what_is_measured_by_example_needs_it():
    data = Texts()
    task = Task(Length, data, data, collate=longest_first)
    assert problem_of(task).groups is None
    with pytest.raises(ConfigError, match="order of the items"):
        problem_of(task, dynamics=True)
    groups = Groups(["a", "b"] * 30, ["a", "b"] * 30, spurious=False)
    with pytest.raises(ConfigError, match="order of the items"):
        problem_of(Task(Length, data, data, collate=longest_first, groups=groups))
    unlike = Task(
        Length, data, data, collate=padded, validation_collate=longest_first, groups=groups
    )
    with pytest.raises(ConfigError, match=r"task\.validation_collate"):
        problem_of(unlike)


def test_patterns_need_it():
    rows = TensorDataset(torch.randn(60, 4), torch.arange(60) % 3)

    def backwards(items):
        return default_collate(sorted(items, key=lambda item: float(item[0][0])))

    task = Task(lambda: nn.Linear(4, 3), rows, collate=backwards, planter=TablePlanter((0, 1)))
    with pytest.raises(ConfigError, match="order of the items"):
        problem_of(task, PatternConfig(eligible_share=0.8, strength=1.0))
