"""Scores over all validation examples: the same number whatever the batches are."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import TensorDataset

from learnorder import BatchMean, Groups, Task
from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.errors import ConfigError
from learnorder.schedules import Schedule
from learnorder.tasks.backend import check
from learnorder.training import scores
from learnorder.training.records import Records
from learnorder.training.task import register_task
from learnorder.training.task_evaluation import validate
from learnorder.training.task_problem import TaskProblem, task_trainer


def rare(n: int = 1600, positives: int = 16) -> TensorDataset:
    """One feature that leans towards the class, which 1 % of the examples have."""
    y = torch.zeros(n, dtype=torch.int64)
    y[:: n // positives] = 1
    x = torch.randn(n, 1, generator=torch.Generator().manual_seed(0)) + 2 * y[:, None]
    return TensorDataset(x, y)


def network() -> nn.Module:
    layer = nn.Linear(1, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[-1.0], [1.0]]))
        layer.bias.copy_(torch.tensor([1.5, -1.5]))
    return layer


def f1(outputs, targets):
    predicted = outputs.argmax(1)
    hits = (predicted * targets).sum()
    return 2 * hits / (predicted.sum() + targets.sum())


def worst_class(outputs, targets):
    right = outputs.argmax(1) == targets
    return min(right[targets == value].float().mean() for value in targets.unique())


def auroc(outputs, targets):
    from sklearn.metrics import roc_auc_score

    return roc_auc_score(targets.numpy(), (outputs[:, 1] - outputs[:, 0]).numpy())


def problem_of(task: Task, batch_size: int) -> TaskProblem:
    training = TrainingConfig(epochs=1, batch_size=batch_size)
    return task_trainer(TaskRunConfig(TaskConfig(), training, Schedule(0.1)), task).problem


def judged(task: Task, batch_size: int) -> float:
    problem = problem_of(task, batch_size)
    return validate(problem, problem.network).score


def of_all(score) -> float:
    x, y = rare().tensors
    return float(score(network()(x).detach(), y))


@pytest.mark.parametrize("score", [f1, worst_class, auroc])
def test_a_score_is_of_all_examples_whatever_the_batch_size(score):
    task = Task(network, rare(), rare(), score=score)
    found = [judged(task, size) for size in (8, 100, 800)]
    assert found == pytest.approx([of_all(score)] * 3)


@given(batch_size=st.integers(1, 90), classes=st.integers(2, 6), seed=st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_the_batch_size_does_not_matter(batch_size, classes, seed):
    drawing = torch.Generator().manual_seed(seed)
    y = torch.randint(0, classes, (75,), generator=drawing)
    x = torch.randn(75, 3, generator=drawing)
    model = nn.Linear(3, classes)
    for score in (worst_class, None):
        task = Task(model, TensorDataset(x, y), TensorDataset(x, y), score=score)
        whole = judged(task, 75)
        assert judged(task, batch_size) == pytest.approx(whole, abs=1e-6)


def test_metrics_of_torchmetrics_as_objects_and_as_classes():
    from torchmetrics.classification import MulticlassF1Score

    class OfTwo(MulticlassF1Score):
        def __init__(self) -> None:
            super().__init__(num_classes=2, average="macro")

    metric = OfTwo()
    expected = float(OfTwo()(network()(rare().tensors[0]), rare().tensors[1]))
    for score in (metric, OfTwo):
        task = Task(network, rare(), rare(), score=score)
        assert [judged(task, size) for size in (8, 800)] == pytest.approx([expected] * 2)
    assert metric.update_count == 0, "it is left as it was given"


def test_the_mean_over_batches_is_taken_where_that_is_asked_for():
    task = Task(network, rare(), rare(), score=BatchMean(lambda o, t: (t == 1).float().mean() ** 2))
    assert judged(task, 8) > 2 * judged(task, 800)


def test_training_has_no_score_that_is_none_of_batches():
    task = Task(network, rare(), rare(), score=f1, score_name="f1")
    config = TaskRunConfig(TaskConfig(), TrainingConfig(epochs=1, batch_size=80), Schedule(0.1))
    trainer = task_trainer(config, task)
    trainer.run(lambda _: False, lambda _: None)
    rows = set(zip(*(trainer.records.columns[name] for name in ("set", "quantity")), strict=True))
    assert ("validation", "f1") in rows
    assert {quantity for set_, quantity in rows if set_ == "train"} == {"loss"}


class Several(nn.Module):
    """Outputs in a mapping of a tensor and a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 2)

    def forward(self, x):
        return {"classes": self.layer(x), "more": (x, x + 1)}


def test_outputs_and_targets_are_gathered_in_whatever_holds_them():
    x, y = rare(100).tensors
    names = [f"item {i}" for i in range(100)]
    data = [({"x": a}, {"y": b, "name": n}) for a, b, n in zip(x, y, names, strict=True)]

    def collate(items):
        inputs = {"x": torch.stack([i["x"] for i, _ in items])}
        return inputs, {
            "y": torch.stack([t["y"] for _, t in items]),
            "n": [t["name"] for _, t in items],
        }

    def score(outputs, targets):
        assert torch.equal(outputs["more"][1], x + 1)
        assert targets["n"] == names
        return (outputs["classes"].argmax(1) == targets["y"]).numpy()

    def loss(outputs, targets):
        return nn.functional.cross_entropy(outputs["classes"], targets["y"])

    task = Task(Several, data, data, loss=loss, score=score, collate=collate)  # pyright: ignore
    assert 0 <= judged(task, 7) <= 1


def refused(task: Task) -> str:
    with register_task(task) as named, pytest.raises(ConfigError) as caught:
        check([TaskRunConfig(named, TrainingConfig(epochs=1, batch_size=32), Schedule(0.1))])
    assert caught.value.field == "task.score"
    return str(caught.value)


def test_what_is_too_much_to_gather_is_refused_before_anything_runs(monkeypatch):
    monkeypatch.setattr(scores, "MOST_GATHERED", 10_000)
    said = refused(Task(network, rare(), rare(), score=f1))
    assert "f1" in said
    assert "26 kB, and at most 10 kB are allowed" in said
    assert "BatchMean" in said
    monkeypatch.setattr(scores, "MOST_GATHERED", 10**9)
    check_free = monkeypatch.setattr("learnorder.config.memory.available_memory", lambda: 1000)
    assert check_free is None
    assert "are free" in refused(Task(network, rare(), rare(), score=f1))


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (lambda o, t: torch.ones(3), "numbers of shape [3] for 1600 examples"),
        (lambda o, t: {"f1": 1.0}, "It returned a dict"),
        (lambda o, t: o.nothing, "AttributeError"),
    ],
)
def test_what_is_no_score_is_refused_before_anything_runs(score, words):
    assert words in refused(Task(network, rare(), rare(), score=score))


def test_batches_of_several_lengths_are_refused_with_what_to_do():
    def collate(items):
        x = torch.stack([a for a, _ in items])
        return x.expand(-1, int(10 * abs(x[0, 0])) + 1), torch.stack([b for _, b in items])

    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(1, 2)

        def forward(self, x):
            return self.layer(x[:, :1])[:, :, None].expand(-1, -1, x.shape[1])

    def loss(outputs, targets):
        return nn.functional.cross_entropy(outputs[:, :, 0], targets)

    task = Task(Pooled, rare(), rare(), loss=loss, score=f1, collate=collate)
    assert "validation_collate" in refused(task)


def test_validation_may_be_collated_in_its_own_way():
    def twice(items):
        x, y = torch.utils.data.default_collate(items)
        return x, torch.ones_like(y)

    def share(outputs, targets):
        return targets.float()

    tasks = [
        Task(network, rare(), data, score=share, validation_collate=twice)
        for data in (rare(), None)
    ]
    assert [judged(task, 50) for task in tasks] == [1.0, 1.0]
    assert judged(Task(network, rare(), rare(), score=share), 50) == pytest.approx(0.01)


def test_accuracy_counts_what_is_not_ignored():
    x, y = rare().tensors
    y = torch.where(torch.arange(len(y)) < 900, -100, y)
    task = Task(network, rare(), TensorDataset(x, y))
    right = (network()(x).argmax(1) == y)[900:].double().mean()
    assert [judged(task, size) for size in (8, 800)] == pytest.approx([float(right)] * 2)


def of_each(outputs, targets):
    return F.cross_entropy(outputs, targets, reduction="none")


@pytest.mark.parametrize("loss", [F.cross_entropy, of_each])
def test_losses_count_what_is_not_ignored(loss):
    """Some batches of 8 have no target that counts, and some groups' examples neither."""
    x, y = rare().tensors
    y = torch.where(torch.arange(len(y)) % 20 < 15, -100, y)
    data, kinds = TensorDataset(x, y), [str(i // 20 % 2) for i in range(len(y))]
    groups = Groups(kinds, kinds, spurious=False)
    task = Task(network, data, data, loss=loss, groups=groups)
    each, counted = of_each(network()(x), y).double().detach(), y != -100
    kind = torch.tensor([int(k) for k in kinds])
    for size in (8, 100, 1600):
        found = validate(problem := problem_of(task, size), problem.network)
        assert found.loss == pytest.approx(float(each[counted].mean()))
        assert found.groups.losses == pytest.approx(
            {str(k): float(each[counted & (kind == k)].mean()) for k in (0, 1)}
        )
        problem.groups = None
        for batch in problem.validation_batches():
            outputs = problem.outputs(problem.network, batch)
            if (batch.targets != -100).any():
                losses = problem.losses(outputs, batch).detach()
                problem.update_metrics(batch, outputs.detach(), losses)
        problem.flush_metrics(records := Records(), 1)
        assert records.last("train", "loss") == pytest.approx(float(each[counted].mean()))
        assert records.last("train", "accuracy") == pytest.approx(found.score)


def test_tokens_are_averaged_alike_whatever_the_padding():
    """Sequences of 1 to 6 tokens, padded with targets of -100 to the longest of a batch."""
    lengths = [1 + i % 6 for i in range(60)]
    items = [(torch.randn(n, 1), torch.randint(2, (n,))) for n in lengths]

    def padded(items):
        inputs, targets = zip(*items, strict=True)
        return pad_sequence(inputs, True), pad_sequence(targets, True, padding_value=-100)

    def loss(outputs, targets):
        return F.cross_entropy(outputs.transpose(1, 2), targets)

    def wrong(outputs, targets):
        found = outputs.argmax(2) != targets
        return found[targets != -100].float().mean()

    task = Task(network, items, items, loss=loss, collate=padded, score=BatchMean(wrong))  # pyright: ignore
    whole = padded(items)
    outputs = network()(whole[0]).detach()
    expected = [float(part(outputs, whole[1])) for part in (loss, wrong)]
    for size in (1, 7, 60):
        found = validate(problem := problem_of(task, size), problem.network)
        assert [found.loss, found.score] == pytest.approx(expected, rel=1e-5)


def test_numbers_of_numpy_and_plain_ones():
    for score in (lambda o, t: np.float64(0.5), lambda o, t: 0.5, lambda o, t: np.full(1600, 0.5)):
        assert judged(Task(network, rare(), rare(), score=score), 100) == 0.5
