"""Processes that stay for the next stage of an experiment."""

import signal

import psutil
import pytest

from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.execution.engine import Cores
from learnorder.execution.pool import run_pool
from learnorder.execution.processes import Processes, processes_kept
from learnorder.runs import RunFolder
from learnorder.schedules import Schedule

pytestmark = pytest.mark.usefixtures("own_processes")


def stage(out):
    """Execute two short runs; return the processes that are alive after it."""
    task, training = TaskConfig("tests.test_task.make_task"), TrainingConfig(1, 16)
    folders = [
        RunFolder.create(out / str(s), TaskRunConfig(task, training, Schedule(0.1), seed=s))
        for s in range(2)
    ]
    run_pool(folders, Cores(2, 1), lambda state: None)
    assert [folder.read_status() for folder in folders] == ["finished"] * 2
    return set(psutil.Process().children())


def test_stages_share_processes(tmp_path):
    before = set(psutil.Process().children())
    with processes_kept():
        first = stage(tmp_path / "first") - before
        assert len(first) == 2
        with processes_kept():
            assert stage(tmp_path / "second") - before == first
        assert set(psutil.Process().children()) - before == first
        next(iter(first)).kill()
        third = stage(tmp_path / "third") - before
        assert len(third & first) == 1
    assert set(psutil.Process().children()) == before
    assert stage(tmp_path / "fourth") == before


def test_processes_of_other_threads_devices_or_surroundings_are_not_shared(tmp_path, monkeypatch):
    with processes_kept():
        process = Processes().start(1)
        process.close()
        on_gpu = Processes(["0"]).start(1)
        assert on_gpu is not process
        assert Processes().start(1) is process
        process.close()
        other = Processes().start(2)
        assert other is not process
        assert not process.alive, "no later run has a use for it"
        monkeypatch.chdir(tmp_path)
        other.close()
        elsewhere = Processes().start(2)
        assert elsewhere is not other
        monkeypatch.setenv("LEARNORDER_TEST", "1")
        elsewhere.close()
        with_variable = Processes().start(2)
        assert with_variable is not elsewhere
        assert not other.alive
        assert not elsewhere.alive
        for each in (on_gpu, with_variable):
            each.close(kill=True)
            assert not each.alive


def test_gpus_are_shared_out_evenly_after_one_worker_died():
    """The GPU with the fewest running processes is next, however often those were reused."""
    engine = Processes(["0", "1"])

    def stage():
        started = [engine.start(1), engine.start(1)]
        assert {process.device for process in started} == {"0", "1"}
        for process in started:
            process.close()
        return started

    with processes_kept():
        first = stage()
        assert {*stage()} == {*stage()} == {*first}
        lost = next(process for process in first if process.device == "0")
        lost.close(kill=True)
        lost.stop()
        assert lost not in stage()


def test_a_process_that_received_a_signal_is_not_kept():
    with processes_kept():
        process = Processes().start(1)
        process.send_signal(signal.SIGINT)
        process.close()
        assert not process.alive


def test_an_error_stops_them(tmp_path):
    before = set(psutil.Process().children())

    @processes_kept()
    def fail():
        assert len(stage(tmp_path / "first") - before) == 2
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert set(psutil.Process().children()) == before
