"""Many runs: planned, executed side by side, continued, and not made twice."""

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace

import psutil
import pytest

from learnorder.cli.main import main
from learnorder.cli.options import print_unfinished
from learnorder.config.settings import RunConfig, TaskConfig, TaskRunConfig
from learnorder.config.training import NoiseConfig, TrainingConfig
from learnorder.errors import ConfigError, DataError, Interrupted, RunFolderError
from learnorder.execution.display import Display
from learnorder.execution.driver import Plan, make_folders, run_plans
from learnorder.execution.engine import Cores, share_cores
from learnorder.execution.estimate import estimate_cost
from learnorder.execution.grid import Grid, grid_plans
from learnorder.execution.here import run_here
from learnorder.execution.machine import usable_cores
from learnorder.execution.pool import run_pool
from learnorder.execution.settings import Execution
from learnorder.execution.work import work
from learnorder.images.experiment import Arm, Arms, ImageExperiment
from learnorder.images.run import image_plans, run_patch, run_train
from learnorder.runs import RunFolder, find_runs
from learnorder.runs.execute import execute
from learnorder.runs.lock import RunLock
from learnorder.runs.results import Results, TaskResults
from learnorder.schedules import Schedule
from learnorder.sweep.run import run_sweep, sweep_plans
from learnorder.tasks.page import task_content
from learnorder.theory.config import TheoryConfig

from .conftest import changed, html_sentences
from .test_lock import holder, leave
from .test_runs import wait_until


@pytest.fixture
def experiment(tiny) -> ImageExperiment:
    small = Schedule(0.01)
    return ImageExperiment(
        data=tiny.data,
        model=tiny.model,
        patch=tiny.patch,
        training=tiny.training,
        arms=Arms(
            large=Arm(tiny.learning_rate),
            small=Arm(small),
            small_noise=Arm(small, NoiseConfig(Schedule(0.4))),
        ),
        seeds=2,
    )


def test_the_patch_experiment_end_to_end(experiment, tmp_path):
    results = run_patch(experiment, tmp_path, execution=Execution(quiet=True))
    assert results.arms == ["large", "small", "small_noise"]
    assert [f.read_status() for f in results.folders] == ["finished"] * 6
    assert (tmp_path / "report.html").stat().st_size > 1_000_000
    frame = results.frame()
    assert set(frame["seed"]) == {0, 1}
    assert results.final_difference("large", "small", "clean", "accuracy").n == 2
    reliance = results.final_estimate("small", "conflict", "reliance").format(100)
    assert html_sentences(results._repr_html_()) == results.findings()
    assert any("Final accuracy on clean images" in sentence for sentence in results.findings())
    name = '<th scope="row">small</th>'
    row = next(row for row in results._repr_html_().split("<tr>") if row.startswith(name))
    assert row.startswith(f"{name}<td>2 finished</td>")
    assert f"<td>{reliance} %</td></tr>" in row
    first = find_runs(tmp_path)[0].file("weights.safetensors").stat().st_mtime_ns
    run_patch(experiment, tmp_path, execution=Execution(quiet=True))
    assert find_runs(tmp_path)[0].file("weights.safetensors").stat().st_mtime_ns == first


def test_a_folder_keeps_one_experiment(experiment, tmp_path):
    """Other settings on other seeds would end in one mean."""
    RunFolder.create(tmp_path / "large-seed0", experiment.run("large", 0), {
        "experiment": "patch", "scale": "custom", "arm": "large"})  # fmt: skip
    other = replace(experiment, first_seed=7, training=replace(experiment.training, batch_size=64))
    with pytest.raises(RunFolderError, match=r"large-seed0.*batch_size is 32 there, 64 here"):
        run_patch(other, tmp_path, execution=Execution(quiet=True))
    assert [p.name for p in tmp_path.iterdir()] == ["large-seed0"]


def test_one_run(tiny, tmp_path):
    results = run_train(tiny, tmp_path / "mine", execution=Execution(quiet=True))
    assert results.folders[0].path == tmp_path / "mine"
    assert (tmp_path / "mine" / "report.html").exists()
    other = changed(tiny, training={"batch_size": 60})
    assert (
        run_train(other, tmp_path / "other", execution=Execution(quiet=True))
        .folders[0]
        .read_status()
        == "finished"
    )


def test_a_sweep(tiny, tmp_path):
    grid = {"learning_rate.initial": [0.05, 0.1], "patch.contrast": [0.3]}
    results = run_sweep({"": tiny}, grid, [5], tmp_path, execution=Execution(quiet=True))
    assert [f.config.learning_rate.initial for f in results.folders] == [0.05, 0.1]
    assert {f.config.patch.contrast for f in results.folders} == {0.3}
    assert len(results.arms) == 2


def test_grids(tiny):
    grid = {
        "learning_rate.initial,learning_rate.step_factor": [[0.1, 0.2], [1.0, 0.02]],
        "model.arguments.widths": [[4], [8, 8]],
    }
    plans = grid_plans(tiny.to_dict(), Grid(grid), [0, 1], {"arm": "large"}, RunConfig)
    assert len(plans) == 8
    rates = {
        (p.config.learning_rate.initial, p.config.learning_rate.step_factor) for p in plans.values()
    }
    assert rates == {(0.1, 0.2), (1.0, 0.02)}
    assert {tuple(p.config.model.arguments["widths"]) for p in plans.values()} == {(4,), (8, 8)}
    assert all("/" not in name for name in plans)
    refused = [
        {"no.such": [1]}, {"patch.contrast": []}, {"patch.top,patch.left": [1]}, {"seed": [1, 2]},
        {"patch.contrast": [0.1, 0.1]},
    ]  # fmt: skip
    for bad in refused:
        with pytest.raises(ConfigError, match="grid"):
            grid_plans(tiny.to_dict(), Grid(bad), [0], {}, RunConfig)
    with pytest.raises(ConfigError, match=r"patch.contrast"):
        grid_plans(tiny.to_dict(), Grid({"patch.contrast": [-1]}), [0], {}, RunConfig)


def test_a_list_of_settings(tiny):
    """A setting that a point leaves out is the base's there; names tell what differs."""
    points = [{"patch.contrast": 0.3}, {"noise.level.initial": 0.5, "training.batch_size": 32}]
    plans = grid_plans(tiny.to_dict(), Grid({}, points), [0], {}, RunConfig)
    assert list(plans) == [
        "patch.contrast=0.3-noise.level.initial=0-seed0",
        "patch.contrast=0.6-noise.level.initial=0.5-seed0",
    ]
    both = Grid({"training.batch_size": [8, 16]}, [{"patch.contrast": 0.3}, {"patch.size": 2}])
    assert len(grid_plans(tiny.to_dict(), both, [0], {}, RunConfig)) == 4
    with pytest.raises(ConfigError, match="varied twice"):
        Grid({"patch.size": [2, 3]}, [{"patch.size": 4}]).settings(tiny.to_dict(), tiny)
    arguments = Grid({}, [{"model.arguments.depth": 10}, {"patch.size": 4}])
    with pytest.raises(ConfigError, match=r"model.arguments.depth has no default"):
        arguments.settings({**tiny.to_dict(), "model": {"name": "MLP"}}, RunConfig())


def test_one_value_is_named_as_several_are(tiny):
    """So that a value added later finds the runs that are there."""
    one, two = (
        grid_plans(tiny.to_dict(), Grid({"patch.contrast": values}), [0], {}, RunConfig)
        for values in ([0.3], [0.3, 0.6])
    )
    assert list(one) == ["patch.contrast=0.3-seed0"]
    assert one.items() <= two.items()


def test_a_value_that_does_not_fit_is_told_with_its_point(tiny):
    grid = Grid({"learning_rate.initial": [-1.0], "patch.size": [2]})
    with pytest.raises(ConfigError, match=r"At the point learning_rate.initial -1, patch.size 2"):
        grid_plans(tiny.to_dict(), grid, [0], {}, RunConfig)


def test_runs_are_not_made_in_the_folder_of_a_run_or_of_other_things(tiny, tmp_path):
    labels = {"experiment": "sweep", "arm": "large"}
    run_plans({"a": Plan(tiny, labels)}, tmp_path / "out", execution=Execution(quiet=True))
    with pytest.raises(RunFolderError, match="this is a run folder"):
        run_plans(
            {"b": Plan(tiny, labels)}, tmp_path / "out" / "a", execution=Execution(quiet=True)
        )
    theory = Plan(TheoryConfig(), {**labels, "arm": "S"})
    with pytest.raises(RunFolderError, match=r"another experiment \(sweep of images\)"):
        run_plans({"b": theory}, tmp_path / "out", execution=Execution(quiet=True))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]


def test_names_of_folders_are_short_and_their_own(tiny):
    values = [f"data_{'x' * 200}{n}.load" for n in range(2)]
    plans = grid_plans(tiny.to_dict(), Grid({"data.augmentation": values}), [0], {}, RunConfig)
    assert len(plans) == 2
    assert all(len(name.encode()) < 200 for name in plans)
    same = Grid({"data.augmentation": ["a.b c", "a.bc"]})
    with pytest.raises(ConfigError, match="same folder"):
        grid_plans(tiny.to_dict(), same, [0], {}, RunConfig)


def test_close_values_are_told_apart(tiny):
    grid = {"patch.contrast": [0.12345671, 0.12345672]}
    assert len(grid_plans(tiny.to_dict(), Grid(grid), [0], {}, RunConfig)) == 2


def test_a_grid_may_vary_what_makes_a_base_valid(tiny):
    """The base steps at epoch 3 of 2; the grid's values do not."""
    base = tiny.to_dict()
    base["training"]["epochs"] = 2
    plans = sweep_plans({"large": base}, Grid({"learning_rate.step_epochs": [[2]]}), [0])
    assert [p.config.learning_rate.step_epochs for p in plans.values()] == [(2,)]
    with pytest.raises(ConfigError, match="cannot happen"):
        sweep_plans({"large": base}, Grid({"patch.contrast": [0.1]}), [0])
    with pytest.raises(ConfigError, match="seeds"):
        sweep_plans({"large": tiny}, Grid({"patch.contrast": [0.1]}), [])


def test_a_python_experiment_runs_again_with_tuples(tiny, tmp_path):
    config = changed(tiny, model={"name": "MLP", "arguments": {"widths": (8,)}})
    for _ in range(2):
        (folder,) = run_plans({"a": Plan(config, {})}, tmp_path, execution=Execution(quiet=True))
        assert folder.read_status() == "finished"


@pytest.mark.parametrize("here", [True, False])
def test_a_run_in_use_is_waited_for(tiny, tmp_path, here, capfd):
    """The other process finishes one, fails at one, and is stopped in one, which goes on here."""
    plans = {name: Plan(replace(tiny, seed=n), {}) for n, name in enumerate("abc")}
    folders = make_folders(plans, tmp_path)
    locks = [RunLock(folder.path) for folder in folders]

    def end():
        statuses = ("finished", "failed", "interrupted")
        for folder, lock, status in zip(folders, locks, statuses, strict=True):
            folder.update(status=status, reason="as the other process says")
            lock.__exit__()

    for folder, lock in zip(folders, locks, strict=True):
        folder.update(status="running")
        lock.__enter__()
    other = threading.Timer(4, end)
    other.start()
    run_plans(plans, tmp_path, execution=Execution(quiet=True), here=here)
    other.join()
    assert [f.read_status() for f in folders] == ["finished", "failed", "finished"]
    assert folders[1].read_manifest()["reason"] == "as the other process says"
    assert [f.file("weights.safetensors").exists() for f in folders] == [False, False, True]
    messages = capfd.readouterr().err
    for name in "abc":
        waits = f"{name}: waiting for another process that is working on it (process {os.getpid()} "
        assert messages.count(waits) == 1
    assert "). Ctrl-C stops waiting." in messages


@pytest.mark.parametrize("here", [True, False])
def test_waiting_is_stopped_by_a_signal(tiny, tmp_path, here):
    folder = RunFolder.create(tmp_path / "a", tiny)
    with RunLock(folder.path):
        threading.Timer(4, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(Interrupted, match="0 of 1 runs have ended"):
            run_plans(
                {"a": Plan(tiny, {})},
                tmp_path,
                execution=Execution(quiet=True),
                here=here,
            )
    assert folder.read_status() == "pending"


def test_a_stop_is_noted_only_for_runs_made_here(tiny, tmp_path):
    """A run that another process works on stays as it is."""
    folder = RunFolder.create(tmp_path / "a", tiny)
    folder.update(status="running")

    def watch(state):
        os.kill(os.getpid(), signal.SIGINT)

    with RunLock(folder.path), pytest.raises(Interrupted):
        run_pool([folder], Cores(1, 1), watch)
    assert folder.read_status() == "running"


def test_code_that_ends_its_process_as_if_in_use_fails(tmp_path):
    leaving = TaskRunConfig(TaskConfig("tests.test_sweep.leaving_task"))
    folder = RunFolder.create(tmp_path / "a", leaving)
    state = run_pool([folder], Cores(1, 1), lambda state: None)
    assert state.failed == [folder]
    assert (folder.read_status(), folder.read_manifest()["reason"]) == ("failed", "SystemExit: 3")


def leaving_task():
    sys.exit(3)


@pytest.mark.parametrize(
    ("sections", "error", "match"),
    [
        ({"patch": {"size": 9}}, ConfigError, "patch.size"),
        ({"data": {"source": "parquet:nowhere"}}, DataError, "no such folder"),
        ({"model": {"name": "nothing.Net"}}, ConfigError, "model.name"),
        ({"data": {"train_examples": 9000}}, ConfigError, "at most 1200"),
    ],
)
def test_what_is_unfit_leaves_no_folder(tiny, tmp_path, sections, error, match):
    plans = {"good": Plan(tiny, {}), "bad": Plan(changed(tiny, **sections), {})}
    with pytest.raises(error, match=match):
        run_plans(plans, tmp_path / "out", execution=Execution(quiet=True))
    assert not (tmp_path / "out").exists()


def test_a_folder_of_another_configuration_stops_before_any_is_made(tiny, tmp_path):
    RunFolder.create(tmp_path / "b", tiny)
    other = changed(tiny, training={"epochs": 4})
    with pytest.raises(RunFolderError, match=r"training.epochs is 3 there, 4 here"):
        run_plans(
            {"a": Plan(other, {}), "b": Plan(other, {})}, tmp_path, execution=Execution(quiet=True)
        )
    assert not (tmp_path / "a").exists()
    (tmp_path / "c").write_text("a file in the way")
    with pytest.raises(RunFolderError, match="not a run folder"):
        run_plans(
            {"a": Plan(tiny, {}), "c": Plan(tiny, {})}, tmp_path, execution=Execution(quiet=True)
        )
    assert not (tmp_path / "a").exists()


def test_a_failed_run_leaves_the_others(tiny, tmp_path):
    runs = {"a": tiny, "b": replace(tiny, seed=1)}
    folders = [RunFolder.create(tmp_path / name, config) for name, config in runs.items()]
    folders[0].file("checkpoint.pt").write_bytes(b"damaged")
    results = Results(
        run_plans(
            {n: Plan(c, {}) for n, c in runs.items()}, tmp_path, execution=Execution(quiet=True)
        )
    )
    assert [f.read_status() for f in results.folders] == ["failed", "finished"]
    assert "not a usable checkpoint" in folders[0].read_manifest()["reason"]
    assert list(results.final(results.arms[0], "clean", "accuracy"))  # the one that finished


class Scripted:
    """An engine and its worker: each run ends as ``end(folder)`` says, with the code it returns."""

    alive = True

    def __init__(self, end):
        self.end = end

    def start(self, threads):
        return self

    def ready(self, busy, seconds):
        return list(busy)

    def execute(self, folder):
        self.folder = folder

    def answer(self):
        return self.end(self.folder), True

    def send_signal(self, number):
        pass

    def close(self, *, kill=False):
        pass


def executed(folders, end, here, monkeypatch):
    """Execute runs that end as ``end(folder)`` says, with a display."""

    def execute(folder, *_):
        if code := end(folder):
            raise Interrupted(code - 128, "") if code > 128 else RunFolderError("it failed")

    monkeypatch.setattr("learnorder.execution.here.execute", execute)
    with Display(folders, Cores(1, 1)) as display:
        if here:
            return run_here(folders, Cores(1, 1), display.update)
        return run_pool(folders, Cores(1, 1), display.update, Scripted(end))


@pytest.mark.parametrize("here", [True, False])
def test_a_run_that_can_no_longer_be_read_leaves_the_others(
    tiny, tmp_path, capsys, here, monkeypatch
):
    folders = [RunFolder.create(tmp_path / name, tiny) for name in "ab"]

    def end(folder):
        folder.update(status="finished")
        if folder is folders[0]:
            folder.file("manifest.json").write_text("damaged")
        return 0

    state = executed(folders, end, here, monkeypatch)
    assert (state.failed, state.ended) == ([folders[0]], [folders[1]])
    assert re.search(r"a failed: .*manifest.json: cannot be read", capsys.readouterr().err)


@pytest.mark.parametrize("here", [True, False])
def test_a_signal_counts_what_is_left(tiny, tmp_path, capsys, here, monkeypatch):
    """It comes while the last run finishes, or saves the one before."""
    folders = [RunFolder.create(tmp_path / name, tiny) for name in "abc"]
    ends = [("failed", 1), ("finished", 0), ("interrupted", 130), ("finished", 0)]

    def end(folder):
        status, code = ends.pop(0)
        folder.update(status=status)
        if status == "interrupted" or folder is folders[-1]:
            os.kill(os.getpid(), signal.SIGINT)
        return code

    message = "1 of 3 runs have ended, 1 failed; the others are saved at their current step. "
    with pytest.raises(Interrupted, match=f"{message}The same (command|call) continues them."):
        executed(folders, end, here, monkeypatch)
    assert capsys.readouterr().err.splitlines()[-1] == "c interrupted (1/3)"
    ends.insert(0, ("failed", 1))
    with pytest.raises(Interrupted, match="2 of 3 runs have ended, 1 failed; none is left"):
        executed(folders, end, here, monkeypatch)


def test_a_run_that_another_process_has_taken_over_does_not_fail(tiny, tmp_path):
    folder = RunFolder.create(tmp_path / "a", tiny)
    folder.update(status="running")
    with holder(folder.path):
        run_pool([folder], Cores(1, 1), lambda state: None, Scripted(lambda folder: -9))
    assert folder.read_status() == "running"


def test_a_run_whose_process_has_died_is_not_said_to_run(tiny, tmp_path, capsys):
    folders = [RunFolder.create(tmp_path / n, replace(tiny, seed=s)) for s, n in enumerate("ab")]
    for folder in folders:
        folder.update(status="running")
    with holder(folders[0].path):
        assert print_unfinished(Results(folders))
    held, dead = capsys.readouterr().out.splitlines()
    assert held.endswith("a: running. Another process is working on it.")
    assert dead.endswith("b: running. The command that created it continues it.")


def test_dry_run_measures_and_writes_nothing(experiment, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cost = estimate_cost(image_plans(experiment), tmp_path, execution=Execution(workers=2))
    with pytest.raises(ConfigError, match="workers"):
        estimate_cost(image_plans(experiment), tmp_path, execution=Execution(workers=0))
    assert (cost.runs, cost.cores.workers) == (6, 2)
    assert "12 steps" in str(cost)
    assert 0 < cost.longest.seconds < 60
    assert 3 * cost.longest.seconds < cost.seconds < 3 * cost.longest.seconds + 10
    assert cost.disk_bytes > 6 * cost.longest.disk_bytes
    assert list(tmp_path.iterdir()) == []


def test_measures_count_in_the_cost(tiny, tmp_path, monkeypatch):
    def measure(*_):
        time.sleep(1)

    for name in ("curvature.Curvature", "diagnostics.Diagnostics"):
        monkeypatch.setattr(f"learnorder.training.{name}.measure", measure)
    plain = changed(tiny, training={"epochs": 8})
    sharp = changed(plain, sharpness={"examples": 4, "every": 2})
    both = changed(sharp, diagnostics={"features": 4})
    plans = {str(n): Plan(config, {}) for n, config in enumerate((plain, sharp, both))}
    costs = [
        estimate_cost({name: plan}, tmp_path, execution=Execution(1)).longest.seconds
        for name, plan in plans.items()
    ]
    assert costs[0] + 3 < costs[1] < costs[2] - 6
    longest = estimate_cost(plans, tmp_path, execution=Execution(1)).longest.seconds
    assert longest > costs[1] + 6


def test_cores_are_not_oversubscribed(monkeypatch):
    monkeypatch.setattr("learnorder.execution.engine.usable_cores", usable_cores)
    cores = len(os.sched_getaffinity(0))
    for runs in (1, 2, 50):
        for threads in (None, 1, 2):
            shared = share_cores(runs, threads=threads)
            assert 1 <= shared.workers <= max(runs, 1)
            assert shared.workers * shared.threads <= max(cores, threads or 1)
    assert share_cores(9, workers=4).threads >= 1


SCRIPT = """
import sys
from pathlib import Path
from learnorder.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def test_ctrl_c_loses_nothing(tiny, tmp_path):
    """The command is interrupted, says how to continue, and the same command finishes it."""
    command = [
        sys.executable, "-c", SCRIPT, "sweep", "--out", "out", "--seeds", "1",
        "--grid", "{learning_rate.initial: [0.01]}", "--model.name", "ConvNet",
        "--model.arguments", "{widths: [8]}", "--data.train_examples", "200",
        "--training.epochs", "60",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 90
    while not list(tmp_path.glob("out/*/records.parquet")):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 130, message
    assert "The same command continues" in message
    statuses = {f.read_status() for f in find_runs(tmp_path / "out")}
    assert statuses <= {"interrupted", "finished", "pending"}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert {f.read_status() for f in find_runs(tmp_path / "out")} == {"finished"}


def kill_workers(tmp_path, runs, kills):
    """Run many runs by two workers, killing workers now and then; return the folders."""
    task, training = (
        TaskConfig("tests.test_task.make_task"),
        TrainingConfig(epochs=4, batch_size=16),
    )
    configs = [TaskRunConfig(task, training, Schedule(0.1), seed=s) for s in range(runs)]
    folders = [RunFolder.create(tmp_path / f"run{c.seed}", c) for c in configs]
    victims = {round((k + 0.2) * runs / kills) for k in range(kills)}  # ended runs at each kill

    def watch(state):
        due = {count for count in victims if count <= len(state.ended)}
        workers = psutil.Process().children()
        if due and state.active and workers:
            victims.difference_update(due)
            workers[0].kill()

    run_pool(folders, Cores(2, 1), watch)
    assert not victims
    return folders


@pytest.mark.usefixtures("own_processes")
@pytest.mark.parametrize(
    ("runs", "kills"), [(10, 2), pytest.param(200, 20, marks=pytest.mark.slow)]
)
def test_runs_whose_workers_are_killed_are_finished_and_none_twice(tmp_path, runs, kills):
    folders = kill_workers(tmp_path, runs, kills)
    assert [f.read_status() for f in folders] == ["finished"] * runs
    logs = [f.file("log.txt").read_text() for f in folders]
    assert [log.count("ends: finished") for log in logs] == [1] * runs
    written = [f.file("manifest.json").stat().st_mtime_ns for f in folders]
    run_pool(folders, Cores(2, 1), lambda state: None)
    assert [f.file("manifest.json").stat().st_mtime_ns for f in folders] == written
    again = RunFolder.create(tmp_path / "again", folders[0].config)
    assert execute(again) == "finished"
    assert again.records() == folders[0].records()


def test_a_run_that_kills_its_process_time_and_again_fails(tiny, tmp_path, monkeypatch):
    """As one that is too large for the memory does; the other is finished."""
    deadly = TaskRunConfig(TaskConfig("tests.test_sweep.deadly_task"))
    folders = [RunFolder.create(tmp_path / n, c) for n, c in (("a", deadly), ("b", tiny))]
    state = run_pool(folders, Cores(1, 1), lambda state: None)
    assert [f.read_status() for f in folders] == ["failed", "finished"]
    assert "SIGKILL" in folders[0].read_manifest()["reason"]
    assert state.deaths == {folders[0]: 2}
    assert folders[0].file("log.txt").read_text().count("starts in process") == 3


def deadly_task():
    os.kill(os.getpid(), signal.SIGKILL)


def test_seeds_are_counted_from_the_first(experiment):
    later = replace(experiment, first_seed=7)
    assert {p.config.seed for p in image_plans(later).values()} == {7, 8}
    with pytest.raises(ConfigError, match="seeds"):
        replace(experiment, seeds=0)


def test_prepared_runs_are_made_by_whoever_works(tmp_path, capsys):
    """Two workers started apart share the runs out; the command then writes its report."""
    command = [
        "patch", "--out", str(tmp_path / "out"), "--seeds", "2", "--data.train_examples", "120",
        "--model.name", "ConvNet", "--model.arguments", "{widths: [8]}", "--training.epochs", "40",
        "--quiet",
    ]  # fmt: skip
    assert main(["work", str(tmp_path)]) == 2
    assert "contains no runs" in capsys.readouterr().err
    assert main([*command, "--prepare"]) == 0
    assert "8 runs are prepared" in capsys.readouterr().out
    folders = find_runs(tmp_path / "out")
    assert [f.read_status() for f in folders] == ["pending"] * 8
    alone = [sys.executable, "-m", "learnorder", "work", str(tmp_path / "out"), "--workers", "1"]
    alone += ["--threads", "1"]
    workers = [subprocess.Popen(alone, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [worker.communicate(timeout=240)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    assert [f.read_status() for f in folders] == ["finished"] * 8
    logs = [f.file("log.txt").read_text() for f in folders]
    assert [log.count("ends: finished") for log in logs] == [1] * 8
    assert main(["work", str(tmp_path / "out")]) == 0
    assert "8 of 8 runs have ended" in capsys.readouterr().out
    assert main(command) == 0
    assert (tmp_path / "out" / "report.html").exists()


def test_work_waits_for_others_and_takes_over_from_the_dead(tiny, tmp_path, capfd):
    folder = RunFolder.create(tmp_path / "run", tiny)
    folder.update(status="running")
    with holder(folder.path) as other:
        work([folder], Execution(1, 1))
        assert "run is running in another process (0/1)" in capfd.readouterr().err
        assert folder.read_status() == "running"
        threading.Timer(4, other.kill).start()
        work([folder], Execution(1, 1, quiet=True), wait=True)
    assert f"run: waiting for another process that is working on it (process {other.pid} on" in (
        capfd.readouterr().err
    )
    assert folder.read_status() == "finished"


def test_a_run_whose_worker_died_on_another_machine_is_waited_for(tiny, tmp_path, monkeypatch):
    """Its lock is fresh there, and nobody else's: even those who wait for none wait for it."""
    monkeypatch.setattr("learnorder.runs.lock.STALE_AFTER", 1)
    monkeypatch.setattr("learnorder.runs.lock.WATCH_SECONDS", 0.5)
    folder = RunFolder.create(tmp_path / "run", tiny)
    state = run_pool([folder], Cores(1, 1), lambda state: None, Remote(), wait=False)
    assert (state.ended, state.deaths) == ([folder], {folder: 1})


class Remote:
    """An engine whose first worker dies on another machine, and leaves its lock behind."""

    def __init__(self):
        self.codes = [-9, 3, 0]

    def start(self, threads):
        return self

    def ready(self, busy, seconds):
        time.sleep(0.05)
        return list(busy)

    alive = True

    def execute(self, folder):
        self.folder = folder

    def answer(self):
        code = self.codes.pop(0)
        if code == -9:
            leave(self.folder.path)
        elif code == 0:
            self.folder.update(status="finished")
        return code, code >= 0

    def close(self, *, kill=False):
        pass


@pytest.mark.slow
def test_the_same_command_twice_at_once(tmp_path):
    """Each run is made by one of the two; both end well."""
    command = [sys.executable, "-m", "learnorder", *TRAIN, "--training.epochs", "40"]
    both = [subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE) for _ in range(2)]
    said = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    (folder,) = find_runs(tmp_path)
    assert folder.file("log.txt").read_text().count("ends: finished") == 1


@pytest.mark.parametrize("trials", [1, pytest.param(14, marks=pytest.mark.slow)])
@pytest.mark.parametrize("victim", [pytest.param("command", marks=pytest.mark.slow), "worker"])
def test_the_same_command_right_after_a_kill(tmp_path, trials, victim):
    """The worker of a killed command lives on; that of a killed worker goes on in another."""
    command = [sys.executable, "-m", "learnorder", *TRAIN, "--training.epochs", "60"]
    for trial in range(trials):
        place = tmp_path / str(trial)
        place.mkdir()
        with subprocess.Popen(command, cwd=place) as first:
            wait_until(lambda place=place: list(place.glob("*/*/checkpoint.pt")))
            time.sleep(0.2 * random.Random(trial).random())
            workers = psutil.Process(first.pid).children()
            for process in [first] if victim == "command" else [*workers, first]:
                process.kill()
            again = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=120)
        assert again.returncode == 0, again.stderr
        (folder,) = find_runs(place)
        assert folder.read_status() == "finished"
        assert folder.file("log.txt").read_text().count("ends: finished") == 1


TRAIN = [
    "train", "--model.name", "MLP", "--model.arguments", "{widths: [8]}", "--data.train_examples",
    "100", "--data.evaluation_examples", "50", "--quiet",
]  # fmt: skip
SMALL = [
    "--model.name", "MLP", "--model.arguments", "{widths: [8]}", "--data.train_examples", "100",
    "--quiet",
]  # fmt: skip
MEMORISES = [
    "--model.name", "ConvNet", "--model.arguments", "{widths: [8, 16]}", "--quiet",
    "--data.train_examples", "200", "--training.epochs", "12", "--training.batch_size", "16",
    "--anneal_at", "0.8",
]  # fmt: skip
"""A probe whose calibration memorises a strong pattern."""


def sweep(*arguments):
    return main(["sweep", *map(str, arguments)])


class Crowded:
    """An engine of which only one worker has a place at a time, as on a busy cluster."""

    def __init__(self):
        self.there = []

    def cores(self, runs, workers, threads, *, accelerated):
        return Cores(2, 1)

    def start(self, threads):
        self.there.append(worker := Placed(self))
        return worker

    def ready(self, busy, seconds):
        first = self.there[0] if self.there else None
        return [folder for folder, worker in busy.items() if worker is first]


class Placed:
    alive = True

    def __init__(self, engine):
        self.engine = engine

    def execute(self, folder):
        self.folder = folder

    def answer(self):
        self.folder.update(status="finished")
        return 0, True

    def send_signal(self, number):
        pass

    def close(self, *, kill=False):
        self.engine.there.remove(self)


def test_an_idle_worker_gives_its_place_to_one_that_waits(tiny, tmp_path):
    folders = [RunFolder.create(tmp_path / str(n), replace(tiny, seed=n), {}) for n in range(4)]
    state = run_pool(folders, Cores(2, 1), lambda state: None, Crowded())
    assert len(state.ended) == 4


def test_the_theory_is_swept(tmp_path, capsys):
    code = sweep(
        "--experiment", "theory", "--grid", "{distribution.kappa: [0.8, 1]}", "--arms", "[S]",
        "--distribution.d", 40, "--algorithm.max_time", 50, "--seeds", 1, "--out", tmp_path,
        "--quiet",
    )  # fmt: skip
    assert code == 0
    found = {f.config.distribution.kappa: f.config.arm for f in find_runs(tmp_path)}
    assert found == {0.8: "S", 1.0: "S"}
    assert "Final test error" in capsys.readouterr().out


def test_tasks_are_swept(tmp_path):
    code = sweep(
        "--experiment", "task", "--task", "tests.test_task.make_task", "--training.epochs", 2,
        "--grid", "{training.weight_decay: [0, 0.1], task.arguments.n: [60]}", "--seeds", 2,
        "--out", tmp_path, "--quiet",
    )  # fmt: skip
    assert code == 0
    runs = find_runs(tmp_path)
    content = task_content(TaskResults(runs))
    assert dict(content.setup)["Training"] == "differs between the arms"
    assert "n 60: 48 training examples, 12 validation examples" in dict(content.setup)["Task"]
    (compared,) = (s.table for s in content.sections if s.title == "Comparisons")
    assert compared is not None
    assert [row[:2] for row in compared.rows] == [["weight decay 0.1 against weight decay 0", "2"]]
    assert {f.config.training.weight_decay for f in runs} == {0, 0.1}
    assert all(f.config.task.arguments == {"n": 60} for f in runs)


def test_one_run_is_swept_with_no_patch_and_no_test_images(tmp_path, capsys):
    points = "[{learning_rate.initial: 0.1}, {noise.level.initial: 0.5}]"
    schedule = "{initial: 0.2, step_epochs: [], step_factor: null}"
    asked = ["--experiment", "train", "--points", points, "--learning_rate", schedule]
    code = sweep(*asked, "--training.epochs", 2, "--seeds", 1, "--out", tmp_path, *SMALL)
    assert code == 0
    runs = find_runs(tmp_path)
    assert len(runs) == 2
    assert not any(f.config.patch.planted for f in runs)
    assert all(f.config.data.evaluate_on == "validation" for f in runs)
    assert "arms" not in capsys.readouterr().err


@pytest.mark.slow
def test_probes_are_swept(tmp_path, capsys):
    """Each has its own calibration and page, and one page has them all; again, nothing is run."""
    asked = [
        "--experiment", "probe", "--grid", "{pattern_size: [3, 4]}", "--contrasts", "[0.1, 6]",
        "--learning_rates", "[0.05, 0.3]", "--noise", 0, "--seeds", 1, "--out", tmp_path,
        *MEMORISES,
    ]  # fmt: skip
    assert sweep(*asked) == 0
    runs = find_runs(tmp_path)
    assert len(runs) == 2 * (2 + 3)
    assert {f.config.patch.size for f in runs} == {3, 4}
    for name in ("pattern_size=3", "pattern_size=4"):
        assert (tmp_path / name / "report.html").exists()
        assert (tmp_path / name / "probe.json").exists()
    page = (tmp_path / "report.html").read_text()
    assert 'href="pattern_size=3/report.html"' in page
    assert "agrees with the paper in" in page
    made = {f.path: f.read_manifest()["updated"] for f in runs}
    assert sweep(*asked) == 0
    assert {f.path: f.read_manifest()["updated"] for f in find_runs(tmp_path)} == made
    capsys.readouterr()
    assert sweep(*asked, "--prepare") == 2
    assert "cannot be prepared" in capsys.readouterr().err
    assert sweep(*asked, "--dry-run") == 0
    assert "10 runs" in capsys.readouterr().out


@pytest.mark.slow
def test_networks_are_swept_with_their_own_arguments(tmp_path, capsys):
    """The recipe's are another network's; each point can bring some."""
    points = "[{model.name: ConvNet, model.arguments: {widths: [8]}}, {model.name: MLP}]"
    for experiment in ("probe", "train", "patch"):
        asked = ["--experiment", experiment, "--points", points, "--out", tmp_path, "--dry-run"]
        assert sweep(*asked, "--seeds", 1) == 0
        assert "runs" in capsys.readouterr().out


def test_the_line_overrides_the_grid_of_a_file(tmp_path, capsys):
    (tmp_path / "my.yaml").write_text("grid: {patch.contrast: [0.3, 0.6, 0.9]}\nseeds: 1\n")
    asked = ["--config", tmp_path / "my.yaml", "--out", tmp_path / "out", "--dry-run"]
    assert sweep(*asked, "--grid", "{patch.contrast: [0.3, 0.6]}") == 0
    assert "2 runs" in capsys.readouterr().out


def test_a_probe_whose_calibration_fails_leaves_the_others(tmp_path, capsys):
    asked = [
        "--experiment", "probe", "--grid", "{learning_rates: [[0.05, 0.3], [1.0e+9, 2.0e+9]]}",
        "--contrasts", "[0.1, 6]", "--noise", 0, "--seeds", 1, "--out", tmp_path, *MEMORISES,
    ]  # fmt: skip
    assert sweep(*asked) == 2
    assert "Training diverges at the small one" in capsys.readouterr().err
    assert (tmp_path / "report.html").exists()
    assert len(list(tmp_path.glob("*/report.html"))) == 1


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["--experiment", "prob"], "Did you mean probe"),
        (["--experiment", "theory", "--arms", "[large]"], "Choose from L-S, S, S\\+noise"),
        (["--experiment", "train"], "Name what varies"),
        (["--grid", "{seed: [1]}"], "--seeds and --first_seed"),
        (["--experiment", "probe", "--grid", "{seeds: [1, 2]}"], "--seeds and --first_seed"),
        (["--grid", "{patch.size: [2, 3]}", "--gpus", "1"], "--engine ray"),
        (["--grid", "{patch.size: [2, 3]}", "--processes", "0"], "processes: got 0"),
        (["--grid", "{patch.size: [2, 3]}", "--processes", "2", "--engine", "ray"], "engine local"),
    ],
)
def test_sweeps_that_cannot_be(tmp_path, capsys, asked, message):
    assert sweep(*asked, "--out", tmp_path) == 2
    assert re.search(message, capsys.readouterr().err)
    assert not list(tmp_path.iterdir())


def test_an_arm_that_would_make_nested_folders_is_refused(tiny, tmp_path):
    with pytest.raises(ConfigError, match="slashes"):
        run_sweep({"LR 1/λ": tiny}, {}, [0], tmp_path / "out")
    assert not (tmp_path / "out").exists()
