"""A user's own task: any data set, model and loss, as runs; the model comes back unchanged."""

import random

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn
from torch.utils.data import Dataset, TensorDataset

from learnorder import BatchMean, Task, TaskResults
from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.errors import ConfigError, DataError
from learnorder.execution.driver import Plan, run_plans
from learnorder.execution.settings import Execution
from learnorder.runs import RunFolder
from learnorder.runs.execute import execute
from learnorder.schedules import Schedule
from learnorder.tasks.backend import check
from learnorder.training.fit import try_on_cpu
from learnorder.training.scores import accuracy
from learnorder.training.targets import known_targets
from learnorder.training.task import build_network, identify, register_task, splits
from learnorder.training.task_problem import task_trainer


def blobs(n: int = 90, classes: int = 3) -> TensorDataset:
    """Classes that a linear model tells apart."""
    labels = torch.arange(n) % classes
    drawing = torch.Generator().manual_seed(0)
    x = 3 * nn.functional.one_hot(labels, classes) + torch.randn(n, classes, generator=drawing)
    return TensorDataset(x, labels)


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 3))


def make_task(n: int = 90) -> Task:
    """What an import path names."""
    return Task(network, blobs(n))


def config_of(task: TaskConfig, epochs: int = 3, **settings: object) -> TaskRunConfig:
    training = TrainingConfig(epochs=epochs, batch_size=16)
    return TaskRunConfig(task, training, Schedule(0.1), **settings)  # pyright: ignore


class Noisy(Dataset):
    """Draws from every global generator, as augmentations do."""

    def __len__(self) -> int:
        return 40

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        drawn = [random.random(), float(np.random.rand()), float(torch.rand(()))]
        return torch.tensor(drawn), index % 3


def train(config: TaskRunConfig, task: Task, state: dict | None = None):
    trainer = task_trainer(config, task, state)
    outcome = trainer.run(lambda _: False, lambda _: None)
    assert outcome.status == "finished"
    return trainer


def test_a_task_is_learned_and_judged_on_what_was_held_out():
    config = config_of(TaskConfig(), epochs=6)
    trainer = train(config, make_task())
    assert trainer.problem.sizes == (72, 18)
    assert trainer.records.last("validation", "accuracy") > 0.8
    assert trainer.records.last("train", "loss") < 1.0


def test_three_examples_are_enough_to_train_on():
    task = Task(network, TensorDataset(*(t[:3] for t in blobs().tensors)))
    assert train(config_of(TaskConfig()), task).problem.sizes == (2, 1)


def test_the_split_is_stratified_where_targets_are_known():
    task = make_task()
    held, judged = splits(task)
    assert torch.equal(known_targets(judged).bincount(), torch.tensor([6, 6, 6]))
    assert set(held.indices).isdisjoint(judged.indices)


def test_a_run_is_the_same_again_whatever_the_data_set_draws_and_whoever_loads_it():
    config = config_of(TaskConfig(), seed=3)
    runs = [train(config, Task(network, Noisy(), num_workers=n)) for n in (0, 0, 2)]
    assert runs[0].records.columns == runs[1].records.columns == runs[2].records.columns
    other = train(config_of(TaskConfig(), seed=4), Task(network, Noisy()))
    assert other.records.columns != runs[0].records.columns


def test_a_run_continued_in_mid_epoch_ends_as_one_never_stopped():
    config = config_of(TaskConfig(), epochs=4)
    whole = train(config, Task(network, Noisy()))
    stopped = task_trainer(config, Task(network, Noisy()))
    steps = iter(range(100))
    assert stopped.run(lambda _: next(steps) == 4, lambda _: None).status == "interrupted"
    continued = train(config, Task(network, Noisy()), stopped.state())
    assert continued.records.columns == whole.records.columns
    for a, b in zip(continued.network.parameters(), whole.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_seeds_make_the_weights_of_a_function_and_leave_given_ones():
    made = [build_network(make_task(), seed) for seed in (0, 0, 1)]
    first = [m[0].weight for m in made]  # pyright: ignore
    assert torch.equal(first[0], first[1])
    assert not torch.equal(first[0], first[2])
    given = Task(made[0], blobs())
    assert all(torch.equal(build_network(given, s)[0].weight, first[0]) for s in (0, 1))  # pyright: ignore


def test_a_model_handed_over_comes_back_unchanged(tmp_path):
    """Weights, hooks, modes, gradients, random state, threads: as if nothing had happened."""
    model = network()
    model[0].eval()
    model[3].weight.requires_grad_(False)
    model[3].register_forward_hook(lambda *_: None)
    AcceleratorState._reset_state()  # of the tests before
    accelerator = Accelerator(mixed_precision="bf16")
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [m.training for m in model.modules()]
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)
    kept = (torch.get_rng_state(), random.getstate(), np.random.get_state()[1].copy())
    torch.set_num_threads(2)
    with register_task(Task(model, blobs())) as task:
        plans = {"run": Plan(config_of(task), {"experiment": "task"})}
        (folder,) = run_plans(
            plans, tmp_path, execution=Execution(threads=1, quiet=True), here=True
        )
    assert folder.read_status() == "finished"
    assert torch.equal(torch.get_rng_state(), kept[0])
    assert random.getstate() == kept[1]
    assert (np.random.get_state()[1] == kept[2]).all()
    assert torch.get_num_threads() == 2
    assert accelerator.mixed_precision == "bf16"
    AcceleratorState._reset_state()
    assert (torch.full((1,), 1e-310, dtype=torch.float64) * 0.5).item() > 0
    assert [m.training for m in model.modules()] == modes
    assert all(torch.equal(value, weights[n]) for n, value in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert len(model[3]._forward_hooks) == 1
    assert not any(m._forward_pre_hooks for m in model.modules())
    trained = _weights(folder)
    assert torch.equal(trained["3.weight"], weights["3.weight"])  # frozen, and so it stayed
    assert not torch.equal(trained["0.weight"], weights["0.weight"])


def _weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder.file("weights.safetensors"))


def test_a_path_gives_the_same_run_in_a_worker_and_here(tmp_path):
    by_path = config_of(TaskConfig("tests.test_task.make_task", {"n": 60}))
    here = RunFolder.create(tmp_path / "here", by_path)
    assert execute(here) == "finished"
    plans = {"there": Plan(by_path, {"experiment": "task"})}
    (there,) = run_plans(plans, tmp_path, execution=Execution(threads=1, quiet=True))
    assert there.records() == here.records()
    assert there.read_manifest()["data"]["score"] == "accuracy"


def test_a_task_of_another_process_is_not_guessed(tmp_path):
    folder = RunFolder.create(tmp_path / "run", config_of(TaskConfig(given="0123")))
    with pytest.raises(ConfigError, match="passed as an object"):
        execute(folder)


def test_fingerprints_tell_tasks_apart():
    torch.manual_seed(0)
    model, other = network(), network()
    assert identify(Task(model, blobs())) == identify(Task(model, blobs()))
    assert identify(Task(model, blobs())) != identify(Task(other, blobs()))
    assert identify(Task(model, blobs())) != identify(Task(model, blobs(60)))
    x, y = blobs().tensors
    assert identify(Task(model, blobs())) != identify(Task(model, TensorDataset(2 * x, y)))
    smooth = nn.CrossEntropyLoss(label_smoothing=0.3)
    assert identify(Task(model, blobs(), loss=nn.CrossEntropyLoss())) != identify(
        Task(model, blobs(), loss=smooth)
    )
    assert identify(Task(model, blobs(), score=accuracy)) != identify(
        Task(model, blobs(), score=accuracy, higher_is_better=False)
    )
    assert identify(Task(network, blobs())) == identify(Task(network, blobs()))


class Tied(nn.Module):
    """Two layers with one weight, and state that is no tensor."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two, self.head = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3)
        self.two.weight = self.one.weight

    def forward(self, x):
        return self.head(self.two(torch.relu(self.one(x))))

    def get_extra_state(self):
        return {"version": 1}

    def set_extra_state(self, state):
        assert state == {"version": 1}


def test_tied_weights_and_other_state_are_kept(tmp_path):
    with register_task(Task(Tied, blobs())) as task:
        plans = {"run": Plan(config_of(task), {})}
        (folder,) = run_plans(
            plans, tmp_path, execution=Execution(threads=1, quiet=True), here=True
        )
    assert folder.read_status() == "finished", folder.read_manifest()["reason"]
    weights = _weights(folder)
    assert torch.equal(weights["one.weight"], weights["two.weight"])


def test_a_model_that_draws_from_numpy_is_seeded_too():
    def drawn() -> nn.Module:
        model = network()
        with torch.no_grad():
            model[0].weight.copy_(torch.as_tensor(np.random.randn(16, 3)))
        return model

    state = np.random.get_state()[1].copy()
    first = [build_network(Task(drawn, blobs()), seed)[0].weight for seed in (0, 0, 1)]  # pyright: ignore
    assert (np.random.get_state()[1] == state).all()
    assert torch.equal(first[0], first[1])
    assert not torch.equal(first[0], first[2])


def test_two_classes_by_one_output_are_judged_by_the_loss():
    x, y = blobs(60, classes=2).tensors
    data = TensorDataset(torch.cat([x, x[:, :1]], dim=1), y)

    def loss(outputs, targets):
        return nn.functional.binary_cross_entropy_with_logits(outputs[:, 0], targets.float())

    trainer = train(config_of(TaskConfig()), Task(lambda: nn.Linear(3, 1), data, loss=loss))
    assert trainer.problem.score.name == "loss"


def test_a_score_that_fails_is_named():
    for score in (lambda o, t: o.nothing, BatchMean(lambda o, t: o.nothing)):
        task = Task(network, blobs(), score=score)
        with register_task(task) as named, pytest.raises(ConfigError, match=r"task\.score"):
            check([config_of(named)])


def test_a_signal_in_an_evaluation_stops_before_the_next_run(tmp_path, monkeypatch):
    import os
    import signal

    from learnorder.errors import Interrupted
    from learnorder.training.task_problem import TaskProblem

    evaluate, called = TaskProblem.evaluate, []

    def interrupted(self, model, records, epoch):
        called.append(1)
        if len(called) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return evaluate(self, model, records, epoch)

    monkeypatch.setattr(TaskProblem, "evaluate", interrupted)
    with register_task(make_task()) as task:
        plans = {f"run{s}": Plan(config_of(task, 2, seed=s), {}) for s in range(3)}
        with pytest.raises(Interrupted, match="1 of 3 runs have ended"):
            run_plans(
                plans,
                tmp_path,
                execution=Execution(threads=1, quiet=True),
                here=True,
            )
    assert [RunFolder(tmp_path / name).read_status() for name in plans] == [
        "finished",
        "pending",
        "pending",
    ]


def test_regression_is_judged_by_its_loss():
    x = torch.randn(64, 3)
    task = Task(
        lambda: nn.Linear(3, 1), TensorDataset(x, x.sum(1, keepdim=True)), loss=nn.MSELoss()
    )
    trainer = train(config_of(TaskConfig(), epochs=8), task)
    assert (trainer.problem.score.name, trainer.problem.score.higher_is_better) == ("loss", False)
    assert trainer.records.last("validation", "loss") < 1.0


def test_the_interval_of_a_loss_of_ones_own_may_end_below_zero(tmp_path):
    """That of a negative log-likelihood may, though it is positive on these seeds."""

    def loss(outputs, _):
        return outputs.mean() ** 2

    with register_task(Task(lambda: nn.Linear(3, 3), blobs(), loss=loss)) as given:
        plans = {str(seed): Plan(config_of(given, epochs=1, seed=seed), {}) for seed in range(3)}
        results = TaskResults(run_plans(plans, tmp_path, Execution(quiet=True), here=True))
    (arm,) = results.arms
    losses = results.final_estimate(arm, "validation", "loss")
    assert min(results.final(arm, "validation", "loss").values()) >= 0 > losses.low
    assert results.curve(arm, "validation", "loss") == {1: losses}


def test_targets_that_would_be_broadcast_are_refused():
    x = torch.randn(64, 3)
    task = Task(lambda: nn.Linear(3, 1), TensorDataset(x, x.sum(1)), loss=nn.MSELoss())
    with pytest.raises(ConfigError, match=r"float32 \[2, 1\] with targets float32 \[2\]"):
        task_trainer(config_of(TaskConfig()), task)


def test_inputs_by_name_and_outputs_with_logits():
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 3)

        def forward(self, features, scale):
            from types import SimpleNamespace

            return SimpleNamespace(logits=self.layer(features) * scale[:, None])

    data = [{"features": x, "scale": 1.0, "labels": y} for x, y in blobs()]
    trainer = train(config_of(TaskConfig(), epochs=6), Task(Model, data))  # pyright: ignore
    assert trainer.records.last("validation", "accuracy") > 0.8


def test_a_score_of_ones_own():
    def margin(outputs, targets):
        return outputs.gather(1, targets[:, None]).squeeze(1)  # one for each example

    task = Task(network, blobs(), score=margin, score_name="margin")
    trainer = train(config_of(TaskConfig()), task)
    assert trainer.records.last("validation", "margin") > 0
    with pytest.raises(ConfigError, match="score_name"):
        Task(network, blobs(), score=margin, score_name="loss")
    with pytest.raises(ConfigError, match=r"lower val_nll is better.*task.higher_is_better false"):
        Task(network, blobs(), score=margin, score_name="val_nll")


def test_accuracy_leaves_ignored_targets_out():
    outputs = torch.eye(3)[None].transpose(1, 2)  # [1, 3 classes, 3 places]
    assert accuracy(outputs, torch.tensor([[0, 1, -100]])) == 1.0


@pytest.mark.parametrize(
    ("task", "error", "words"),
    [
        (lambda: Task(lambda: nn.Linear(4, 3), blobs()), ConfigError, "failed on a batch"),
        (lambda: Task(lambda: nn.Linear(3, 2), blobs()), ConfigError, "Target 2 is out of bounds"),
        (lambda: Task(lambda: None, blobs()), ConfigError, "NoneType"),
        (lambda: Task(lambda: 1 / 0, blobs()), ConfigError, "ZeroDivisionError"),
        (
            lambda: Task(network, [(torch.zeros(3 + i % 2), 0) for i in range(20)]),
            DataError,
            "cannot be collated",
        ),
        (lambda: Task(network, [torch.zeros(3) for _ in range(20)]), DataError, "inputs, targets"),
        (lambda: Task(network, blobs(), loss=nn.MSELoss()), ConfigError, "loss"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_to_change(task, error, words, tmp_path):
    with pytest.raises(error, match=words), register_task(task()) as named:
        run_plans(
            {"run": Plan(config_of(named), {})},
            tmp_path,
            execution=Execution(quiet=True),
            here=True,
        )
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"model": 3}, ConfigError, "nn.Module"),
        ({"train": iter(())}, ConfigError, "map-style"),
        ({"train": []}, DataError, "0 examples"),
        ({"validation_share": 1.0}, ConfigError, "validation_share"),
    ],
)
def test_a_task_is_checked_when_it_is_made(arguments, error, words):
    with pytest.raises(error, match=words):
        Task(**{"model": network, "train": blobs(), **arguments})


def test_a_class_that_validation_lacks_is_named(tmp_path):
    x, y = blobs().tensors
    judged = TensorDataset(x[y < 2], y[y < 2])
    with register_task(Task(network, blobs(), judged)) as task:
        plans = {"run": Plan(config_of(task, epochs=1), {})}
        (folder,) = run_plans(plans, tmp_path, execution=Execution(quiet=True), here=True)
    assert folder.read_manifest()["data"]["unseen_classes"] == [2]


def test_an_interrupted_run_here_goes_on(tmp_path, monkeypatch):
    """Ctrl-C saves the run under way; the same call ends as if it had not been."""
    import os
    import signal

    from learnorder.errors import Interrupted
    from learnorder.training.trainer import Trainer

    step, taken = Trainer.train_step, []

    def interrupted(self, batch):
        taken.append(1)
        if len(taken) == 8:
            os.kill(os.getpid(), signal.SIGINT)
        return step(self, batch)

    with register_task(make_task()) as task:
        plans = {f"run{s}": Plan(config_of(task, seed=s), {"experiment": "task"}) for s in (0, 1)}
        monkeypatch.setattr(Trainer, "train_step", interrupted)
        with pytest.raises(Interrupted, match="same call continues"):
            run_plans(
                plans,
                tmp_path / "a",
                execution=Execution(threads=1, quiet=True),
                here=True,
            )
        monkeypatch.undo()
        stopped = run_plans(
            plans, tmp_path / "a", execution=Execution(threads=1, quiet=True), here=True
        )
        whole = run_plans(
            plans, tmp_path / "b", execution=Execution(threads=1, quiet=True), here=True
        )
    for a, b in zip(stopped, whole, strict=True):
        assert a.read_status() == "finished"
        assert a.records() == b.records()


def test_a_class_out_of_range_is_found_on_the_cpu_before_a_gpu_sees_it():
    """On a GPU the loss of such a class would end the process's work on the device."""
    gathered = lambda outputs, targets: -outputs.gather(1, targets[:, None]).mean()  # noqa: E731
    for loss in (nn.functional.cross_entropy, gathered):
        with pytest.raises(IndexError, match="out of bounds"):
            try_on_cpu(loss, torch.zeros(2, 3), torch.tensor([1, 3]))


def test_a_loss_that_needs_its_device_is_left_to_the_device():
    def loss(outputs, targets):
        raise RuntimeError("Expected all tensors to be on the same device, but found two")

    try_on_cpu(loss, torch.zeros(2, 3), torch.tensor([1, 2]))
