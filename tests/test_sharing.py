"""Several runs on one GPU: how many, refused settings, several GPUs; trials without a GPU."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import ClassVar

import pytest

from learnorder.cli import main
from learnorder.config.script import ScriptConfig, ScriptRunConfig
from learnorder.errors import ConfigError
from learnorder.execution import processes, sharing
from learnorder.execution.driver import Plan, check, cores_for
from learnorder.execution.engine import Cores
from learnorder.execution.estimate import estimate_cost
from learnorder.execution.groups import Groups
from learnorder.execution.processes import Processes, visible_gpus
from learnorder.execution.settings import Execution
from learnorder.execution.sharing import share_devices
from learnorder.runs.stepper import StepCount
from learnorder.theory.config import TheoryConfig

from .conftest import changed

GIB = 2**30


@pytest.fixture
def gpus(monkeypatch):
    """Let the machine have GPUs and eight cores, as far as planning knows; return their ids."""
    found = ["0"]
    monkeypatch.setattr(processes, "has_accelerator", lambda: True)
    monkeypatch.setattr(processes, "visible_gpus", lambda: list(found))
    monkeypatch.setattr(sharing, "usable_cores", lambda: 8)
    return found


class Steps:
    """A process whose steps per second depend on how many there are; one that is too many ends."""

    total: ClassVar = {1: 100.0, 2: 190.0, 4: 300.0, 5: 305.0, 8: 310.0}
    used, memory, room = 2 * GIB, 80 * GIB, 99
    alive: ClassVar[list[Steps]] = []
    started: ClassVar[list[tuple[object, str | None]]] = []

    def __init__(self, config, threads, device):
        self.config = config
        self.alive.append(self)
        self.started.append((config, device))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        if self in self.alive:
            self.alive.remove(self)

    def next_count(self):
        if len(self.alive) > self.room:
            raise sharing._EndedError("CUDA out of memory")
        used = self.used * self.config.training.batch_size / 32
        return StepCount(0.0, 1.0, 10, used, self.memory - used)

    def rate(self, begin, end):
        return self.total[len(self.alive)] / len(self.alive)


@pytest.fixture
def steps(monkeypatch):
    class Own(Steps):
        alive: ClassVar[list[Steps]] = []
        started: ClassVar[list[tuple[object, str | None]]] = []

    monkeypatch.setattr(sharing, "_Stepper", Own)
    yield Own
    assert not Own.alive


def shared(tiny, asked, runs=20, devices=(), **settings):
    execution = Execution(engine=Processes(devices, asked), **settings)
    configs = [replace(tiny, seed=seed) for seed in range(runs)]
    return share_devices(configs, execution, cores_for(configs, execution)), execution.engine


def test_the_fewest_that_are_about_as_fast_as_any(tiny, gpus, steps, capsys):
    cores, engine = shared(tiny, "auto")
    assert cores == Cores(4, cores.threads, speed_up=3.0)
    assert engine.cores(20, None, None, accelerated=True).workers == 4
    words = " ".join(capsys.readouterr().err.split())
    assert "takes 4: a GPU takes 100 with 1, 190 with 2, 300 with 4, 310 with 8" in words
    assert "36 fit into the memory at 2 GiB each" in words or "at 2.1 GB each" in words
    again = share_devices([tiny] * 20, Execution(engine=engine), cores)
    assert again is cores
    assert len(steps.started) == 8  # all of the first trial


def test_fewer_runs_than_would_pay_do_not_settle_it(tiny, gpus, steps):
    cores, engine = shared(tiny, "auto", runs=2, quiet=True)
    assert (cores.workers, engine.runs_per_device, engine.measured) == (2, "auto", False)


def test_devices_are_a_list():
    """A string would be taken apart into its characters."""
    with pytest.raises(ConfigError, match=r"a list of GPUs"):
        Processes("0,1")


def test_a_single_run_needs_no_trial(tiny, gpus, steps):
    assert shared(tiny, "auto", runs=1)[0].workers == 1
    assert not steps.started


def test_the_memory_limits_them(tiny, gpus, steps, capsys):
    steps.memory = 6 * GIB
    assert shared(tiny, "auto", quiet=True)[0].workers == 2
    assert shared(tiny, 6, quiet=True)[0].workers == 2
    assert "6 runs at once are too many for a GPU: 2 fit" in capsys.readouterr().err
    assert shared(tiny, 2)[0].workers == 2
    assert "2 runs at once on each GPU; 2 fit" in capsys.readouterr().err


def test_a_memory_that_is_full_before_it_was_expected(tiny, gpus, steps):
    steps.room = 3
    assert shared(tiny, "auto", quiet=True)[0].workers == 2


def test_the_largest_workload_counts(tiny, gpus, steps):
    large = changed(tiny, training={"batch_size": 64})
    execution = Execution(engine=Processes((), 3), quiet=True)
    steps.memory = 10 * GIB
    cores = share_devices([tiny, large, tiny, large], execution, Cores(1, 1))
    assert cores.workers == 2  # of 4 GiB each; 4 of 2 GiB would fit


def test_if_not_even_one_can_be_tried(tiny, gpus, steps, capsys):
    steps.room = 0
    assert shared(tiny, "auto")[0].workers == 1
    assert "could not be measured: CUDA out of memory" in " ".join(capsys.readouterr().err.split())
    assert shared(tiny, 3, quiet=True)[0].workers == 3


def test_each_of_several_gpus_takes_as_many(tiny, gpus, steps):
    gpus += ["1", "2"]
    cores, engine = shared(tiny, "auto", quiet=True)  # 8 cores: two for each of the GPUs
    assert cores == Cores(6, cores.threads, speed_up=3 * 1.9)
    assert {device for _, device in steps.started} == {"0"}
    assert engine.devices == ["0", "1", "2"]
    theory = cores_for([TheoryConfig()] * 20, Execution(engine=engine))
    assert engine.devices == []  # runs of the theory are not bound to them
    assert theory.threads == 1


def test_auto_says_why_it_takes_one(tiny, gpus, steps, monkeypatch, capsys):
    monkeypatch.setattr(sharing, "usable_cores", lambda: 4)
    gpus += ["1", "2"]
    assert shared(tiny, "auto")[0].workers == 3
    assert "auto takes 1: there are 4 cores for 3 GPUs" in " ".join(capsys.readouterr().err.split())
    assert not steps.started


def test_gpus_that_are_not_there_are_refused(tiny, gpus, monkeypatch):
    gpus[:] = ["2", "3"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    engine = Processes([3, 2])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    engine.see_only_these()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3,2"
    gpus.clear()  # what was there before counts
    assert cores_for([tiny] * 5, Execution(engine=engine)).workers == 2
    gpus[:] = ["0", "1"]
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    with pytest.raises(ConfigError, match=r"7 is not visible here\. Give some of 0, 1\."):
        cores_for([tiny], Execution(engine=Processes([0, 7])))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    with pytest.raises(ConfigError, match=r"visible here \(CUDA_VISIBLE_DEVICES\)\."):
        check({"a": Plan(tiny, {})}, Processes([7]))
    gpus.clear()
    with pytest.raises(ConfigError, match="finds no such GPU here"):
        check({"a": Plan(tiny, {})}, Processes([0]))


def test_gpus_with_a_name_are_taken_if_there_is_any(tiny, gpus, monkeypatch):
    named = ["GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "MIG-a"]
    assert cores_for([tiny] * 5, Execution(engine=Processes(named))).workers == 2
    monkeypatch.setattr(processes, "has_accelerator", lambda: False)
    with pytest.raises(ConfigError, match="finds no such GPU here"):
        cores_for([tiny] * 5, Execution(engine=Processes(named)))


def test_scripts_beside_networks_do_not_hide_a_gpu_that_is_not_there(tiny, gpus):
    script = ScriptRunConfig(ScriptConfig("t {learning_rate} {seed}"), 0.1)
    assert cores_for([script] * 5, Execution(engine=Processes([7]))).workers == 1
    with pytest.raises(ConfigError, match="7 is not visible"):
        cores_for([script, tiny], Execution(engine=Processes([7])))


def test_gpus_do_not_limit_runs_of_the_theory(gpus, monkeypatch):
    monkeypatch.setattr("learnorder.execution.engine.usable_cores", lambda: 8)
    assert cores_for([TheoryConfig()] * 20, Execution(engine=Processes([0]))).workers == 8


def test_groups_of_processes_do_not_share_gpus(tiny, monkeypatch):
    monkeypatch.setattr("learnorder.execution.groups.has_accelerator", lambda: True)
    with pytest.raises(ConfigError, match="take the first GPUs"):
        Groups(2).cores(4, 2, None, accelerated=True)
    assert Groups(2).cores(4, None, 1, accelerated=True).workers == 1


def test_several_gpus_have_a_run_each(tiny, gpus):
    gpus += ["3"]
    execution = Execution(engine=Processes())
    assert cores_for([tiny] * 5, execution).workers == 2
    assert cores_for([tiny] * 5, replace(execution, workers=4)).workers == 4


def test_the_estimate_knows_what_is_shared(tiny, gpus, steps, tmp_path, monkeypatch):
    plans = {f"run{seed}": Plan(replace(tiny, seed=seed), {}) for seed in range(8)}
    monkeypatch.setattr("learnorder.execution.estimate._START_SECONDS", 0.0)
    asked = Execution(engine=Processes((), 4), quiet=True)
    cost = estimate_cost(plans, tmp_path / "out", asked)
    assert cost.cores.workers == 4
    assert cost.seconds == pytest.approx(8 * cost.longest.seconds / 3.0)


def test_the_gpus_that_a_process_sees(monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible_gpus() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5, GPU-a1,7")
    assert visible_gpus() == ["5", "GPU-a1"]  # torch sees none after one that is not there


def test_what_is_refused(tiny, gpus, monkeypatch):
    with pytest.raises(ConfigError, match="at least 1"):
        Processes((), 0)
    with pytest.raises(ConfigError, match="give one of them"):
        shared(tiny, 2, workers=2)
    monkeypatch.setattr(processes, "has_accelerator", lambda: False)
    with pytest.raises(ConfigError, match="There is no GPU here"):
        shared(tiny, "auto")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--runs_per_device", "2"], "There is no GPU here"),
        (["--runs_per_device", "2", "--engine", "ray"], "--gpus 0.5"),
        (["--runs_per_device", "auto", "--processes", "2"], "leave out --engine or --processes"),
        (["--runs_per_device", "many"], "Give a number from 1 to 512, or auto."),
        (["--devices", "[7]"], "Torch finds no such GPU here"),
    ],
)
def test_the_command_refuses_by_name(options, words, tmp_path, capsys):
    before = dict(os.environ)
    out = tmp_path / "out"
    grid = "{learning_rate.initial: [0.1, 0.2]}"
    assert main(["sweep", "--grid", grid, "--out", str(out), *options]) == 2
    assert words in " ".join(capsys.readouterr().err.split())
    assert not out.exists()
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == before.get("CUDA_VISIBLE_DEVICES")


def test_commands_of_the_user_choose_their_gpu(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.py").write_text("print(1.0)")
    search = ["advise", "--command", "python x.py {learning_rate} {seed}", "--rungs", "1",
              "--learning_rates",
              "[0.1, 0.2, 0.3]", "--out", str(tmp_path / "out")]  # fmt: skip
    for asked, words in (("2", "Give --devices too"), ("auto", "Give a number")):
        assert main([*search, "--runs_per_device", asked]) == 2
        assert words in " ".join(capsys.readouterr().err.split())


# Whole trials, on the cores in place of a GPU.


def test_processes_train_at_once(tiny, gpus, monkeypatch):
    monkeypatch.setattr(sharing, "_SECONDS", 0.5)
    configs = [replace(tiny, seed=seed) for seed in range(2)]
    trial = sharing._Trial(configs[:1], 1, None)
    with trial:
        found = trial.sharing("auto", 2, timed=False)
    assert set(found.rates) == {1, 2}
    assert min(found.rates.values()) > 0
    assert found.used_bytes > 50e6
    assert found.fitting >= 1


def test_a_process_that_fails_says_why(tiny):
    broken = changed(tiny, data={"train_examples": 10**6})
    with sharing._Stepper(broken, 1, None) as process, pytest.raises(sharing._EndedError) as error:
        process.next_count()
    assert "train_examples" in str(error.value)
    process.stop()


def test_processes_end_with_their_reader(tiny):
    with sharing._Stepper(tiny, 1, None) as process:
        process.next_count()
        process._process.stdout.close()  # as the system does when the command is killed
        until = time.monotonic() + 60
        while process._process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        assert process._process.poll() == 0
