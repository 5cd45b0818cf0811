"""Snapshots of runs on images, and the movie that is made of them."""

import json
import re
from dataclasses import replace
from io import BytesIO

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file
from torch import nn

from learnorder.cli import main
from learnorder.config.settings import TaskConfig, TaskRunConfig
from learnorder.config.training import TrainingConfig
from learnorder.data import load_images
from learnorder.errors import ConfigError, RunFolderError
from learnorder.images.backend import measure
from learnorder.images.movie.data import movie_data
from learnorder.images.movie.page import write_movie
from learnorder.runs import RunFolder
from learnorder.runs.execute import execute
from learnorder.runs.results import Results
from learnorder.runs.snapshots import SETS, read_snapshots, write_snapshots
from learnorder.schedules import Schedule
from learnorder.tasks.backend import check as check_tasks
from learnorder.training.image_problem import image_trainer
from learnorder.training.snapshots import first_layer, spread_over_classes

from .conftest import changed, fake_run, stopped_after, tiny_run

KINDS = {"✓": "right", "◆": "pattern", "✕": "wrong"}


def executed(path, config, arm="large") -> RunFolder:
    folder = RunFolder.create(path, config, {"arm": arm})
    execute(folder)
    return RunFolder(path)


def kept_by(folder):
    kept = read_snapshots(folder)
    assert kept is not None
    return kept


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two arms on digits with 12 images, 3 epochs."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("movie")
    config = changed(tiny_run(), training={"snapshots": 12})
    small = replace(config, learning_rate=Schedule(0.01))
    return [executed(out / "large", config), executed(out / "small", small, "small")]


@pytest.fixture
def results(folders):
    return Results(folders)


# what a run keeps


def test_all_images_together_give_the_accuracies_and_the_reliance_of_the_records(tiny, tmp_path):
    folder = executed(tmp_path / "run", changed(tiny, training={"snapshots": 60}))
    kept, records = kept_by(folder), folder.records().to_pandas()
    records = records[records["group"] == "all"].set_index(["set", "quantity", "epoch"])["value"]
    labels = np.array([image.label for image in kept.images])
    patterns = np.array([image.conflict for image in kept.images])
    assert sorted(image.index for image in kept.images) == list(range(60))
    assert (labels != patterns).all()
    for epoch in (1, 2, 3):
        for name in SETS:
            share = (kept.predictions[name][epoch - 1] == labels).mean()
            assert share == pytest.approx(records[name, "accuracy", epoch], abs=1e-12)
        follows, without = (
            (kept.predictions[name][epoch - 1] == patterns).mean() for name in ("conflict", "clean")
        )
        assert follows - without == pytest.approx(records["conflict", "reliance", epoch], abs=1e-12)
    assert kept.first_layer == "features.0: Conv2d, 8 filters"
    weights = load_file(folder.file("weights.safetensors"))["features.0.weight"]
    assert kept.filters is not None
    assert (kept.filters[-1] == weights.astype(np.float16)).all()
    assert (kept.filters[0] != kept.filters[-1]).any()


def test_the_pictures_are_what_the_network_sees(folders):
    kept, config = kept_by(folders[0]), folders[0].config
    data = load_images(config.data)
    patch = image_trainer(config, data).problem.batches.patch
    assert patch is not None
    rows = slice(patch.top, patch.top + 3), slice(patch.left, patch.left + 3)
    for image in kept.images:
        pixels = {name: np.array(Image.open(BytesIO(png))) for name, png in image.pictures.items()}
        assert (pixels["clean"] == data.evaluation.pixels[image.index].numpy()).all()
        assert data.evaluation.labels[image.index] == image.label
        outside = np.ones((8, 8), bool)
        outside[rows] = False
        assert (pixels["conflict"] == pixels["clean"])[outside].all()
        assert (pixels["conflict"] != pixels["clean"])[rows].any()
        grey = np.round(255 * np.array(data.mean)).astype(int)
        assert (pixels["patch_only"][outside] == grey).all()
        if image.mixed == "clean":
            assert (pixels["mixed"] == pixels["clean"]).all()
        elif image.mixed == "both":
            assert (pixels["mixed"] == pixels["clean"])[outside].all()
        else:
            assert (pixels["mixed"][outside] == grey).all()


def test_they_change_nothing_else(tiny, tmp_path):
    plain = executed(tmp_path / "plain", tiny)
    kept = executed(tmp_path / "kept", changed(tiny, training={"snapshots": 7}))
    for name in ("records.parquet", "weights.safetensors"):
        assert plain.file(name).read_bytes() == kept.file(name).read_bytes()
    assert read_snapshots(plain) is None


def test_an_interrupted_run_leaves_the_same_bytes(tiny, tmp_path):
    config = changed(tiny, training={"snapshots": 10})
    whole = executed(tmp_path / "whole", config)
    broken = RunFolder.create(tmp_path / "broken", config, {"arm": "large"})
    stopped_after(broken, 6, 1, 3)  # 4 steps an epoch
    assert execute(broken) == "finished"
    for name in ("snapshots.parquet", "snapshot_images.parquet", "records.parquet"):
        assert whole.file(name).read_bytes() == broken.file(name).read_bytes()


def test_without_a_pattern_there_is_only_the_image(tiny, tmp_path):
    plain = changed(tiny, patch={"eligible_share": 0.0}, training={"snapshots": 5})
    folder = executed(tmp_path / "run", plain)
    kept = kept_by(folder)
    assert set(kept.predictions) == set(kept.images[0].pictures) == {"clean"}
    assert kept.images[0].mixed is None
    assert kept.images[0].conflict is None
    run = movie_data(Results([folder]))["seeds"]["0"]["runs"]["large"]
    assert set(run["curves"]) == {"accuracy", "rate"}


class Tokens(nn.Module):
    """Parameters of its own, used after the first layer."""

    def __init__(self) -> None:
        super().__init__()
        self.late = nn.Linear(4, 2)
        self.place = nn.Parameter(torch.zeros(4))
        self.embed = nn.Conv2d(3, 4, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.late(self.embed(images).mean((2, 3)) + self.place)


def test_the_first_layer_is_the_first_that_is_called():
    found = first_layer(Tokens(), torch.zeros(2, 3, 4, 4))
    assert found is not None
    assert found[0] == "embed"
    assert first_layer(nn.Flatten(), torch.zeros(1, 1, 2, 2)) is None


@pytest.mark.parametrize(
    ("model", "arguments", "layer", "filters"),
    [
        ("MLP", {"widths": [8]}, "layers.1: Linear", None),
        ("ConvNet", {"widths": [40]}, "features.0: Conv2d, 40 filters", (3, 32, 3, 3, 3)),
        ("ViT", {"width": 8, "depth": 1, "heads": 2}, "embed: Conv2d, 8 filters", (3, 8, 3, 4, 4)),
    ],
)
def test_filters_are_of_a_convolution_only(tiny, tmp_path, model, arguments, layer, filters):
    config = changed(tiny, model={"name": model, "arguments": arguments}, training={"snapshots": 3})
    kept = kept_by(folder := executed(tmp_path / "run", config))
    assert kept.first_layer == layer
    assert (None if kept.filters is None else kept.filters.shape) == filters
    path = write_movie(Results([folder]), tmp_path / "movie.html")
    assert layer in path.read_text(encoding="utf-8")


def test_images_are_of_all_classes():
    labels = torch.tensor([2, 0, 0, 0, 0, 1, 2, 2])
    assert spread_over_classes(labels, 4).tolist() == [1, 2, 5, 0]
    assert sorted(spread_over_classes(labels, 8).tolist()) == list(range(8))


def test_what_cannot_be_kept_is_refused(tiny):
    for count in (-1, 101):
        with pytest.raises(ConfigError, match=r"training.snapshots: .*or up to 100"):
            TrainingConfig(snapshots=count)
    with pytest.raises(ConfigError, match=r"training.snapshots: got 70. There are 60 evaluation"):
        measure(changed(tiny, training={"snapshots": 70}))
    with pytest.raises(ConfigError, match=r"training.snapshots: .*this is a run of a task"):
        check_tasks([TaskRunConfig(TaskConfig("a.b"), TrainingConfig(snapshots=5))])


def test_the_estimate_counts_them(tiny):
    """4 sets of 10 predictions, and 8 filters of 27 weights, in each of 3 epochs; 40 pictures."""
    without, kept = (measure(changed(tiny, training={"snapshots": n})).disk_bytes for n in (0, 10))
    assert kept - without == 3 * (4 * 4 * 10 + 2 * 8 * 27) + 40 * (100 + 3 * 8 * 8)


# damaged files


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clean": [[0] * 11] * 3}, "12 predictions"),
        ({"conflict": [None] * 3}, "predictions of clean, mixed, patch_only"),
        ({"epoch": [1, 1, 2]}, "not 1, 2"),
        ({"filter_shape": [[8, 2, 3, 3]] * 3}, "the shape"),
        ({"filter_shape": [[8, 3, 3, 4]] * 3}, "reshape"),
        ({"filters": [np.full(216, np.nan, np.float16)] * 3}, "not finite"),
    ],
)
def test_snapshots_that_contradict_themselves_are_not_read(tmp_path, folders, change, message):
    found = folders[0].snapshots()
    assert found is not None
    epochs, images = found
    for name, values in change.items():
        place = epochs.schema.get_field_index(name)
        column = pa.array(values, epochs.schema.field(name).type)
        epochs = epochs.set_column(place, name, column)
    folder = fake_run(tmp_path / "run", folders[0].config, {}, [0.5], status="running")
    folder.write_tables(snapshots=epochs, snapshot_images=images)
    with pytest.raises(RunFolderError, match=rf"cannot be read \(.*{message}"):
        read_snapshots(folder)


def test_a_changed_file_is_found(tmp_path, tiny):
    folder = executed(tmp_path / "run", changed(tiny, training={"snapshots": 3, "epochs": 3}))
    file = folder.file("snapshots.parquet")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(RunFolderError, match="not as the run left it"):
        movie_data(Results([RunFolder(folder.path)]))


# the page


def marks_of(folder, epoch):
    """The kinds of the marks by set, computed from the snapshots."""
    kept = kept_by(folder)
    marks = {}
    for name in SETS:
        kinds = []
        predicted = kept.predictions[name][epoch - 1].tolist()
        for image, label in zip(kept.images, predicted, strict=True):
            alone = name == "patch_only" or (name == "mixed" and image.mixed == "patch_only")
            if label == image.label:
                kinds.append("pattern" if alone else "right")
            else:
                follows = name == "conflict" and label == image.conflict
                kinds.append("pattern" if follows else "wrong")
        marks[name] = kinds
    return marks


def shown_marks(page, arm):
    """The kinds of the marks on the page; symbols and classes agree."""
    marks = {}
    for name in SETS:
        cells = page.locator(f'td[data-arm="{arm}"][data-set="{name}"] .mark')
        symbols = [KINDS[text] for text in cells.all_inner_texts()]
        classes = cells.evaluate_all("all => all.map((one) => one.classList[1])")
        assert symbols == classes
        marks[name] = symbols
    return marks


@pytest.fixture(scope="module")
def movie(folders, tmp_path_factory):
    return write_movie(Results(folders), tmp_path_factory.mktemp("page") / "movie.html")


def test_scrubbing_by_keyboard(page, movie, folders):
    page.goto(movie.as_uri())
    for epoch in (1, 2, 3):
        assert page.get_attribute("#epoch", "aria-valuetext") == f"epoch {epoch} of 3"
        for folder, arm in zip(folders, ("large", "small"), strict=True):
            assert shown_marks(page, arm) == marks_of(folder, epoch)
        focus = "document.getElementById('epoch').focus()"
        page.evaluate(focus if epoch == 1 else "document.activeElement.blur()")
        page.keyboard.press("ArrowRight")
    assert "epoch=3" in page.url
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert [url for url in page.requests if not url.startswith(("file:", "data:"))] == []


def test_the_page_says_numbers_of_the_records(page, movie, results):
    page.goto(movie.as_uri() + "#epoch=2&arm=small")
    assert results.findings()[0] in page.inner_text("header")
    accuracy = results.series("small", "clean", "accuracy")[0][2]
    reliance = results.series("small", "conflict", "reliance")[0][2]
    label = page.get_attribute("#curve-accuracy svg", "aria-label")
    assert label == f"Accuracy without the pattern, at epoch 2: small LR {100 * accuracy:.1f} %"
    shown = page.get_attribute("#curve-reliance svg", "aria-label").replace("−", "-")
    assert shown.endswith(f"small LR {100 * reliance:.1f} %")
    marks = marks_of(results.runs_of("small")[0], 2)
    right, follow = (marks[s].count(k) for s, k in (("clean", "right"), ("conflict", "pattern")))
    summary = page.inner_text('[data-summary="small"]')
    assert "learning rate 0.01" in summary
    assert f"{right} of 12 right" in summary
    assert f"in conflict {follow} follow the pattern" in summary
    assert page.locator('[data-summary="large"]').count() == 0


def test_the_order_of_learning(page, movie, folders):
    page.goto(movie.as_uri() + "#arm=large&epoch=1")
    kept = kept_by(folders[0])
    right = kept.predictions["clean"] == np.array([image.label for image in kept.images])
    last_wrong = [max((e for e in range(3) if not right[e, i]), default=-1) for i in range(12)]
    learned = sorted("not" if e == 2 else str(e + 2) for e in last_wrong)
    texts = page.locator("#order .content").all_inner_texts()
    assert texts == [f"✓ {epoch}" for epoch in learned]
    waiting = page.locator("#order li.waiting").count()
    assert waiting == sum(epoch != "1" for epoch in learned)


def test_the_filters_are_drawn(page, movie, folders):
    page.goto(movie.as_uri() + "#epoch=2&arm=large")
    filters = kept_by(folders[0]).filters
    assert filters is not None
    drawn = page.evaluate(
        "() => { const c = document.querySelector('canvas');"
        " return [c.width, c.height, [...c.getContext('2d').getImageData(5, 2, 1, 1).data]]; }"
    )
    weights = filters[1].astype(float) / np.abs(filters[1].astype(float)).max()
    color = 128 + np.rint(127 * weights[1, :, 2, 1])  # the second filter begins at column 4
    assert drawn[:2] == [31, 3]
    assert drawn[2] == pytest.approx([*color, 255], abs=1)


def test_play_choose_and_the_address(page, movie):
    page.clock.install(time=0)
    page.goto(movie.as_uri())
    page.clock.pause_at(10**6)
    page.keyboard.press("Space")
    assert page.get_attribute("#play", "aria-label") == "Stop"
    page.clock.run_for(500)
    assert page.inner_text("#now") == "epoch 2 of 3"
    page.keyboard.press("Space")
    page.clock.run_for(5000)
    assert page.inner_text("#now") == "epoch 2 of 3"
    page.click("#play")
    page.clock.run_for(5000)
    assert page.inner_text("#now") == "epoch 3 of 3"
    assert page.get_attribute("#play", "aria-label") == "Play"
    page.click(".thumb >> nth=4")
    assert page.locator("#chosen figure").count() == 4
    assert page.get_attribute(".thumb >> nth=4", "aria-pressed") == "true"
    page.select_option("#arm", "small")
    assert {"epoch=3", "image=5", "arm=small"} <= set(page.url.partition("#")[2].split("&"))
    assert page.locator('td[data-arm="large"]').count() == 0
    page.click(".thumb >> nth=4")
    assert page.inner_text("#chosen") == ""


@pytest.mark.parametrize(
    ("address", "said"),
    [("#epoch=99", "there are 1 to 3"), ("#arm=huge", "not here"), ("#seed=7", "not here"),
     ("#colour=red", "does not know"), ("#epoch=%E0%A4%A", "there are 1 to 3")],
)  # fmt: skip
def test_a_bad_address_is_said(page, movie, address, said):
    page.goto(movie.as_uri() + address)
    assert said in page.inner_text("#notices")
    assert page.locator(".mark").count() > 90


def test_names_are_text_only(page, tmp_path, folders):
    """Names of classes, arms and layers come from files, and may be anything."""
    config = folders[0].config
    label = {"arm": "<img src=x onerror=alert(1)> & </script>"}
    folder = RunFolder.create(tmp_path / "run", config, label)
    folder.write_tables(records=folders[0].records())
    write_snapshots(folder, replace(kept_by(folders[0]), first_layer="<b>conv</b>"))
    data = folders[0].read_manifest()["data"]
    classes = {f"<i>{name}</i>": sizes for name, sizes in data["classes"].items()}
    folder.update(status="finished", data={**data, "classes": classes}, files=folder.seal())
    movie = write_movie(Results([RunFolder(folder.path)]), tmp_path / "movie.html")
    page.goto(movie.as_uri() + "#image=1")
    assert label["arm"] in page.inner_text("#bands")
    assert "<i>0</i>" in page.inner_text("#chosen")
    assert "<b>conv</b>" in page.inner_text("#filters")
    assert page.locator("img[src=x]").count() == 0


# the command


def test_the_command(folders, tmp_path, capsys):
    runs = str(folders[0].path.parent)
    assert main(["report", runs, "--movie"]) == 0
    out = folders[0].path.parent / "movie.html"
    assert capsys.readouterr().out == f"Movie: {out}\n"
    assert out.stat().st_size < 300_000
    text = out.read_text(encoding="utf-8")
    data = json.loads(re.findall(r'<script id="data"[^>]*>(.*?)</script>', text, re.DOTALL)[0])
    assert [arm["title"] for arm in data["arms"]] == ["large LR + anneal", "small LR"]
    assert main(["report", runs, "--movie", "--out", str(tmp_path)]) == 2
    assert "This is a folder" in capsys.readouterr().err


def test_runs_without_snapshots_say_how_to_keep_them(tiny, tmp_path, folders, capsys):
    folder = fake_run(tmp_path / "run", tiny, {"arm": "small_noise"}, [0.5, 0.6])
    assert main(["report", str(folder.path), "--movie"]) == 2
    assert "--training.snapshots 32 and another --out" in capsys.readouterr().err
    missing = movie_data(Results([*folders, folder]))["missing"]
    assert missing == ["Not shown: small LR + noise, seed 0 (no snapshots were kept)."]
    kept = changed(tiny, training={"snapshots": 5})
    stopped = fake_run(tmp_path / "stopped", kept, {"arm": "large"}, [0.5], status="interrupted")
    with pytest.raises(RunFolderError, match=r"has finished. Continue the runs"):
        movie_data(Results([stopped]))


def test_runs_that_do_not_go_together_are_refused(tiny, tmp_path, folders):
    other = executed(tmp_path / "other", changed(tiny, training={"snapshots": 6}), "small_noise")
    with pytest.raises(RunFolderError, match=r"seed 0 show different images.*training.snapshots"):
        movie_data(Results([*folders, other]))


def test_many_arms_are_refused(tmp_path, folders, capsys):
    kept = kept_by(folders[0])
    for number in range(9):
        config = changed(folders[0].config, training={"weight_decay": number / 1000})
        folder = fake_run(tmp_path / f"{number}", config, {"arm": f"arm {number}"}, [0.5])
        write_snapshots(folder, kept)
        folder.update(files=folder.seal())
    assert main(["report", str(tmp_path), "--movie"]) == 2
    assert "There are 9 arms" in capsys.readouterr().err


def test_other_kinds_are_refused(tmp_path, capsys):
    task = TaskRunConfig(TaskConfig("a.b"), TrainingConfig(epochs=2))
    RunFolder.create(tmp_path / "task", task, {"arm": "x"})
    assert main(["report", str(tmp_path / "task"), "--movie"]) == 2
    said = capsys.readouterr().err
    assert "runs of the kind task" in said
    assert "--data function:PATH" in said
