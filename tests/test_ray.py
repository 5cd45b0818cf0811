"""Sweeps on a Ray cluster: a local one of several processes, some of which are killed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from learnorder.config.script import ScriptConfig, ScriptRunConfig
from learnorder.errors import ConfigError
from learnorder.execution.driver import Plan, make_folders
from learnorder.execution.engine import Cores
from learnorder.execution.grid import Grid
from learnorder.execution.pool import run_pool
from learnorder.execution.settings import Execution
from learnorder.runs import find_runs
from learnorder.sweep.run import run_sweep, sweep_plans

from .conftest import changed

ray = pytest.importorskip("ray", reason="Ray is not installed (pip install 'learnorder[ray]')")


@pytest.fixture(scope="module")
def cluster():
    from learnorder.execution.ray_engine import RayCluster

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    yield RayCluster()
    ray.shutdown()


@pytest.mark.slow
def test_a_killed_actor_and_the_same_numbers_as_here(tiny, tmp_path, cluster):
    """The actor of one run is killed in its middle; it goes on in another, to the same bytes."""
    config = changed(tiny, training={"epochs": 60})
    grid, seeds = {"learning_rate.initial": [0.05, 0.1]}, [0, 1]
    killed = list[int]()

    def watch(state):
        for folder in state.active:
            progress = folder.progress()
            if not killed and progress is not None and progress.share > 0.2:
                killed.append(json.loads(folder.file(".lock").read_text())["pid"])
                os.kill(killed[0], signal.SIGKILL)

    here = run_sweep(
        {"": config}, grid, seeds, tmp_path / "here", execution=Execution(threads=1, quiet=True)
    )
    folders = make_folders(sweep_plans({"": config}, Grid(grid), seeds), tmp_path / "there")
    cores = cluster.cores(len(folders), None, 1, accelerated=True)
    assert cores == Cores(2, 1)
    state = run_pool(folders, cores, watch, cluster)
    assert killed
    assert len(state.deaths) == 1, "the killed run alone; a busy machine may lose its worker twice"
    assert [f.read_status() for f in folders] == ["finished"] * 4
    for ours, theirs in zip(here.folders, folders, strict=True):
        assert str(killed[0]) not in ours.file("log.txt").read_text()
        for name in ("records.parquet", "weights.safetensors"):
            assert ours.file(name).read_bytes() == theirs.file(name).read_bytes()


def test_scripts_on_the_cluster(tmp_path, monkeypatch, cluster):
    """Scores and failures are those of the command, in the folder it was given in."""
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text(
        "import sys\n"
        "rate, seed = map(float, sys.argv[1:])\n"
        "if rate > 0.5: sys.exit('too large')\n"
        "print(rate + seed)\n"
    )
    script = ScriptConfig(f"{sys.executable} train.py {{learning_rate}} {{seed}}")
    plans = {
        f"{rate:g}-{seed}": Plan(ScriptRunConfig(script, rate, seed=seed), {})
        for rate in (0.1, 0.2, 1.0)
        for seed in (0, 1)
    }
    folders = make_folders(plans, tmp_path / "runs")
    state = run_pool(folders, cluster.cores(6, None, 1, accelerated=False), lambda _: None, cluster)
    assert not state.deaths
    for folder in folders:
        rate, seed = folder.config.learning_rate, folder.config.seed
        if rate > 0.5:
            assert folder.read_status() == "no_score"
            assert "too large" in folder.read_manifest()["reason"]
        else:
            assert folder.read_status() == "finished"
            assert folder.records()["value"].to_pylist() == [pytest.approx(rate + seed)]


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1"])
def test_an_address_where_nothing_listens_is_refused_at_once(address):
    from learnorder.execution.ray_engine import check_answers

    with pytest.raises(ConfigError, match=r"No Ray cluster answers.*ray start --head"):
        check_answers(address)
    for found_by_ray in ("auto", "local", None):
        check_answers(found_by_ray)


def test_what_the_cluster_has_no_room_for(cluster):
    with pytest.raises(ConfigError, match="needs 64 cores"):
        cluster.cores(3, None, 64, accelerated=False)
    with pytest.raises(ConfigError, match="workers"):
        cluster.cores(3, 0, 1, accelerated=False)


def test_stages_get_gpus_if_they_train_networks(cluster, monkeypatch):
    """The theory before or after networks leaves the GPUs to them."""
    node = {"Alive": True, "Resources": {"CPU": 16.0, "GPU": 4.0}}
    monkeypatch.setattr(cluster, "_ray", SimpleNamespace(nodes=lambda: [node]))
    stages = [cluster.cores(32, None, 1, accelerated=networks) for networks in (False, True, False)]
    assert [stage.workers for stage in stages] == [16, 4, 16]


def test_each_stage_gets_gpus_if_it_trains_networks(cluster, monkeypatch):
    """The same cluster runs the theory before and after networks."""
    node = {"Alive": True, "Resources": {"CPU": 16.0, "GPU": 4.0}}
    monkeypatch.setattr(cluster, "_ray", SimpleNamespace(nodes=lambda: [node]))
    stages = [cluster.cores(32, None, 1, accelerated=each).workers for each in (0, 1, 0)]
    assert stages == [16, 4, 16]


@pytest.mark.slow
def test_ctrl_c(tmp_path):
    """The runs under way are saved, the exit code says so, and the same command goes on."""
    command = [
        sys.executable, "-m", "learnorder", "sweep", "--experiment", "train", "--engine", "ray",
        "--training.epochs", "400", "--learning_rate", "{initial: 0.1}", "--seeds", "2",
        "--grid", "{training.batch_size: [64, 128]}", "--out", str(tmp_path), "--threads", "1",
    ]  # fmt: skip
    process = subprocess.Popen(command, start_new_session=True)
    while not list(tmp_path.glob("*/checkpoint.pt")):
        time.sleep(0.2)
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 130
    statuses = [run.read_status() for run in find_runs(tmp_path)]
    assert statuses.count("interrupted") in (1, 2)
    assert "running" not in statuses
