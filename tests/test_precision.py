"""Precision: what bf16 would save, and auto, decided once before the runs of an experiment."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import learnorder
from learnorder import LRSearch, Probe, TrainingConfig
from learnorder.cli.main import main
from learnorder.config.settings import DataConfig, RunConfig, TaskRunConfig
from learnorder.errors import ConfigError
from learnorder.execution import driver, precision
from learnorder.execution.driver import Plan
from learnorder.execution.precision import PrecisionTimes, compare_precisions
from learnorder.execution.settings import Execution
from learnorder.images import backend as images
from learnorder.images.experiment import Arm, Arms, ImageExperiment
from learnorder.images.run import image_plans
from learnorder.probe.compare import run_probes
from learnorder.reproduce.run import recorded, reproduction_recipe
from learnorder.runs import RunFolder, find_runs
from learnorder.runs.experiment import read_experiment
from learnorder.runs.training import time_steps
from learnorder.schedules import Schedule
from learnorder.tasks import backend as tasks
from learnorder.training import precision as devices
from learnorder.training.image_problem import image_trainer
from learnorder.training.task import register_task

from .conftest import changed, fake_run
from .test_task import make_task

HERE = __name__
QUIET = Execution(workers=1, threads=1, quiet=True)
AUTO = TrainingConfig(epochs=8, batch_size=32, precision="auto")
DIGITS = DataConfig(train_examples=120, evaluate_on="validation", validation_share=0.2)


class Clock:
    """In place of the timing: steps in bf16 take ``ratio`` times as long as in fp32."""

    def __init__(self, ratio: float) -> None:
        self.ratio, self.calls = ratio, list[list[str]]()

    def __call__(self, configs: Sequence[Any]) -> list[list[float]]:
        names = [config.training.precision for config in configs]
        self.calls.append(names)
        return [[9.0, *([self.ratio if n == "bf16" else 1.0] * 4)] for n in names]


@pytest.fixture
def clock(monkeypatch) -> Callable[[float], Clock]:
    def set_to(ratio: float) -> Clock:
        made = Clock(ratio)
        monkeypatch.setattr(precision, "step_seconds", made)
        return made

    return set_to


@pytest.fixture
def experiment(tiny) -> ImageExperiment:
    return ImageExperiment(
        tiny.data,
        tiny.model,
        tiny.patch,
        replace(tiny.training, precision="auto"),
        Arms(Arm(tiny.learning_rate), Arm(Schedule(0.01)), Arm(Schedule(0.02))),
        seeds=1,
    )


# The comparison.


@pytest.mark.parametrize(("ratio", "best"), [(0.46, "bf16"), (2 / 3, "bf16"), (0.67, "fp32")])
def test_bf16_is_taken_from_one_and_a_half_times_as_fast_on(ratio, best):
    times = PrecisionTimes(ratio, 8)
    assert times.best == best
    assert f"auto takes {best}" in times.taken_words()
    assert "measured on 8 steps" in times.taken_words()
    assert ("--training.precision bf16 or auto takes it" in times.advice({"fp32"})) == (
        best == "bf16"
    )
    assert f"{ratio:.2f} times the time of fp32" in times.advice({"bf16"})


def test_the_precisions_take_turns_and_the_first_step_does_not_count(tiny, clock):
    timer = clock(0.5)
    plans = {str(seed): Plan(replace(tiny, seed=seed), {}) for seed in range(3)}
    assert compare_precisions(plans, QUIET) == PrecisionTimes(0.5, 12)
    assert timer.calls == [["fp32", "bf16"] * 3], "one workload, whatever the seed"


def test_what_other_processes_delay_does_not_count(tiny, monkeypatch):
    fp32 = [[9.0, 1.0, 4.0, 2.0], [9.0, 1.0, 2.0, 70.0], [9.0, 30.0, 2.0, 2.0]]
    bf16 = [[8.0, 0.5, 50.0, 1.0], [8.0, 60.0, 1.0], [8.0, 0.5, 1.0, 1.0, 3.0]]
    taking_turns = [times for pair in zip(fp32, bf16, strict=True) for times in pair]
    monkeypatch.setattr(precision, "step_seconds", lambda _: taking_turns)
    assert compare_precisions({"run": Plan(tiny, {})}, QUIET) == PrecisionTimes(0.5, 6)


def test_at_most_three_workloads_are_timed(tiny, clock, monkeypatch):
    monkeypatch.setattr(precision, "check", lambda *_: None)
    timer = clock(0.5)
    plans = {str(n): Plan(changed(tiny, training={"batch_size": n}), {}) for n in range(10, 20)}
    assert compare_precisions(plans, QUIET) == PrecisionTimes(0.5, 36)
    assert len(timer.calls) == 3


def test_real_steps_are_timed(tiny):
    times = compare_precisions({"run": Plan(tiny, {})}, QUIET)
    assert times is not None
    assert times.ratio is not None
    assert times.ratio > 0
    assert 3 <= times.steps <= 300
    with register_task(make_task()) as task:
        config = TaskRunConfig(task, TrainingConfig(epochs=2, batch_size=30))
        timed = tasks.step_seconds([config, config], 0.0, 2)
    assert [len(each) == 2 and min(each) > 0 for each in timed] == [True, True]


def test_steps_of_a_short_epoch_are_taken_again(tiny):
    one_step = changed(tiny, training={"batch_size": 128})
    trainer = image_trainer(one_step, images.load_images(tiny.data))
    assert trainer.problem.steps == 1
    assert len(time_steps(trainer, 60.0, most=3)) == 3


# Where bf16 cannot be used.


class NoBf16(nn.Module):
    """Writes its outputs into a tensor of float32, which torch refuses for those in bf16."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(192, num_classes)

    def forward(self, images):
        outputs = images.new_zeros(len(images), self.head.out_features)
        outputs[torch.arange(len(images))] = self.head(images.flatten(1))
        return outputs


def without_bf16(config: RunConfig) -> RunConfig:
    return replace(config, model=replace(config.model, name=f"{HERE}.NoBf16", arguments={}))


def test_a_model_that_fails_in_bf16(tiny, tmp_path, clock, capsys):
    timer, config = clock(0.1), without_bf16(tiny)
    asked = changed(config, training={"precision": "bf16"})
    with pytest.raises(ConfigError, match="fails in bf16, and not in fp32") as raised:
        learnorder.run_train(asked, tmp_path / "run", execution=QUIET)
    assert (raised.value.field, raised.value.value) == ("training.precision", "bf16")
    assert not list(tmp_path.iterdir())
    auto = changed(config, training={"precision": "auto"})
    loud = replace(QUIET, quiet=False)
    assert precision.with_precision(auto, one_run, tmp_path, loud).training.precision == "fp32"
    words = " ".join(capsys.readouterr().err.split())
    assert "auto takes fp32: bf16 cannot be used here. Training fails in bf16" in words
    assert not timer.calls


def one_run(config: RunConfig) -> dict[str, Plan[RunConfig]]:
    return {"run": Plan(config, {})}


def test_a_model_that_fails_in_both_is_not_blamed_on_bf16(tiny):
    wrong = replace(tiny, model=replace(tiny.model, name="torch.nn.Identity", arguments={}))
    with pytest.raises(ConfigError) as raised:
        driver.check(one_run(changed(wrong, training={"precision": "bf16"})))
    assert raised.value.field == "model.name"


def test_runs_within_autocast_are_refused(tiny):
    """It would keep the weights that it has cast, and training would not change them."""
    with torch.autocast("cpu", dtype=torch.bfloat16), pytest.raises(ConfigError, match="autocast"):
        images.check([tiny])


def test_a_device_without_bf16(tiny, tmp_path, clock, monkeypatch):
    old = "The GPU, K80, has no arithmetic in bf16."
    monkeypatch.setattr(devices, "why_no_bf16", lambda: old)
    asked = changed(tiny, training={"precision": "bf16"})
    with pytest.raises(ConfigError, match=r"K80, has no arithmetic in bf16\. Give fp32") as raised:
        learnorder.run_train(asked, tmp_path / "run", execution=QUIET)
    assert raised.value.field == "training.precision"
    clock(0.1)
    assert compare_precisions(one_run(tiny), QUIET) == PrecisionTimes(None, why_not=old)
    assert PrecisionTimes(None, why_not=old).advice({"fp32"}).endswith(f"used here. {old}")


@pytest.mark.parametrize(("kind", "has", "why"), [
    ("cuda", True, ""), ("cuda", False, "K80"), ("mps", True, ""), ("mps", False, "mps"),
])  # fmt: skip
def test_devices(monkeypatch, kind, has, why):
    monkeypatch.setattr(devices, "device_type", lambda: kind)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "K80")
    monkeypatch.setattr(devices, "is_bf16_available", lambda ignore_tpu: has)
    assert why in devices.why_no_bf16()
    assert bool(devices.why_no_bf16()) != has


# auto.


def test_auto_is_measured_once_and_kept(experiment, tmp_path, clock, capsys):
    timer = clock(0.5)
    learnorder.run_patch(experiment, tmp_path, execution=replace(QUIET, quiet=False))
    err = " ".join(capsys.readouterr().err.split())
    assert "auto takes bf16: bf16 takes 0.50 times the time of fp32 here" in err
    assert len(timer.calls) == 1
    assert {run.config.training.precision for run in find_runs(tmp_path)} == {"bf16"}
    about = read_experiment(tmp_path)
    assert about is not None
    assert about.settings is not None
    assert about.settings["training"]["precision"] == "bf16"
    before = contents(tmp_path)
    later = clock(2.0)
    results = learnorder.run_patch(experiment, tmp_path, execution=QUIET)
    assert not later.calls
    assert contents(tmp_path) == before
    assert len(results.folders) == 3
    more = precision.with_precision(replace(experiment, seeds=2), image_plans, tmp_path, QUIET)
    assert more.training.precision == "bf16"
    assert not later.calls


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.suffix in (".json", ".parquet")}


def test_a_single_run(tiny, tmp_path, clock):
    clock(0.9)
    auto = changed(tiny, training={"precision": "auto", "epochs": 3})
    learnorder.run_train(auto, tmp_path / "run", execution=QUIET)
    assert RunFolder[RunConfig](tmp_path / "run").config.training.precision == "fp32"
    later = clock(0.1)
    again = precision.with_precision(auto, one_run, tmp_path / "run", QUIET)
    assert again.training.precision == "fp32"
    assert not later.calls


class Planned(Exception):
    """The runs that a command is about to execute."""


SEARCH = LRSearch(
    data=DIGITS, training=AUTO, learning_rates=(0.01, 0.03, 0.1, 0.3), noise=0.0, rungs=1
)
PROBE = Probe(data=DIGITS, training=replace(AUTO, epochs=60))


def sweep_of(config: Any) -> Callable[[Path], object]:
    grid = {"training.batch_size": [16, 32]}
    return lambda out: learnorder.run_sweep({"a": config}, grid, [0], out, execution=QUIET)


EXPERIMENTS: dict[str, Callable[[Path], object]] = {
    "sweep": sweep_of(RunConfig(training=replace(AUTO, epochs=30), data=DIGITS)),
    "plain": lambda out: learnorder.run_plain(
        replace(
            learnorder.recipe("demo", "plain"),
            training=replace(learnorder.recipe("demo", "plain").training, precision="auto"),
        ),
        out,
        execution=QUIET,
    ),
    "probe": lambda out: learnorder.run_probe(PROBE, out, execution=QUIET),
    "probes": lambda out: run_probes({"a": PROBE, "b": PROBE}, out, execution=QUIET),
    "advise": lambda out: learnorder.run_advise(SEARCH, out, execution=QUIET),
    "advise a task": lambda out: learnorder.run_advise(
        replace(SEARCH, data=LRSearch().data), out, task=make_task(), execution=QUIET
    ),
    "along": lambda out: learnorder.run_along(
        {"training.batch_size": [16, 32]}, SEARCH, out, execution=QUIET
    ),
    "jointly": lambda out: learnorder.run_jointly(
        {"training.weight_decay": [1e-4, 1e-3, 1e-2]}, SEARCH, out, execution=QUIET
    ),
    "reproduce": lambda out: learnorder.reproduce(
        reproduction_recipe("demo").in_precision("auto"), out, execution=QUIET
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment(name, tmp_path, clock, monkeypatch):
    def planned(plans: Any, *_: Any, **__: Any) -> None:
        raise Planned(plans)

    monkeypatch.setattr(driver, "run_plans", planned)
    monkeypatch.setattr(precision, "check", lambda *_: None)
    clock(0.5)
    with pytest.raises(Planned) as raised:
        EXPERIMENTS[name](tmp_path)
    (plans,) = raised.value.args
    assert len(plans) > 1
    assert {plan.config.training.precision for plan in plans.values()} == {"bf16"}


def test_a_task_in_a_sweep(tmp_path, clock, monkeypatch):
    clock(0.5)
    with register_task(make_task()) as task:
        config = TaskRunConfig(task, replace(AUTO, epochs=3), Schedule(0.1))
        settled = precision.with_precision({"a": config}, lambda b: one_run(b["a"]), tmp_path)
    assert settled["a"].training.precision == "bf16"


def test_auto_is_no_value_of_a_grid(tiny, tmp_path):
    with pytest.raises(ConfigError, match="decided once for all runs") as raised:
        learnorder.run_sweep(
            {"": tiny}, {"training.precision": ["fp32", "auto"]}, [0], tmp_path, execution=QUIET
        )
    assert raised.value.field == "training.precision"
    assert not list(tmp_path.iterdir())


def test_existing_runs_are_judged_in_their_precision(tmp_path):
    recipe = reproduction_recipe("demo")
    run = recipe.in_precision("bf16").patch.run("large", 0)
    labels = {"experiment": "patch", "arm": "large"}
    fake_run(tmp_path / "patch" / "large-seed0", run, labels, [0.1] * 60)
    found = recorded(recipe, tmp_path)
    assert (found.patch.training.precision, found.plain.training.precision) == ("bf16", "fp32")


# The command.


def test_the_command(tmp_path, clock, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    clock(0.46)
    line = ["train", "--data.train_examples", "100", "--training.epochs", "40", "--out", "runs/a"]
    assert main([*line, "--dry-run"]) == 0
    last = capsys.readouterr().out.strip().splitlines()[-1]
    assert last == (
        "bf16 would take 0.46 times the time here (measured on 12 steps); "
        "--training.precision bf16 or auto takes it."
    )
    auto = [*line, "--training.precision", "auto"]
    assert main([*auto, "--dry-run"]) == 0
    assert "training.precision auto takes bf16" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())
    assert main([*auto, "--prepare"]) == 0
    assert find_runs(tmp_path / "runs" / "a")[0].config.training.precision == "bf16"
    later = clock(2.0)
    assert main([*auto, "--dry-run"]) == 0
    assert "bf16, as when the runs in runs/a were begun" in capsys.readouterr().out
    assert not later.calls


def test_reproduce_takes_it(tmp_path, clock, capsys, monkeypatch):
    monkeypatch.setattr(precision, "check", lambda *_: None)
    clock(2.0)
    line = ["reproduce", "--only", "patch-order", "--seeds", "1", "--out", str(tmp_path / "out")]
    assert main([*line, "--training.precision", "auto", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "auto takes fp32: bf16 takes 2.00 times the time of fp32 here" in out
    assert "it takes bf16 up to 0.67 times" in out
