"""Patterns planted in a task's examples: what is shown in training and what is measured."""

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from learnorder import BatchMean, Task, TaskResults, write_report
from learnorder.config.settings import PatternConfig, TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.errors import ConfigError
from learnorder.execution.driver import Plan, run_plans
from learnorder.execution.settings import Execution
from learnorder.planters import TablePlanter
from learnorder.report.terminal import print_summary
from learnorder.schedules import Schedule
from learnorder.tasks.backend import check
from learnorder.training.planted import Patterns
from learnorder.training.task import register_task, splits
from learnorder.training.task_problem import task_trainer

PLANTER, UNNAMED = TablePlanter(columns=(4, 5, 6, 7)), TaskConfig()
PATTERN = PatternConfig(eligible_share=0.8, pattern_only_share=0.2, strength=2.0)


def table(n: int = 600, seed: int = 0) -> TensorDataset:
    """Four noisy columns of content, and four for the pattern."""
    drawing = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) % 3
    x = torch.randn(n, 8, generator=drawing)
    x[torch.arange(n), labels] += 1.5
    return TensorDataset(x, labels)


def make_task(planter=PLANTER, **settings) -> Task:
    def network() -> nn.Module:
        return nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 3))

    return Task(network, table(), planter=planter, **settings)


def config_of(task=UNNAMED, pattern=PATTERN, epochs=3, seed=0, rate=0.1) -> TaskRunConfig:
    training = TrainingConfig(epochs=epochs, batch_size=32)
    return TaskRunConfig(task, training, Schedule(rate), seed=seed, pattern=pattern)


def trained(task, config, state=None):
    trainer = task_trainer(config, task, state)
    assert trainer.run(lambda _: False, lambda _: None).status == "finished"
    return trainer


def drawn(pattern=PATTERN, seed=0) -> Patterns:
    task = make_task()
    return Patterns.draw(task, pattern, seed, *splits(task))


def test_shares_of_the_training_examples_are_those_of_the_settings():
    patterns = drawn()
    clean = alone = both = 0
    for epoch in range(1, 6):
        data = patterns.training(epoch)
        for index in range(len(data)):
            x, label = data[index]
            original, same = patterns.train[index]
            assert label == same
            if torch.equal(x, original):
                clean += 1
            elif torch.equal(x[:4], original[:4]):
                both += 1
            else:
                assert not x[:4].any()
                alone += 1
    total = clean + alone + both
    assert clean / total == pytest.approx(0.2, abs=0.05)
    assert alone / total == pytest.approx(0.16, abs=0.04)
    assert both / total == pytest.approx(0.64, abs=0.05)


def test_accesses_differ_between_epochs_and_are_the_same_again():
    first, again = drawn(), drawn()
    items = [[data[i][0] for i in range(50)] for data in
             (first.training(1), again.training(1), first.training(2))]  # fmt: skip
    assert all(torch.equal(a, b) for a, b in zip(items[0], items[1], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(items[0], items[2], strict=True))
    assert not torch.equal(drawn(seed=1).training(1)[0][0], items[0][0])


def test_evaluation_sets_are_content_pattern_and_both():
    patterns = drawn()
    sets = {each.name: each for each in patterns.evaluation_sets()}
    assert list(sets) == ["clean", "mixed", "patch_only", "conflict"]
    for index in range(20):
        original = patterns.validation[index][0]
        assert torch.equal(sets["clean"].data[index][0], original)
        assert not sets["patch_only"].data[index][0][:4].any()
        conflict = sets["conflict"].data[index][0]
        assert torch.equal(conflict[:4], original[:4])
        assert not torch.equal(conflict[4:], original[4:])
    assert not (sets["conflict"].pattern_labels == patterns.labels).any()


def test_a_faint_pattern_is_in_every_example_but_those_of_the_pattern_alone():
    patterns = drawn(PatternConfig(eligible_share=0.0, faint=0.5))
    sets = {each.name: each for each in patterns.evaluation_sets()}
    assert list(sets) == ["clean", "faint_only"]
    shifts = {}
    for index in range(60):
        shift = sets["clean"].data[index][0] - patterns.validation[index][0]
        label = int(patterns.labels[index])
        shifts.setdefault(label, shift)
        assert torch.allclose(shift, shifts[label], atol=1e-5)
        assert torch.allclose(sets["faint_only"].data[index][0][:4], shift[:4], atol=1e-5)
    assert len({tuple(shift.tolist()) for shift in shifts.values()}) == 3


def test_reliance_of_a_network_that_memorises_the_pattern():
    records = trained(make_task(), config_of(epochs=20)).records
    assert records.last("patch_only", "accuracy") > 0.95
    assert records.last("clean", "accuracy") > 0.5
    assert records.last("conflict", "reliance") > 0.2
    shares = [records.last("conflict", f"share_{n}") for n in ("content", "pattern", "neither")]
    assert sum(shares) == pytest.approx(1.0)


class Guess(nn.Module):
    """Predicts one class for all examples."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.tensor([3.0, 0.0]))

    def forward(self, x):
        return self.bias.expand(len(x), 2)


def test_guessing_the_commonest_class_learns_no_pattern(tmp_path):
    """Also where the task has a score of its own, by which chance is not measured."""
    x = torch.randn(400, 8, generator=torch.Generator().manual_seed(0))
    data = TensorDataset(x, (torch.arange(400) % 20 == 0).long())
    error = BatchMean(nn.functional.cross_entropy)
    task = Task(
        Guess, data, planter=PLANTER, score=error, score_name="error", higher_is_better=False
    )
    with register_task(task) as given:
        plans = {"guess": Plan(config_of(given), {"arm": "guess"})}
        results = TaskResults(run_plans(plans, tmp_path, Execution(quiet=True), here=True))
    assert results.chance() == pytest.approx(0.95, abs=0.02)
    assert results.final("guess", "patch_only", "accuracy")[0] == pytest.approx(results.chance())
    assert results.learned("guess", "patch") == {0: None}
    assert results.undertrained("guess")


def test_without_a_pattern_the_planter_changes_nothing():
    plain = trained(make_task(None), config_of(pattern=PatternConfig()))
    planter = trained(make_task(), config_of(pattern=PatternConfig()))
    assert plain.records.columns == planter.records.columns
    assert set(plain.records.columns["set"]) == {"train", "validation", "run"}


def test_a_planted_run_is_the_same_with_processes_that_load_and_after_an_interruption():
    config = config_of()
    whole = trained(make_task(), config)
    loaded = trained(make_task(num_workers=2), config)
    assert loaded.records.columns == whole.records.columns
    stopped = task_trainer(config, make_task())
    steps = iter(range(100))
    assert stopped.run(lambda _: next(steps) == 20, lambda _: None).status == "interrupted"
    continued = trained(make_task(), config, stopped.state())
    assert continued.records.columns == whole.records.columns


@pytest.mark.parametrize(
    ("pattern", "shown"),
    [(PATTERN, "conflict"), (PatternConfig(eligible_share=0.0, faint=0.5), "faint")],
)
def test_runs_with_a_pattern_have_a_page_outside_a_probe(pattern, shown, tmp_path):
    """As those of a sweep of tasks; their sets are not those of runs without one."""
    with register_task(make_task()) as given:
        plans = {
            f"{rate}-{seed}": Plan(
                config_of(given, pattern, epochs=2, seed=seed, rate=rate), {"arm": f"LR {rate:g}"}
            )
            for rate in (0.05, 0.2)
            for seed in (0, 1)
        }
        quiet = Execution(workers=1, threads=1, quiet=True)
        results = TaskResults(run_plans(plans, tmp_path, quiet, here=True))
    write_report(results, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert shown in page
    assert "clean accuracy, %" in page
    assert "4 finished" in results.findings()[-1].lower()
    assert results.html_table()
    print_summary(results)


class Constant:
    """Leaves every example as it is."""

    strengths = (1.0,)

    def draw(self, num_classes, generator):
        return None

    def plant(self, inputs, patterns, label, strength, generator):
        return inputs.clone()

    def blank(self, inputs):
        return torch.zeros_like(inputs)


class SometimesWrong(TablePlanter):
    """Fails on one example that is not among the first."""

    def plant(self, inputs, patterns, label, strength, generator):
        if abs(float(inputs[0])) > 4.0:
            raise ValueError("too large")
        return super().plant(inputs, patterns, label, strength, generator)


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (make_task(None), "planted by the task's planter"),
        (make_task(Constant()), "unchanged"),
        (make_task(TablePlanter(columns=(4, 99))), "99"),
        (
            Task(lambda: nn.Linear(8, 1), TensorDataset(table().tensors[0], torch.randn(600, 1)),
                 loss=nn.functional.mse_loss, planter=TablePlanter(columns=(4, 5))),
            "logits",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_planted_is_refused_before_training(task, words):
    with register_task(task) as given, pytest.raises(ConfigError, match=words):
        check([config_of(given)])


def test_an_example_on_which_the_planter_fails_is_found_before_training():
    data = table()
    data.tensors[0][301, 0] = 9.0
    task = Task(lambda: nn.Linear(8, 3), data, planter=SometimesWrong(columns=(4, 5, 6, 7)))
    with register_task(task) as given, pytest.raises((ConfigError, ValueError), match="too large"):
        check([config_of(given)])
