"""A folder knows what it is about: code, the values that it holds, and data."""

import importlib
import os
import signal
import sys
import textwrap
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import Dataset, TensorDataset

from learnorder import BatchMean, Groups, LRSearch, Task
from learnorder.advise.run import run_advise
from learnorder.config.settings import DataConfig, ModelConfig, TaskConfig
from learnorder.config.training import TrainingConfig
from learnorder.errors import Interrupted, RunFolderError
from learnorder.execution.driver import Plan, make_folders, run_plans
from learnorder.execution.settings import Execution
from learnorder.images.backend import identify as identify_images
from learnorder.planters import TablePlanter
from learnorder.runs import RunFolder
from learnorder.runs.execute import execute
from learnorder.runs.settings import identity_words
from learnorder.training.identity import Reader, is_own
from learnorder.training.task import identify, load_task

from .test_task import blobs, config_of

SEARCH = LRSearch(
    training=TrainingConfig(epochs=2, batch_size=20), learning_rates=(0.01, 0.1), rungs=1,
    seeds=2, screening_seeds=2, noise=0, shorter_plateaus=(), range_test=False,
)  # fmt: skip

MODULE = """
    import torch
    from torch import nn
    from torch.utils.data import TensorDataset
    from learnorder import Task

    WIDTH = 8
    SETTINGS = {"slope": 1.0}

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = nn.Sequential(nn.Linear(3, WIDTH), nn.ReLU(), nn.Linear(WIDTH, 3))

        def forward(self, x):
            return self.layers(SETTINGS["slope"] * x)

    def smoothed(outputs, targets, amount=0.0):
        return nn.functional.cross_entropy(outputs, targets, label_smoothing=amount)

    def loss(outputs, targets):
        return smoothed(outputs, targets)

    def make():
        x = torch.arange(90).remainder(7)[:, None].expand(-1, 3).float()
        y = torch.arange(90) % 3
        return Task(Net, TensorDataset(x, y), loss=loss)

    def not_of_the_task():
        return 1
"""


class UserModule:
    """A module of the user's, as it is written and edited."""

    def __init__(self, folder, name: str) -> None:
        self.folder, self.name, self.text = folder, name, textwrap.dedent(MODULE)
        (folder / f"{name}.py").write_text(self.text)

    def edit(self, before: str, after: str) -> None:
        """Change the file, and load it as a new process would."""
        assert before in self.text
        self.text = self.text.replace(before, after)
        (self.folder / f"{self.name}.py").write_text(self.text)
        self.load()

    def load(self):
        sys.modules.pop(self.name, None)
        importlib.invalidate_caches()
        return importlib.import_module(self.name)


@pytest.fixture
def module(tmp_path, monkeypatch):
    folder = tmp_path / "code"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setattr("sys.dont_write_bytecode", True)
    made = UserModule(folder, f"tasks_{abs(hash(str(tmp_path)))}")
    yield made
    sys.modules.pop(made.name, None)


EDITS = {
    "width": ("WIDTH = 8", "WIDTH = 9", "WIDTH"),
    "a setting": ('"slope": 1.0', '"slope": 2.0', "SETTINGS"),
    "forward": ('["slope"] * x', '["slope"] * x + 1', "Net.forward"),
    "a helper": ("label_smoothing=amount", "label_smoothing=2 * amount", "smoothed"),
    "a default": ("amount=0.0", "amount=0.1", "smoothed"),
    "the loss": (
        "return smoothed(outputs, targets)",
        "return 2 * smoothed(outputs, targets)",
        "loss",
    ),
    "labels": ("torch.arange(90) % 3", "torch.arange(90) % 2", "training data"),
    "one label": (
        "y = torch.arange(90) % 3",
        "y = torch.arange(90) % 3; y[41] = 0",
        "training data",
    ),
}


def test_an_edited_task_is_refused_in_its_folder(module, tmp_path, monkeypatch):
    monkeypatch.setenv(
        "PYTHONPATH", f"{module.folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    )
    search = replace(SEARCH, task=TaskConfig(f"{module.name}.make"))

    def advise():
        return run_advise(search, tmp_path / "out", execution=Execution(workers=1, quiet=True))

    first = advise()
    module.edit("return 1", "return 2  # and a comment")
    module.edit("import torch\n", "import torch\n\n\n")
    assert advise().arms == first.arms
    for before, after, named in EDITS.values():
        module.edit(before, after)
        with pytest.raises(RunFolderError, match=f"other code or data .*{named}"):
            advise()
        module.edit(after, before)
    assert advise().arms == first.arms


def scaled(scale: float, data: TensorDataset | None = None) -> Task:
    def loss(outputs, targets):
        return scale * F.cross_entropy(outputs, targets)

    return Task(lambda: nn.Linear(3, 3), data or blobs(), loss=loss)


def test_two_tasks_that_differ_in_a_closure(tmp_path):
    first = run_advise(SEARCH, tmp_path, task=scaled(1.0), execution=Execution(quiet=True))
    again = run_advise(SEARCH, tmp_path, task=scaled(1.0), execution=Execution(quiet=True))
    assert again.arms == first.arms
    with pytest.raises(RunFolderError, match=r"scale in .*scaled\.<locals>\.loss"):
        run_advise(SEARCH, tmp_path, task=scaled(2.0), execution=Execution(quiet=True))
    with pytest.raises(RunFolderError, match="training data"):
        run_advise(SEARCH, tmp_path, task=scaled(1.0, blobs(93)), execution=Execution(quiet=True))


def test_a_run_that_was_stopped_is_not_continued_with_other_code(module, tmp_path):
    config = config_of(TaskConfig(f"{module.name}.make"))
    plans = {"run": Plan(config, {})}
    (folder,) = make_folders(plans, tmp_path)
    module.edit("WIDTH = 8", "WIDTH = 7")  # it has not begun, and may be of other code
    steps = iter(range(100))

    def stop() -> None:
        if next(steps) == 3:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        execute(RunFolder(folder.path), each_step=stop)
    module.edit("WIDTH = 7", "WIDTH = 9")
    with pytest.raises(RunFolderError, match="WIDTH"):
        execute(RunFolder(folder.path))
    with pytest.raises(RunFolderError, match="WIDTH"):
        run_plans(plans, tmp_path, execution=Execution(quiet=True))


def test_a_module_loaded_again_makes_its_task_anew(module):
    config = TaskConfig(f"{module.name}.make")
    first = load_task(config)
    assert load_task(config) is first
    module.edit("WIDTH = 8", "WIDTH = 9")
    assert load_task(config).model().layers[0].out_features == 9  # pyright: ignore


class OwnLoss:
    def __init__(self, power: float) -> None:
        self.power = power

    def __call__(self, outputs, targets):
        return F.cross_entropy(outputs, targets) ** self.power


class Lazy(Dataset):
    """Draws at random, from a generator that nobody seeds, and keeps what it has drawn."""

    def __init__(self, scale: float = 1.0) -> None:
        self.drawing, self.kept = np.random.default_rng(), {}
        self.scale = scale

    def __len__(self) -> int:
        return 50

    def __getitem__(self, index: int):
        self.kept[index] = self.drawing.normal(size=3).astype(np.float32) * self.scale
        return self.kept[index], index % 3


def right(outputs, targets):
    return (outputs.argmax(1) == targets).float()


def wrong(outputs, targets):
    return 1 - right(outputs, targets)


def padded(size: int = 1, *, frozen: bool = False, evaluated: bool = False) -> nn.Module:
    """Return a network whose weights are always the same."""
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        layers = [nn.Conv1d(1, 3, 3, padding=size), nn.BatchNorm1d(3), nn.AdaptiveAvgPool1d(1)]
    layers[0].requires_grad_(not frozen)
    layers[1].train(not evaluated)
    return nn.Sequential(nn.Unflatten(1, (1, 3)), *layers, nn.Flatten())


def hooked(hook) -> nn.Module:
    network = padded()
    network.register_forward_hook(hook)
    return network


def grouped(values, **settings) -> Task:
    return Task(LINEAR, blobs(), groups=Groups(values, spurious=False, **settings))


LINEAR = nn.Linear(3, 3)
PARITY = [str(i % 2) for i in range(len(blobs()))]
TASKS = {
    "plain": lambda: Task(LINEAR, blobs()),
    "weights": lambda: Task(nn.Linear(3, 3), blobs()),
    "partial": lambda: Task(LINEAR, blobs(), loss=partial(F.cross_entropy, reduction="sum")),
    "module": lambda: Task(LINEAR, blobs(), loss=nn.CrossEntropyLoss()),
    "smoothing": lambda: Task(LINEAR, blobs(), loss=nn.CrossEntropyLoss(label_smoothing=0.1)),
    "object": lambda: Task(LINEAR, blobs(), loss=OwnLoss(1.0)),
    "attribute": lambda: Task(LINEAR, blobs(), loss=OwnLoss(2.0)),
    "direction": lambda: Task(LINEAR, blobs(), score=lambda o, t: 1.0, higher_is_better=False),
    "score": lambda: Task(LINEAR, blobs(), score=lambda o, t: 2.0),
    "validation": lambda: Task(LINEAR, blobs(), blobs(30)),
    "drawn": lambda: Task(LINEAR, Lazy()),
    "convolution": lambda: Task(padded(), blobs()),
    "padding": lambda: Task(padded(2), blobs()),
    "frozen": lambda: Task(padded(frozen=True), blobs()),
    "evaluated": lambda: Task(padded(evaluated=True), blobs()),
    "hook": lambda: Task(hooked(right), blobs()),
    "other hook": lambda: Task(hooked(wrong), blobs()),
    "batch mean": lambda: Task(LINEAR, blobs(), score=BatchMean(right)),
    "other batch mean": lambda: Task(LINEAR, blobs(), score=BatchMean(wrong)),
    "groups": lambda: grouped(PARITY),
    "other groups": lambda: grouped(PARITY[::-1]),
    "names of classes": lambda: grouped(PARITY, class_names=("a", "b", "c")),
    "other names": lambda: grouped(PARITY, class_names=("b", "a", "c")),
    "groups by item": lambda: grouped(lambda item: int(item[0][0] > 0)),
    "other groups by item": lambda: grouped(lambda item: int(item[0][1] > 0)),
    "columns": lambda: Task(LINEAR, blobs(), planter=TablePlanter(columns=(0, 1))),
    "other columns": lambda: Task(LINEAR, blobs(), planter=TablePlanter(columns=(1, 2))),
}  # fmt: skip


def test_tasks_are_told_apart_and_stay_the_same():
    made = {name: make() for name, make in TASKS.items()}
    found = {name: identify(task) for name, task in made.items()}
    for name, identity in found.items():
        assert identify(made[name]) == identity, name
        others = [other for other in found if other != name]
        assert all(identity_words(found[other], identity) for other in others), name
    assert not identity_words(identify(scaled(1.5)), identify(scaled(1.5)))


def test_tasks_are_the_same_after_they_were_trained(tmp_path):
    """Caches that fill and generators that move do not make another task."""
    for name in ("drawn", "object", "plain"):
        task = TASKS[name]()
        before = identify(task)
        run_advise(SEARCH, tmp_path / name, task=task, execution=Execution(quiet=True))
        assert identify(task) == before


def test_code_is_compared_within_a_version_of_python():
    there = {"python": "3.10", "code of a.loss": "1", "training data": "2"}
    assert identity_words(there, {**there, "python": "3.11", "code of a.loss": "3"}) == ""
    assert identity_words(there, {**there, "python": "3.11", "training data": "3"}) != ""


def test_installed_code_goes_by_its_name():
    assert not is_own(F.cross_entropy)
    assert not is_own(LRSearch)
    assert is_own(scaled)
    reader = Reader()
    reader.add("loss", F.cross_entropy)
    assert set(reader.parts) == {"python", "loss"}


def test_what_refers_to_itself_can_be_read():
    values: list = [1]
    values.append(values)
    own = OwnLoss(1.0)
    own.power = own  # pyright: ignore
    reader = Reader()
    for value in (values, own, torch.zeros(2).to_sparse(), {1, 2}, np.array(["a", None])):
        assert reader.token(value) == Reader().token(value)


def test_networks_and_images_of_one_s_own(module, tmp_path, tiny, monkeypatch):
    config = replace(tiny, model=ModelConfig(f"{module.name}.Net"))
    (before,) = identify_images([config])
    module.edit("WIDTH = 8", "WIDTH = 9")
    (after,) = identify_images([config])
    assert "WIDTH" in identity_words(before, after)
    assert identify_images([tiny]) == [{}]
    folder = tmp_path / "photos" / "cat"
    folder.mkdir(parents=True)
    (folder / "1.png").write_bytes(b"123")
    config = replace(tiny, data=DataConfig(f"folder:{folder.parent}"))
    (before,) = identify_images([config])
    assert identify_images([config]) == [before]
    monkeypatch.setenv("HOME", str(tmp_path))
    sources = ("folder:~/photos", "parquet:~/photos", f"hub:{folder.parent}:all", "hub:~/photos")
    configs = [config, *(replace(config, data=DataConfig(source)) for source in sources)]
    before = identify_images(configs)
    (folder / "1.png").write_bytes(b"124")
    for old, new in zip(before, identify_images(configs), strict=True):
        assert identity_words(old, new) == "files of data.source"
    grouped = replace(config, data=DataConfig("folder:~/photos", group_column="place"))
    (folder / "metadata.csv").write_text("file_name,place\n1.png,sea\n")
    before = identify_images([grouped, configs[3]])
    (folder / "metadata.csv").write_text("file_name,place\n1.png,air\n")
    for old, new in zip(before, identify_images([grouped, configs[3]]), strict=True):
        assert "metadata of data.source" in identity_words(old, new)
