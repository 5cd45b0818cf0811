"""Run folders copied to trackers."""

import json
import time
from dataclasses import replace

import pytest

from learnorder.cli.main import main
from learnorder.errors import ConfigError
from learnorder.runs import RunFolder
from learnorder.runs.execute import execute
from learnorder.runs.trackers import NOTES, track
from learnorder.theory.config import TheoryConfig
from learnorder.training.records import Records

from .conftest import changed, fake_run


def scalars(folder):
    """Return what TensorBoard reads: {tag: {step: value}}."""
    event_accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="no tensorboard"
    )
    read = event_accumulator.EventAccumulator(str(folder)).Reload()
    return {t: {e.step: e.value for e in read.Scalars(t)} for t in read.Tags()["scalars"]}


def test_tensorboard_has_what_the_run_measured(tiny, tmp_path):
    run = RunFolder.create(
        tmp_path / "runs" / "a", changed(tiny, training={"epochs": 4}), {"arm": "large"}
    )
    execute(run)
    assert len(track([run], "tensorboard", tmp_path / "tb")) == 1
    assert len(track([run], "tensorboard", tmp_path / "tb")) == 0
    (folder,) = (tmp_path / "tb").glob("large*")
    found = scalars(folder)
    kept = run.records().to_pandas()
    clean = kept[(kept["set"] == "clean") & (kept["quantity"] == "accuracy")]
    expected = dict(zip(clean["epoch"], clean["value"], strict=True))
    assert found["clean/accuracy"] == pytest.approx(expected)
    assert "train/accuracy/patch_only" in found


def test_a_run_under_way_is_followed(tiny, tmp_path):
    pytest.importorskip("tensorboard")
    run = fake_run(tmp_path / "runs" / "a", tiny, {"arm": "large"}, [0.1, 0.2], status="running")
    track([run], "tensorboard", tmp_path / "tb")
    run = fake_run(tmp_path / "runs" / "a", tiny, {"arm": "large"}, [0.1, 0.2, 0.7])
    assert len(track([run], "tensorboard", tmp_path / "tb")) == 1
    (folder,) = (tmp_path / "tb").glob("large*")
    assert scalars(folder)["patch_only/accuracy"] == pytest.approx({1: 0.1, 2: 0.2, 3: 0.7})
    assert list(json.loads((tmp_path / "tb" / NOTES).read_text()).values()) == [3]


def test_each_tracker_and_project_gets_a_run_once(tiny, tmp_path, monkeypatch):
    names = []

    def note(run, identity, moments, out, project):
        names.append(identity)

    monkeypatch.setattr("learnorder.runs.trackers.TRACKERS", {"tensorboard": note, "wandb": note})
    run = fake_run(tmp_path / "runs" / "a", tiny, {}, [0.1, 0.2])
    for _ in range(2):
        track([run], "tensorboard", tmp_path / "to")
        track([run], "wandb", tmp_path / "to", project="p")
        track([run], "wandb", tmp_path / "to", project="q")
        run.config = replace(run.config, seed=7)  # what a later version reads may be more
    assert names == names[:1] * 3


def test_the_theory_is_tracked_by_its_moments(tmp_path, capsys):
    pytest.importorskip("tensorboard")
    config = TheoryConfig.from_dict({"distribution": {"d": 40}, "algorithm": {"max_time": 50}})
    execute(RunFolder.create(tmp_path / "runs" / "S", config, {"arm": "S"}))
    where = ["tensorboard", str(tmp_path / "runs"), "--to", str(tmp_path / "tb")]
    assert main(["track", *where]) == 0
    assert "New measurements of 1 of 1 runs" in capsys.readouterr().out
    (folder,) = (tmp_path / "tb").glob("S*")
    times = scalars(folder)["run/time"]
    assert list(times) == list(range(len(times)))
    assert sorted(times.values()) == list(times.values())


def test_wandb_offline(tiny, tmp_path):
    pytest.importorskip("wandb", reason="no wandb")
    ended = fake_run(tmp_path / "runs" / "a", tiny, {"arm": "large"}, [0.1, 0.2])
    going = fake_run(tmp_path / "runs" / "b", tiny, {"arm": "s"}, [0.1], status="running")
    assert len(track([ended, going], "wandb", tmp_path / "wb", project="p")) == 1
    kept, wanted, content = [], (b"patch_only/accuracy", b"learning_rate.initial"), b""
    deadline = time.monotonic() + 60  # a service of W&B's own writes the file
    while not all(words in content for words in wanted):
        assert time.monotonic() < deadline, "the offline file does not have the run"
        time.sleep(0.05)
        kept = list((tmp_path / "wb").glob("wandb/offline-run-*/*.wandb"))
        content = b"".join(file.read_bytes() for file in kept)
    assert len(kept) == 1


def test_no_such_tracker(tmp_path):
    with pytest.raises(ConfigError, match="Give one of tensorboard, wandb"):
        track([], "neptune", tmp_path)


NASTY = "a/b\n\x1b[31m\udcff [/x]"


@pytest.mark.parametrize("tracker", ["tensorboard", "wandb"])
def test_names_of_any_characters_and_length(tiny, tmp_path, tracker):
    """Labels, quantities and folders, as files and user code have them."""
    pytest.importorskip(tracker)
    labels = {"arm": NASTY * 20, "experiment": NASTY * 20, NASTY: NASTY}
    run = fake_run(tmp_path / "runs\n[1]", tiny, labels, [0.1, 0.2])
    records = Records()
    records.add(1, "validation", "a/b\n[/x]\x1b", 0.5, n=10)
    run.write_tables(records=records.table())
    run.update(files=run.seal())
    assert len(track([run], tracker, tmp_path / "to\n[1]*")) == 1
    if tracker == "tensorboard":
        (folder,) = (tmp_path / "to\n[1]*").glob("a_b*")
        assert scalars(folder)[r"validation/a/b\n[/x]\x1b"] == {1: 0.5}


@pytest.mark.parametrize(("field", "given"), [("to", "\udcff"), ("project", "a/b")])
def test_what_a_tracker_cannot_take_is_refused(tiny, tmp_path, field, given):
    pytest.importorskip("wandb")
    run = fake_run(tmp_path / "run", tiny, {}, [0.1])
    to = tmp_path / (given if field == "to" else "to")
    with pytest.raises(ConfigError, match=field):
        track([run], "wandb", to, project=given if field == "project" else "p")
