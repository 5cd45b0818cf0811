"""Run folders and their execution: whole at every moment, continued to the byte."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from learnorder.errors import Interrupted, RunFolderError, RunInUse
from learnorder.images import backend as images
from learnorder.report.origin import origin
from learnorder.runs import RunFolder, difference_words, find_runs
from learnorder.runs.checkpoint import load_checkpoint, save_checkpoint
from learnorder.runs.execute import execute
from learnorder.runs.files import atomic_write
from learnorder.runs.lock import RunLock
from learnorder.runs.manifest import find_manifests
from learnorder.runs.results import Results
from learnorder.schedules import Schedule

from .conftest import changed

REPRODUCIBLE = ("records.parquet", "weights.safetensors", "examples.png", "images.png")


def contents(folder):
    return {name: folder.file(name).read_bytes() for name in REPRODUCIBLE}


def start(folder):
    command = [sys.executable, "-m", "learnorder.runs.execute", str(folder.path)]
    return subprocess.Popen(
        command, stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"}, text=True
    )


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_runs_share_images_that_are_read_once(tiny, tmp_path):
    def make(name, seed):
        folder = RunFolder.create(tmp_path / name, replace(tiny, seed=seed))
        execute(folder)
        return contents(folder)

    images.load_once.cache_clear()
    alone = make("alone", 1)
    images.load_once.cache_clear()
    make("before", 0)
    assert make("after", 1) == alone
    assert images.load_once.cache_info().misses == 1


def test_a_run_leaves_everything_behind(tiny, tmp_path):
    folder = RunFolder.create(tmp_path / "run", tiny, {"arm": "large"})
    assert folder.read_status() == "pending"
    assert execute(folder) == "finished"
    assert {p.name for p in folder.path.iterdir()} == {
        "manifest.json", "timings.parquet", *REPRODUCIBLE,
    }  # fmt: skip
    manifest = json.loads(folder.file("manifest.json").read_text())
    assert manifest["status"] == "finished"
    assert manifest["environment"]["torch"] == torch.__version__
    assert manifest["data"]["train_examples"] == 120
    reopened = RunFolder(folder.path)
    assert (reopened.config, reopened.labels) == (tiny, {"arm": "large"})
    assert folder.timings().num_rows == 3
    assert len(load_file(folder.file("weights.safetensors"))) > 5


def test_a_run_that_ended_is_left_alone(tiny, tmp_path):
    folder = RunFolder.create(tmp_path / "run", tiny)
    execute(folder)
    before = {p: p.stat().st_mtime_ns for p in folder.path.glob("*.*")}
    assert execute(folder) == "finished"
    assert {p: p.stat().st_mtime_ns for p in folder.path.glob("*.*")} == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_the_run_continues_to_the_byte(tiny, tmp_path, number):
    long = changed(tiny, training={"epochs": 60})
    whole, broken = (RunFolder.create(tmp_path / name, long) for name in ("whole", "broken"))
    execute(whole)
    process = start(broken)
    wait_until(lambda: (p := broken.progress()) is not None and p.share > 8 / 240)
    process.send_signal(number)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 128 + number, message
    assert "The same command continues it" in message
    assert broken.read_status() == "interrupted"
    execute(broken)
    assert contents(broken) == contents(whole)


@pytest.mark.parametrize("kills", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_a_run_killed_at_random_moments_continues_to_the_byte(tiny, tmp_path, kills):
    """Each time a little after it went on, at times drawn once; the moments are the machine's."""
    long = changed(tiny, training={"epochs": 60 + 20 * kills})
    whole, broken = (RunFolder.create(tmp_path / name, long) for name in ("whole", "broken"))
    execute(whole)
    drawing = random.Random(kills)
    for kill in range(kills):
        written = broken.file("checkpoint.pt").stat().st_mtime_ns if kill else 0
        process = start(broken)
        wait_until(lambda before=written: _newer(broken.file("checkpoint.pt"), before))
        time.sleep(drawing.uniform(0.0, 0.4))
        process.kill()
        process.communicate()
        assert broken.read_status() == "running"
    assert execute(broken) == "finished"
    assert contents(broken) == contents(whole)


def _newer(path, time_ns):
    return path.exists() and path.stat().st_mtime_ns > time_ns


def test_divergence_ends_a_run(tiny, tmp_path):
    folder = RunFolder.create(tmp_path / "run", replace(tiny, learning_rate=Schedule(1e30)))
    assert execute(folder) == "diverged"
    assert "learning rate 1e+30" in folder.read_manifest()["reason"]


def test_divergence_in_the_last_step_is_seen(tiny, tmp_path):
    """No training loss comes after the last update; the evaluation's shows it."""
    wild = replace(tiny, learning_rate=Schedule(1e38))
    short = changed(wild, training={"epochs": 1, "batch_size": 120})
    folder = RunFolder.create(tmp_path / "run", short)
    assert execute(folder) == "diverged"
    assert "after epoch 1, at learning rate 1e+38" in folder.read_manifest()["reason"]


def test_a_failure_is_noted(tiny, tmp_path):
    bad = changed(tiny, data={"train_examples": 5000})
    folder = RunFolder.create(tmp_path / "run", bad)
    with pytest.raises(ValueError, match="train_examples"):
        execute(folder)
    assert folder.read_status() == "failed"
    assert "train_examples" in folder.read_manifest()["reason"]


def test_another_configuration_is_refused_by_name(tiny, tmp_path):
    RunFolder.create(tmp_path / "run", tiny)
    other = changed(tiny, training={"batch_size": 64})
    with pytest.raises(RunFolderError, match=r"training.batch_size is 32 there, 64 here.*--out"):
        RunFolder.create(tmp_path / "run", other)


def test_a_folder_of_something_else_is_refused(tiny, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("precious")
    with pytest.raises(RunFolderError, match="not a run folder"):
        RunFolder.create(tmp_path / "run", tiny)
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["thesis.tex"]


def test_a_folder_whose_manifest_is_gone_says_what_to_do(tiny, tmp_path):
    folder = RunFolder.create(tmp_path / "run", tiny)
    folder.file("log.txt").write_text("")
    folder.file("manifest.json").unlink()
    with pytest.raises(RunFolderError, match=r"manifest.json is gone. Remove it, and the same"):
        RunFolder.create(tmp_path / "run", tiny)


def test_two_that_make_a_folder_at_once_both_have_it(tiny, tmp_path):
    def create(name):
        return RunFolder.create(tmp_path / name, tiny).read_manifest()["created"]

    names = [str(number // 4) for number in range(80)]
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(create, names))
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(set(names))


def test_a_change_to_one_configuration_is_none_to_others(tiny, tmp_path):
    config = changed(tiny, training={"optimizer_arguments": {"dampening": 0.0}})
    paths = [RunFolder.create(tmp_path / name, config).path for name in "ab"]
    RunFolder(paths[0]).config.training.optimizer_arguments["dampening"] = 0.5
    assert [RunFolder(path).config for path in paths] == [config] * 2


def test_a_folder_that_cannot_be_removed_says_what_to_do(tiny, tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    folder = RunFolder.create(tmp_path / "run", tiny)
    monkeypatch.setattr("shutil.rmtree", refuse)
    with pytest.raises(RunFolderError, match=r"run\..*Permission denied\).*or remove it by hand"):
        folder.delete()


def test_two_processes_do_not_share_a_run(tiny, tmp_path):
    folder = RunFolder.create(tmp_path / "run", tiny)
    with RunLock(folder.path), pytest.raises(RunFolderError, match="another process"):
        execute(folder)


def test_other_code_is_not_accepted_for_a_run_under_way(tiny, tmp_path):
    folder = RunFolder.create(tmp_path / "run", tiny, identity={"code": "1"})
    with RunLock(folder.path), pytest.raises(RunInUse):
        RunFolder(folder.path).accept_identity({"code": "2"})
    RunFolder(folder.path).accept_identity({"code": "2"})
    assert folder.read_manifest()["former_identity"] == {"code": "1"}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 99}', '{"format": 1}'])
def test_damaged_manifests(tiny, tmp_path, text):
    folder = RunFolder.create(tmp_path / "run", tiny)
    folder.file("manifest.json").write_text(text)
    with pytest.raises(RunFolderError, match=r"manifest.json"):
        RunFolder(folder.path)


def interrupted(tiny, path, steps=6):
    """Return a run stopped in its second epoch, with a checkpoint and the one before."""
    folder, taken = RunFolder.create(path, tiny), []
    with pytest.raises(Interrupted):
        execute(folder, each_step=lambda: stop_after(taken, steps))
    return folder


def fail(*_):
    raise OSError


def test_a_run_that_moves_to_another_machine_says_so(tiny, tmp_path, monkeypatch):
    moved, whole = (tmp_path / name for name in ("moved", "whole"))
    monkeypatch.setattr("learnorder.runs.folder.environment", lambda: {"processor": "of the head"})
    monkeypatch.setattr("learnorder.runs.execute.environment", lambda: {"processor": "A"})
    folder = interrupted(tiny, moved)
    assert execute(RunFolder.create(whole, replace(tiny, seed=1))) == "finished"
    monkeypatch.setattr("learnorder.runs.execute.environment", lambda: {"processor": "C"})
    with monkeypatch.context() as refused:
        refused.setattr("learnorder.images.backend.load_checkpoint", fail)
        with pytest.raises(OSError):
            execute(folder)
    assert folder.read_manifest()["environment"] == {"processor": "A"}, "nothing was done on C"
    monkeypatch.setattr("learnorder.runs.execute.environment", lambda: {"processor": "B"})
    assert execute(folder) == "finished"
    manifest = RunFolder(moved).read_manifest()
    assert (manifest["environment"], manifest["former_environments"]) == (
        {"processor": "B"},
        [{"processor": "A"}],
    )
    assert RunFolder(whole).read_manifest()["former_environments"] is None
    shown = origin(Results([RunFolder(moved), RunFolder(whole)])).environment
    assert shown["processor"] == "B (1 run), A (1 run)"
    assert shown["begun elsewhere"].startswith("1 of 2 runs")


def test_data_that_have_moved_can_be_linked(tiny, tmp_path):
    folder = RunFolder.create(tmp_path / "run", tiny)
    elsewhere = replace(tiny, data=replace(tiny.data, source="parquet:elsewhere"))
    with pytest.raises(RunFolderError, match=r"data.source is .*link them at their former place"):
        folder.check_config(elsewhere)
    with pytest.raises(RunFolderError, match=r"or move this one away\.$"):
        folder.check_config(replace(elsewhere, seed=1))


def stop_after(taken, steps):
    taken.append(1)
    if len(taken) == steps:
        os.kill(os.getpid(), signal.SIGINT)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[2 * len(content) // 3] ^= 4
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncate, flip_a_bit, lambda path: path.write_bytes(b"")])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(tiny, tmp_path, damage, caplog):
    whole = RunFolder.create(tmp_path / "whole", tiny)
    execute(whole)
    folder = interrupted(tiny, tmp_path / "run")
    damage(folder.file("checkpoint.pt"))
    assert load_checkpoint(folder)["epoch"] == 2
    assert "Continuing from checkpoint.previous.pt" in caplog.text
    assert execute(folder) == "finished"
    assert contents(folder) == contents(whole)
    assert not list(folder.path.glob("checkpoint*"))


@pytest.mark.parametrize("damage", [truncate, flip_a_bit])
def test_damaged_checkpoints_with_none_before_are_named(tiny, tmp_path, damage):
    folder = interrupted(tiny, tmp_path / "run")
    for path in folder.path.glob("checkpoint*"):
        damage(path)
    with pytest.raises(RunFolderError, match=r"checkpoint.pt: not a usable checkpoint.*Remove"):
        execute(folder)
    assert folder.read_status() == "failed"
    for path in folder.path.glob("checkpoint*"):
        path.unlink()
    assert execute(folder) == "finished"


def test_settings_that_only_one_of_two_runs_has_differ():
    there = {"optimizer": {"eps": 0.1, "amsgrad": True}}
    here = {"optimizer": {"eps": 0.1}}
    assert difference_words(there, here) == "optimizer.amsgrad is True there, absent here"
    assert difference_words(here, there) == "optimizer.amsgrad is absent there, True here"


def test_a_checkpoint_of_another_configuration_is_refused(tiny, tmp_path):
    ours = interrupted(tiny, tmp_path / "ours")
    other = RunFolder.create(tmp_path / "other", replace(tiny, seed=1))
    other.file("checkpoint.pt").write_bytes(ours.file("checkpoint.pt").read_bytes())
    with pytest.raises(RunFolderError, match="of another configuration"):
        execute(other)


@pytest.mark.parametrize("damage", [truncate, flip_a_bit])
def test_damaged_records_and_manifests_are_named(tiny, tmp_path, damage):
    folder = RunFolder.create(tmp_path / "run", tiny)
    assert execute(folder) == "finished"
    damage(folder.file("records.parquet"))
    with pytest.raises(RunFolderError, match=r"records.parquet: cannot be read"):
        folder.records()
    damage(folder.file("manifest.json"))
    with pytest.raises(RunFolderError, match=r"manifest.json"):
        RunFolder(folder.path)


def test_a_changed_number_in_a_manifest_is_seen(tiny, tmp_path):
    """A bit in a digit leaves good JSON, of another run."""
    folder = RunFolder.create(tmp_path / "run", tiny)
    path = folder.file("manifest.json")
    path.write_text(path.read_text().replace('"epochs": 3', '"epochs": 7'))
    with pytest.raises(RunFolderError, match="not as it was written"):
        RunFolder(folder.path)


def test_a_checkpoint_with_code_runs_nothing(tiny, tmp_path):
    """Neither as torch writes it, nor in our own form."""
    folder = RunFolder.create(tmp_path / "run", tiny)
    torch.save({"model": _Evil()}, folder.file("checkpoint.pt"))
    with pytest.raises(RunFolderError, match="not a usable checkpoint"):
        execute(folder)
    save_checkpoint(folder, {"model": _Evil()})
    folder.file("checkpoint.previous.pt").unlink()
    with pytest.raises(RunFolderError, match="not a usable checkpoint"):
        execute(folder)
    assert not (tmp_path / "evil").exists()
    assert not Path("evil").exists()


class _Evil:
    def __reduce__(self):
        return (os.mkdir, ("evil",))


def test_atomic_write_leaves_the_old_file_on_errors(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")

    def fail(error):
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(ZeroDivisionError):
        fail(ZeroDivisionError())
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(RunFolderError, match="could not be written"):
        fail(OSError(28, "No space left on device"))
    assert path.read_text() == "old"


def test_find_runs(tiny, tmp_path):
    for name in ("b", "a/c"):
        RunFolder.create(tmp_path / name, tiny)
    assert [f.path.name for f in find_runs(tmp_path)] == ["c", "b"]
    left = tmp_path / "b" / "output" / "manifest.json"  # of a script
    left.parent.mkdir()
    left.write_text("{}")
    assert [m.parent.name for m in find_manifests(tmp_path)] == ["c", "b"]
    left.replace(tmp_path / "manifest.json")  # of something else
    assert len(find_manifests(tmp_path)) == 3
    with pytest.raises(RunFolderError, match="no such folder"):
        find_runs(tmp_path / "nowhere")


FULL_DISK = """
import resource, sys
from learnorder.runs import RunFolder
from learnorder.runs.checkpoint import load_checkpoint, save_checkpoint
from learnorder.runs.execute import execute
resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))  # any larger file cannot be written
try:
    execute(RunFolder(sys.argv[1]))
except Exception as error:
    print(type(error).__name__, error)
"""


def test_a_full_disk_is_a_clear_error_and_the_run_continues(tiny, tmp_path):
    whole, broken = (RunFolder.create(tmp_path / name, tiny) for name in ("whole", "broken"))
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(broken.path)], capture_output=True, text=True
    )
    assert "RunFolderError" in done.stdout, done.stderr
    assert "could not be written" in done.stdout
    assert "Free some space" in done.stdout
    assert not list(broken.path.glob("*.tmp"))
    assert not list(broken.path.glob(".*.tmp"))
    assert [execute(folder) for folder in (whole, broken)] == ["finished"] * 2
    assert contents(broken) == contents(whole)


def test_a_folder_that_cannot_be_written_to(tiny, tmp_path):
    """As on a read-only disk; from root, whom modes do not hold, that right is taken."""
    run = RunFolder.create(tmp_path / "run", tiny)
    command = [sys.executable, "-m", "learnorder.runs.execute", str(run.path)]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root can write anywhere, and there is no setpriv to take that right")
        command = ["setpriv", "--bounding-set=-dac_override", *command]
    run.path.chmod(0o555)
    try:
        done = subprocess.run(command, capture_output=True, text=True)
    finally:
        run.path.chmod(0o755)
    assert done.returncode == 2, done.stderr
    assert f"{run.path} cannot be written to: Permission denied" in done.stderr
    assert "--out" in done.stderr
    assert run.read_status() == "pending"
    assert execute(run) == "finished"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc here")
def test_a_place_where_no_folder_can_be_made(tiny):
    with pytest.raises(RunFolderError, match=r"/proc/runs/a could not be made.*--out"):
        RunFolder.create("/proc/runs/a", tiny)
