"""One run on several processes that share every batch: the numbers of one process."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load
from torch import nn

from learnorder import Task
from learnorder.cli.main import main
from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import NoiseConfig, TrainingConfig
from learnorder.errors import ConfigError
from learnorder.execution.engine import Cores
from learnorder.execution.groups import Group, Groups
from learnorder.execution.pool import run_pool
from learnorder.noise import ActivationNoise
from learnorder.runs import RunFolder
from learnorder.runs.execute import execute
from learnorder.runs.lock import RunLock
from learnorder.schedules import Schedule
from learnorder.training.process_group import ProcessGroup

from .conftest import changed
from .test_task import blobs

CPU = torch.device("cpu")


def shifted(images: torch.Tensor) -> torch.Tensor:
    """Each image by a number of columns of its own."""
    by = torch.randint(3, (len(images),))
    return torch.stack([torch.roll(i, int(n), -1) for i, n in zip(images, by, strict=True)])


def without_dropout() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 3))


class Called(nn.Module):
    """A function and a module, both activations."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = without_dropout()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(torch.tanh(x))


def make_task() -> Task:
    return Task(without_dropout, blobs(90))


def make_called_task() -> Task:
    return Task(Called, blobs(90))


def muon_and_adamw(model: nn.Module, rate: float) -> list[torch.optim.Optimizer]:
    matrices = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() != 2]
    return [torch.optim.Muon(matrices, lr=rate), torch.optim.AdamW(others, lr=0.1 * rate)]


def fall(optimizer: torch.optim.Optimizer, steps: int) -> torch.optim.lr_scheduler.LRScheduler:
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)


def make_own_task() -> Task:
    return Task(without_dropout, blobs(90), optimizer=muon_and_adamw, scheduler=fall)


def both(config, tmp_path):
    """Make a run by one process and by two; return their folders."""
    alone = RunFolder.create(tmp_path / "alone", config, {})
    execute(alone, threads=1)
    shared = RunFolder.create(tmp_path / "shared", config, {})
    run_pool([shared], Cores(1, 1), lambda state: None, Groups(2))
    assert shared.read_status() == "finished", shared.file("log.txt").read_text()
    assert shared.read_manifest()["processes"] == 2
    return alone, shared


def close(alone, shared):
    ours, theirs = (folder.records().to_pandas() for folder in (alone, shared))
    keys = ["epoch", "set", "group", "quantity", "examples"]
    assert (ours[keys] == theirs[keys]).all().all()
    np.testing.assert_allclose(ours["value"], theirs["value"], atol=2e-4)
    ours, theirs = (load(folder.read("weights.safetensors")) for folder in (alone, shared))
    for name, weight in ours.items():
        torch.testing.assert_close(weight, theirs[name], atol=2e-4, rtol=1e-3)


def test_images_have_the_same_numbers(tiny, tmp_path):
    """With a pattern, independent noise, augmentation, uneven shares, a batch of one at last."""
    config = changed(
        tiny,
        data={"augmentation": f"{__name__}.shifted"},
        model={"name": "MLP", "arguments": {"widths": (16,)}},
        training={"batch_size": 17},
        noise={"level": Schedule(0.4), "shared": False},
    )
    alone, shared = both(config, tmp_path)
    assert alone.read_manifest()["data"]["train_examples"] % 17 == 1
    close(alone, shared)


OWN = {"accumulate": 3, "clip_norm": 0.5}


@pytest.mark.parametrize(
    ("task", "shared", "settings"),
    [
        ("make_task", True, {}),
        pytest.param("make_called_task", False, {}, marks=pytest.mark.slow),
        pytest.param("make_own_task", False, OWN, marks=pytest.mark.slow),
    ],
)
def test_a_task_has_the_same_numbers(tmp_path, task, shared, settings):
    config = TaskRunConfig(
        TaskConfig(f"{__name__}.{task}"),
        TrainingConfig(epochs=3, batch_size=10, **settings),
        Schedule(0.1),
        NoiseConfig(Schedule(0.2), shared=shared),
    )
    close(*both(config, tmp_path))


@pytest.mark.slow
def test_killed_and_stopped_it_ends_with_the_same_bytes(tiny, tmp_path):
    """One of its two processes is killed; later one gets a signal; then it goes on."""
    config = changed(
        tiny, model={"name": "MLP", "arguments": {"widths": (16,)}}, training={"epochs": 40}
    )
    whole, broken = (RunFolder.create(tmp_path / n, config, {}) for n in ("whole", "broken"))
    run_pool([whole], Cores(1, 1), lambda state: None, Groups(2))
    groups, killed = Groups(2), list[int]()
    started = list[object]()
    begin = groups.start
    groups.start = lambda threads: started.append(begin(threads)) or started[-1]

    def watch(state):
        progress = broken.progress()
        if progress is None:
            return
        if not killed and progress.share > 0.2:
            killed.append(started[-1]._processes[1].pid)
            os.kill(killed[0], signal.SIGKILL)
        elif len(killed) == 1 and state.deaths and progress.share > 0.5:
            killed.append(started[-1]._processes[1].pid)
            os.kill(killed[1], signal.SIGTERM)

    state = run_pool([broken], Cores(1, 1), watch, groups)
    assert state.failed == [broken]
    assert broken.read_status() == "interrupted"
    run_pool([broken], Cores(1, 1), lambda state: None, Groups(2))
    for name in ("records.parquet", "weights.safetensors"):
        assert whole.read(name) == broken.read(name)


def test_batch_norm_is_refused_on_the_cpu():
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    with pytest.raises(ConfigError, match=r"processes: got 2.*SyncBatchNorm"):
        ProcessGroup(CPU, 0, 2).with_global_statistics(network)
    own = type("BatchNormAct", (nn.BatchNorm2d,), {})
    with pytest.raises(ConfigError, match="BatchNormAct is a subclass of batch norm"):
        ProcessGroup(torch.device("cuda"), 0, 2).with_global_statistics(own(2))
    assert ProcessGroup(CPU, 0, 2).with_global_statistics(layer := nn.Linear(2, 2)) is layer


@pytest.mark.parametrize("option", ["--dry-run", "--prepare"])
def test_batch_norm_is_refused_before_a_run_begins(option, tmp_path, capsys):
    out = tmp_path / "run"
    command = ["train", "--model.name", "WideResNet", "--processes", "2", "--out", str(out)]
    assert main([*command, option]) == 2
    assert "processes: got 2. The network has batch norm" in capsys.readouterr().err
    assert not out.exists()


def test_batch_norm_takes_global_statistics_on_accelerators():
    """What is trained there is torch's SyncBatchNorm; no accelerator is needed to see it put in."""
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU())
    names = list(network.state_dict())
    found = ProcessGroup(torch.device("cuda"), 0, 2).with_global_statistics(network)
    assert isinstance(found[1], nn.SyncBatchNorm)
    assert list(found.state_dict()) == names
    assert isinstance(
        ProcessGroup(CPU, 0, 1).with_global_statistics(nn.BatchNorm1d(3)), nn.BatchNorm1d
    )


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("examples", [1, 2, 4, 7, 32])
@pytest.mark.parametrize("at_once", [32, 5, 1])
def test_every_example_is_trained_on_once(count, examples, at_once):
    places = [ProcessGroup(CPU, rank, count) for rank in range(count)]
    losses = torch.rand(examples, generator=torch.Generator().manual_seed(0))
    counted = [losses[p.shard(examples)] for p in places if p.counts(examples)]
    torch.testing.assert_close(torch.cat(counted), losses)
    parts = [p.parts(examples, at_once) for p in places]
    assert len({len(rows) for rows in parts}) == 1  # as many exchanges of gradients
    for place, rows in zip(places, parts, strict=True):
        together = torch.cat([losses[some] for some in rows])
        torch.testing.assert_close(together, losses[place.shard(examples)])
        assert all(len(losses[some]) for some in rows)
        if count == 1:
            assert max(len(losses[some]) for some in rows) <= at_once
    means = [
        sum(p.weight(examples, some) * losses[some].mean() for some in rows)
        for p, rows in zip(places, parts, strict=True)
    ]
    torch.testing.assert_close(torch.stack(means).mean(), losses.mean())


def test_noise_of_a_shared_batch_is_that_of_the_whole():
    model, x = nn.Sequential(nn.ReLU()), 10 * torch.ones(5, 3)
    noise = ActivationNoise(model, 1.0, shared=False)
    noise.reseed(3)
    whole, parts = model(x), list[torch.Tensor]()
    for rank in range(2):
        rows = ProcessGroup(CPU, rank, 2).shard(5)
        noise.reseed(3)
        noise.share(rows, 5)
        parts.append(model(x[rows]))
    torch.testing.assert_close(torch.cat(parts), whole)


def test_a_run_that_another_makes_is_left_to_it(tiny, tmp_path, monkeypatch):
    """The first of two processes is refused, the other waits for it and is ended."""
    monkeypatch.setattr("learnorder.execution.groups.GRACE_SECONDS", 0.5)
    folder = RunFolder.create(tmp_path / "run", tiny, {})
    with RunLock(folder.path):
        state = run_pool([folder], Cores(1, 1), lambda state: None, Groups(2), wait=False)
    assert (state.elsewhere, state.failed, state.deaths) == ([folder], [], {})
    assert folder.read_status() == "pending"


def test_the_first_process_may_save_while_the_others_have_ended(monkeypatch):
    """After a signal, ranks above 0 have nothing to save and are gone at once."""
    monkeypatch.setattr("learnorder.execution.groups.GRACE_SECONDS", 0.2)
    group = Group(2, 1)
    codes = ("import time, sys; time.sleep(1); sys.exit(143)", "import sys; sys.exit(143)")
    group.processes = [subprocess.Popen([sys.executable, "-c", code]) for code in codes]
    assert group.answer() == (143, True)


def test_no_processes_are_no_group():
    with pytest.raises(ConfigError, match="processes"):
        Groups(0)
    with pytest.raises(ConfigError, match="theory"):
        Groups(2).cores(1, None, None, accelerated=False)


@pytest.mark.slow
def test_other_launchers_start_it(tiny, tmp_path):
    """As on several machines: torchrun starts the processes of a prepared run."""
    config = changed(tiny, model={"name": "MLP", "arguments": {"widths": (16,)}})
    folder = RunFolder.create(tmp_path / "run", config, {})
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2",
        "-m", "learnorder.runs.execute", str(folder.path),
    ]  # fmt: skip
    made = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert made.returncode == 0, made.stderr
    assert (folder.read_status(), folder.read_manifest()["processes"]) == ("finished", 2)
