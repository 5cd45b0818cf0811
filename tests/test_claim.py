"""Claims: one process on a run, whatever the machine, and none lost to one that died."""

import json
import os
import socket
import subprocess
import sys
import time

import pytest

from learnorder.errors import RunFolderError, RunInUse
from learnorder.runs.claim import NAME, STALE_AFTER, claimed

COUNT = """
import sys, time
from pathlib import Path
from learnorder.errors import RunInUse
from learnorder.runs.claim import claimed
folder, counted = Path(sys.argv[1]), 0
until = time.monotonic() + float(sys.argv[2])
while time.monotonic() < until:
    try:
        with claimed(folder):
            seen = int((folder / "count").read_text())
            time.sleep(0.001)
            (folder / "count").write_text(str(seen + 1))
            counted += 1
    except RunInUse:
        pass
print(counted)
"""


def leave(folder, *, host=None, pid=1, age=0.0):
    """Leave a claim behind, as a process that died does."""
    claim = {"host": host or socket.gethostname(), "pid": pid, "started": 0.0, "token": "x"}
    (folder / NAME).write_text(json.dumps(claim))
    os.utime(folder / NAME, (time.time() - age,) * 2)


def test_one_at_a_time(tmp_path):
    with claimed(tmp_path), pytest.raises(RunInUse, match=f"process {os.getpid()} on"):  # noqa: SIM117
        with claimed(tmp_path):
            pass
    with claimed(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_claim_is_given_up_after_an_error(tmp_path):
    with pytest.raises(ZeroDivisionError), claimed(tmp_path):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_claim_of_a_process_that_is_gone_is_taken_over(tmp_path):
    """The number may belong to another process by now: that one began at another time."""
    for pid in (2**22 - 3, os.getpid()):
        leave(tmp_path, pid=pid)
        with claimed(tmp_path):
            pass


def test_a_claim_of_another_machine_holds_while_it_shows_life(tmp_path):
    leave(tmp_path, host="elsewhere", age=STALE_AFTER - 30)
    with pytest.raises(RunInUse, match="on elsewhere"), claimed(tmp_path):
        pass
    leave(tmp_path, host="elsewhere", age=STALE_AFTER + 30)
    with claimed(tmp_path):
        pass


def test_what_was_taken_over_is_not_given_up(tmp_path):
    with claimed(tmp_path):
        leave(tmp_path, host="elsewhere")  # another took it over, as if this one had been silent
    assert (tmp_path / NAME).exists()


def test_a_guard_left_behind_holds_nobody_up_for_long(tmp_path):
    leave(tmp_path)
    guard = tmp_path / f"{NAME}.guard"
    guard.touch()
    with pytest.raises(RunInUse), claimed(tmp_path):
        pass
    os.utime(guard, (time.time() - STALE_AFTER - 30,) * 2)
    with pytest.raises(RunInUse), claimed(tmp_path):
        pass
    with claimed(tmp_path):
        pass


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    with pytest.raises(RunFolderError, match="cannot be written to"), claimed(tmp_path / "none"):
        pass


def test_processes_that_race_never_hold_it_together(tmp_path):
    """Each adds one to a number, unsafely; none is lost, an abandoned claim to begin with."""
    (tmp_path / "count").write_text("0")
    leave(tmp_path)
    command = [sys.executable, "-c", COUNT, str(tmp_path), "3"]
    racing = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    counted = [int(process.communicate()[0]) for process in racing]
    assert sum(counted) == int((tmp_path / "count").read_text())
    assert sum(count > 0 for count in counted) >= 2
