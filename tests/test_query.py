"""Runs asked, filtered, told apart, deleted and exported."""

import json
from dataclasses import replace

import pandas as pd
import pytest

import learnorder
from learnorder.cli.main import main
from learnorder.errors import ConfigError, RunFolderError
from learnorder.runs import RunFolder, find_runs
from learnorder.runs.execute import execute
from learnorder.runs.lock import RunLock
from learnorder.theory.config import TheoryConfig

from .conftest import changed


@pytest.fixture(scope="module")
def _made(tmp_path_factory):
    """Two finished runs, one pending, one of the theory that has not begun."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def runs(_made, tiny):
    if not any(_made.iterdir()):
        for seed in (0, 1):
            config = replace(changed(tiny, training={"epochs": 4}), seed=seed)
            execute(RunFolder.create(_made / f"large-seed{seed}", config, {"arm": "large"}))
        small = replace(tiny, learning_rate=learnorder.Schedule(0.01), seed=0)
        RunFolder.create(_made / "small-seed0", small, {"arm": "small"})
        RunFolder.create(_made / "theory", TheoryConfig(), {"arm": "S"})
    return _made


def test_runs_and_records_are_joined(runs):
    found = learnorder.query(
        "SELECT arm, seed, value FROM records JOIN runs USING (run) "
        "WHERE \"set\" = 'clean' AND quantity = 'accuracy' ORDER BY seed, epoch",
        runs,
    )
    accuracy = [
        row["value"]
        for seed in (0, 1)
        for row in RunFolder(runs / f"large-seed{seed}").records().to_pylist()
        if (row["set"], row["quantity"]) == ("clean", "accuracy")
    ]
    assert found["value"].tolist() == accuracy
    assert found["arm"].tolist() == ["large"] * 8


def test_settings_of_every_kind_are_columns(runs):
    found = learnorder.query(
        'SELECT name, "learning_rate.initial" AS rate, "distribution.d" AS d, '
        '"learning_rate.step_epochs" AS steps FROM runs ORDER BY name',
        runs,
    ).set_index("name")
    assert found["rate"].dropna().to_dict() == {
        "large-seed0": 0.1, "large-seed1": 0.1, "small-seed0": 0.01,
    }  # fmt: skip
    assert found["d"].dropna().to_dict() == {"theory": TheoryConfig().distribution.d}
    assert json.loads(found["steps"]["large-seed0"]) == [3]


def test_a_connection_serves_several_questions(runs):
    connection = learnorder.connect(runs)
    assert connection.execute("SELECT count(*) FROM runs").fetchone() == (4,)
    assert connection.execute("SELECT count(DISTINCT run) FROM records").fetchone() == (2,)
    assert connection.execute("SELECT count(time) FROM records").fetchone() == (0,)


def test_what_a_sweep_varied_is_compared_as_a_number(tmp_path, tiny, capsys):
    for rate in (0.05, 0.1, 1.0):
        config = replace(tiny, learning_rate=learnorder.Schedule(rate))
        labels = {"arm": "large", "learning_rate.initial": f"{rate:g}"}
        RunFolder.create(tmp_path / f"{rate:g}", config, labels)
    condition = '"learning_rate.initial" > 0.06 AND "learning_rate.initial" < 0.2'
    assert main(["runs", "delete", str(tmp_path), "--where", condition, "--yes"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.05", "1"]
    assert main(["runs", str(tmp_path), "--where", "learning_rte > 1"]) == 2
    said = capsys.readouterr().err
    assert "where: got 'learning_rte > 1'. Binder Error" in said
    assert "SELECT" not in said


def test_a_run_has_one_row_its_arm_and_all_its_labels(tmp_path, tiny):
    config = replace(tiny, learning_rate=learnorder.Schedule(0.05))
    labels = {"arm": "", "learning_rate.initial": "0.05", "Model.name": "mine", "seed": "first"}
    RunFolder.create(tmp_path / "runs" / "a", config, labels)
    (tmp_path / "link").symlink_to(tmp_path / "runs")
    found = learnorder.query("SELECT * FROM runs", tmp_path / "runs", tmp_path / "link")
    (row,) = found.to_dict("records")
    assert row["arm"] == "learning_rate.initial 0.05, Model.name mine, seed first"
    assert (row["learning_rate.initial"], row["model.name"]) == (0.05, tiny.model.name)
    assert {name: row[name] for name in row if name.startswith("label.")} == {
        "label.arm": "", "label.Model.name": "mine", "label.seed": "first",
    }  # fmt: skip


@pytest.mark.parametrize("sql", ["DELETE FROM runs", "COPY runs TO 'x.csv'", "DROP TABLE runs"])
def test_a_question_changes_nothing(runs, sql):
    with pytest.raises(ConfigError, match="runs delete"):
        learnorder.query(sql, runs)


def test_a_damaged_run_is_named_and_the_others_are_told(tiny, tmp_path, capsys, caplog):
    short = changed(tiny, training={"epochs": 4})
    for name in ("a", "b", "c", "d"):
        execute(RunFolder.create(tmp_path / name, short, {"arm": name}))
    manifest = tmp_path / "b" / "manifest.json"
    manifest.write_bytes(manifest.read_bytes()[:100])
    records = tmp_path / "c" / "records.parquet"
    flipped = bytearray(records.read_bytes())
    flipped[len(flipped) // 2] ^= 1
    records.write_bytes(flipped)
    cut = tmp_path / "d" / "records.parquet"
    cut.write_bytes(cut.read_bytes()[:100])
    assert main(["runs", str(tmp_path)]) == 0
    listed = capsys.readouterr().out
    assert "records are damaged" in listed
    assert "clean accuracy" in listed
    assert f"Left out: {manifest}: not as it was written" in caplog.text
    assert f"Left out: {cut.parent}: a partial copy: records.parquet is missing" in caplog.text
    assert main(["work", str(tmp_path)]) == 0
    assert "2 of 2 runs have ended" in capsys.readouterr().out
    found = learnorder.query("SELECT DISTINCT run FROM records", tmp_path)
    assert found["run"].tolist() == [str(tmp_path / "a")]
    assert f"Left out: {records}: cannot be read" in caplog.text
    with pytest.raises(RunFolderError, match="not as it was written"):
        find_runs(tmp_path / "b")


def test_folders_may_have_any_name(tmp_path, tiny):
    short = changed(tiny, training={"epochs": 4})
    for name in ("step_epochs=[20]", "it's*?", "step_epochs=2"):
        execute(RunFolder.create(tmp_path / name, short))
    found = learnorder.query("SELECT DISTINCT run FROM records ORDER BY run", tmp_path)
    assert found["run"].tolist() == sorted(str(path) for path in tmp_path.iterdir())


def test_runs_without_records_can_be_asked(tmp_path, tiny):
    RunFolder.create(tmp_path / "run", tiny)
    assert learnorder.query("SELECT count(*) AS n FROM records", tmp_path)["n"].tolist() == [0]
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunFolderError, match="no runs in"):
        learnorder.connect(tmp_path / "empty")


def test_bad_sql_says_where_the_columns_are(runs):
    with pytest.raises(ConfigError, match="DESCRIBE runs"):
        learnorder.query("SELECT nothing_such FROM runs", runs)


def test_the_command_prints_and_exports(runs, tmp_path, capsys):
    question = "SELECT name, status FROM runs ORDER BY name"
    assert main(["query", question, str(runs)]) == 0
    assert "large-seed0" in capsys.readouterr().out
    for name in ("out.csv", "out.parquet"):
        assert main(["query", question, str(runs), "--to", str(tmp_path / name)]) == 0
    tables = [pd.read_csv(tmp_path / "out.csv"), pd.read_parquet(tmp_path / "out.parquet")]
    assert tables[0].to_dict() == tables[1].to_dict()
    assert main(["query", question, str(runs), "--rows", "1"]) == 0
    assert "3 more rows" in capsys.readouterr().out
    assert main(["query", question, str(runs), "--to", "out.xls"]) == 2
    assert ".parquet" in capsys.readouterr().err
    assert main(["query", str(runs), question]) == 2
    assert "Give the query first" in capsys.readouterr().err


def test_a_condition_picks_runs(runs, capsys):
    condition = '"learning_rate.initial" < 0.05'
    assert main(["runs", str(runs), "--where", f"{condition} OR status = 'nothing'"]) == 0
    out = capsys.readouterr().out
    assert "small-seed0" in out
    assert "large-seed0" not in out


def test_two_runs_are_told_apart(runs, capsys):
    assert main(["runs", "diff", str(runs / "large-seed0"), str(runs / "small-seed0")]) == 0
    out = capsys.readouterr().out
    for name in ("arm", "learning_rate.initial", "training.epochs"):
        assert name in out
    assert "batch_size" not in out
    assert main(["runs", "diff", str(runs / "large-seed0"), str(runs / "large-seed0")]) == 0
    assert "the same settings" in capsys.readouterr().out


def test_runs_are_deleted_when_that_is_said(tmp_path, tiny, capsys, monkeypatch):
    for seed in range(3):
        RunFolder.create(tmp_path / f"run{seed}", replace(tiny, seed=seed))
    assert main(["runs", "delete", str(tmp_path), "--where", "seed = 1"]) == 2
    assert "--yes" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda _: "n")
    assert main(["runs", "delete", str(tmp_path), "--where", "seed = 1"]) == 1
    assert len(find_runs(tmp_path)) == 3
    monkeypatch.setattr("builtins.input", lambda _: "y")
    assert main(["runs", "delete", str(tmp_path), "--where", "seed = 1"]) == 0
    assert [f.name for f in find_runs(tmp_path)] == ["run0", "run2"]
    with RunLock(tmp_path / "run0"):
        assert main(["runs", "delete", str(tmp_path / "run0"), "--yes"]) == 3
    assert "another process" in capsys.readouterr().err
    assert main(["runs", "delete", str(tmp_path), "--yes"]) == 0
    assert not list(tmp_path.glob("run*"))


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of 60 characters, without colours."""
    for name, value in {"TTY_COMPATIBLE": "1", "COLUMNS": "60", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TERM", "dumb")


def test_a_terminal_shows_the_columns_that_fit(runs, capsys, terminal):
    assert main(["query", "SELECT name, * EXCLUDE (name) FROM runs", str(runs)]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) < 100, "but for the last line, it fits"
    shown = [line for line in out.splitlines() if line[:1] in "│┃"]
    assert "large-seed0" in out, "no cell is folded"
    assert len(shown) == 5
    count = int(out.split(" more columns: --wide")[0].splitlines()[-1])
    assert count > 10
    assert main(["query", "SELECT * FROM runs", str(runs), "--wide"]) == 0
    out = capsys.readouterr().out
    assert "more column" not in out
    assert "training.weight_decay" in out


def test_a_terminal_shows_the_columns_of_runs_that_fit(runs, capsys, terminal):
    assert main(["runs", str(runs), "--where", "seed = 0"]) == 0
    out = capsys.readouterr().out
    assert "last measured" in out
    assert "progress" not in out, "it is empty in all rows"
    assert out.endswith("seed 0\n")
    assert main(["runs", str(runs), "--where", "seed = 0", "--wide"]) == 0
    out = capsys.readouterr().out
    assert "last measured" in out
    assert "more column" not in out
    assert main(["query", "SELECT name FROM runs", str(runs)]) == 0
    assert "more column" not in capsys.readouterr().out


def test_a_terminal_says_once_what_all_rows_share(runs, capsys, terminal):
    """Where all columns fit, or are asked for by --wide, every row has all its values."""
    assert main(["query", "SELECT * FROM runs WHERE arm = 'large'", str(runs)]) == 0
    table, _, said = capsys.readouterr().out.partition("In all rows: ")
    assert "large-seed1" in table
    assert str(runs) not in table
    words = " ".join(said.split())
    assert words.replace(" ", "").startswith(f"run{runs}/…,kindimages,")
    assert "kind" not in table
    two = "SELECT run, status FROM runs WHERE arm = 'large'"
    assert main(["query", two, str(runs), "--wide"]) == 0
    out = capsys.readouterr().out
    assert out.count("finished") == out.count(f"{runs}/large-seed") == 2
    assert "In all rows" not in out
    assert main(["query", "SELECT seed, status FROM runs WHERE arm = 'large'", str(runs)]) == 0
    out = capsys.readouterr().out
    assert out.count("finished") == 2
    assert "In all rows" not in out
