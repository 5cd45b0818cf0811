"""Names of folders, arms and scores of any characters: nothing is obeyed, nothing vanishes."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from learnorder.cli.main import main
from learnorder.errors import ConfigError
from learnorder.execution.display import Display
from learnorder.execution.driver import Plan, make_folders, run_plans
from learnorder.execution.engine import Cores
from learnorder.execution.estimate import estimate_cost
from learnorder.execution.grid import Grid, folder_name
from learnorder.execution.pool import PoolState
from learnorder.execution.settings import Execution
from learnorder.images import presentation
from learnorder.report import terminal
from learnorder.report.content import TextTable, address
from learnorder.runs import RunFolder, find_runs
from learnorder.runs.files import atomic_write, check_path, remove_leftovers
from learnorder.runs.plain_text import storable, visible
from learnorder.runs.results import Results
from learnorder.runs.worker import decode_request, encode_request

from .conftest import fake_run

NAMES = (
    "two\nlines",
    os.fsdecode(b"\xff\xfe raw"),
    "glob[1]*?",
    "\"quotes'",
    "--rm -rf",
    "[/x][red]:cat:",
    "<b>&amp;</b>",
    "\x1b[31mred\r\b\x07",
    "\u202eturned",
)
SHOWN = (
    r"two\nlines",
    r"\udcff\udcfe raw",
    "glob[1]*?",
    "\"quotes'",
    "--rm -rf",
    "[/x][red]:cat:",
    "<b>&amp;</b>",
    r"\x1b[31mred\r\x08\x07",
    r"\u202eturned",
)


def test_visible_text():
    assert tuple(map(visible, NAMES)) == SHOWN
    for plain in ("η·t, 95 % [0.1, 0.2]", "a\N{NO-BREAK SPACE}b", "नमस्ते 你好", "می\u200cخواهم"):
        assert visible(plain) == plain
    assert visible("a\n\tb", keep="\n") == "a\n\\tb"
    assert visible(Path("a\x7f")) == r"a\x7f"


@pytest.fixture
def printed(monkeypatch):
    """What the terminal module prints, as a terminal gets it: with its own escape sequences."""
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system=None, width=200)
    monkeypatch.setattr(terminal, "_console", lambda: console)
    return out


@pytest.mark.parametrize(("name", "shown"), list(zip(NAMES, SHOWN, strict=True)))
def test_tables_in_the_terminal_show_names_as_they_are(tiny, tmp_path, printed, name, shown):
    runs = [
        fake_run(tmp_path / f"{n}", tiny, {"arm": name, "experiment": name, name: n}, [0.5])
        for n in "ab"
    ]
    for run in runs:
        run.update(status="failed", reason=name)
    (tmp_path / name).mkdir(parents=True)
    renamed = RunFolder.create(tmp_path / name / name, tiny)
    terminal.print_runs([*runs, renamed])
    terminal.print_run(runs[0])
    terminal.print_difference(runs[0], renamed)
    terminal.print_summary(Results(runs))
    terminal.print_table(TextTable(name, [name], [[name]], name))
    frame = pd.DataFrame(Results(runs).frame()[["run", "arm"]])
    frame.columns = ["run", storable(name)]
    terminal.print_frame(frame, 5)
    text = printed.getvalue()
    assert "\x1b" not in text.replace("\x1b[1m", "").replace("\x1b[3m", "").replace("\x1b[0m", "")
    assert not any(c in text for c in "\r\b\x07\u202e\udcff\udcfe")
    assert text.count(shown) > 12


def test_a_score_of_any_name(printed, monkeypatch, tiny, tmp_path):
    table = TextTable("[/x]", ["arm", "[/x]"], [["a", "1"]], "")
    monkeypatch.setattr(presentation, "summary_table", lambda results: table)
    terminal.print_summary(Results([RunFolder.create(tmp_path / "run", tiny)]))
    assert printed.getvalue().count("[/x]") == 2


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_shows_names_as_they_are(tiny, tmp_path, is_terminal):
    folders = [RunFolder.create(tmp_path / "out[/]" / name, tiny) for name in NAMES]
    for folder, name in zip(folders, NAMES, strict=True):
        folder.file("progress.json").write_text(json.dumps({"share": 0.5, "note": name}))
    out = io.StringIO()
    console = Console(file=out, force_terminal=is_terminal, color_system=None, width=300)
    with Display(folders, Cores(1, 1), title="[/x]\x1b", console=console) as display:
        display.update(PoolState([], active=list(folders)))
        for folder, name in zip(folders, NAMES, strict=True):
            folder.update(status="failed", reason=name)
        display.update(PoolState([], failed=list(folders)))
    text = out.getvalue()
    assert not any(c in text for c in "\b\x07\u202e\udcff\udcfe")
    for shown in SHOWN:
        assert f"{shown} failed: {shown}" in text


@pytest.mark.parametrize("name", NAMES)
def test_a_worker_is_asked_for_any_folder(name):
    line = encode_request(Path("/runs", name))
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert decode_request(line) == Path("/runs", name)


def test_runs_in_folders_of_any_name(tiny, tmp_path):
    """Made by worker processes, and found, opened and reported on by the command line."""
    out = tmp_path / "out\n[1]*" / "[/x]"
    plans = {name: Plan(tiny, {"arm": name}) for name in ("two\nlines", "--rm")}
    folders = run_plans(plans, out, execution=Execution(workers=1, threads=1, quiet=True))
    assert [f.read_status() for f in folders] == ["finished"] * 2
    assert [f.name for f in find_runs(out)] == ["--rm", "two\nlines"]
    assert main(["report", str(out)]) == 0
    assert (out / "report.html").exists()


def test_addresses_of_files_beside_a_page():
    assert address(os.fsdecode(b"\xff/a b")) == "%FF/a%20b"
    assert ":" not in address("javascript:alert(1)")


# --- Names that are too long --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("out", "name"),
    [("out", "x" * 242), ("x" * 256, "a"), ("out", "é" * 121), ("/".join(["x" * 200] * 25), "a")],
)
def test_what_is_too_long_for_a_name_is_refused_before_anything_is_made(tiny, tmp_path, out, name):
    plans = {"short": Plan(tiny, {}), name: Plan(tiny, {})}
    for attempt in (make_folders, estimate_cost):
        with pytest.raises(
            ConfigError, match=r"bytes, and [\d,]+ are allowed. Give a shorter --out"
        ):
            attempt(plans, tmp_path / out)
    assert list(tmp_path.iterdir()) == []


def test_the_longest_name_works(tiny, tmp_path):
    (folder,) = make_folders({"x" * 241: Plan(tiny, {})}, tmp_path / ("y" * 255))
    assert RunFolder(folder.path).read_status() == "pending"


def test_characters_that_names_cannot_have():
    for name in ("a\0b", "a\ud800"):
        with pytest.raises(ConfigError, match="cannot have these characters"):
            check_path(Path(name))


def test_a_name_that_is_too_long_is_said_on_the_command_line(capsys):
    for arguments in (["runs", "x" * 300], ["train", "--dry-run", "--out", "x" * 300]):
        assert main(arguments) == 2
        assert "Give a shorter" in capsys.readouterr().err


def test_settings_of_any_characters_name_a_folder(tiny):
    names = [*NAMES, "x" * 500, "\udcff" * 500, "\ud800" * 500]
    found = Grid({"model.name": names}).settings(tiny.to_dict(), tiny)
    assert len(found) == len(names)
    assert all(len(name.encode(errors="surrogatepass")) < 200 for name in found)
    assert folder_name({"a": "x"}) == "a=x"


# --- What is printed -----------------------------------------------------------------------------


def test_errors_are_printed_without_what_a_terminal_obeys(tiny, tmp_path, capsys):
    folder = RunFolder.create(tmp_path / "run", tiny)
    folder.update(reason="\x1b[2J")
    text = folder.file("manifest.json").read_text()
    folder.file("manifest.json").write_text(text.replace('"format": 2', '"format": 3'))
    assert main(["runs", str(tmp_path / "\x1b[2J\n")]) == 2
    assert main(["report", str(tmp_path)]) == 2
    assert "\x1b" not in (said := capsys.readouterr().err)
    assert r"\x1b[2J\n: there is no such folder" in said


@pytest.mark.parametrize(
    "settings",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_any_encoding_of_the_terminal(tiny, tmp_path, settings):
    """η, names that are not UTF-8, and reasons: all are printed, in whatever form."""
    labels = {"arm": "η \udcff"}
    fake_run(tmp_path / "a", tiny, labels, [0.5])
    fake_run(tmp_path / "b", tiny, labels, [0.5]).update(status="failed", reason="η \x1b")
    script = (
        "import sys; from learnorder.cli.main import main\n"
        "place, nowhere = sys.argv[1:]\n"
        "asked = (['runs', place], ['runs', place + '/b'], ['report', place + '/a'],\n"
        "         ['runs', nowhere])\n"
        "codes = [main(arguments) for arguments in asked]\n"
        "assert codes == [0, 0, 0, 2], codes\n"
        "main(['theory', 'run', '--help'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", script, str(tmp_path), "η"],
        env={**os.environ, **settings},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"\\x1b" in done.stdout
    assert b"there is no such folder" in done.stderr


# --- What a kill leaves --------------------------------------------------------------------------


def test_leftovers_of_a_kill_are_removed_and_nothing_else(tiny, tmp_path):
    folder = RunFolder.create(tmp_path / "run", tiny).path
    left = [".records.parquet.123.tmp", ".progress.json.tmp", ".a\nb.7.tmp", ".checkpoint.pt.9.tmp"]
    kept = [
        "records.parquet", "records.parquet.123.tmp", ".records.parquet.12a.tmp", ".tmp", ".1.tmp",
        ".claim", ".records.parquet.123.tmp.txt", ".progress.json.tmp~",
    ]  # fmt: skip
    for name in (*left, *kept):
        (folder / name).write_text("x")
    (folder / ".folder.1.tmp").mkdir()
    (folder / ".link.1.tmp").symlink_to(folder / "records.parquet")
    removed = remove_leftovers(folder)
    assert sorted(path.name for path in removed) == sorted(left)
    there = {path.name for path in folder.iterdir()}
    assert there == {*kept, "manifest.json", ".folder.1.tmp", ".link.1.tmp"}
    assert remove_leftovers(folder) == []


def test_leftovers_have_the_names_that_are_written(tmp_path):
    with atomic_write(tmp_path / "records.parquet") as temporary:
        temporary.write_text("x")
        assert remove_leftovers(tmp_path) == [temporary]
        temporary.write_text("x")
