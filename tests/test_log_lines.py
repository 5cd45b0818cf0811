"""What a log without a terminal says of long work."""

import io
import json
import re
import threading

import pytest
from rich.console import Console

from learnorder.execution.display import Display
from learnorder.execution.engine import Cores
from learnorder.execution.log_lines import log_lines
from learnorder.execution.pool import PoolState
from learnorder.runs import RunFolder


class Log(io.StringIO):
    """A log that says when some text has come."""

    def __init__(self):
        super().__init__()
        self.changed = threading.Condition()

    def write(self, text):
        with self.changed:
            written = super().write(text)
            self.changed.notify_all()
        return written

    def await_text(self, pattern):
        with self.changed:
            came = self.changed.wait_for(lambda: re.search(pattern, self.getvalue()), timeout=60)
        assert came, self.getvalue()


@pytest.fixture
def folders(tiny, tmp_path):
    return [RunFolder.create(tmp_path / f"run{n}", tiny) for n in range(4)]


def test_a_log_says_at_every_interval_how_runs_stand(folders):
    log = Log()
    console = Console(file=log, force_terminal=False, width=200)
    with Display(folders, Cores(2, 1), title="5 epochs", console=console, seconds=0.01) as display:
        log.await_text(r"after 0 s: 5 epochs: 0/4 runs\n")  # before any worker has said a word
        folders[0].file("progress.json").write_text(json.dumps({"share": 0.5, "note": ""}))
        folders[2].update(status="failed", reason="nan")
        state = PoolState(folders[3:], active=folders[:2], failed=[folders[2]])
        display.update(state)
        log.await_text(r": 5 epochs: 0/4 runs, 2 running, 1 failed, about .+ left\n")
    said = log.getvalue()
    assert said.count("run2 failed: nan") == 1
    assert log.getvalue() == said  # nothing comes after the end


def test_the_time_left_is_that_of_what_is_made_now(folders, monkeypatch):
    """Runs were begun before: one continues, one belongs to another process, and one waits."""
    now = [0.0]
    monkeypatch.setattr("learnorder.execution.display.time.monotonic", lambda: now[0])
    console = Console(file=io.StringIO(), width=200)
    for folder, share in zip(folders, (0.8, 0.5, 0.5), strict=False):
        folder.update(status="interrupted")
        folder.file("progress.json").write_text(json.dumps({"share": share, "note": ""}))
    display = Display(folders, Cores(2, 1), console=console)
    state = PoolState(folders[2:], active=folders[:1], elsewhere=folders[1:2])
    with display:
        now[0] = 60.0
        display.update(state)
        assert display._left() == ""
        folders[0].file("progress.json").write_text(json.dumps({"share": 1.0, "note": ""}))
        display.update(state)
        assert display._left() == ", about 8 min left"  # 0.2 runs in a minute, 1.5 to do


@pytest.mark.parametrize("how", [{"force_terminal": True}, {"quiet": True}])
def test_neither_a_terminal_nor_a_quiet_command_gets_lines(how):
    out, asked = io.StringIO(), threading.Event()

    def words():
        asked.set()
        return "still at it"

    with log_lines(words, Console(file=out, **how), seconds=0.001):
        assert not asked.wait(0.1)
    assert "still" not in out.getvalue()


def test_lines_end_with_the_block_that_fails():
    log = Log()

    def fail():
        with log_lines(lambda: "range test", Console(file=log, force_terminal=False), 0.001):
            log.await_text("after 0 s: range test")
            raise ValueError("it fails")

    with pytest.raises(ValueError, match="it fails"):
        fail()
    assert not any(thread.name == "log lines" for thread in threading.enumerate())
