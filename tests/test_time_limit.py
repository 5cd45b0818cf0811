"""A time limit saves the runs and stops them; the same call continues them to the same end."""

import threading

import pytest

from learnorder.cli.main import main
from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.errors import ConfigError, Interrupted
from learnorder.execution.driver import Plan, run_plans
from learnorder.execution.settings import Execution
from learnorder.runs import find_runs
from learnorder.schedules import Schedule

SOON = 0.02 / 60
PLANS = {
    f"seed{seed}": Plan(
        TaskRunConfig(
            TaskConfig("tests.test_task.make_task"),
            TrainingConfig(epochs=6, batch_size=16),
            Schedule(0.1),
            seed=seed,
        ),
        {},
    )
    for seed in range(2)
}


@pytest.mark.usefixtures("own_processes")  # one that has started finishes a run in this time
@pytest.mark.parametrize("here", [True, False])
def test_runs_are_saved_and_continue(tmp_path, here, caplog):
    with pytest.raises(Interrupted, match="continues"):
        run_plans(PLANS, tmp_path, Execution(1, quiet=True, stop_after=SOON), here=here)
    assert "The time is up" in caplog.text
    assert {f.read_status() for f in find_runs(tmp_path)} <= {"interrupted", "pending"}
    folders = run_plans(PLANS, tmp_path, Execution(1, quiet=True, stop_after=60), here=here)
    assert {folder.read_status() for folder in folders} == {"finished"}


def test_time_counts_from_the_start_of_all_stages(tmp_path):
    execution = Execution(1, quiet=True, stop_after=SOON)
    for stage in ("first", "second"):
        with pytest.raises(Interrupted):
            run_plans(PLANS, tmp_path / stage, execution)
    assert execution == Execution(1, quiet=True, stop_after=SOON)


def test_the_command_says_how_to_go_on(tmp_path, capsys):
    words = ["--out", str(tmp_path), "--quiet", "--stop_after"]
    assert main(["theory", "run", *words, "0.0001"]) == 130
    assert "The same command continues" in capsys.readouterr().err
    assert main(["theory", "run", *words, "0"]) == 2
    assert "stop_after" in capsys.readouterr().err


def test_only_the_main_thread_can_be_stopped(tmp_path):
    raised = []

    def run():
        try:
            run_plans(PLANS, tmp_path, Execution(1, quiet=True, stop_after=60))
        except ConfigError as error:
            raised.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert "main thread" in raised[0]
