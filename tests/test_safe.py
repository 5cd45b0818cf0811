"""What is safe to open: manifests, settings and queries run no code and reach no other file."""

import json
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

import learnorder
from learnorder.cli.main import main
from learnorder.config.settings import RunConfig
from learnorder.config.training import TrainingConfig
from learnorder.config.yaml_values import load_yaml
from learnorder.errors import ConfigError, RunFolderError
from learnorder.report.page import write_report
from learnorder.runs import RunFolder, find_runs
from learnorder.runs.last_layer import (
    FILE,
    LastLayer,
    LastLayerScores,
    read_last_layer,
    write_last_layer,
)
from learnorder.runs.opening import open_runs
from learnorder.runs.query import query

from . import hostile
from .conftest import fake_run

AUDITED = """
import json, logging, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])  # the canary
from learnorder.cli.main import main
import learnorder.report.page, learnorder.runs.opening, learnorder.runs.query
import learnorder.images.run, learnorder.sweep.run, learnorder.theory.run, learnorder.retrain.run
import learnorder.runs.trackers, learnorder.training, torch.utils.tensorboard
logging.disable(logging.CRITICAL)
seen, out = [], os.path.realpath(sys.argv[2])
starts = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect")
changes = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate",
           "shutil.")
def below(path):
    return os.path.realpath(os.fsdecode(path)).startswith((out, "/dev/null"))
def watch(event, args):
    if event == "import":
        seen.append(["import", str(args[0])])
    elif event.startswith(starts):
        seen.append([event, repr(args)[:200]])
    elif event.startswith(changes) and not below(args[0]):
        seen.append([event, repr(args)[:200]])
    elif event == "open" and isinstance(args[0], (str, bytes)):
        writes = isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if writes and not below(args[0]) and "__pycache__" not in str(args[0]):
            seen.append(["write", repr(args[0])])
sys.addaudithook(watch)
codes, raw = [], []
for line in sys.stdin:
    arguments = json.loads(line)
    try:
        codes.append(main(arguments))
    except SystemExit as end:
        codes.append(end.code)
    except BaseException as error:
        raw.append([arguments, type(error).__name__, str(error)[:200]])
loaded = [name for name in sys.modules if "canary" in name]
print("SEEN " + json.dumps({"seen": seen, "raw": raw, "codes": codes, "loaded": loaded}))
"""


def audited(tmp_path, commands):
    """Run commands in a process that notes what they import, start, write and remove."""
    place = tmp_path / "importable"
    place.mkdir(exist_ok=True)
    (place / f"{hostile.CANARY}.py").write_text(f"open({str(place / 'called')!r}, 'w').close()\n")
    (tmp_path / "out").mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", AUDITED, str(place), str(tmp_path / "out")],
        input="\n".join(json.dumps([str(a) for a in command]) for command in commands),
        capture_output=True, text=True, cwd=tmp_path / "out", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.rpartition("SEEN ")[2])
    assert not (place / "called").exists()
    assert not list(tmp_path.rglob("called"))
    assert found["loaded"] == []
    return found


def imported(found):
    """Return the packages that commands have imported."""
    return {name.partition(".")[0] for event, name in found["seen"] if event == "import"}


def hostile_runs(tiny, root):
    """Write a run folder for every way in which a manifest may call, import or overflow."""
    whole = fake_run(root / "whole", tiny, {"experiment": "patch", "arm": "large"}, [0.1, 0.9])
    values = hostile.plain_manifest(whole.path)
    config, calls = values["config"], (hostile.CALL, hostile.MODULE)
    changed = [
        hostile.put(values, ("config", *at), value)
        for value in calls
        for at in (("model", "arguments"), ("training", "optimizer_arguments"))
        for value in (value, {"a": value}, {"a": [value]})
    ]
    changed += [hostile.put(values, ("config", name), v) for name in config for v in calls]
    changed += [hostile.put(values, (name,), v) for name in values for v in calls]
    names = {
        "model": {"name": f"{hostile.CANARY}.Net"},
        "data": {"source": f"function:{hostile.CANARY}.f"},
    }
    names["data"]["augmentation"] = f"{hostile.CANARY}.flip"
    for section, fields in names.items():
        for field, value in fields.items():
            changed.append(hostile.put(values, ("config", section, field), value))
    task = {"task": {"path": f"{hostile.CANARY}.make", "arguments": {"a": hostile.CALL}}}
    changed.append({**values, "kind": "task", "config": task})
    changed.append({**values, "kind": hostile.CANARY})
    for value in (10**400, 1e999, hostile.nested(300), hostile.DEEP, "x" * 10**6):
        changed.append({**values, "config": {**config, "seed": value}})
        changed.append(hostile.put(values, ("config", "model", "arguments"), {"a": value}))
    for index, mutant in enumerate(changed):
        folder = root / f"{index}"
        folder.mkdir()
        for name in ("records.parquet",):
            (folder / name).write_bytes(whole.file(name).read_bytes())
        hostile.write_manifest_anyhow(folder, mutant)
    return whole, len(changed)


def test_opening_hostile_runs_imports_starts_and_writes_nothing(tiny, tmp_path):
    root, out = tmp_path / "runs", tmp_path / "out"
    whole, count = hostile_runs(tiny, root)
    assert count > 40
    singles = [["runs", root / str(index)] for index in range(count)]
    every = [
        ["runs", root],
        ["runs", "--where", "seed >= 0", root],
        ["runs", "diff", whole.path, root / "0"],
        ["runs", "delete", root],
        ["report", root, "--out", out / "report.html"],
        ["report", root, "--movie", "--out", out / "movie.html"],
        ["query", "SELECT * FROM runs JOIN records USING (run)", root],
        ["track", "tensorboard", root, "--to", out / "board"],
        ["retrain", root, "--dry-run"],
    ]
    found = audited(tmp_path, [*singles, *every])
    assert found["raw"] == []
    own = tmp_path / "own"
    fake_run(own / "0", tiny, {"experiment": "patch", "arm": "large"}, [0.1, 0.9])
    fake_run(own / "1", tiny, {"experiment": "patch", "arm": "small"}, [0.1, 0.9])
    ours = [[str(part).replace(str(root), str(own)) for part in line] for line in every]
    ours[2] = ["runs", "diff", own / "0", own / "1"]
    assert imported(found) <= imported(audited(tmp_path, [["runs", own / "0"], *ours]))
    assert [event for event in found["seen"] if event[0] != "import"] == []
    codes = zip(every, found["codes"][-len(every) :], strict=True)
    failed = [[word for word in command[:3] if word != root] for command, code in codes if code]
    assert failed == [["runs", "delete"], ["report", "--movie"]]  # no answer, no snapshots
    assert (out / "report.html").exists()


YAML = {
    "a call": "model: {arguments: {a: " + json.dumps(hostile.CALL) + "}}",
    "a section": f"data: {{class_path: {hostile.CANARY}.Thing}}",
    "a section of arguments": f"model: {{class_path: {hostile.CANARY}.Thing, init_args: {{}}}}",
    "a tag": "data: !!python/object/apply:os.system ['touch called']",
    "a name tag": f"data: {{source: !!python/name:{hostile.CANARY}.x }}",
    "a local tag": "data: !include /etc/passwd",
    "an anchor": "data: &x {source: digits}",
    "aliases": "a: &a [x]\n"
    + "\n".join(f"{name}: &{name} [*{last}, *{last}]" for last, name in pairwise("abcdefghi")),
    "a key twice": "seeds: 1\nseeds: 2",
    "depth": "model: {arguments: {a: " + "[" * 5000 + "}}",
    "a huge number": "seeds: " + "9" * 4000,
    "infinity": "patch: {contrast: .inf}",
    "not a number": "training: {weight_decay: .nan}",
    "a list for a section": "patch: [1, 2]",
    "text for a section": "training: yes",
    "two documents": "seeds: 1\n---\nseeds: 2",
    "bytes": "\x00\x01",
    "no mapping": "[1, 2]",
    "a directive": "%YAML 3.0\n---\nseeds: 1",
    "an unknown setting": "patch: {sise: 3}",
    "a key that is no text": "? [1]\n: 2",
}  # fmt: skip


def test_hostile_yaml_files_are_refused_and_run_nothing(tmp_path):
    commands = []
    for index, text in enumerate(YAML.values()):
        path = tmp_path / f"{index}.yaml"
        path.write_text(text)
        commands += [["patch", "--config", path, "--print_config"]]
    found = audited(tmp_path, commands)
    assert found["raw"] == []
    # A call is values like others, and is printed: nothing reads them before a run is made.
    codes = dict(zip(YAML, found["codes"], strict=True))
    assert {name for name, code in codes.items() if code == 0} == {"a call"}
    assert [event for event in found["seen"] if event[0] != "import"] == []
    assert imported(found) <= imported(audited(tmp_path, [["patch", "--print_config"]]))


def test_arguments_that_look_like_a_call_are_passed_on_as_they_are():
    config = RunConfig.from_dict({"model": {"arguments": {"a": hostile.CALL}}})
    assert config.model.arguments == {"a": hostile.CALL}
    text = "{a: {class_path: os.system, init_args: {command: x}}}"
    assert load_yaml(text, "f") == {"a": {"class_path": "os.system", "init_args": {"command": "x"}}}


def fuzz(tiny, root, count, seed):
    """Open a folder of two runs whose first manifest was changed by chance."""
    mutant = fake_run(root / "a", tiny, {"experiment": "patch", "arm": "large"}, [0.1, 0.9])
    fake_run(root / "b", tiny, {"experiment": "patch", "arm": "small"}, [0.1, 0.9])
    opened = 0
    for index, values in enumerate(
        hostile.mutants(hostile.plain_manifest(mutant.path), count, seed)
    ):
        hostile.write_manifest_anyhow(mutant.path, values)
        try:
            RunFolder(mutant.path)
            opened += 1
        except RunFolderError as error:
            if str(mutant.path) not in str(error):
                raise
        assert main(["runs", str(root)]) == 0
        assert len(query("SELECT run FROM runs", root)) >= 1
        if index % 25 == 0:
            write_report(open_runs(root), root / "report.html")
    return opened


def test_manifests_changed_by_chance_are_opened_or_refused(tiny, tmp_path, capsys):
    assert 5 < fuzz(tiny, tmp_path, 150, seed=0) < 145


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
def test_many_manifests_changed_by_chance_are_opened_or_refused(tiny, tmp_path, capsys, seed):
    assert fuzz(tiny, tmp_path, 1_000, seed) > 20


def test_a_flip_of_any_bit_of_a_manifest_is_seen(tiny, tmp_path):
    folder = RunFolder.create(tmp_path / "run", replace(tiny, training=TrainingConfig(epochs=4)))
    path = folder.file("manifest.json")
    whole = path.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 1 << (place % 8)
        path.write_bytes(changed)
        with pytest.raises(RunFolderError, match=r"manifest\.json"):
            RunFolder(folder.path)
    path.write_bytes(whole)
    assert RunFolder(folder.path).config == folder.config


def test_what_commands_keep_is_under_a_seal_too(tiny, tmp_path):
    folder = fake_run(tmp_path / "run", tiny, {"arm": "large"}, [0.5])
    side = LastLayerScores(0.5, None, None)
    write_last_layer(folder, LastLayer(side, side, 10, True))
    path = folder.file(FILE)
    whole = path.read_bytes()
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 4
        path.write_bytes(changed)
        with pytest.raises(RunFolderError, match=r"last_layer\.json.*Remove it"):
            read_last_layer(folder)
    for text in ("", "{", "[]", "null", "3", '{"before": []}', '{"before": {"clean": "x"}}'):
        path.write_text(text)
        with pytest.raises(RunFolderError, match=r"last_layer\.json.*Remove it"):
            read_last_layer(folder)


@pytest.mark.parametrize("name", ["records.parquet", "examples.png"])
def test_a_partial_copy_is_named_by_every_reader(tiny, tmp_path, name, capsys, caplog):
    runs = [fake_run(tmp_path / arm, tiny, {"arm": arm}, [0.5]) for arm in ("a", "b")]
    runs[0].file("examples.png").write_bytes(b"not empty")
    runs[0].update(files=runs[0].seal())
    runs[0].file(name).unlink()
    with pytest.raises(RunFolderError, match=f"a partial copy: {name} is missing"):
        RunFolder(runs[0].path)
    assert [folder.path for folder in find_runs(tmp_path)] == [runs[1].path]
    assert query("SELECT run FROM runs", tmp_path)["run"].tolist() == [str(runs[1].path)]
    assert len(open_runs(tmp_path).folders) == 1
    assert caplog.text.count("partial copy") == 3


def test_weights_that_are_gone_are_noticed(tiny, tmp_path, caplog):
    folder = fake_run(tmp_path / "run", tiny, {"arm": "a"}, [0.5])
    folder.file("weights.safetensors").write_bytes(b"weights")
    folder.update(files=folder.seal())
    assert not RunFolder(folder.path).lacks_weights
    folder.file("weights.safetensors").unlink()
    assert find_runs(tmp_path)[0].lacks_weights
    assert "1 of 1 runs lack their weights.safetensors" in caplog.text
    with pytest.raises(RunFolderError, match=r"weights\.safetensors: it is missing"):
        RunFolder(folder.path).read("weights.safetensors")


def test_a_manifest_without_a_seal_or_a_digest_is_refused(tiny, tmp_path):
    folder = RunFolder.create(tmp_path / "run", tiny)
    values = hostile.plain_manifest(folder.path)
    path = folder.file("manifest.json")
    path.write_text(json.dumps({**values, "format": 1}))
    with pytest.raises(RunFolderError, match="it has no digest"):
        RunFolder(folder.path)
    path.write_text(json.dumps(values))
    with pytest.raises(RunFolderError, match="not a manifest of format 2"):
        RunFolder(folder.path)


def test_folders_of_the_version_before_are_read_and_continued(tiny, tmp_path):
    """Their manifests have a digest of the values in place of a seal of the bytes."""
    from learnorder.runs.manifest import former_digest

    folder = fake_run(tmp_path / "run", tiny, {"arm": "large"}, [0.5, 0.9])
    values = hostile.plain_manifest(folder.path)
    former = {**values, "format": 1, "files": {n: f["digest"] for n, f in values["files"].items()}}
    text = json.dumps({**former, "digest": former_digest(former)}, indent=1)
    folder.file("manifest.json").write_text(text)
    found = RunFolder(folder.path)
    assert (found.read_status(), found.config, len(found.records())) == (
        "finished",
        tiny,
        len(folder.records()),
    )
    folder.file("manifest.json").write_text(text.replace('"epochs": 3', '"epochs": 7'))
    with pytest.raises(RunFolderError, match="not as it was written"):
        RunFolder(folder.path)
    folder.file("manifest.json").write_text(text)
    found.update(reason="read")
    assert hostile.plain_manifest(folder.path)["format"] == 2


def test_manifests_that_are_no_files_are_named_at_once(tiny, tmp_path):
    import os

    folder = RunFolder.create(tmp_path / "run", tiny)
    path = folder.file("manifest.json")
    path.unlink()
    for make in (
        os.mkfifo,
        Path.mkdir,
        lambda p: p.symlink_to("/dev/zero"),
        lambda p: p.symlink_to(p),
    ):
        make(path)
        with pytest.raises(RunFolderError):
            RunFolder(folder.path)
        path.rmdir() if path.is_dir() else path.unlink()


STATEMENTS = [
    "COPY (SELECT 1) TO '{file}'; SELECT 1",
    "COPY runs TO '{file}'",
    "ATTACH '{file}' AS other",
    "SELECT 1; SELECT 2",
    "CREATE TABLE x AS SELECT 1",
    "DROP TABLE runs",
    "SET enable_external_access = true",
    "INSTALL httpfs",
    "EXPORT DATABASE '{folder}'",
    "EXPLAIN ANALYZE COPY runs TO '{file}'",
    "SELECT * FROM read_text('{file}')",
    "SELECT * FROM read_csv('{file}')",
    "SELECT * FROM '{file}'",
    "SELECT * FROM glob('{folder}/*')",
    "SELECT * FROM sys",
    "",
    "--",
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_question_reads_the_two_tables_and_no_more(tiny, tmp_path, statement):
    folder = fake_run(tmp_path / "run", tiny, {"arm": "a"}, [0.5])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    sql = statement.format(file=folder.file("manifest.json"), folder=folder.path)
    with pytest.raises(ConfigError, match="sql"):
        query(sql, tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_connection_reaches_no_file(tiny, tmp_path):
    import duckdb

    folder = fake_run(tmp_path / "run", tiny, {"arm": "a"}, [0.5])
    connection = learnorder.connect(tmp_path)
    for statement in STATEMENTS:
        sql = statement.format(file=folder.file("manifest.json"), folder=folder.path)
        if sql.startswith(("COPY", "ATTACH", "SET", "INSTALL", "EXPORT", "EXPLAIN", "SELECT *")):
            with pytest.raises(duckdb.Error):
                connection.execute(sql)
    assert RunFolder(folder.path).read_status() == "finished"


@pytest.mark.parametrize(
    "condition",
    ["1=1; COPY runs TO 'x'", "1=1) UNION SELECT '/etc' --", "1=1) --", "true; SELECT 1"],
)
def test_a_condition_picks_among_the_runs_that_are_there(tiny, tmp_path, condition, capsys):
    fake_run(tmp_path / "run", tiny, {"arm": "a"}, [0.5])
    code = main(["runs", str(tmp_path), "--where", condition])
    printed = capsys.readouterr()
    assert code == 2 or str(tmp_path / "run") in printed.out or "/etc" not in printed.out
    assert not Path("x").exists()


def test_a_bit_in_records_is_seen_by_a_question(tiny, tmp_path, caplog):
    folders = [fake_run(tmp_path / str(i), tiny, {"arm": "a"}, [0.5, 0.6]) for i in range(2)]
    path = folders[0].file("records.parquet")
    whole = path.read_bytes()
    for place in range(0, len(whole), 97):
        changed = bytearray(whole)
        changed[place] ^= 1 << (place % 8)
        path.write_bytes(changed)
        found = query("SELECT DISTINCT run FROM records", tmp_path)["run"].tolist()
        assert found == [str(folders[1].path)]
    assert "Left out" in caplog.text


def test_labels_and_settings_named_as_columns_overwrite_none(tiny, tmp_path):
    labels = {"run": "/etc", "Name": "x", "arm": "a", "seed": "7"}
    folder = fake_run(tmp_path / "run", tiny, labels, [0.5])
    found = query('SELECT run, name, seed, "label.run", "label.seed" FROM runs', tmp_path)
    assert found.iloc[0].tolist() == [str(folder.path), "run", 0, "/etc", "7"]


def test_deleting_deletes_that_run(tiny, tmp_path):
    inside, outside = tmp_path / "runs", tmp_path / "outside"
    kept = fake_run(outside / "kept", tiny, {"arm": "a"}, [0.5])
    fake_run(inside / "a", tiny, {"arm": "a", "run": str(kept.path)}, [0.5])
    assert main(["runs", "delete", str(inside), "--where", "\"label.arm\" = 'a'", "--yes"]) == 0
    assert not (inside / "a").exists()
    assert kept.read_status() == "finished"
    assert list(inside.iterdir()) == []


def test_deleting_a_link_leaves_what_it_leads_to(tiny, tmp_path):
    run = fake_run(tmp_path / "elsewhere" / "run", tiny, {"arm": "a"}, [0.5])
    (tmp_path / "link").symlink_to(run.path)
    assert main(["runs", "delete", str(tmp_path / "link"), "--yes"]) == 0
    assert not (tmp_path / "link").is_symlink()
    assert RunFolder(run.path).read_status() == "finished"
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "link").symlink_to(run.path)
    fake_run(tmp_path / "runs" / "own", tiny, {"arm": "a"}, [0.5])
    assert main(["runs", "delete", str(tmp_path / "runs"), "--yes"]) == 0
    assert RunFolder(run.path).read_status() == "finished"


def test_a_link_in_place_of_a_lock_leads_to_no_other_file(tiny, tmp_path):
    run = fake_run(tmp_path / "run", tiny, {"arm": "a"}, [0.5])
    other = tmp_path / "precious"
    other.write_text("kept")
    run.file(".lock").symlink_to(other)
    with pytest.raises(RunFolderError, match=r"could not be removed|cannot be written to"):
        run.delete()
    assert other.read_text() == "kept"


def test_a_folder_half_deleted_is_no_run(tiny, tmp_path, monkeypatch):
    import shutil

    folder = fake_run(tmp_path / "run", tiny, {"arm": "a"}, [0.5])

    def killed(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    with pytest.raises(KeyboardInterrupt):
        folder.delete()
    assert not folder.path.exists()
    assert find_runs(tmp_path) == []


@pytest.mark.parametrize("value", hostile.VALUES, ids=lambda v: repr(v)[:30])
def test_configurations_are_built_or_refused(value):
    for name, section in RunConfig().to_dict().items():
        for field in section if isinstance(section, dict) else ():
            try:
                RunConfig.from_dict({name: {field: value}})
            except ConfigError as error:
                if not error.field.startswith(name):
                    raise
