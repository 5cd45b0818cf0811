"""Reports of many runs keep little in memory, and leave out only figures that nobody could read."""

from dataclasses import replace

import pytest

import learnorder
from learnorder.images.figures import page_figures
from learnorder.images.page import ROWS_NOTE
from learnorder.report import titles
from learnorder.report.page import render
from learnorder.report.parts import ONE_SIDED, ColorScale, heat_map
from learnorder.runs import RunFolder
from learnorder.runs.arms import arm_key, name_arms
from learnorder.runs.results import Results
from learnorder.schedules import Schedule

from .conftest import fake_run


@pytest.fixture
def runs(tiny, tmp_path):
    """Runs of three arms and two seeds; the last run has other epochs than the others."""
    made = [
        fake_run(tmp_path / f"{rate}-{seed}",
                 replace(tiny, learning_rate=Schedule(rate), seed=seed),
                 {"learning_rate.initial": f"{rate:g}"}, [rate, 0.5 + rate / 10 + seed / 100])
        for rate in (0.1, 0.2, 0.3) for seed in (0, 1)
    ]  # fmt: skip
    longer = replace(tiny, learning_rate=Schedule(0.4))
    labels = {"learning_rate.initial": "0.4"}
    return [*made, fake_run(tmp_path / "longer", longer, labels, [0.3] * 5)]


def test_series_are_those_of_the_records(runs):
    results = Results(runs)
    keys = ["arm", "set", "quantity", "group"]
    for (arm, *key), part in results.finished.groupby(keys):
        found = results.series(arm, *key)
        assert found == {
            seed: dict(zip(of_seed["epoch"], of_seed["value"], strict=True))
            for seed, of_seed in part.groupby("seed")
        }
    assert results.sets == set(results.finished["set"])
    assert results.series(results.arms[0], "clean", "accuracy", "no such group") == {}


def test_runs_that_measure_alike_share_all_but_their_values(runs):
    recorded = Results(runs)._recorded
    assert len(recorded._layouts) == 2


def test_a_manifest_is_read_again_only_after_a_change(runs, monkeypatch):
    folder, other = RunFolder(runs[0].path), RunFolder(runs[0].path)
    reads = []
    monkeypatch.setattr("learnorder.runs.folder.read_manifest", reads.append)
    assert folder.read_status() == "finished"
    assert not reads
    monkeypatch.undo()
    other.update(status="diverged", reason="by another process")
    assert folder.read_status() == "diverged"


def test_runs_share_the_sections_in_which_they_are_equal(runs):
    one, other = (RunFolder(folder.path).config for folder in runs[:2])
    assert one.data is other.data
    assert one != other


def test_arms_of_one_label_are_told_apart(tiny, tmp_path):
    configs = [replace(tiny, learning_rate=Schedule(rate)) for rate in (0.1, 0.2)]
    folders = [
        RunFolder.create(tmp_path / place / f"run{number}", config, {"arm": "large"})
        for place, number, config in [("a", 0, configs[0]), ("a", 1, configs[1])]
    ]
    names = name_arms(folders, {folder: arm_key(folder) for folder in folders})
    assert list(names.values()) == [
        "large, learning_rate.initial 0.1", "large, learning_rate.initial 0.2",
    ]  # fmt: skip


def test_figures_with_a_row_for_each_arm_are_left_out_of_many(runs, monkeypatch):
    results = Results(runs)
    assert len(page_figures(results)["order"]) == 2
    assert ROWS_NOTE not in render(results)
    monkeypatch.setattr("learnorder.images.figures.MOST_ROWS", 3)
    monkeypatch.setattr("learnorder.images.page.MOST_ROWS", 3)
    assert titles.MOST_ROWS > 3
    figures = page_figures(results)
    assert not figures["order"]
    assert not figures["final"]
    page = render(results)
    assert page.count(ROWS_NOTE) == 2
    assert all(folder.name in page for folder in runs)


@pytest.mark.parametrize("columns", [24, 25])
def test_heat_maps_of_many_columns_show_their_numbers_on_hovering(columns):
    xs = [str(x) for x in range(columns)]
    cells = {(x, "0"): 0.5 for x in xs}
    scale = ColorScale(0.0, 1.0, "", (0.0, 1.0), ("0", "1"), ONE_SIDED)
    (heat,) = heat_map(xs, ["0"], cells, dict.fromkeys(cells, "50 %"), scale).data
    assert (heat.texttemplate is None) == (columns > 24)
    assert "%{text}" in heat.hovertemplate
    assert heat.text[0][0] == "50 %"


def test_a_query_has_texts_as_texts(runs):
    found = learnorder.query('SELECT run, "set", quantity FROM records', runs[0].path.parent)
    assert set(found["set"]) == Results(runs).sets
    types = learnorder.query("DESCRIBE records", runs[0].path.parent)
    assert set(types.set_index("column_name").loc[["run", "set"], "column_type"]) == {"VARCHAR"}
