"""Fine-tuning: what is gained on the new task and forgotten of the old one, by group of weights."""

import importlib
import importlib.util
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from learnorder import Keep, LRSearch, Task, open_runs, run_advise
from learnorder.cli import main
from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import NoiseConfig, SharpnessConfig, TrainingConfig
from learnorder.errors import ConfigError, DataError
from learnorder.execution.driver import Plan, run_plans
from learnorder.execution.settings import Execution
from learnorder.planters import TablePlanter
from learnorder.report.comparisons import score_findings
from learnorder.report.forgetting import forgetting_words, lines_of
from learnorder.runs import RunFolder
from learnorder.runs.results import TaskResults
from learnorder.schedules import Schedule
from learnorder.tasks import backend
from learnorder.tasks.page import task_content
from learnorder.training.task import identify, register_task
from learnorder.training.task_problem import task_trainer

QUIET = Execution(workers=1, quiet=True)


class TwoHeads(nn.Module):
    """A body with a head for each task; the old one knows the sign of the first input."""

    def __init__(self, frozen: bool = False):
        super().__init__()
        drawing = torch.Generator().manual_seed(0)
        self.body = nn.Linear(2, 4)
        self.old, self.new = nn.Linear(4, 2), nn.Linear(4, 2)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(0.3 * torch.randn(parameter.shape, generator=drawing))
            self.old.weight.copy_(torch.stack([-self.body.weight[:, 0], self.body.weight[:, 0]]))
            self.old.bias.zero_()
            self.body.bias.zero_()
        self.body.requires_grad_(not frozen)

    def forward(self, x):
        return self.new(self.body(x))


def old_head(model, x):
    return model.old(model.body(x))


def points(n: int = 200, column: int = 1, seed: int = 0) -> TensorDataset:
    x = torch.randn(n, 2, generator=torch.Generator().manual_seed(seed))
    return TensorDataset(x, (x[:, column] > 0).long())


def make_task(frozen: bool = False, **keep) -> Task:
    keep = {"name": "first input", "outputs": old_head, **keep}
    return Task(TwoHeads(frozen), points(), keep=Keep(points(120, 0, 1), **keep))


def config_of(given: TaskConfig, seed: int = 0, rate: float = 0.5, epochs: int = 3):
    training = TrainingConfig(epochs=epochs, batch_size=32, weight_decay=0.01)
    return TaskRunConfig(given, training, Schedule(rate), seed=seed)


def trained(task: Task, **how):
    trainer = task_trainer(config_of(TaskConfig(), **how), task)
    described = backend.describe(trainer, None)
    assert trainer.run(lambda _: False, lambda _: None).status == "finished"
    return trainer, described


def old_accuracy(network: nn.Module) -> float:
    x, y = points(120, 0, 1).tensors
    return float((old_head(network, x).argmax(1) == y).float().mean())


def test_the_old_task_is_measured_before_and_after_each_epoch():
    task = make_task()
    trainer, described = trained(task)
    assert old_accuracy(TwoHeads()) > 0.8
    assert described["keep"]["before"] == pytest.approx(old_accuracy(TwoHeads()))
    x, y = points(120, 0, 1).tensors
    loss = nn.functional.cross_entropy(old_head(TwoHeads(), x), y)
    assert described["keep"]["loss_before"] == pytest.approx(loss.item())
    held = trainer.problem.validation
    x, y = held.dataset.tensors[0][held.indices], held.dataset.tensors[1][held.indices]
    accuracy = float((TwoHeads()(x).argmax(1) == y).float().mean())
    assert described["keep"]["validation_before"] == pytest.approx(accuracy)
    columns = trainer.records.columns
    rows = list(zip(*columns.values(), strict=True))
    kept = [row for row in rows if row[1] == "keep" and row[3] == "accuracy"]
    assert [row[0] for row in kept] == [1, 2, 3]
    assert {row[-1] for row in kept} == {120}
    assert kept[-1][4] == pytest.approx(old_accuracy(trainer.network))


def test_keep_changes_nothing_that_is_trained():
    with_keep, without = (trained(task)[0] for task in (make_task(), Task(TwoHeads(), points())))
    for name, value in without.network.state_dict().items():
        assert torch.equal(value, with_keep.network.state_dict()[name])
    both = [t.records.columns for t in (with_keep, without)]
    rows = [[r for r in zip(*c.values(), strict=True) if r[1] != "keep"] for c in both]
    assert rows[0] == rows[1]


def test_a_run_with_keep_continues_to_the_byte(tmp_path):
    with register_task(make_task()) as given:
        config = config_of(given)
        folders = [RunFolder.create(tmp_path / name, config) for name in ("whole", "stopped")]
        assert backend.run(folders[0], lambda: False) == ("finished", "")
        steps = iter(range(100))
        assert backend.run(folders[1], lambda: next(steps) == 7) is None
        before = folders[1].data().keep
        assert backend.run(folders[1], lambda: False) == ("finished", "")
    whole, stopped = folders
    assert stopped.records().equals(whole.records())
    assert vars(stopped.data().keep) == vars(whole.data().keep) == vars(before)


@pytest.mark.parametrize("optimizer", ["SGD", "AdamW"])
def test_frozen_weights_are_neither_trained_nor_decayed_nor_given_state(optimizer):
    training = TrainingConfig(epochs=2, batch_size=32, optimizer=optimizer, weight_decay=0.5)
    config = TaskRunConfig(TaskConfig(), training, Schedule(0.05))
    trainer = task_trainer(config, make_task(frozen=True))
    trainer.run(lambda _: False, lambda _: None)
    assert torch.equal(trainer.network.body.weight, TwoHeads().body.weight)
    assert not torch.equal(trainer.network.new.weight, TwoHeads().new.weight)
    with_state = {id(p) for part in trainer.optimizer.parts for p in part.state}
    assert with_state == {id(parameter) for parameter in trainer.network.new.parameters()}


def run_arms(out: Path, task: Task, rates=(0.1, 1.0), seeds=(0, 1, 2)) -> TaskResults:
    with register_task(task) as given:
        plans = {
            f"{rate}-{seed}": Plan(
                config_of(given, seed, rate), {"learning_rate.initial": f"{rate:g}"}
            )
            for rate in rates
            for seed in seeds
        }
        return TaskResults(run_plans(plans, out, QUIET, here=True))


def test_a_head_of_its_own_forgets_nothing_and_gains(tmp_path):
    results = run_arms(tmp_path, make_task(frozen=True))
    forgetting = results.forgetting()
    for arm in results.arms:
        assert set(forgetting.losses(arm).values()) == {0.0}
        assert forgetting.forgetting(arm).mean == 0.0
        assert forgetting.gain(arm).lowest > 0.1
        gains, after = forgetting.gains(arm), results.final(arm, "validation", "accuracy")
        before = results.folders[0].data().keep.validation_before
        assert gains == {seed: pytest.approx(value - before) for seed, value in after.items()}


def test_a_body_that_is_trained_forgets_by_its_records(tmp_path):
    results = run_arms(tmp_path, make_task(), rates=(1.0,))
    forgetting, (arm,) = results.forgetting(), results.arms
    after = results.final(arm, "keep", "accuracy")
    expected = {seed: old_accuracy(TwoHeads()) - value for seed, value in after.items()}
    assert forgetting.losses(arm) == pytest.approx(expected)
    assert forgetting.forgetting(arm).mean == pytest.approx(sum(expected.values()) / 3)
    assert forgetting.kept(arm).mean == pytest.approx(sum(after.values()) / 3)


def test_a_score_of_which_less_is_better_is_forgotten_when_it_rises(tmp_path):
    def error(outputs, targets):
        return (outputs.argmax(1) != targets).float()

    scored = {"score": error, "score_name": "error rate", "higher_is_better": False}
    by_error = run_arms(tmp_path / "error", make_task(**scored), rates=(1.0,))
    by_accuracy = run_arms(tmp_path / "accuracy", make_task(), rates=(1.0,))
    losses = [r.forgetting().losses(r.arms[0]) for r in (by_error, by_accuracy)]
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    assert by_error.forgetting().score == "error rate"
    assert "error rate" in " ".join(by_error.findings())


def _changes_the_model(model, x):
    model.old.requires_grad_(False)
    return old_head(model, x)


def _moves_the_model(model, x):
    with torch.no_grad():
        model.old.weight.mul_(0.5)
    return old_head(model, x)


@pytest.mark.parametrize(
    ("arguments", "field", "words"),
    [
        ({"outputs": _changes_the_model}, "task.keep.outputs", "old.weight"),
        ({"outputs": _moves_the_model}, "task.keep.outputs", "old.weight"),
        ({"outputs": lambda model, x: model.none(x)}, "task.keep.outputs", "It failed"),
        ({"loss": lambda o, t: o}, "task.keep.loss", "loss"),
        ({"score": lambda o, t: "good"}, "task.keep.score", "str"),
        ({"score": lambda o, t: float("nan")}, "task.keep.score", "Before training"),
        ({"loss": lambda o, t: o.sum() * float("inf")}, "task.keep.loss", "Before training"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_anything_runs(arguments, field, words, tmp_path):
    with register_task(make_task(**arguments)) as given, pytest.raises(ConfigError) as refused:
        run_plans({"run": Plan(config_of(given), {})}, tmp_path / "runs", QUIET)
    assert refused.value.field == field
    assert words in str(refused.value)
    assert not (tmp_path / "runs").exists()


def test_a_class_of_the_old_task_without_an_output_is_refused(tmp_path):
    x, y = points(50).tensors
    keep = Keep(TensorDataset(x, torch.where(torch.arange(50) == 40, 5, y)), outputs=old_head)
    with (
        register_task(Task(TwoHeads(), points(), keep=keep)) as given,
        pytest.raises(DataError, match=r"task\.keep: .*from 0 to 5"),
    ):
        run_plans({"run": Plan(config_of(given), {})}, tmp_path / "runs", QUIET)
    assert not (tmp_path / "runs").exists()


def test_an_old_task_beside_a_planted_pattern_is_recorded_but_has_no_gain():
    x = torch.randn(200, 6, generator=torch.Generator().manual_seed(0))
    data = TensorDataset(x, (x[:, 1] > 0).long())
    task = Task(lambda: nn.Linear(6, 2), data, planter=TablePlanter((2, 3)), keep=Keep(data))
    config = config_of(TaskConfig())
    config = replace(config, pattern=replace(config.pattern, eligible_share=0.8))
    trainer = task_trainer(config, task)
    assert backend.describe(trainer, None)["keep"]["examples"] == 200
    assert trainer.run(lambda _: False, lambda _: None).status == "finished"
    assert {"keep", "clean", "patch_only"} < set(trainer.records.columns["set"])


def test_data_that_the_model_does_not_accept_are_refused(tmp_path):
    keep = Keep(TensorDataset(torch.zeros(5, 3), torch.zeros(5).long()))
    with (
        register_task(Task(TwoHeads(), points(), keep=keep)) as given,
        pytest.raises(ConfigError, match=r"task\.keep\.data.*give outputs"),
    ):
        run_plans({"run": Plan(config_of(given), {})}, tmp_path / "runs", QUIET)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Keep(points(1)), DataError, "task.keep.data has 1 examples"),
        (lambda: Keep([]), DataError, "task.keep.data"),
        (lambda: Keep(iter([])), ConfigError, "task.keep.data"),
        (lambda: Keep(points(), name=""), ConfigError, "task.keep.name"),
        (lambda: Keep(points(), loss=3), ConfigError, "task.keep.loss"),
        (lambda: Keep(points(), score=3), ConfigError, "task.keep.score"),
        (lambda: Keep(points(), score=max, score_name="loss"), ConfigError, "score_name"),
        (lambda: Keep(points(), score=max, score_name="MSE"), ConfigError, "keep.higher_is_better"),
        (lambda: Keep(points(), outputs="head"), ConfigError, "task.keep.outputs"),
        (lambda: Task(TwoHeads(), points(), keep=points()), ConfigError, "learnorder.Keep"),
    ],
)
def test_a_keep_is_checked_when_it_is_made(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_the_identity_of_a_task_has_what_it_keeps():
    plain, kept = Task(TwoHeads(), points()), make_task()
    other = replace(kept, keep=Keep(points(120, 0, 2), outputs=old_head))
    scored = replace(kept, keep=replace(kept.keep, higher_is_better=False))
    identities = [identify(task) for task in (plain, kept, other, scored)]
    assert all(a != b for i, a in enumerate(identities) for b in identities[:i])
    assert identify(make_task()) == identities[1]


MODULE = """
from tests.test_finetuning import *

def make(trains):
    return make_task(frozen=trains == "head")
"""


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep from the command line over what is trained and the learning rate."""
    folder = tmp_path_factory.mktemp("sweep")
    (folder / "arms_of_tuning.py").write_text(MODULE)
    grid = "{task.arguments.trains: [all, head], learning_rate.initial: [0.1, 1.0]}"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(str(folder))
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=":")
        arguments = ["sweep", "--experiment", "task", "--task", "arms_of_tuning.make"]
        arguments += ["--grid", grid, "--seeds", "3", "--training.epochs", "3", "--out", "runs"]
        assert main([*arguments, "--workers", "1"]) == 0
    return folder / "runs"


def test_arms_of_a_sweep_are_lines_over_the_learning_rate(swept):
    results = open_runs(swept)
    assert {name: list(by_rate) for name, by_rate in lines_of(results).items()} == {
        "trains all": [0.1, 1.0],
        "trains head": [0.1, 1.0],
    }
    content = task_content(results)
    section = content.lead[0]
    assert section.title == "Gained and kept"
    assert len(section.wide) == 3
    for figure in section.wide:
        names = [trace.name for trace in figure.data if trace.showlegend is not False]
        assert names == ["trains all", "trains head"]
    assert [row[:2] for row in section.last.rows] == [
        [trains, rate] for trains in ("all", "head") for rate in ("0.1", "1")
    ]
    headed = [row[-1] for row in section.last.rows if row[0] == "head"]
    assert headed == ["0.0 (3 equal values)"] * 2
    page = (swept / "report.html").read_text()
    assert "Gained and kept" in page
    assert "first input" in page
    assert "Largest gain" in results.findings()[0]


def test_words_compare_the_largest_gain_with_less_forgetting(swept):
    results = open_runs(swept)
    forgetting = results.forgetting()
    (single,) = forgetting_words(forgetting, results.arms[:1])
    gain = forgetting.gain(results.arms[0])
    assert gain.format(100).partition(" ")[0] in single
    first, second = forgetting_words(forgetting, results.arms)
    best = max(results.arms, key=lambda arm: forgetting.gain(arm).mean)
    assert forgetting.kept(best).format(100).partition(" ")[0] in first
    assert "significantly" in second


def test_an_arm_with_a_lost_run_is_no_largest_gain_and_is_not_compared(swept, tmp_path):
    forgetting = open_runs(swept).forgetting()
    best = max(forgetting.results.arms, key=lambda arm: forgetting.gain(arm).mean)
    shutil.copytree(swept, tmp_path / "runs")
    again = open_runs(tmp_path / "runs")
    again.runs_of(best)[0].update(status="diverged")
    results = open_runs(tmp_path / "runs")
    first, second, *_ = forgetting_words(results.forgetting(), results.arms)
    assert first.startswith("Largest gain: ")
    assert "diverged" not in first
    why = "a verdict needs a result of every run"
    assert second == f"Its gain is not compared with that of 1 of 3 other arms: {why}."
    (compared,) = [text for text in score_findings(results, "validation") if "diverged" in text]
    assert why in compared


def test_two_seeds_are_too_few_to_call_a_gain_as_large(swept):
    folders = open_runs(swept).folders
    last = max(folder.config.seed for folder in folders)
    results = TaskResults([folder for folder in folders if folder.config.seed < last])
    first, second = forgetting_words(results.forgetting(), results.arms)
    assert "(n = 2; a verdict needs at least 3 seeds)" in first
    assert "not compared with that of 3 of 3 other arms: a verdict needs at least 3" in second


def test_advice_says_what_each_learning_rate_forgets(tmp_path):
    training = TrainingConfig(epochs=4, batch_size=32)
    search = LRSearch(
        training=training, learning_rates=(0.1, 1.0), rungs=1, seeds=3, noise=0.0,
        shorter_plateaus=(), range_test=False,
    )  # fmt: skip
    advice = run_advise(search, tmp_path, task=make_task(), execution=QUIET)
    assert any("first input" in finding for finding in advice.findings())
    page = (tmp_path / "report.html").read_text()
    assert "Gained and kept" in page


has_peft = pytest.mark.skipif(
    importlib.util.find_spec("peft") is None, reason="peft is not installed (extra: peft)"
)


def with_lora() -> nn.Module:
    """A new model with low-rank adapters in its body, and a new head that is trained."""
    peft = importlib.import_module("peft")
    config = peft.LoraConfig(r=2, target_modules=["body"], modules_to_save=["new"])
    return peft.get_peft_model(TwoHeads(), config)


def without_lora(model, x):
    with model.disable_adapter():
        return old_head(model, x)


@has_peft
def test_a_peft_model_trains_its_adapters_alone_and_forgets_nothing_without_them():
    keep = Keep(points(120, 0, 1), outputs=without_lora)
    trainer, described = trained(Task(with_lora, points(), keep=keep), rate=0.1)
    names = {name for name, p in trainer.network.named_parameters() if p.grad is not None}
    assert names == {name for name, p in with_lora().named_parameters() if p.requires_grad}
    assert any("lora" in name for name in names)
    kept = trainer.records.last("keep", "accuracy")
    assert kept == described["keep"]["before"] == pytest.approx(old_accuracy(TwoHeads()))
    with_it = Keep(points(120, 0, 1), outputs=old_head)
    trainer, _ = trained(Task(with_lora, points(), keep=with_it), rate=0.1)
    assert trainer.records.last("keep", "loss") != described["keep"]["loss_before"]


@has_peft
def test_sharpness_and_noise_of_a_peft_model():
    def active():
        peft = importlib.import_module("peft")
        net = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 2))
        config = peft.LoraConfig(r=2, target_modules=["0"], modules_to_save=["2"])
        return peft.get_peft_model(net, config)

    config = replace(
        config_of(TaskConfig(), rate=0.1),
        noise=NoiseConfig(Schedule(0.1)),
        sharpness=SharpnessConfig(64),
    )
    trainer = task_trainer(config, Task(active, points()))
    try:
        assert trainer.run(lambda _: False, lambda _: None).status == "finished"
        assert len(trainer.noise.sites) == 1
        assert trainer.records.last("run", "sharpness") > 0
    finally:
        trainer.close()
