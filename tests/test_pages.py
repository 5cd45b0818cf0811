"""Pages say what their records say, and records give run folders back."""

from dataclasses import replace
from statistics import fmean

import duckdb
import pyarrow as pa
import pytest

import learnorder
from learnorder.errors import RunFolderError
from learnorder.runs import RunFolder, find_runs
from learnorder.runs.manifest import write_manifest
from studies.common import RESULTS, ROOT, fill_marks, fill_template
from studies.pages import pages, texts
from studies.records import pack, unpack

from .conftest import fake_run


@pytest.fixture(scope="module")
def written(recorded):
    return pages(recorded)


def test_pages_say_what_their_records_say(written):
    stale = [
        path
        for path, text in texts(written).items()
        if text != (ROOT / path).read_text(encoding="utf-8")
    ]
    assert not stale, "run `python -m studies.pages`"


def test_every_picture_is_made_from_records(written):
    made = {name for page in written for name in page.pictures}
    made |= {"movie-demo"}  # a screenshot of two runs: studies/movie/screenshot.py
    assert made == {path.stem for path in (ROOT / "docs" / "_static").glob("*.png")}


@pytest.fixture(params=["images", "theory"])
def made(request, tiny, tmp_path):
    """A folder of runs: of images, with one that diverged, or of the theory."""
    if request.param == "theory":
        return request.getfixturevalue("recorded") / "theory" / "convolution"
    for seed in (0, 1):
        run = fake_run(
            tmp_path / "made" / f"run{seed}", replace(tiny, seed=seed), {"arm": "large"}, [0.5, 0.9]
        )
        run.write_tables(
            timings=pa.table(
                {"epoch": [1, 2], "train_seconds": [0.5, 0.7], "evaluation_seconds": [0.1, 0.1]}
            )
        )
        run.file("examples.png").write_bytes(b"an image")
        write_manifest(run.path, {**run.read_manifest(), "files": run.seal()})
    run.update(status="diverged", reason="loss not finite")
    RunFolder.create(tmp_path / "made" / "pending", tiny, {"arm": "small"})
    return tmp_path / "made"


def test_unpacked_runs_give_the_same_numbers(made, tmp_path):
    assert pack(made, tmp_path / "record") == unpack(tmp_path / "record", tmp_path / "again")
    before, after = find_runs(made), find_runs(tmp_path / "again")
    for one, other in zip(before, after, strict=True):
        assert other.name == one.name
        assert other.records().equals(one.records())
        assert (other.labels, other.config, other.data()) == (one.labels, one.config, one.data())
        assert (other.read_status(), other.timings()) == (one.read_status(), one.timings())
        unlike = {"files", "updated"}
        assert {k: v for k, v in other.read_manifest().items() if k not in unlike} == {
            k: v for k, v in one.read_manifest().items() if k not in unlike
        }
    results, same = learnorder.open_runs(made), learnorder.open_runs(tmp_path / "again")
    assert same.frame().equals(results.frame())
    assert [same.counts(arm) for arm in same.arms] == [results.counts(a) for a in results.arms]


def test_a_record_keeps_one_sheet_and_seals_its_files(tiny, tmp_path):
    for name in ("a", "b"):
        run = fake_run(tmp_path / "made" / name, tiny, {"arm": "large"}, [0.5])
        run.file("examples.png").write_bytes(b"an image")
    pack(tmp_path / "made", tmp_path / "record")
    unpack(tmp_path / "record", tmp_path / "again")
    sheets = [path.parent.name for path in (tmp_path / "again").glob("*/examples.png")]
    assert sheets == ["a"]
    path = tmp_path / "again" / "a" / "examples.png"
    path.write_bytes(b"AN IMAGE")
    with pytest.raises(RunFolderError, match="not as the run left it"):
        RunFolder(path.parent).read("examples.png")


def test_records_are_asked_as_they_are(recorded):
    folder = RESULTS / "laptop" / "plain"
    found = duckdb.sql(
        f"""
        SELECT manifest->>'$.labels.arm' AS arm, avg(value)
        FROM '{folder}/runs.parquet' JOIN '{folder}/records.parquet' USING (run)
        WHERE epoch = 30 AND "set" = 'clean' AND quantity = 'accuracy' AND "group" = 'all'
        GROUP BY arm
        """
    ).fetchall()
    results = learnorder.open_runs(recorded / "laptop" / "plain", of=learnorder.Results)
    means = {arm: fmean(results.final(arm, "clean", "accuracy").values()) for arm in results.arms}
    assert dict(found) == pytest.approx(means)


def test_a_folder_without_records_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="Give a folder of packed records"):
        unpack(tmp_path, tmp_path / "again")


def test_marks_and_names_that_do_not_fit_are_refused(tmp_path):
    text = "<!-- a -->\n\n1\n\n<!-- end -->"
    assert fill_marks(text, {"a": "2"}) == text.replace("1", "2")
    with pytest.raises(ValueError, match="not one mark <!-- b -->"):
        fill_marks(text, {"b": "2"})
    template = tmp_path / "page.md.in"
    template.write_text("@a@")
    assert fill_template(template, {"a": "1"}) == "1"
    with pytest.raises(ValueError, match="has no @b@"):
        fill_template(template, {"a": "1", "b": "2"})
    with pytest.raises(KeyError, match="a"):
        fill_template(template, {})
