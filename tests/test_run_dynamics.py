"""Training dynamics that runs keep: those of a plain loop, whatever divides the work."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from learnorder import Groups, IndexedDataset, LearningOrder, Task, open_runs, run_sweep
from learnorder.advise.plans import search_plans
from learnorder.advise.run import run_advise
from learnorder.advise.settings import LRSearch
from learnorder.config.script import ScriptConfig
from learnorder.config.settings import PatternConfig, TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.errors import ConfigError, DataError, RunFolderError
from learnorder.execution.engine import Cores
from learnorder.execution.groups import Groups as ProcessGroups
from learnorder.execution.pool import run_pool
from learnorder.execution.settings import Execution
from learnorder.images.run import run_train
from learnorder.planters import ImagePlanter
from learnorder.report.dynamics import dynamics_sections
from learnorder.report.thumbnails import LONGEST_TEXT
from learnorder.runs import RunFolder
from learnorder.runs.dynamics import KeptDynamics, read_dynamics
from learnorder.runs.execute import execute
from learnorder.runs.results import TaskResults
from learnorder.schedules import Schedule
from learnorder.seeding import generator
from learnorder.tasks.backend import check
from learnorder.training.dynamics import RunDynamics
from learnorder.training.process_group import ProcessGroup
from learnorder.training.task import build_network, register_task
from learnorder.training.task_problem import task_trainer

from .conftest import changed, stopped_after
from .test_task import blobs

CPU = ProcessGroup(torch.device("cpu"))
QUIET = Execution(workers=1, threads=1, quiet=True)
COLUMNS = ["first_learned", "forgetting_events", "confidence", "variability", "correctness", "aum"]


def small() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 3))


def with_dropout() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Dropout(0.3), nn.Linear(16, 3))


def in_words(item) -> str:
    return f"coordinates {item[0].tolist()} " * 20


def make_task() -> Task:
    """Held-out validation examples, two groups, and a text of each example."""
    groups = Groups(["odd" if i % 2 else "even" for i in range(90)], spurious=False)
    return Task(with_dropout, blobs(90), groups=groups, show=in_words)


def without_dropout() -> Task:
    return Task(small, blobs(90))


def config_of(task="make_task", **training) -> TaskRunConfig:
    training = {"epochs": 3, "batch_size": 16, "dynamics": True, **training}
    path = TaskConfig(f"{__name__}.{task}") if isinstance(task, str) else task
    return TaskRunConfig(path, TrainingConfig(**training), Schedule(0.1))


def digits(share: float):
    """Images and labels of which a share is flipped, and which."""
    data, drawing = load_digits(), torch.Generator().manual_seed(0)
    images = torch.tensor(data.images / 16, dtype=torch.float32).flatten(1)
    labels = torch.tensor(data.target)
    flipped = torch.rand(len(labels), generator=drawing) < share
    shift = torch.randint(1, 10, (len(labels),), generator=drawing)
    return images, torch.where(flipped, (labels + shift) % 10, labels), flipped


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def test_they_are_those_of_a_plain_loop_and_find_flipped_labels():
    images, labels, flipped = digits(0.1)
    data = TensorDataset(images[:1200], labels[:1200])
    task = Task(perceptron, data, TensorDataset(images[1200:], labels[1200:]))
    config = config_of(TaskConfig(), epochs=8, batch_size=50)
    trainer = task_trainer(config, task)
    assert trainer.run(lambda _: False, lambda _: None).status == "finished"
    kept = trainer.problem.dynamics
    assert kept is not None

    network = build_network(task, seed=0)
    optimizer = torch.optim.SGD(
        network.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=5e-4, fused=True
    )
    order = LearningOrder(1200, dynamics=True)
    for epoch in range(1, 9):
        shuffled = torch.randperm(1200, generator=generator(0, "order", epoch)).tolist()
        for x, y, index in DataLoader(IndexedDataset(data), batch_size=50, sampler=shuffled):
            logits = network(x)
            optimizer.zero_grad()
            F.cross_entropy(logits, y).backward()
            optimizer.step()
            order.update(index, logits, y, epoch=epoch)
    pd.testing.assert_frame_equal(kept.order.frame(), order.frame(), check_exact=True)
    assert torch.equal(torch.from_numpy(kept.labels), labels[:1200])
    wrong = flipped[:1200].numpy()
    suspects = np.argsort(kept.order.aum)[: wrong.sum()]
    assert wrong[suspects].mean() > 0.85


def test_a_run_that_is_stopped_and_continued_has_the_same_bytes(tmp_path):
    config = config_of(epochs=4, batch_size=10)
    whole, broken = (RunFolder.create(tmp_path / n, config, {}) for n in ("whole", "broken"))
    execute(whole)
    stopped_after(broken, 5, 1, 11)  # within an epoch, and again before it has ended
    assert execute(broken) == "finished"
    ours, theirs = (folder.file("dynamics.parquet").read_bytes() for folder in (whole, broken))
    assert ours == theirs
    frame = read_dynamics(RunFolder(whole.path))
    assert frame is not None
    assert (frame["epochs_seen"] > 1).all()
    assert frame["confidence"].between(0, 1).all()


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(1, 8), min_size=6, max_size=6), st.integers(0, 99), st.booleans())
def test_neither_batches_nor_checkpoints_matter(sizes, seed, large):
    """The same predictions in one batch, and in several with checkpoints between them."""
    classes = 9000 if large else 4  # many classes are compared in every step
    drawing = torch.Generator().manual_seed(seed)
    examples = sum(sizes)
    whole, parts = (RunDynamics(examples, classes, examples, CPU) for _ in range(2))
    for epoch in (1, 2):
        logits = 3 * torch.randn(examples, classes, generator=drawing)
        labels = torch.randint(0, classes, (examples,), generator=drawing)
        order = torch.randperm(examples, generator=drawing)
        whole.add(order, logits, labels)
        whole.end_epoch(epoch)
        start = 0
        for size in sizes:
            rows = slice(start, start + size)
            parts.add(order[rows].tolist(), logits[rows], labels[rows])
            start += size
            if size % 2:
                state, parts = parts.state(), RunDynamics(examples, classes, examples, CPU)
                parts.load_state(state)
        parts.end_epoch(epoch)
    pd.testing.assert_frame_equal(whole.order.frame(), parts.order.frame(), check_exact=True)
    assert (whole.labels == parts.labels).all()


def test_ignored_labels_and_logits_that_are_not_finite():
    kept, order = RunDynamics(4, 3, 4, CPU), LearningOrder(4, dynamics=True)
    logits = torch.tensor([[1.0, 0, 0], [np.nan, 0, 0], [0, 1, 0], [np.inf, 0, 0]])
    labels = torch.tensor([0, 1, -100, 0])
    kept.add([0, 1, 2, 3], logits, labels)
    kept.end_epoch(1)
    order.update([0, 1, 2, 3], logits, labels, epoch=1)
    pd.testing.assert_frame_equal(kept.order.frame(), order.frame(), check_exact=True)
    assert kept.labels.tolist() == [0, 1, -100, 0]
    assert order.nonfinite.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("label", [3, -1])
def test_labels_that_are_no_class_are_refused(label):
    kept = RunDynamics(2, 3, 2, CPU)
    kept.add([0, 1], torch.zeros(2, 3), torch.tensor([0, label]))
    with pytest.raises(DataError, match=r"training example 1 has a label .* 3 classes"):
        kept.end_epoch(1)


@pytest.mark.slow
def test_two_processes_keep_those_of_one(tmp_path):
    """The last batch has fewer examples than there are processes: one of them counts it."""
    config = config_of("without_dropout", batch_size=10)
    alone, shared = (RunFolder.create(tmp_path / n, config, {}) for n in ("alone", "shared"))
    execute(alone)
    run_pool([shared], Cores(1, 1), lambda state: None, ProcessGroups(2))
    assert shared.read_status() == "finished", shared.file("log.txt").read_text()
    ours, theirs = (read_dynamics(RunFolder(folder.path)) for folder in (alone, shared))
    assert ours is not None
    assert theirs is not None
    assert (ours["epochs_seen"] == theirs["epochs_seen"]).all()
    np.testing.assert_allclose(ours[COLUMNS[2:]], theirs[COLUMNS[2:]], atol=1e-4)
    assert (ours["first_learned"] == theirs["first_learned"]).mean() > 0.95


# what is left out, and what is refused


def test_images_of_the_pattern_alone_are_left_out(tiny, tmp_path):
    config = changed(
        tiny,
        patch={"eligible_share": 0.5, "patch_only_share": 1.0},
        model={"name": "MLP", "arguments": {"widths": (16,)}},
        training={"dynamics": True},
    )
    results = run_train(config, tmp_path, execution=QUIET)
    frame = results.dynamics()
    left_out = frame["epochs_seen"] == 0
    assert 30 < left_out.sum() < 90
    assert (frame["label"] == -100).equals(left_out)
    assert frame["confidence"].isna().equals(left_out)
    sections = dynamics_sections(results)
    assert sections[0].title == "Training dynamics"
    assert f"({120 - left_out.sum()} are drawn)" in sections[0].note
    assert sections[1].last is not None
    assert sections[1].last.rows[0][1] == f"example {sections[1].last.rows[0][0]}"  # a thumbnail


def test_examples_of_the_pattern_alone_are_left_out():
    drawing = torch.Generator().manual_seed(0)
    data = TensorDataset(torch.randn(80, 1, 8, 8, generator=drawing), torch.arange(80) % 4)
    flat = lambda: nn.Sequential(nn.Flatten(), nn.Linear(64, 4))  # noqa: E731
    task = Task(flat, data, data, planter=ImagePlanter(size=3))
    pattern = PatternConfig(eligible_share=0.5, pattern_only_share=0.5)
    trainer = task_trainer(replace(config_of(TaskConfig(), epochs=2), pattern=pattern), task)
    assert trainer.run(lambda _: False, lambda _: None).status == "finished"
    patterns, kept = trainer.problem.patterns, trainer.problem.dynamics
    assert patterns is not None
    assert kept is not None
    alone = torch.stack([patterns.training(epoch).alone for epoch in (1, 2)])
    last = torch.where(~alone[1], 2, torch.where(~alone[0], 1, 0))
    assert 0 < (last == 0).sum() < 40
    assert kept.order.epochs_seen.tolist() == last.tolist()


def regression() -> Task:
    x = torch.randn(40, 3)
    return Task(lambda: nn.Linear(3, 1), TensorDataset(x, x.sum(1, True)), loss=nn.MSELoss())


def several_labels() -> Task:
    targets = (torch.randn(40, 3) > 0).float()
    return Task(
        lambda: nn.Linear(3, 3),
        TensorDataset(torch.randn(40, 3), targets),
        loss=nn.BCEWithLogitsLoss(),
    )


def one_logit() -> Task:
    return Task(
        lambda: nn.Sequential(nn.Linear(3, 1), nn.Flatten(0)),
        TensorDataset(torch.randn(40, 3), torch.arange(40) % 2),
        loss=lambda z, y: F.binary_cross_entropy_with_logits(z, y.float()),
    )


def tokens() -> Task:
    ids = torch.randint(0, 5, (40, 6))
    return Task(
        lambda: nn.Embedding(5, 5),
        TensorDataset(ids, ids),
        loss=lambda z, y: F.cross_entropy(z.mT, y),
    )


def weighted() -> Task:
    return Task(small, blobs(), sampler=[1.0] * 90)


def unshowable() -> Task:
    return Task(small, blobs(), show=lambda item: item[0])


def failing() -> Task:
    return Task(small, blobs(), show=lambda item: item["text"])


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("regression", r"training.dynamics: got True. It compares logits .* float32 \[2, 1\]"),
        ("several_labels", r"training.dynamics: .*targets float32 \[2, 3\]"),
        ("one_logit", r"training.dynamics: .*outputs are float32 \[2\]"),
        ("tokens", r"training.dynamics: .*float32 \[2, 6, 5\]"),
        ("weighted", "training.dynamics: .*has a sampler"),
        ("unshowable", "task.show: .*uint8"),
        ("failing", "task.show: .*It failed: "),
    ],
)
def test_what_cannot_be_kept_is_refused_before_anything_runs(task, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        run_sweep(
            {"": config_of(task)},
            {"training.batch_size": [16]},
            [0],
            tmp_path / "runs",
            execution=QUIET,
        )
    assert not (tmp_path / "runs").exists()
    check([config_of(task, dynamics=False)])


def test_iterable_data_sets_and_scripts_are_refused():
    class Stream(IterableDataset):
        def __iter__(self):
            yield from blobs()

    with pytest.raises((ConfigError, DataError), match=r"task\.train"):
        Task(small, Stream())
    with pytest.raises(ConfigError, match=r"training.dynamics: got True. The script decides it"):
        LRSearch(
            training=TrainingConfig(epochs=40, batch_size=32, dynamics=True),
            script=ScriptConfig(command="python train.py {learning_rate} {seed} {epochs}"),
            learning_rates=(0.1, 0.2),
        )


class Headless(nn.Module):
    """A model with more outputs in training."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[:, : 6 if self.training else 3]


def test_other_outputs_in_training_are_refused():
    with (
        register_task(Task(Headless, blobs())) as task,
        pytest.raises(ConfigError, match=r"training.dynamics: .*\[16, 6\].*\[16, 3\]"),
    ):
        check([config_of(task)])


# folders, results and pages


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    torch.set_num_threads(1)
    grid = {"learning_rate.initial": [0.02, 0.2]}
    out = tmp_path_factory.mktemp("swept")
    return run_sweep({"": config_of()}, grid, [0, 1, 2], out, execution=QUIET)


def test_results_have_a_row_for_each_run_and_example(swept):
    frame = swept.dynamics()
    assert len(frame) == 6 * 72
    assert frame.groupby(["arm", "seed"]).size().eq(72).all()
    assert set(frame["group"]) == {"even", "odd"}
    assert (frame["group"] == np.where(frame["index"] % 2, "odd", "even")).all()
    assert (frame["label"] == frame["index"] % 3).all()  # the index is that of Task.train
    assert {"arm", "seed", "index", *COLUMNS} <= set(frame)
    assert not {"text", "picture"} & set(frame)
    assert isinstance(swept, TaskResults)
    assert open_runs(swept.folders[0].path, of=TaskResults).dynamics().shape == (
        72,
        len(frame.columns),
    )


def test_runs_without_them_say_how_to_keep_them(tmp_path):
    results = run_sweep(
        {"": config_of(dynamics=False, epochs=1)},
        {"training.batch_size": [16]},
        [0],
        tmp_path,
        execution=QUIET,
    )
    assert not (results.folders[0].path / "dynamics.parquet").exists()
    assert dynamics_sections(results) == []
    with pytest.raises(RunFolderError, match=r"Give training.dynamics true"):
        results.dynamics()


def test_a_changed_or_missing_file_is_found(tmp_path):
    folder = RunFolder.create(tmp_path / "run", config_of(epochs=1), {})
    execute(folder)
    file = folder.file("dynamics.parquet")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(RunFolderError, match="not as the run left it"):
        open_runs(folder.path, of=TaskResults).dynamics()
    file.unlink()
    with pytest.raises(RunFolderError, match=r"dynamics\.parquet is missing"):
        RunFolder(folder.path)


def test_the_mean_over_seeds(swept):
    kept = KeptDynamics.of(swept)
    assert kept is not None
    arm = swept.arms[0]
    mean, frames = kept.mean(arm), list(kept.by_arm[arm].values())
    for row in (0, 40, 71):
        values = pd.DataFrame([frame.iloc[row] for frame in frames])
        assert mean.index[row] == values["index"].iloc[0]
        first = [value or np.inf for value in values["first_learned"]]
        assert mean["first_learned"].iloc[row] == (
            0 if np.median(first) == np.inf else np.median(first)
        )
        for name in COLUMNS[1:]:
            assert mean[name].iloc[row] == pytest.approx(np.mean(values[name].tolist()))


def test_the_page_shows_maps_groups_and_examples(swept):
    dynamics, groups, suspects, *_ = sections = dynamics_sections(swept)
    titles = ["Suspected label errors", "Never learned", "Forgotten most often", "Learned late"]
    assert [section.title for section in sections] == [
        "Training dynamics", "When each group's examples are first learned", *titles
    ]  # fmt: skip
    assert dynamics.table is not None
    assert [row[1] for row in dynamics.table.rows] == ["3", "3"]
    drawn = [sum(len(t.x) for t in f.data if t.customdata is not None) for f in dynamics.panels]
    assert drawn == [72, 72]
    assert groups.table is not None
    assert [row[0] for row in groups.table.rows] == ["even (36)", "odd (36)"]
    assert suspects.last is not None
    assert suspects.last.columns[:4] == ["index", "example", "group", "label"]
    assert len(suspects.last.rows) == 8
    for row in suspects.last.rows:
        assert row[1].startswith("coordinates [")
        assert len(row[1]) <= LONGEST_TEXT + 2
        assert row[3] == str(int(row[0]) % 3)
    page = (swept.folders[0].path.parent / "report.html").read_text()
    assert 'id="dynamics"' in page


def test_a_search_keeps_them_too(tmp_path):
    search = LRSearch(
        training=TrainingConfig(epochs=3, batch_size=16, dynamics=True),
        learning_rates=(0.02, 0.2),
        range_test=False,
        noise=0.0,
        seeds=3,
        rungs=1,
    )
    with register_task(without_dropout()) as task:
        plans = search_plans(replace(search, task=task)).values()
        assert all(plan.config.training.dynamics for plan in plans)
    run_advise(search, tmp_path, task=without_dropout(), execution=QUIET)
    assert 'id="dynamics"' in (tmp_path / "report.html").read_text()
